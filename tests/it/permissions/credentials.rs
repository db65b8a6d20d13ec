//! Permissions of keys, and one-time secrets.

use super::fixture::{bearer, key, setup_token};
use crate::support::hub::text;
use crate::support::{Socket, on_both_engines};
use serde_json::json;

on_both_engines! {
    async fn a_key_of_higher_permission_cannot_be_created(hub: Hub) {
        let all = ["provision", "agent", "space", "manage", "owner"];
        let manager = hub.agent("manage").await;
        for (maker, highest) in [(&manager, 3), (&hub.owner, 4)] {
            for (rank, permission) in all.iter().enumerate() {
                let reply = maker.post("/v1/manage/keys", json!({ "permission": permission })).await;
                if rank > highest {
                    reply.expect_error(403, "FORBIDDEN");
                    continue;
                }
                let made = reply.expect(201);
                assert_eq!(made["permission"], *permission);
                let client = hub.anonymous().with("x-api-key", text(&made["apiKey"]));
                let manages = client.get("/v1/manage/keys").await.status;
                assert_eq!(manages, if rank >= 3 { 200 } else { 403 }, "{permission}");
                let owns = client.get("/v1/manage/spaces").await.status;
                assert_eq!(owns, if rank >= 4 { 200 } else { 403 }, "{permission}");
            }
        }
        // Naming another agent does not change the permission.
        let owner = hub.owner.get("/v1/agent/me").await.expect(200);
        let disguised = hub.agent("space").await.with("x-hiloop", text(&owner["id"]));
        assert_eq!(disguised.get("/v1/agent/me").await.expect(200)["permission"], "space");
        disguised.get("/v1/manage/keys").await.expect_error(403, "FORBIDDEN");
        // An agent that was provisioned has `agent` and nothing more.
        let (_, provisioner) = key(&hub, &hub.owner, json!({ "permission": "provision" })).await;
        let made = provisioner.post("/v1/provision/agents", json!({ "name": "provisioned" })).await.expect(201);
        let agent = hub.anonymous().with("x-api-key", text(&made["apiKey"]));
        let me = agent.get("/v1/agent/me").await.expect(200);
        assert_eq!((&me["id"], &me["permission"]), (&made["agent"]["id"], &json!("agent")));
        provisioner.with("x-hiloop", "provisioned").get("/v1/agent/me").await.expect_error(403, "FORBIDDEN");
    }

    async fn a_key_acts_as_the_agent_it_names(hub: Hub) {
        let key = hub.agent("space").await;
        let own = key.get("/v1/agent/me").await.expect(200);
        let longest = "n".repeat(64);
        for name in ["new-one", "Other_1.x", "7", longest.as_str()] {
            let made = key.with("x-hiloop", name).get("/v1/agent/me").await.expect(200);
            assert_eq!((&made["name"], &made["spaceId"]), (&json!(name), &own["spaceId"]));
            assert_ne!(made["id"], own["id"]);
            let again = key.with("x-hiloop", name).get("/v1/agent/me").await.expect(200);
            let by_id = key.with("x-hiloop", text(&made["id"])).get("/v1/agent/me").await.expect(200);
            assert_eq!((&again["id"], &by_id["id"]), (&made["id"], &made["id"]));
        }
        let too_long = "n".repeat(65);
        for bad in ["", " ", "a b", "a/b", "ä", "a,b", "'; DROP TABLE agents", too_long.as_str()] {
            let refused = key.with("x-hiloop", bad).get("/v1/agent/me").await.expect_error(400, "VALIDATION_ERROR");
            assert!(text(&refused["message"]).contains("X-Hiloop"), "{refused}");
        }
        let foreign = hub.other_space().await;
        let theirs = hub.agent_of(&foreign, "agent").await.get("/v1/agent/me").await.expect(200);
        let unknown = hiloop::domain::AgentId::new().to_string();
        for id in [text(&theirs["id"]), &unknown] {
            let bound = hub.agent("agent").await.with("x-hiloop", id);
            bound.get("/v1/agent/me").await.expect_error(403, "FORBIDDEN");
            assert_eq!(Socket::try_open(&bound).await.err(), Some(403));
            for permission in ["space", "manage", "owner"] {
                let client = hub.agent(permission).await.with("x-hiloop", id);
                client.get("/v1/agent/me").await.expect_error(404, "NOT_FOUND");
                assert_eq!(Socket::try_open(&client).await.err(), Some(404));
            }
        }
        // The name of another space's agent is a new name here.
        let namesake = key.with("x-hiloop", text(&theirs["name"])).get("/v1/agent/me").await.expect(200);
        assert_eq!((&namesake["name"], &namesake["spaceId"]), (&theirs["name"], &own["spaceId"]));
        assert_ne!(namesake["id"], theirs["id"]);
    }

    async fn sign_in_secrets_work_once_and_for_one_human(hub: Hub) {
        let anonymous = hub.anonymous();
        let email = format!("{}@example.org", hub.name("person"));
        let person = hub.owner.post("/v1/manage/humans", json!({ "email": email, "name": "P" })).await.expect(201);
        let login = |password: &str| json!({ "email": email, "password": password });
        // A human without a password can't sign in, with no or an empty password.
        for password in ["", "correct horse"] {
            anonymous.post("/v1/auth/login", login(password)).await.expect_error(401, "UNAUTHORIZED");
        }
        let setup = |token: &str| json!({ "token": token, "password": "correct horse" });
        anonymous.post("/v1/auth/setup", setup("hls_nothing")).await.expect_error(401, "UNAUTHORIZED");
        let signed_in = anonymous.post("/v1/auth/setup", setup(setup_token(&person))).await.expect(200);
        anonymous.post("/v1/auth/setup", setup(setup_token(&person))).await.expect_error(401, "UNAUTHORIZED");
        anonymous.post("/v1/auth/login", login("Correct horse")).await.expect_error(401, "UNAUTHORIZED");
        let unknown = json!({ "email": "nobody@example.org", "password": "correct horse" });
        anonymous.post("/v1/auth/login", unknown).await.expect_error(401, "UNAUTHORIZED");
        // Refresh and access tokens are not interchangeable.
        let (access, refresh) = (text(&signed_in["accessToken"]), text(&signed_in["refreshToken"]));
        bearer(&hub, refresh).get("/v1/human/me").await.expect_error(401, "UNAUTHORIZED");
        bearer(&hub, access).get("/v1/human/me").await.expect(200);
        let refreshed = |token: &str| json!({ "refreshToken": token });
        anonymous.post("/v1/auth/refresh", refreshed(access)).await.expect_error(401, "UNAUTHORIZED");
        let next = anonymous.post("/v1/auth/refresh", refreshed(refresh)).await.expect(200);
        // A reused refresh token ends the whole sign-in.
        anonymous.post("/v1/auth/refresh", refreshed(refresh)).await.expect_error(401, "UNAUTHORIZED");
        anonymous.post("/v1/auth/refresh", refreshed(text(&next["refreshToken"]))).await.expect_error(401, "UNAUTHORIZED");
        let again = anonymous.post("/v1/auth/login", login("correct horse")).await.expect(200);
        anonymous.post("/v1/auth/logout", refreshed(text(&again["refreshToken"]))).await.expect(204);
        anonymous.post("/v1/auth/refresh", refreshed(text(&again["refreshToken"]))).await.expect_error(401, "UNAUTHORIZED");
    }
}
