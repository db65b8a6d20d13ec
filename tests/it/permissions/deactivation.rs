//! A deactivated human, agent or space has no access any more.

use super::REVOKED_WITHIN;
use super::fixture::{admit, bearer, key};
use crate::support::hub::{at_agent, at_human, say, text};
use crate::support::socket::End;
use crate::support::{Socket, on_both_engines, timeout};
use serde_json::json;

on_both_engines! {
    async fn a_deactivated_human_is_not_a_participant(hub: Hub) {
        let here = hub.agent("manage").await;
        let human = hub.human_of(&here).await;
        let me = human.get("/v1/human/me").await.expect(200);
        let session = hub.session(&here).await;
        let mut socket = hub.socket(&human).await;
        socket.ask(json!({ "type": "subscribe", "feed": true })).await;
        say(&here, &session, "as long as they are there").await;
        assert_eq!(socket.find("feed").await["sessionId"], session.as_str());
        here.delete(&format!("/v1/manage/humans/{}", text(&me["id"]))).await.expect(204);
        while let Ok(frame) = socket.next_or_end().await {
            assert_ne!(frame["type"], "feed", "{frame}");
        }
        // The participants have access; a new human with the same address is not a participant.
        let again = json!({ "email": me["email"], "name": "Next" });
        let next = here.post("/v1/manage/humans", again).await.expect(201);
        assert_ne!(next["id"], me["id"]);
        let listed = here.get(&at_agent(&session, "/participants")).await.expect(200);
        assert!(listed["data"].as_array().expect("a list").iter().all(|participant| participant["type"] == "Agent"), "{listed}");
        assert_eq!(listed["total"], listed["data"].as_array().expect("a list").len());
        let next = bearer(&hub, &hub.token(&next, 600).await);
        next.get(&at_human(&session, "")).await.expect_error(404, "NOT_FOUND");
        assert_eq!(next.get("/v1/human/sessions").await.expect(200)["total"], 0);
    }

    async fn a_deactivated_agent_has_no_access(hub: Hub) {
        let manager = hub.agent("manage").await;
        let host = hub.agent("agent").await;
        let session = hub.session(&host).await;
        let agent = hub.agent("agent").await;
        admit(&host, &session, &agent).await;
        let me = agent.get("/v1/agent/me").await.expect(200);
        let name = text(&me["name"]);
        // A key of another agent that acts as this one.
        let other = hub.agent("space").await;
        let acting = other.with("x-hiloop", name);
        let mut own = hub.socket(&agent).await;
        own.subscribe(&session, None).await;
        let mut named = hub.socket(&acting).await;
        let mut unconcerned = hub.socket(&host).await;
        manager.delete(&format!("/v1/manage/agents/{}", text(&me["id"]))).await.expect(204);
        for socket in [&mut own, &mut named] {
            assert_eq!(timeout(REVOKED_WITHIN, socket.end()).await.expect("an end in time"), End::Code(4403));
        }
        agent.get("/v1/agent/me").await.expect_error(401, "UNAUTHORIZED");
        agent.get(&at_agent(&session, "")).await.expect_error(401, "UNAUTHORIZED");
        acting.get("/v1/agent/me").await.expect_error(404, "NOT_FOUND");
        other.with("x-hiloop", text(&me["id"])).get("/v1/agent/me").await.expect_error(404, "NOT_FOUND");
        assert_eq!(Socket::try_open(&agent).await.err(), Some(401));
        manager.delete(&format!("/v1/manage/agents/{}", text(&me["id"]))).await.expect_error(404, "NOT_FOUND");
        assert_eq!(unconcerned.ask(json!({ "type": "ping" })).await["type"], "pong");
    }

    async fn a_deactivated_human_has_no_access(hub: Hub) {
        let manager = hub.agent("manage").await;
        let host = hub.agent("agent").await;
        let email = format!("{}@example.org", hub.name("leaver"));
        let person = json!({ "email": email, "name": "Leaver", "password": "correct horse" });
        let person = manager.post("/v1/manage/humans", person).await.expect(201);
        let session = hub.session(&host).await;
        let login = json!({ "email": email, "password": "correct horse" });
        let signed_in = hub.anonymous().post("/v1/auth/login", login.clone()).await.expect(200);
        let human = bearer(&hub, text(&signed_in["accessToken"]));
        let mut socket = hub.socket(&human).await;
        socket.subscribe(&session, None).await;
        manager.delete(&format!("/v1/manage/humans/{}", text(&person["id"]))).await.expect(204);
        assert_eq!(timeout(REVOKED_WITHIN, socket.end()).await.expect("an end in time"), End::Code(4403));
        human.get("/v1/human/me").await.expect_error(401, "UNAUTHORIZED");
        human.get(&at_human(&session, "")).await.expect_error(401, "UNAUTHORIZED");
        assert_eq!(Socket::try_open(&human).await.err(), Some(401));
        hub.anonymous().post("/v1/auth/login", login).await.expect_error(401, "UNAUTHORIZED");
        let refresh = json!({ "refreshToken": signed_in["refreshToken"] });
        hub.anonymous().post("/v1/auth/refresh", refresh).await.expect_error(401, "UNAUTHORIZED");
    }

    async fn a_deactivated_space_has_no_access(hub: Hub) {
        let space = hub.owner.post("/v1/manage/spaces", json!({ "name": hub.name("space") })).await.expect(201);
        let manager = hub.anonymous().with("x-api-key", text(&space["apiKey"]));
        let agent = hub.agent_of(&manager, "agent").await;
        let human = hub.human_of(&manager).await;
        let neighbour = hub.human().await;
        let email = neighbour.get("/v1/human/me").await.expect(200)["email"].take();
        manager.post("/v1/manage/humans", json!({ "email": email, "name": "Neighbour" })).await.expect(201);
        let session = hub.session(&agent).await;
        let guest = hub.guest(&agent, &session).await;
        let (_, provisioner) = key(&hub, &manager, json!({ "permission": "provision" })).await;
        let mut sockets = Vec::new();
        for client in [&manager, &agent, &guest, &human] {
            let mut socket = hub.socket(client).await;
            socket.subscribe(&session, None).await;
            sockets.push(socket);
        }
        let mut person = hub.socket(&neighbour).await;
        hub.owner.delete(&format!("/v1/manage/spaces/{}", text(&space["id"]))).await.expect(204);
        for socket in &mut sockets {
            assert_eq!(timeout(REVOKED_WITHIN, socket.end()).await.expect("an end in time"), End::Code(4403));
        }
        manager.get("/v1/agent/me").await.expect_error(401, "UNAUTHORIZED");
        agent.get(&at_agent(&session, "")).await.expect_error(401, "UNAUTHORIZED");
        guest.get(&at_human(&session, "")).await.expect_error(401, "UNAUTHORIZED");
        provisioner.post("/v1/provision/agents", json!({ "name": "late" })).await.expect_error(401, "UNAUTHORIZED");
        human.get("/v1/human/me").await.expect_error(401, "UNAUTHORIZED");
        // A human with the same address in another space is not affected.
        neighbour.get("/v1/human/me").await.expect(200);
        assert_eq!(person.ask(json!({ "type": "ping" })).await["type"], "pong");
    }
}
