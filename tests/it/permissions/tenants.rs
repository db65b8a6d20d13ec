//! Data of another space, session or person can't be read, named or changed.

use super::fixture::{Fixture, bearer, setup_token};
use super::routes::{ROUTES, Who};
use crate::support::hub::{at_agent, at_human, say, text};
use crate::support::{Client, on_both_engines};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn ids_of(page: &Value) -> BTreeSet<&str> {
    page["data"].as_array().expect("a list").iter().map(|item| text(&item["id"])).collect()
}

on_both_engines! {
    async fn ids_of_another_session_are_not_found(hub: Hub) {
        let fixture = Fixture::of(&hub).await;
        let agent = hub.agent("agent").await;
        let own = hub.session(&agent).await;
        let human = hub.human().await;
        let me = human.get("/v1/human/me").await.expect(200);
        let invitation = json!({ "type": "Human", "humanId": me["id"] });
        agent.post(&at_agent(&own, "/participants"), invitation).await.expect(201);
        let guest = hub.guest(&agent, &own).await;
        let before = fixture.snapshot().await;
        for row in ROUTES.iter().filter(|row| row.path.contains("/sessions/{id}/") && row.path.matches('{').count() > 1) {
            let path = fixture.path_with(row, |name| (name == "id").then(|| own.clone()));
            let callers = if row.who == Who::Agent { vec![&agent, &fixture.manager] } else { vec![&human, &guest] };
            for caller in callers {
                let reply = caller.raw(row.method, &path, None, Vec::new()).await;
                reply.expect_error(404, "NOT_FOUND");
            }
        }
        for (caller, path) in [(&agent, at_agent(&own, "/messages")), (&human, at_human(&own, "/messages")), (&guest, at_human(&own, "/messages"))] {
            let answer = json!({ "encryptedContent": "yes", "inReplyTo": fixture.ids["messageId"] });
            caller.post(&path, answer).await.expect_error(404, "NOT_FOUND");
        }
        assert_eq!(fixture.snapshot().await, before);
    }

    async fn principals_of_another_space_cannot_be_named(hub: Hub) {
        let fixture = Fixture::of(&hub).await;
        let foreign = hub.other_space().await;
        let agent = hub.agent_of(&foreign, "agent").await;
        let human = hub.human_of(&foreign).await;
        let session = hub.session(&agent).await;
        let host = fixture.host.get("/v1/agent/me").await.expect(200);
        let person = fixture.human.get("/v1/human/me").await.expect(200);
        for named in [
            json!({ "type": "Agent", "agentId": host["id"] }),
            json!({ "type": "Agent", "name": host["name"] }),
            json!({ "type": "Human", "humanId": person["id"] }),
            json!({ "type": "Human", "email": person["email"] }),
        ] {
            let path = at_agent(&session, "/participants");
            agent.post(&path, named.clone()).await.expect_error(404, "NOT_FOUND");
            let opened = json!({ "participants": [named] });
            agent.post("/v1/agent/sessions", opened.clone()).await.expect_error(404, "NOT_FOUND");
            let mut mixed = opened;
            let own = agent.get("/v1/agent/me").await.expect(200);
            mixed["participants"].as_array_mut().expect("a list").insert(0, json!({ "type": "Agent", "agentId": own["id"] }));
            human.post("/v1/human/sessions", mixed).await.expect_error(404, "NOT_FOUND");
        }
        let stolen = json!({ "permission": "agent", "agent": host["id"] });
        foreign.post("/v1/manage/keys", stolen).await.expect_error(404, "NOT_FOUND");
        assert_eq!(agent.get("/v1/agent/sessions").await.expect(200)["total"], 1, "refused requests created no session");
    }

    async fn lists_show_only_accessible_entries(hub: Hub) {
        let fixture = Fixture::of(&hub).await;
        let foreign = hub.other_space().await;
        let agent = hub.agent_of(&foreign, "agent").await;
        let human = hub.human_of(&foreign).await;
        let session = hub.session(&agent).await;
        let listed = async |client: &Client, path: &str| client.get(&format!("{path}?pageSize=100")).await.expect(200);
        let all = listed(&foreign, "/v1/agent/sessions").await;
        assert_eq!(ids_of(&all), BTreeSet::from([session.as_str()]));
        assert_eq!(listed(&human, "/v1/human/sessions").await["data"], all["data"]);
        let feed = listed(&human, "/v1/human/feed").await;
        assert_eq!((&feed["total"], &feed["data"][0]["session"]["id"]), (&json!(1), &json!(session)));
        let people = listed(&agent, "/v1/agent/humans").await;
        assert_eq!(ids_of(&people), BTreeSet::from([text(&human.get("/v1/human/me").await.expect(200)["id"])]));
        for (theirs, ours) in [
            (listed(&foreign, "/v1/manage/agents").await, listed(&fixture.manager, "/v1/manage/agents").await),
            (listed(&foreign, "/v1/manage/keys").await, listed(&fixture.manager, "/v1/manage/keys").await),
            (listed(&foreign, "/v1/manage/humans").await, listed(&fixture.manager, "/v1/manage/humans").await),
            (listed(&human, "/v1/human/agents").await, listed(&fixture.human, "/v1/human/agents").await),
        ] {
            assert!(!ids_of(&theirs).is_empty() && ids_of(&theirs).is_disjoint(&ids_of(&ours)));
        }
        // A guest sees one session; an agent and a human those of which they are participants.
        let other = hub.session(&fixture.space).await;
        assert_eq!(ids_of(&listed(&fixture.guest, "/v1/human/sessions").await), BTreeSet::from([fixture.session.as_str()]));
        assert_eq!(ids_of(&listed(&fixture.host, "/v1/agent/sessions").await), BTreeSet::from([fixture.session.as_str()]));
        let newcomer = hub.human().await;
        assert_eq!(listed(&newcomer, "/v1/human/sessions").await["total"], 0);
        assert_eq!(listed(&newcomer, "/v1/human/feed").await["total"], 0);
        // Keys with `space` and more see every session of the space, and no secret is ever listed.
        for whole in [&fixture.space, &fixture.manager, &fixture.owner] {
            let sessions = listed(whole, "/v1/agent/sessions").await;
            assert!(ids_of(&sessions).is_superset(&BTreeSet::from([fixture.session.as_str(), other.as_str()])));
            whole.post(&at_agent(&fixture.session, "/messages"), json!({ "encryptedContent": "x" })).await.expect(201);
        }
        let keys = listed(&fixture.owner, "/v1/manage/keys").await.to_string();
        for client in [&fixture.host, &fixture.provisioner, &fixture.owner] {
            assert!(!keys.contains(client.secret()));
        }
        assert!(!listed(&fixture.owner, "/v1/manage/humans").await.to_string().to_lowercase().contains("password"));
    }

    async fn a_space_cannot_access_humans_of_another(hub: Hub) {
        let (here, there) = (hub.agent("manage").await, hub.other_space().await);
        let human = hub.human_of(&here).await;
        let me = human.get("/v1/human/me").await.expect(200);
        let again = json!({ "email": me["email"], "name": "Twin" });
        // The same address there is another human, whose reply reveals nothing of the one here.
        let twin = there.post("/v1/manage/humans", again.clone()).await.expect(201);
        assert!(twin["id"] != me["id"] && twin["name"] == "Twin", "{twin}");
        assert!(twin["setupUrl"].is_string() && twin["key"].is_null(), "{twin}");
        there.post("/v1/manage/humans", again.clone()).await.expect_error(409, "CONFLICT");
        let mut socket = hub.socket(&human).await;
        socket.ask(json!({ "type": "subscribe", "feed": true })).await;
        let foreign = hub.session(&there).await;
        say(&there, &foreign, "not for them").await;
        // Changes and the deactivation of the other human do not affect this one.
        there.delete(&format!("/v1/manage/humans/{}", text(&me["id"]))).await.expect_error(404, "NOT_FOUND");
        there.delete(&format!("/v1/manage/humans/{}", text(&twin["id"]))).await.expect(204);
        let own = hub.session(&here).await;
        say(&here, &own, "for them").await;
        let delivered = socket.find("feed").await;
        assert_eq!(delivered["sessionId"], own.as_str());
        assert_eq!(human.get("/v1/human/me").await.expect(200)["id"], me["id"]);
        human.get(&at_human(&foreign, "")).await.expect_error(404, "NOT_FOUND");
        // The next human with the address there is a new one.
        let next = there.post("/v1/manage/humans", again).await.expect(201);
        assert!(next["id"] != twin["id"] && next["id"] != me["id"]);
    }

    /// Creating the same address in another space must not give access to this account.
    async fn a_human_of_another_space_cannot_be_taken_over(hub: Hub) {
        let host = hub.agent("agent").await;
        let person = json!({ "email": format!("{}@example.org", hub.name("victim")), "name": "Victim" });
        let foreign = hub.other_space().await;
        // The attacker's own link, unused until the victim's space creates the address too.
        let added = foreign.post("/v1/manage/humans", person.clone()).await.expect(201);
        let victim = hub.owner.post("/v1/manage/humans", person.clone()).await.expect(201);
        let session = hub.session(&host).await;
        let chosen = json!({ "token": setup_token(&added), "password": "chosen by a principal" });
        let reply = hub.anonymous().post("/v1/auth/setup", chosen).await.expect(200);
        let login = json!({ "email": person["email"], "password": "chosen by a principal" });
        let again = hub.anonymous().post("/v1/auth/login", login).await.expect(200);
        for tokens in [reply, again] {
            let principal = bearer(&hub, text(&tokens["accessToken"]));
            assert_eq!(principal.get("/v1/human/me").await.expect(200)["id"], added["id"]);
            principal.get(&at_human(&session, "")).await.expect_error(404, "NOT_FOUND");
        }
        // The victim's own link still works.
        let chosen = json!({ "token": setup_token(&victim), "password": "my own choice" });
        let tokens = hub.anonymous().post("/v1/auth/setup", chosen).await.expect(200);
        bearer(&hub, text(&tokens["accessToken"])).get(&at_human(&session, "")).await.expect(200);
    }
}
