//! Interactions: the older names for one question and its answer, on the same timeline as everything else.

use crate::sessions::{repeated, types, watched};
use crate::support::hub::{at_agent, at_human, text};
use crate::support::shapes::{column, has_keys, is_interaction, is_message, is_page, is_time, names_field};
use crate::support::{Client, Stopwatch, eventually, on_both_engines};
use futures::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const INTERACTIONS: &str = "/v1/agent/interactions";
const THEIRS: &str = "/v1/human/interactions";

fn sealed(ciphertext: &str) -> Value {
    json!({ "ciphertext": ciphertext, "wrappings": [] })
}

/// The path of something under an interaction, as its agent calls it.
fn at(id: &str, rest: &str) -> String {
    format!("{INTERACTIONS}/{id}{rest}")
}

fn respond_to(id: &str) -> String {
    format!("{THEIRS}/{id}/respond")
}

async fn shown(client: &Client, id: &str) -> Value {
    let interaction = client.get(&at(id, "")).await.expect(200);
    is_interaction(&interaction);
    interaction
}

/// What events tell of an interaction: their types from `after` on.
async fn told(client: &Client, id: &str, after: usize) -> Vec<String> {
    types(client, id).await.split_off(after)
}

on_both_engines! {
    async fn an_agent_asks_and_a_human_answers(hub: Hub) {
        let agent = hub.agent("agent").await;
        let me = agent.get("/v1/agent/me").await.expect(200);
        let human = hub.human().await;
        let person = human.get("/v1/human/me").await.expect(200);
        let deadline = hub.context().clock.now().plus_seconds(600);
        let asked = json!({
            "type": "deployment", "title": "Ship it?", "priority": "High", "deadlineAt": deadline, "unknown": 1,
            "encryptedContent": sealed("c"), "encryptedComponents": sealed("k").to_string(),
        });
        let made = agent.post(INTERACTIONS, asked).await.expect(201);
        is_interaction(&made);
        assert_eq!((&made["agentId"], &made["type"], &made["title"]), (&me["id"], &json!("deployment"), &json!("Ship it?")));
        assert_eq!((&made["status"], &made["priority"]), (&json!("Pending"), &json!("High")));
        assert_eq!((&made["encryptedContent"], &made["encryptedComponents"]), (&sealed("c"), &sealed("k")));
        assert_eq!((&made["deadlineAt"], &made["blocks"]), (&json!(deadline), &json!([])));
        assert_eq!((&made["acknowledgedAt"], &made["response"]), (&Value::Null, &Value::Null));
        assert_eq!((&made["id"], &made["createdAt"]), (&made["sessionId"], &made["updatedAt"]));
        let id = text(&made["id"]);
        assert_eq!(shown(&agent, id).await, made);
        assert_eq!(human.get(&format!("{THEIRS}/{id}")).await.expect(200), made);

        // It is a session with a question in it, and everyone of the space takes part.
        let session = human.get(&at_human(id, "")).await.expect(200);
        assert_eq!((&session["title"], &session["priority"]), (&json!("Ship it?"), &json!("High")));
        assert_eq!((&session["pendingCount"], &session["lastSeq"]), (&json!(1), &json!(2)));
        assert_eq!(session["createdByAgentId"], me["id"]);
        let message = agent.get(&at_agent(id, &format!("/messages/{}", text(&made["messageId"])))).await.expect(200);
        is_message(&message);
        assert_eq!((&message["responseRequired"], &message["status"]), (&json!(true), &json!("Pending")));
        let feed = human.get("/v1/human/feed").await.expect(200);
        assert_eq!((&feed["data"][0]["session"]["id"], &feed["data"][0]["pendingCount"]), (&json!(id), &json!(1)));

        let mut socket = hub.socket(&human).await;
        socket.subscribe(id, Some(0)).await;
        for kind in ["session.created", "message.created"] {
            assert_eq!(socket.event().await["type"], kind);
        }
        let (waiter, path) = (agent.clone(), at(id, "/await?timeout=55"));
        let waiter = tokio::spawn(async move { waiter.get(&path).await.expect(200) });
        watched(&hub, id, true).await;
        let answered = human.post(&respond_to(id), json!({ "encryptedContent": sealed("yes") })).await.expect(200);
        is_interaction(&answered);
        assert_eq!(answered["status"], "Completed");
        has_keys(&answered["response"], "messageId respondedBy respondedAt outcome encryptedContent encryptedComponents");
        assert_eq!(answered["response"]["respondedBy"], json!({ "type": "Human", "id": person["id"], "name": person["name"] }));
        assert_eq!(answered["response"]["encryptedContent"], sealed("yes"));
        assert_eq!(waiter.await.expect("no panic"), answered);
        let reply = socket.event().await;
        assert_eq!((&reply["type"], &reply["data"]["message"]["inReplyTo"]), (&json!("message.created"), &made["messageId"]));
        let completed = socket.event().await;
        assert_eq!((&completed["type"], &completed["data"]["response"]), (&json!("message.completed"), &answered["response"]));

        let taken = agent.post(&at(id, "/acknowledge"), json!({})).await.expect(200);
        is_time(&taken["acknowledgedAt"]);
        assert_eq!(socket.event().await["type"], "message.acknowledged");
        let pushed = agent.post(&at(id, "/blocks"), json!({ "encryptedBlocks": sealed("1 of 2") })).await.expect(201);
        assert_eq!(pushed["blocks"], json!([sealed("1 of 2")]));
        let event = socket.event().await;
        assert_eq!(event["type"], "blocks.pushed");
        assert_eq!(event["data"], json!({ "messageId": made["messageId"], "encryptedBlocks": sealed("1 of 2") }));
        assert_eq!(event["actor"], json!({ "type": "Agent", "id": me["id"], "name": me["name"] }));
        assert_eq!(shown(&agent, id).await, pushed);

        // What has settled answers every later wait at once.
        let started = Stopwatch::start();
        assert_eq!(agent.get(&at(id, "/await")).await.expect(200), pushed);
        assert!(started.elapsed() < Duration::from_secs(5));
    }

    async fn what_is_not_given_has_its_default(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let made = agent.post(INTERACTIONS, json!({ "encryptedContent": "May I?" })).await.expect(201);
        assert_eq!((&made["type"], &made["priority"]), (&json!("approval"), &json!("Medium")));
        assert_eq!((&made["title"], &made["deadlineAt"]), (&Value::Null, &Value::Null));
        assert_eq!(made["encryptedContent"], sealed("May I?"));
        // Named participants are those who see it.
        let alone = json!({ "encryptedContent": "?", "participants": [], "type": null, "title": null });
        let alone = agent.post(INTERACTIONS, alone).await.expect(201);
        let theirs = human.get(THEIRS).await.expect(200);
        assert_eq!(column(&theirs, "id"), [text(&made["id"])]);
        human.get(&format!("{THEIRS}/{}", text(&alone["id"]))).await.expect_error(404, "NOT_FOUND");
    }

    async fn what_is_refused_leaves_no_session(hub: Hub) {
        let agent = hub.agent("agent").await;
        let past = hub.context().clock.now().plus_seconds(-1);
        for (body, field) in [
            (json!({ "encryptedContent": "?", "deadlineAt": past }), "deadlineAt"),
            (json!({ "encryptedComponents": "?" }), "encryptedContent"),
            (json!({ "encryptedContent": "?", "type": "a\nb" }), "type"),
        ] {
            let keyed = agent.with("idempotency-key", field);
            names_field(&keyed.post(INTERACTIONS, body).await.expect_error(400, "VALIDATION_ERROR"), field);
            // The key is free for a better one.
            keyed.post(INTERACTIONS, json!({ "encryptedContent": "?" })).await.expect(201);
        }
        let unknown = json!({ "encryptedContent": "?", "participants": [{ "type": "Agent", "name": "nobody" }] });
        agent.post(INTERACTIONS, unknown).await.expect_error(404, "NOT_FOUND");
        assert_eq!(agent.get("/v1/agent/sessions").await.expect(200)["total"], 3);
    }

    async fn an_answer_through_its_session_is_an_answer(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let id = hub.interaction(&agent).await;
        let message = text(&shown(&agent, &id).await["messageId"]).to_owned();
        // Neither what an agent says to it nor what has nothing to do with it is an answer.
        let remark = json!({ "encryptedContent": "never mind", "inReplyTo": message });
        agent.post(&at(&id, "/messages"), remark).await.expect(201);
        human.post(&at_human(&id, "/messages"), json!({ "encryptedContent": "hm" })).await.expect(201);
        assert_eq!(shown(&agent, &id).await["status"], "Pending");
        let answer = json!({ "encryptedContent": "yes", "inReplyTo": message });
        let answer = human.post(&at_human(&id, "/messages"), answer).await.expect(201);
        let answered = shown(&agent, &id).await;
        assert_eq!((&answered["status"], &answered["response"]["messageId"]), (&json!("Completed"), &answer["id"]));
        let error = human.post(&respond_to(&id), json!({ "encryptedContent": "no" })).await.expect_error(409, "ALREADY_RESPONDED");
        assert_eq!(error["details"]["responseMessageId"], answer["id"]);

        // By a socket as well; and a guest's is one too.
        let id = hub.interaction(&agent).await;
        let message = shown(&agent, &id).await["messageId"].clone();
        let guest = hub.guest(&agent, &id).await;
        let mut socket = hub.socket(&guest).await;
        let frame = json!({ "type": "send", "sessionId": id, "encryptedContent": "!", "inReplyTo": message });
        assert_eq!(socket.ask(frame).await["type"], "sent");
        assert_eq!(shown(&agent, &id).await["response"]["respondedBy"]["type"], "Guest");
        let id = hub.interaction(&agent).await;
        let guest = hub.guest(&agent, &id).await;
        let answered = guest.post(&respond_to(&id), json!({ "encryptedComponents": "!" })).await.expect(200);
        assert_eq!((&answered["response"]["respondedBy"]["type"], &answered["response"]["encryptedComponents"]), (&json!("Guest"), &sealed("!")));
    }

    async fn answer_cancel_and_deadline_settle_it_once(hub: Hub) {
        let agent = hub.agent("agent").await;
        let (first, second) = (hub.human().await, hub.human().await);
        for round in 0..12 {
            let deadline = hub.context().clock.now().plus_seconds(60);
            let made = agent.post(INTERACTIONS, json!({ "encryptedContent": "?", "deadlineAt": deadline })).await.expect(201);
            let id = text(&made["id"]);
            // Now and then the deadline is there first, for the job or for the first answer that comes too late.
            let due = round % 3 == 0;
            if due {
                hub.clock.advance(60_000);
            }
            let (answer, cancel) = (respond_to(id), at(id, if due { "/acknowledge" } else { "/cancel" }));
            let (one, other, cancelled) = tokio::join!(
                first.post(&answer, json!({ "encryptedContent": "1" })),
                second.post(&answer, json!({ "encryptedContent": "2" })),
                agent.post(&cancel, json!({})),
            );
            let settled = agent.get(&at(id, "/await?timeout=10")).await.expect(200);
            let mut replies = vec![one, other];
            if !due {
                replies.push(cancelled);
            }
            let (won, late): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 200);
            assert_eq!(won.len(), usize::from(!due));
            assert_eq!(due, settled["status"] == "Expired", "{settled}");
            assert!(won.iter().all(|reply| reply.body["status"] == settled["status"]));
            for reply in late {
                let code = text(&reply.body["error"]["code"]).to_owned();
                assert!(matches!(code.as_str(), "ALREADY_RESPONDED" | "ALREADY_SETTLED"), "{}", reply.body);
                reply.expect_error(409, &code);
            }
            let told = types(&agent, id).await;
            let settling = ["message.completed", "message.cancelled", "message.expired"];
            assert_eq!(told.iter().filter(|kind| settling.contains(&kind.as_str())).count(), 1, "{told:?}");
        }
    }

    async fn who_comes_late_is_told_why(hub: Hub) {
        let agent = hub.agent("agent").await;
        let (human, other) = (hub.human().await, hub.human().await);
        let yes = json!({ "encryptedContent": "yes" });
        let answered = hub.interaction(&agent).await;
        let first = human.post(&respond_to(&answered), yes.clone()).await.expect(200);
        let error = other.post(&respond_to(&answered), yes.clone()).await.expect_error(409, "ALREADY_RESPONDED");
        assert_eq!(error["details"]["respondedBy"], first["response"]["respondedBy"]);
        assert_eq!(error["details"]["respondedAt"], first["response"]["respondedAt"]);
        agent.post(&at(&answered, "/cancel"), json!({})).await.expect_error(409, "ALREADY_SETTLED");

        let cancelled = hub.interaction(&agent).await;
        let gone = agent.post(&at(&cancelled, "/cancel"), json!({})).await.expect(200);
        assert_eq!((&gone["status"], &gone["response"]), (&json!("Cancelled"), &Value::Null));
        human.post(&respond_to(&cancelled), yes.clone()).await.expect_error(409, "ALREADY_SETTLED");
        agent.post(&at(&cancelled, "/cancel"), json!({})).await.expect_error(409, "ALREADY_SETTLED");

        let deadline = hub.context().clock.now().plus_seconds(60);
        let late = agent.post(INTERACTIONS, json!({ "encryptedContent": "?", "deadlineAt": deadline })).await.expect(201);
        let late = text(&late["id"]);
        hub.clock.advance(60_000);
        assert_eq!(agent.get(&at(late, "/await?timeout=10")).await.expect(200)["status"], "Expired");
        human.post(&respond_to(late), yes.clone()).await.expect_error(409, "ALREADY_SETTLED");

        let closed = hub.interaction(&agent).await;
        agent.post(&at_agent(&closed, "/close"), json!({})).await.expect(200);
        assert_eq!(shown(&agent, &closed).await["status"], "Cancelled");
        human.post(&respond_to(&closed), yes.clone()).await.expect_error(409, "ALREADY_SETTLED");
        human.post(&respond_to(&closed), json!({})).await.expect_error(400, "VALIDATION_ERROR");
        assert_eq!(told(&agent, &answered, 2).await, ["message.created", "message.completed"], "nothing of the late is stored");
    }

    async fn an_outcome_is_acknowledged_once(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let id = hub.interaction(&agent).await;
        agent.post(&at(&id, "/acknowledge"), json!({})).await.expect_error(409, "CONFLICT");
        human.post(&respond_to(&id), json!({ "encryptedContent": "yes" })).await.expect(200);
        assert_eq!(shown(&agent, &id).await["acknowledgedAt"], Value::Null);
        hub.clock.advance(5_000);
        let replies = join_all((0..10).map(async |_| agent.post(&at(&id, "/acknowledge"), json!({})).await)).await;
        let taken: BTreeSet<String> = replies.into_iter().map(|reply| text(&reply.expect(200)["acknowledgedAt"]).to_owned()).collect();
        assert_eq!(taken.len(), 1);
        hub.clock.advance(5_000);
        let again = agent.post(&at(&id, "/acknowledge"), json!({})).await.expect(200);
        assert!(taken.contains(text(&again["acknowledgedAt"])), "the first time stays");
        assert_eq!(again["updatedAt"], again["acknowledgedAt"], "a repetition is nothing that happened");
        assert_eq!(told(&agent, &id, 4).await, ["message.acknowledged"]);
        // However it ended, and though nothing else goes on there.
        let cancelled = hub.interaction(&agent).await;
        agent.post(&at_agent(&cancelled, "/archive"), json!({})).await.expect(200);
        let taken = agent.post(&at(&cancelled, "/acknowledge"), json!({})).await.expect(200);
        assert_eq!((&taken["status"], taken["acknowledgedAt"].is_string()), (&json!("Cancelled"), true));
        assert_eq!(shown(&agent, &cancelled).await, taken);
    }

    async fn blocks_gather_up_to_a_bound(hub: Hub) {
        let agent = hub.agent("agent").await;
        let id = hub.interaction(&agent).await;
        let path = at(&id, "/blocks");
        let envelope = json!({ "scheme": "plain", "ciphertext": "a\0é", "wrappings": [{}], "z": 1 });
        agent.post(&path, json!({ "encryptedBlocks": envelope })).await.expect(201);
        agent.post(&path, json!({ "encryptedBlocks": envelope.to_string() })).await.expect(201);
        let pushed = agent.post(&path, json!({ "encryptedBlocks": "text" })).await.expect(201);
        assert_eq!(pushed["blocks"], json!([envelope, envelope, sealed("text")]));
        let other = hub.interaction(&agent).await;
        let listed = agent.get(INTERACTIONS).await.expect(200);
        assert_eq!((&listed["data"][0]["id"], &listed["data"][0]["blocks"]), (&json!(other), &json!([])));
        assert_eq!(listed["data"][1], pushed);
        for index in 3..100 {
            agent.post(&path, json!({ "encryptedBlocks": index.to_string() })).await.expect(201);
        }
        agent.post(&path, json!({ "encryptedBlocks": "one too many" })).await.expect_error(409, "CONFLICT");
        let full = shown(&agent, &id).await;
        let texts: Vec<_> = full["blocks"].as_array().expect("blocks").iter().skip(3).map(|block| text(&block["ciphertext"]).to_owned()).collect();
        assert_eq!(texts, (3..100).map(|index| index.to_string()).collect::<Vec<_>>());
        // Large ones find room for less of them.
        let large = json!({ "encryptedBlocks": "x".repeat(255 * 1024) });
        let mut taken = 0;
        let refused = loop {
            let reply = agent.post(&at(&other, "/blocks"), large.clone()).await;
            match reply.status {
                201 => taken += 1,
                _ => break reply,
            }
        };
        refused.expect_error(409, "CONFLICT");
        assert_eq!(taken, 5);
        let too_large = json!({ "encryptedBlocks": "x".repeat(256 * 1024 + 1) });
        agent.post(&at(&other, "/blocks"), too_large).await.expect_error(413, "PAYLOAD_TOO_LARGE");
        // A closed session takes no more.
        let closed = hub.interaction(&agent).await;
        agent.post(&at_agent(&closed, "/close"), json!({})).await.expect(200);
        agent.post(&at(&closed, "/blocks"), json!({ "encryptedBlocks": "x" })).await.expect_error(409, "SESSION_CLOSED");
    }

    async fn the_talk_goes_on_after_it_has_settled(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let id = hub.interaction(&agent).await;
        human.post(&respond_to(&id), json!({ "encryptedContent": "yes" })).await.expect(200);
        assert_eq!(agent.get(&at_agent(&id, "")).await.expect(200)["status"], "Active");
        let more = json!({ "encryptedContent": "And now?", "responseRequired": true });
        let more = agent.post(&at(&id, "/messages"), more).await.expect(201);
        is_message(&more);
        human.post(&at_human(&id, "/messages"), json!({ "encryptedContent": "Go", "inReplyTo": more["id"] })).await.expect(201);
        let messages = agent.get(&at(&id, "/messages?pageSize=3")).await.expect(200);
        is_page(&messages);
        assert_eq!((&messages["total"], messages["data"].as_array().expect("a list").len()), (&json!(4), 3));
        assert_eq!(agent.get(&at_agent(&id, "/messages?pageSize=3")).await.expect(200), messages);
        let shown = shown(&agent, &id).await;
        assert_eq!((&shown["messageId"], &shown["response"]["encryptedContent"]), (&messages["data"][0]["id"], &sealed("yes")));
        assert!(text(&shown["updatedAt"]) >= text(&more["createdAt"]));
        // Its title is that of the session.
        agent.patch(&at_agent(&id, ""), json!({ "title": "Renamed" })).await.expect(200);
        assert_eq!(agent.get(&at(&id, "")).await.expect(200)["title"], "Renamed");
        agent.post(&at_agent(&id, "/close"), json!({})).await.expect(200);
        agent.post(&at(&id, "/messages"), json!({ "encryptedContent": "x" })).await.expect_error(409, "SESSION_CLOSED");
    }

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
        // Archived, it is still there for those who know it.
        assert_eq!(shown(&agent, &ids[2]).await["status"], "Cancelled");

        // Everybody sees their own: the other agent, the space's key, the human, a guest.
        assert_eq!(column(&listed(&other, INTERACTIONS).await, "id"), [theirs.as_str()]);
        assert_eq!(listed(&space, INTERACTIONS).await["total"], 5);
        assert_eq!(listed(&human, &format!("{THEIRS}?pageSize=100")).await["total"], 5);
        assert_eq!(listed(&human, &format!("{THEIRS}?status=Pending")).await["total"], 3);
        let guest = hub.guest(&agent, &ids[4]).await;
        assert_eq!(column(&listed(&guest, THEIRS).await, "id"), [ids[4].as_str()]);
        assert_eq!(listed(&hub.other_space().await, INTERACTIONS).await["total"], 0);
    }

    async fn who_may_not_see_it_is_told_that_there_is_none(hub: Hub) {
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

    async fn a_retry_gets_the_first_reply(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let asked = json!({ "encryptedContent": "?", "title": "First" });
        let made = repeated(&agent, INTERACTIONS, asked.clone(), json!({ "encryptedContent": "!" }), 201).await;
        assert_eq!(agent.get("/v1/agent/sessions").await.expect(200)["total"], 1);
        let id = text(&made["id"]);
        hub.clock.advance(1_000);
        let one = repeated(&agent, &at(id, "/blocks"), json!({ "encryptedBlocks": "1" }), json!({ "encryptedBlocks": "2" }), 201).await;
        agent.patch(&at_agent(id, ""), json!({ "title": "Second" })).await.expect(200);
        hub.clock.advance(1_000);
        let answer = json!({ "encryptedContent": "yes" });
        let answered = repeated(&human, &respond_to(id), answer.clone(), json!({ "encryptedContent": "no" }), 200).await;
        hub.clock.advance(1_000);
        let taken = repeated(&agent, &at(id, "/acknowledge"), json!({}), json!({ "x": 1 }), 200).await;
        agent.post(&at(id, "/blocks"), json!({ "encryptedBlocks": "3" })).await.expect(201);
        agent.patch(&at_agent(id, ""), json!({ "title": "Third" })).await.expect(200);
        repeated(&agent, &at(id, "/messages"), json!({ "encryptedContent": "x" }), json!({ "encryptedContent": "y" }), 201).await;

        // The first reply, though the truth has moved on.
        let again = async |client: &Client, path: &str, body: Value, status: u16| {
            let reply = client.with("idempotency-key", &format!("key-of-{}", path.len())).post(path, body).await;
            assert_eq!(reply.header("idempotent-replayed"), Some("true"), "{path}");
            reply.expect(status)
        };
        assert_eq!(again(&agent, INTERACTIONS, asked, 201).await, made);
        assert_eq!((&made["title"], &made["status"], &made["blocks"]), (&json!("First"), &json!("Pending"), &json!([])));
        assert_eq!(again(&agent, &at(id, "/blocks"), json!({ "encryptedBlocks": "1" }), 201).await, one);
        assert_eq!((&one["title"], &one["blocks"], &one["status"]), (&json!("First"), &json!([sealed("1")]), &json!("Pending")));
        assert_eq!(again(&human, &respond_to(id), answer, 200).await, answered);
        assert_eq!((&answered["title"], &answered["status"], &answered["acknowledgedAt"]), (&json!("Second"), &json!("Completed"), &Value::Null));
        assert_eq!(again(&agent, &at(id, "/acknowledge"), json!({}), 200).await, taken);
        assert_eq!((&taken["blocks"], &taken["updatedAt"]), (&json!([sealed("1")]), &taken["acknowledgedAt"]));
        assert_eq!(shown(&agent, id).await["blocks"], json!([sealed("1"), sealed("3")]));
        let cancelled = hub.interaction(&agent).await;
        let first = repeated(&agent, &at(&cancelled, "/cancel"), json!({}), json!({ "x": 1 }), 200).await;
        agent.post(&at(&cancelled, "/acknowledge"), json!({})).await.expect(200);
        assert_eq!(again(&agent, &at(&cancelled, "/cancel"), json!({}), 200).await, first);
    }

    async fn of_twenty_posts_with_one_key_one_happens(hub: Hub) {
        let agent = hub.agent("agent").await;
        hub.human().await;
        let id = hub.interaction(&agent).await;
        for (path, body, status) in [
            (INTERACTIONS, json!({ "encryptedContent": "once" }), 201),
            (&at(&id, "/blocks"), json!({ "encryptedBlocks": "once" }), 201),
            (&at(&id, "/cancel"), json!({}), 200),
            (&at(&id, "/acknowledge"), json!({}), 200),
        ] {
            let keyed = agent.with("idempotency-key", "once");
            let replies = join_all((0..20).map(|_| keyed.post(path, body.clone()))).await;
            let mut bodies = Vec::new();
            let mut first = 0;
            for reply in replies {
                if reply.status == 409 {
                    reply.expect_error(409, "IDEMPOTENCY_IN_FLIGHT");
                    continue;
                }
                first += usize::from(reply.header("idempotent-replayed").is_none());
                bodies.push(reply.expect(status));
            }
            assert_eq!(first, 1, "{path}");
            assert!(bodies.iter().all(|body| *body == bodies[0]), "{path}: {bodies:?}");
        }
        assert_eq!(agent.get(INTERACTIONS).await.expect(200)["total"], 2);
        assert_eq!(told(&agent, &id, 2).await, ["blocks.pushed", "message.cancelled", "message.acknowledged"]);
    }

    async fn a_wait_ends_without_an_answer_too(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let id = hub.interaction(&agent).await;
        let pending = shown(&agent, &id).await;
        assert_eq!(agent.get(&at(&id, "/await?timeout=0")).await.expect(200), pending);
        let started = Instant::now();
        assert_eq!(agent.with("prefer", "wait=1").get(&at(&id, "/await")).await.expect(200), pending);
        assert!(started.elapsed() >= Duration::from_millis(900));
        let error = agent.get(&at(&id, "/await?timeout=56")).await.expect_error(400, "VALIDATION_ERROR");
        names_field(&error, "timeout");

        for end in ["cancel", "close", "answer in its session"] {
            let id = hub.interaction(&agent).await;
            let message = shown(&agent, &id).await["messageId"].clone();
            let (waiter, path) = (agent.clone(), at(&id, "/await"));
            let waiter = tokio::spawn(async move { waiter.get(&path).await.expect(200) });
            watched(&hub, &id, true).await;
            match end {
                "cancel" => agent.post(&at(&id, "/cancel"), json!({})).await.expect(200),
                "close" => agent.post(&at_agent(&id, "/close"), json!({})).await.expect(200),
                _ => human.post(&at_human(&id, "/messages"), json!({ "encryptedContent": "!", "inReplyTo": message })).await.expect(201),
            };
            let status = if end.starts_with("answer") { "Completed" } else { "Cancelled" };
            assert_eq!(waiter.await.expect("no panic")["status"], status);
            watched(&hub, &id, false).await;
        }
        // A caller who goes away frees their place.
        let (waiter, path) = (agent.clone(), at(&id, "/await?timeout=55"));
        let waiter = tokio::spawn(async move { waiter.get(&path).await });
        watched(&hub, &id, true).await;
        waiter.abort();
        watched(&hub, &id, false).await;
        eventually("nobody to wait", async || (hub.context().hub.connection_count() == 0).then_some(())).await;
    }
}
