//! Lists of interactions, and access to them.

use super::{INTERACTIONS, THEIRS, at, respond_to, shown};
use crate::sessions::types;
use crate::support::hub::at_agent;
use crate::support::shapes::{column, is_interaction, is_page};
use crate::support::{Client, on_both_engines};
use serde_json::json;
use std::collections::BTreeSet;

on_both_engines! {
    async fn interactions_are_listed_by_activity_and_status(hub: Hub) {
        let agent = hub.agent("agent").await;
        let other = hub.agent("agent").await;
        let space = hub.agent("space").await;
        let human = hub.human().await;
        let mut ids = Vec::new();
        for _ in 0..5 {
            hub.session(&agent).await;
            ids.push(hub.interaction(&agent).await);
            hub.clock.advance(10);
        }
        let theirs = hub.interaction(&other).await;
        hub.clock.advance(10);
        human.post(&respond_to(&ids[0]), json!({ "encryptedContent": "yes" })).await.expect(200);
        agent.post(&at(&ids[1], "/cancel"), json!({})).await.expect(200);
        agent.post(&at_agent(&ids[2], "/archive"), json!({})).await.expect(200);
        hub.clock.advance(10);
        agent.post(&at(&ids[3], "/blocks"), json!({ "encryptedBlocks": "x" })).await.expect(201);

        let listed = async |client: &Client, path: &str| {
            let page = client.get(path).await.expect(200);
            is_page(&page);
            page["data"].as_array().expect("a list").iter().for_each(is_interaction);
            page
        };
        let all = listed(&agent, INTERACTIONS).await;
        let names = column(&all, "id");
        assert_eq!((&all["total"], names.len()), (&json!(4), 4), "an archived one is left out, plain sessions too");
        assert_eq!((&names[0], &names[3]), (&ids[3], &ids[4]));
        assert_eq!(names[1..3].iter().collect::<BTreeSet<_>>(), BTreeSet::from([&ids[0], &ids[1]]));
        assert_eq!(all["data"][0], shown(&agent, &ids[3]).await);
        for (status, expected) in [("Pending", vec![&ids[3], &ids[4]]), ("Completed", vec![&ids[0]]), ("Cancelled", vec![&ids[1]]), ("Expired", vec![])] {
            let page = listed(&agent, &format!("{INTERACTIONS}?status={status}")).await;
            assert_eq!((column(&page, "id").iter().collect::<Vec<_>>(), &page["total"]), (expected.clone(), &json!(expected.len())), "{status}");
        }
        let page = listed(&agent, &format!("{INTERACTIONS}?page=2&pageSize=3")).await;
        assert_eq!((column(&page, "id"), &page["total"], &page["page"]), (vec![ids[4].clone()], &json!(4), &json!(2)));
        agent.get(&format!("{INTERACTIONS}?status=Active")).await.expect_error(400, "VALIDATION_ERROR");
        // An archived one can still be read by id.
        assert_eq!(shown(&agent, &ids[2]).await["status"], "Cancelled");

        // Each principal sees its own: the other agent, the key with `space`, the human, a guest.
        assert_eq!(column(&listed(&other, INTERACTIONS).await, "id"), [theirs.as_str()]);
        assert_eq!(listed(&space, INTERACTIONS).await["total"], 5);
        assert_eq!(listed(&human, &format!("{THEIRS}?pageSize=100")).await["total"], 5);
        assert_eq!(listed(&human, &format!("{THEIRS}?status=Pending")).await["total"], 3);
        let guest = hub.guest(&agent, &ids[4]).await;
        assert_eq!(column(&listed(&guest, THEIRS).await, "id"), [ids[4].as_str()]);
        assert_eq!(listed(&hub.other_space().await, INTERACTIONS).await["total"], 0);
    }

    async fn interactions_without_access_are_not_found(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let id = hub.interaction(&agent).await;
        let plain = hub.session(&agent).await;
        agent.post(&at_agent(&plain, "/messages"), json!({ "encryptedContent": "?", "responseRequired": true })).await.expect(201);
        let elsewhere = hub.interaction(&agent).await;
        let foreign = hub.other_space().await;
        let routes = [
            ("GET", "", json!({})),
            ("GET", "/await?timeout=0", json!({})),
            ("POST", "/cancel", json!({})),
            ("POST", "/acknowledge", json!({})),
            ("POST", "/messages", json!({ "encryptedContent": "x" })),
            ("GET", "/messages", json!({})),
            ("POST", "/blocks", json!({ "encryptedBlocks": "x" })),
        ];
        let before = types(&agent, &id).await;
        let others = [hub.agent("agent").await, hub.agent_of(&foreign, "agent").await, hub.agent_of(&foreign, "space").await, foreign.clone()];
        for (method, rest, body) in routes {
            let ask = async |client: &Client, id: &str| client.raw(method, &at(id, rest), Some("application/json"), body.to_string().into_bytes()).await;
            for stranger in &others {
                ask(stranger, &id).await.expect_error(404, "NOT_FOUND");
            }
            ask(&agent, &plain).await.expect_error(404, "NOT_FOUND");
        }
        let answer = json!({ "encryptedContent": "yes" });
        let strangers = [hub.guest(&agent, &elsewhere).await, hub.guest(&agent, &plain).await, hub.human_of(&foreign).await, hub.human().await];
        for stranger in &strangers {
            stranger.get(&format!("{THEIRS}/{id}")).await.expect_error(404, "NOT_FOUND");
            stranger.post(&respond_to(&id), answer.clone()).await.expect_error(404, "NOT_FOUND");
        }
        human.get(&format!("{THEIRS}/{plain}")).await.expect_error(404, "NOT_FOUND");
        human.post(&respond_to(&plain), answer).await.expect_error(404, "NOT_FOUND");
        assert_eq!(column(&human.get(THEIRS).await.expect(200), "id").len(), 2);
        assert_eq!(types(&agent, &id).await, before);
        assert_eq!(agent.get(&at_agent(&plain, "")).await.expect(200)["lastSeq"], 3, "the session, its question and its guest");
    }
}
