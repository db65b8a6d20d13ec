//! The hub's own accounts: passwords, refresh tokens, setup links, management of people.

use super::{PASSWORD, bearer, human_with_password, login, me, refused};
use crate::support::client::Reply;
use crate::support::hub::text;
use crate::support::{Hub, Socket, on_both_engines};
use futures::future::join_all;
use hiloop::domain::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeSet;

async fn refresh(hub: &Hub, token: &Value) -> Reply {
    hub.anonymous().post("/v1/auth/refresh", json!({ "refreshToken": token })).await
}

/// The part of a link after `mark` in its fragment.
fn behind<'a>(url: &'a str, mark: &str) -> &'a str {
    url.split_once(mark).unwrap_or_else(|| panic!("{mark} in {url}")).1
}

on_both_engines! {
    async fn a_human_signs_in_refreshes_and_signs_out(hub: Hub) {
        let human = human_with_password(&hub, "Ada@Example.org").await;
        assert_eq!((&human["email"], &human["setupUrl"]), (&json!("ada@example.org"), &Value::Null));
        assert!(human.get("passwordHash").is_none() && human.get("password").is_none());
        let before = hub.context().clock.now();
        let tokens = login(&hub, "ADA@example.org", PASSWORD).await.expect(200);
        let keys: BTreeSet<_> = tokens.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(keys, BTreeSet::from(["accessToken", "expiresAt", "refreshToken", "tokenType"]));
        assert_eq!(tokens["tokenType"], "Bearer");
        let expires = Timestamp::parse(text(&tokens["expiresAt"])).expect("a time");
        assert_eq!(expires.to_string(), text(&tokens["expiresAt"]));
        assert!(expires > before);
        assert_eq!(me(&hub, text(&tokens["accessToken"])).await.expect(200)["id"], human["id"]);
        // The name of the scheme is case-insensitive.
        let lower = hub.anonymous().with("authorization", &format!("bearer {}", text(&tokens["accessToken"])));
        lower.get("/v1/human/me").await.expect(200);
        // A refresh token is not accepted as an access token.
        refused(&hub, text(&tokens["refreshToken"]), "a refresh token").await;

        let next = refresh(&hub, &tokens["refreshToken"]).await.expect(200);
        assert_ne!(next["refreshToken"], tokens["refreshToken"]);
        me(&hub, text(&next["accessToken"])).await.expect(200);
        let signed_out = hub.anonymous().post("/v1/auth/logout", json!({ "refreshToken": next["refreshToken"] })).await;
        signed_out.expect(204);
        refresh(&hub, &next["refreshToken"]).await.expect_error(401, "UNAUTHORIZED");
        // A repeated logout succeeds.
        hub.anonymous().post("/v1/auth/logout", json!({ "refreshToken": next["refreshToken"] })).await.expect(204);
    }

    async fn a_wrong_password_and_an_unknown_address_get_the_same_reply(hub: Hub) {
        human_with_password(&hub, "ada@example.org").await;
        let body = json!({ "email": "setup@example.org", "name": "No password yet" });
        hub.owner.post("/v1/manage/humans", body).await.expect(201);
        let wrong = login(&hub, "ada@example.org", "wrong password").await.expect_error(401, "UNAUTHORIZED");
        for (email, password) in [
            ("nobody@example.org", PASSWORD),
            ("setup@example.org", ""),
            ("setup@example.org", PASSWORD),
            ("ada@example.org", ""),
            ("", ""),
        ] {
            let error = login(&hub, email, password).await.expect_error(401, "UNAUTHORIZED");
            assert_eq!(error["message"], wrong["message"], "{email} {password}");
        }
        let long = "x".repeat(10_000);
        login(&hub, "ada@example.org", &long).await.expect_error(401, "UNAUTHORIZED");
        let too_long = "x".repeat(17 * 1024);
        login(&hub, "ada@example.org", &too_long).await.expect_error(413, "PAYLOAD_TOO_LARGE");
        for (body, field) in [
            (json!({ "password": PASSWORD }), "email"),
            (json!({ "email": "ada@example.org" }), "password"),
            (json!({ "email": 1, "password": PASSWORD }), "email"),
        ] {
            let error = hub.anonymous().post("/v1/auth/login", body).await.expect_error(400, "VALIDATION_ERROR");
            assert!(text(&error["message"]).contains(&format!("'{field}'")), "{error}");
        }
        for path in ["/v1/auth/refresh", "/v1/auth/logout"] {
            let error = hub.anonymous().post(path, json!({})).await.expect_error(400, "VALIDATION_ERROR");
            assert!(text(&error["message"]).contains("'refreshToken'"), "{error}");
        }
    }

    async fn reuse_of_a_refresh_token_ends_its_sign_in(hub: Hub) {
        human_with_password(&hub, "ada@example.org").await;
        let tokens = login(&hub, "ada@example.org", PASSWORD).await.expect(200);
        let other = login(&hub, "ada@example.org", PASSWORD).await.expect(200);
        let second = refresh(&hub, &tokens["refreshToken"]).await.expect(200);
        let third = refresh(&hub, &second["refreshToken"]).await.expect(200);
        refresh(&hub, &tokens["refreshToken"]).await.expect_error(401, "UNAUTHORIZED");
        for token in [&second["refreshToken"], &third["refreshToken"], &json!("hlr_unknown"), &json!("")] {
            refresh(&hub, token).await.expect_error(401, "UNAUTHORIZED");
        }
        // Another sign-in is another family.
        let other = refresh(&hub, &other["refreshToken"]).await.expect(200);
        // One of many concurrent uses succeeds, and the others have ended the sign-in.
        let raced = join_all((0..10).map(|_| refresh(&hub, &other["refreshToken"]))).await;
        let statuses: Vec<_> = raced.iter().map(|reply| reply.status).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 9, "{statuses:?}");
        let winner = raced.into_iter().find(|reply| reply.status == 200).expect("one").body;
        refresh(&hub, &winner["refreshToken"]).await.expect_error(401, "UNAUTHORIZED");
    }

    async fn access_and_refresh_tokens_expire(hub: Hub) {
        human_with_password(&hub, "ada@example.org").await;
        let tokens = login(&hub, "ada@example.org", PASSWORD).await.expect(200);
        let access = text(&tokens["accessToken"]);
        me(&hub, access).await.expect(200);
        let left = Timestamp::parse(text(&tokens["expiresAt"])).expect("a time").millis_since(hub.context().clock.now());
        hub.clock.advance(left);
        refused(&hub, access, "at its end").await;
        let next = refresh(&hub, &tokens["refreshToken"]).await.expect(200);
        me(&hub, text(&next["accessToken"])).await.expect(200);
        hub.clock.advance(366 * 24 * 60 * 60 * 1000);
        refresh(&hub, &next["refreshToken"]).await.expect_error(401, "UNAUTHORIZED");
    }

    async fn a_setup_link_works_once(hub: Hub) {
        let body = json!({ "email": "new@example.org", "name": "New" });
        let human = hub.owner.post("/v1/manage/humans", body.clone()).await.expect(201);
        let url = text(&human["setupUrl"]);
        assert!(url.starts_with(&format!("{}/#", hub.base)), "the token stands in the fragment: {url}");
        let token = behind(url, "#setup=");
        hub.owner.post("/v1/manage/humans", body).await.expect_error(409, "CONFLICT");
        let setup = async |token: &str, password: &str| {
            hub.anonymous().post("/v1/auth/setup", json!({ "token": token, "password": password })).await
        };
        // A bad password does not use it up.
        let error = setup(token, "short").await.expect_error(400, "VALIDATION_ERROR");
        assert!(text(&error["message"]).contains("'password'"), "{error}");
        setup("hls_unknown", PASSWORD).await.expect_error(401, "UNAUTHORIZED");
        for body in [json!({ "token": token }), json!({ "password": PASSWORD })] {
            hub.anonymous().post("/v1/auth/setup", body).await.expect_error(400, "VALIDATION_ERROR");
        }
        let tokens = setup(token, PASSWORD).await.expect(200);
        assert_eq!(me(&hub, text(&tokens["accessToken"])).await.expect(200)["id"], human["id"]);
        refresh(&hub, &tokens["refreshToken"]).await.expect(200);
        setup(token, "another password").await.expect_error(401, "UNAUTHORIZED");
        login(&hub, "new@example.org", "another password").await.expect_error(401, "UNAUTHORIZED");
        login(&hub, "new@example.org", PASSWORD).await.expect(200);

        let late = json!({ "email": "late@example.org", "name": "Late" });
        let late = hub.owner.post("/v1/manage/humans", late).await.expect(201);
        hub.clock.advance(366 * 24 * 60 * 60 * 1000);
        setup(behind(text(&late["setupUrl"]), "#setup="), PASSWORD).await.expect_error(401, "UNAUTHORIZED");
    }

    async fn a_deactivated_human_loses_access_immediately(hub: Hub) {
        let human = human_with_password(&hub, "ada@example.org").await;
        let tokens = login(&hub, "ada@example.org", PASSWORD).await.expect(200);
        me(&hub, text(&tokens["accessToken"])).await.expect(200);
        let pending = json!({ "email": "pending@example.org", "name": "P" });
        let pending = hub.owner.post("/v1/manage/humans", pending).await.expect(201);
        for human in [&human, &pending] {
            hub.owner.delete(&format!("/v1/manage/humans/{}", text(&human["id"]))).await.expect(204);
        }
        refused(&hub, text(&tokens["accessToken"]), "deactivated").await;
        refresh(&hub, &tokens["refreshToken"]).await.expect_error(401, "UNAUTHORIZED");
        login(&hub, "ada@example.org", PASSWORD).await.expect_error(401, "UNAUTHORIZED");
        let body = json!({ "token": behind(text(&pending["setupUrl"]), "#setup="), "password": PASSWORD });
        hub.anonymous().post("/v1/auth/setup", body).await.expect_error(401, "UNAUTHORIZED");
    }

    async fn another_space_cannot_take_over_an_account(hub: Hub) {
        let body = json!({ "email": "victim@example.org", "name": "Victim" });
        let victim = hub.owner.post("/v1/manage/humans", body).await.expect(201);
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let other = hub.other_space().await;
        let body = json!({ "email": "VICTIM@example.org", "name": "Mine", "password": "the attacker's own" });
        let twin = other.post("/v1/manage/humans", body).await.expect(201);
        // The password of one account does not work for the other.
        let stolen = login(&hub, "victim@example.org", "the attacker's own").await.expect(200);
        let client = bearer(&hub, text(&stolen["accessToken"]));
        assert_eq!(client.get("/v1/human/me").await.expect(200)["id"], twin["id"]);
        client.get(&format!("/v1/human/sessions/{session}")).await.expect_error(404, "NOT_FOUND");
        // The victim's own link still works, for the victim's account.
        let body = json!({ "token": behind(text(&victim["setupUrl"]), "#setup="), "password": "the victim's own" });
        let tokens = hub.anonymous().post("/v1/auth/setup", body).await.expect(200);
        let client = bearer(&hub, text(&tokens["accessToken"]));
        client.get(&format!("/v1/human/sessions/{session}")).await.expect(200);
        // Each password signs in to its own account, regardless of the age of the spaces; a named space selects the account.
        let me = async |password: &str, space: Option<&str>| {
            let body = json!({ "email": "victim@example.org", "password": password, "space": space });
            let reply = hub.anonymous().post("/v1/auth/login", body).await;
            if reply.status == 401 {
                return Value::Null;
            }
            let tokens = reply.expect(200);
            bearer(&hub, text(&tokens["accessToken"])).get("/v1/human/me").await.expect(200)["id"].clone()
        };
        let theirs = other.get("/v1/agent/me").await.expect(200);
        let theirs = text(&theirs["spaceId"]);
        assert_eq!(me("the victim's own", None).await, victim["id"]);
        assert_eq!(me("the attacker's own", None).await, twin["id"]);
        assert_eq!(me("the victim's own", Some("default")).await, victim["id"]);
        assert_eq!(me("the attacker's own", Some(theirs)).await, twin["id"]);
        for space in [theirs, "nowhere", ""] {
            assert_eq!(me("the victim's own", Some(space)).await, Value::Null, "{space}");
        }
    }

    async fn the_address_of_a_deactivated_human_can_be_reused(hub: Hub) {
        let email = "back@example.org";
        let body = json!({ "email": email, "name": "Before", "password": PASSWORD });
        let before = hub.owner.post("/v1/manage/humans", body).await.expect(201);
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let old = login(&hub, email, PASSWORD).await.expect(200);
        let (old_token, old_refresh) = (text(&old["accessToken"]), json!({ "refreshToken": old["refreshToken"] }));
        me(&hub, old_token).await.expect(200);
        let again = json!({ "email": email, "name": "After" });
        hub.owner.post("/v1/manage/humans", again.clone()).await.expect_error(409, "CONFLICT");
        hub.owner.delete(&format!("/v1/manage/humans/{}", text(&before["id"]))).await.expect(204);
        login(&hub, email, PASSWORD).await.expect_error(401, "UNAUTHORIZED");
        refused(&hub, old_token, "while they are removed").await;

        let after = hub.owner.post("/v1/manage/humans", again.clone()).await.expect(201);
        assert!(after["id"] != before["id"] && after["name"] == "After", "{after}");
        // Old credentials of the address are not valid for the new human, who chooses a new password.
        login(&hub, email, PASSWORD).await.expect_error(401, "UNAUTHORIZED");
        refused(&hub, old_token, "of before").await;
        assert_eq!(Socket::try_open(&bearer(&hub, old_token)).await.err(), Some(401));
        hub.anonymous().post("/v1/auth/refresh", old_refresh).await.expect_error(401, "UNAUTHORIZED");
        let chosen = json!({ "token": behind(text(&after["setupUrl"]), "#setup="), "password": "another horse battery" });
        hub.anonymous().post("/v1/auth/setup", chosen).await.expect(200);
        let new = login(&hub, email, "another horse battery").await.expect(200);
        let new = bearer(&hub, text(&new["accessToken"]));
        assert_eq!(new.get("/v1/human/me").await.expect(200)["id"], after["id"]);
        // They have no access to sessions of the former human.
        assert_eq!(new.get("/v1/human/sessions").await.expect(200)["total"], 0);
        new.get(&format!("/v1/human/sessions/{session}")).await.expect_error(404, "NOT_FOUND");
        hub.owner.post("/v1/manage/humans", again).await.expect_error(409, "CONFLICT");
    }

    async fn addresses_ignore_ascii_case_only(hub: Hub) {
        human_with_password(&hub, "Kay@Example.org").await;
        login(&hub, "kAY@eXAMPLE.ORG", PASSWORD).await.expect(200);
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        for other in ["\u{212a}ay@example.org", "\u{ff4b}ay@example.org", "kay@example.org\u{200b}"] {
            login(&hub, other, PASSWORD).await.expect_error(401, "UNAUTHORIZED");
            let named = json!({ "type": "Human", "email": other });
            let path = format!("/v1/agent/sessions/{session}/participants");
            let status = agent.post(&path, named).await.status;
            assert!([400, 404].contains(&status), "{other:?}: {status}");
        }
    }

    async fn an_admin_manages_only_their_space(hub: Hub) {
        let create = |name: &str, role: &str| json!({ "email": format!("{name}@example.org"), "name": name, "role": role, "password": PASSWORD });
        let admin = hub.owner.post("/v1/manage/humans", create("admin", "Admin")).await.expect(201);
        assert_eq!(admin["role"], "Admin");
        let error = hub.owner.post("/v1/manage/humans", create("x", "Owner")).await.expect_error(400, "VALIDATION_ERROR");
        assert!(text(&error["message"]).contains("'role'"), "{error}");
        let tokens = login(&hub, "admin@example.org", PASSWORD).await.expect(200);
        let admin = bearer(&hub, text(&tokens["accessToken"]));
        assert_eq!(admin.get("/v1/human/me").await.expect(200)["role"], "Admin");
        let member = admin.post("/v1/manage/humans", create("member", "Member")).await.expect(201);
        let listed = admin.get("/v1/manage/humans?pageSize=100").await.expect(200);
        let role = |id: &Value| {
            let found = listed["data"].as_array().expect("a list").iter().find(|human| human["id"] == *id);
            found.expect("listed")["role"].clone()
        };
        assert_eq!(role(&member["id"]), "Member");
        let key = admin.post("/v1/manage/keys", json!({ "permission": "manage" })).await.expect(201);
        admin.delete(&format!("/v1/manage/keys/{}", text(&key["id"]))).await.expect(204);
        admin.post("/v1/manage/keys", json!({ "permission": "owner" })).await.expect_error(403, "FORBIDDEN");
        for list in ["keys", "agents"] {
            admin.get(&format!("/v1/manage/{list}")).await.expect(200);
        }
        // Spaces require an owner key, metrics a key, and routes of agents an agent.
        for path in ["/v1/manage/spaces", "/metrics"] {
            admin.get(path).await.expect_error(403, "FORBIDDEN");
        }
        for path in ["/v1/agent/me", "/v1/agent/sessions"] {
            admin.get(path).await.expect_error(401, "UNAUTHORIZED");
        }
        // Humans of another space are not listed.
        let other = hub.other_space().await;
        let foreign = other.post("/v1/manage/humans", create("foreign", "Member")).await.expect(201);
        admin.delete(&format!("/v1/manage/humans/{}", text(&foreign["id"]))).await.expect_error(404, "NOT_FOUND");
        // A retry after new tokens finds the same link.
        let body = json!({ "email": "linked@example.org", "name": "L" });
        let once = admin.with("idempotency-key", "once").post("/v1/manage/humans", body.clone()).await.expect(201);
        let refreshed = refresh(&hub, &tokens["refreshToken"]).await.expect(200);
        let admin = bearer(&hub, text(&refreshed["accessToken"]));
        let again = admin.with("idempotency-key", "once").post("/v1/manage/humans", body).await.expect(201);
        assert_eq!(once, again);
        // A member manages nothing.
        let tokens = login(&hub, "member@example.org", PASSWORD).await.expect(200);
        let member = bearer(&hub, text(&tokens["accessToken"]));
        assert_eq!(member.get("/v1/human/me").await.expect(200)["role"], "Member");
        member.get("/v1/manage/humans").await.expect_error(403, "FORBIDDEN");
    }

    async fn the_name_of_a_deactivated_agent_is_a_conflict(hub: Hub) {
        let agent = hub.owner.post("/v1/manage/agents", json!({ "name": "once" })).await.expect(201);
        let exists = hub.owner.post("/v1/manage/agents", json!({ "name": "once" })).await;
        assert_eq!(exists.expect_error(409, "CONFLICT")["message"], "Field 'name' is the name of an existing agent");
        hub.owner.delete(&format!("/v1/manage/agents/{}", text(&agent["id"]))).await.expect(204);
        let gone = hub.owner.post("/v1/manage/agents", json!({ "name": "once" })).await;
        assert_eq!(gone.expect_error(409, "CONFLICT")["message"], "Field 'name' is the name of a deactivated agent");
    }

    async fn the_name_of_a_deactivated_space_is_a_conflict(hub: Hub) {
        let space = hub.owner.post("/v1/manage/spaces", json!({ "name": "once" })).await.expect(201);
        hub.owner.delete(&format!("/v1/manage/spaces/{}", text(&space["id"]))).await.expect(204);
        let again = hub.owner.post("/v1/manage/spaces", json!({ "name": "once" })).await;
        assert!([201, 409].contains(&again.status), "{}: {}", again.status, again.body);
    }
}
