//! Who may answer a question, what an answer says in clear, and that an agent takes each outcome once.

use crate::support::hub::{answer, ask, at_agent, at_human, at_message, config, say, text};
use crate::support::shapes::{is_message, names_field};
use crate::support::{Client, on_both_engines};
use futures::future::join_all;
use hiloop::broker::LocalBroker;
use hiloop::clock::SystemClock;
use hiloop::server::start_with;
use serde_json::{Value, json};
use std::sync::Arc;

async fn id_of(client: &Client, path: &str) -> Value {
    client.get(path).await.expect(200)["id"].clone()
}

/// Lets an agent into a session.
async fn admit(host: &Client, session: &str, agent: &Client) {
    let body = json!({ "type": "Agent", "agentId": id_of(agent, "/v1/agent/me").await });
    host.post(&at_agent(session, "/participants"), body).await.expect(201);
}

async fn status_of(agent: &Client, session: &str, message: &Value) -> Value {
    agent.get(&at_message(session, message, "")).await.expect(200)["status"].clone()
}

/// A question that only these may answer.
async fn ask_of(agent: &Client, session: &str, answerers: &[&Value]) -> Value {
    let body = json!({ "encryptedContent": "?", "responseRequired": true, "answerers": answerers });
    agent.post(&at_agent(session, "/messages"), body).await.expect(201)
}

/// What a person says in reply.
fn reply_to(question: &Value, more: Value) -> Value {
    let mut body = json!({ "encryptedContent": "!", "inReplyTo": question["id"] });
    let Value::Object(more) = more else { panic!("an object, not {more}") };
    body.as_object_mut().expect("an object").extend(more);
    body
}

async fn last_seq(agent: &Client, session: &str) -> Value {
    agent.get(&at_agent(session, "")).await.expect(200)["lastSeq"].clone()
}

on_both_engines! {
    async fn an_agent_s_guest_can_t_answer_another_agent_s_question(hub: Hub) {
        let (asker, other, space) = (hub.agent("agent").await, hub.agent("agent").await, hub.agent("space").await);
        let session = hub.session(&asker).await;
        admit(&asker, &session, &other).await;
        let ann = hub.guest(&other, &session).await;
        let question = ask(&asker, &session).await;
        let before = last_seq(&asker, &session).await;
        let path = at_human(&session, "/messages");
        ann.post(&path, reply_to(&question, json!({}))).await.expect_error(403, "FORBIDDEN");
        let mut socket = hub.socket(&ann).await;
        let mut frame = reply_to(&question, json!({ "type": "send", "sessionId": session }));
        assert_eq!(socket.ask(frame.clone()).await["error"]["code"], "FORBIDDEN");
        assert_eq!(status_of(&asker, &session, &question).await, "Pending");
        assert_eq!(last_seq(&asker, &session).await, before, "nothing of it is stored");
        // Named or not: it was not them who invited her.
        let named = ask_of(&asker, &session, &[&id_of(&ann, "/v1/human/me").await]).await;
        ann.post(&path, reply_to(&named, json!({}))).await.expect_error(403, "FORBIDDEN");
        // A remark is no answer.
        frame["settles"] = json!(false);
        assert_eq!(socket.ask(frame).await["type"], "sent");
        assert_eq!(status_of(&asker, &session, &question).await, "Pending");

        // She answers who invited her, and the answer says who that was.
        let own = ask(&other, &session).await;
        answer(&ann, &session, &own).await;
        let me = other.get("/v1/agent/me").await.expect(200);
        let inviter = json!({ "type": "Agent", "id": me["id"], "name": me["name"] });
        let answered = other.get(&at_message(&session, &own, "")).await.expect(200);
        assert_eq!(answered["response"]["respondedBy"]["invitedBy"], inviter);
        let late = hub.human().await;
        let person = json!({ "type": "Human", "humanId": id_of(&late, "/v1/human/me").await });
        asker.post(&at_agent(&session, "/participants"), person).await.expect(201);
        let error = late.post(&path, reply_to(&own, json!({}))).await.expect_error(409, "ALREADY_RESPONDED");
        assert_eq!(error["details"]["respondedBy"]["invitedBy"], inviter);
        // So does the list of participants.
        let page = asker.get(&at_agent(&session, "/participants?pageSize=100")).await.expect(200);
        let guest = page["data"].as_array().expect("a list").iter().find(|one| one["type"] == "Guest").expect("there");
        assert_eq!(guest["invitedBy"], inviter);

        // Whom a key with `space` invited answers every agent.
        let guest = hub.guest(&space, &session).await;
        for (agent, question) in [(&asker, &question), (&other, &ask(&other, &session).await)] {
            answer(&guest, &session, question).await;
            assert_eq!(status_of(agent, &session, question).await, "Completed");
        }
        // An interaction is no way round.
        let asked = asker.post("/v1/agent/interactions", json!({ "encryptedContent": "?" })).await.expect(201);
        let interaction = text(&asked["id"]);
        admit(&asker, interaction, &other).await;
        let guest = hub.guest(&other, interaction).await;
        let path = format!("/v1/human/interactions/{interaction}/respond");
        guest.post(&path, json!({ "encryptedContent": "yes" })).await.expect_error(403, "FORBIDDEN");
        guest.post(&path, json!({ "outcome": "Approved" })).await.expect_error(403, "FORBIDDEN");
    }

    async fn only_those_who_are_named_answer(hub: Hub) {
        let agent = hub.agent("agent").await;
        let (ada, bob) = (hub.human().await, hub.human().await);
        let (ada_id, bob_id) = (id_of(&ada, "/v1/human/me").await, id_of(&bob, "/v1/human/me").await);
        let session = hub.session(&agent).await;
        let guest = hub.guest(&agent, &session).await;
        let guest_id = id_of(&guest, "/v1/human/me").await;
        let question = ask_of(&agent, &session, &[&ada_id, &guest_id]).await;
        is_message(&question);
        assert_eq!(question["answerers"], json!([ada_id, guest_id]));
        let path = at_human(&session, "/messages");
        bob.post(&path, reply_to(&question, json!({}))).await.expect_error(403, "FORBIDDEN");
        answer(&guest, &session, &question).await;
        // Whoever may not answer is told so whatever has become of it.
        bob.post(&path, reply_to(&question, json!({}))).await.expect_error(403, "FORBIDDEN");
        ada.post(&path, reply_to(&question, json!({}))).await.expect_error(409, "ALREADY_RESPONDED");
        let mut socket = hub.socket(&agent).await;
        let frame = json!({
            "type": "send", "sessionId": session, "encryptedContent": "?", "responseRequired": true, "answerers": [bob_id],
        });
        let sent = socket.ask(frame).await["message"].clone();
        assert_eq!(sent["answerers"], json!([bob_id]));
        ada.post(&path, reply_to(&sent, json!({}))).await.expect_error(403, "FORBIDDEN");
        answer(&bob, &session, &sent).await;

        let body = json!({ "encryptedContent": "?", "answerers": [ada_id] });
        let interaction = agent.post("/v1/agent/interactions", body).await.expect(201);
        let respond = format!("/v1/human/interactions/{}/respond", text(&interaction["id"]));
        bob.post(&respond, json!({ "encryptedContent": "yes" })).await.expect_error(403, "FORBIDDEN");
        ada.post(&respond, json!({ "encryptedContent": "yes" })).await.expect(200);
    }

    async fn nobody_is_named_who_could_not_answer(hub: Hub) {
        let agent = hub.agent("agent").await;
        let ada = hub.human().await;
        let session = hub.session(&agent).await;
        let ada = id_of(&ada, "/v1/human/me").await;
        let late = id_of(&hub.human().await, "/v1/human/me").await;
        let foreign = id_of(&hub.human_of(&hub.other_space().await).await, "/v1/human/me").await;
        let me = id_of(&agent, "/v1/agent/me").await;
        let page = agent.get(&at_agent(&session, "/participants")).await.expect(200);
        let participant = page["data"][0]["id"].clone();
        let many: Vec<_> = (0..101).map(|_| uuid::Uuid::now_v7().to_string()).collect();
        for bad in [
            json!([]), json!([late]), json!([ada, late]), json!([foreign]), json!([me]), json!([participant]),
            json!([ada, ada]), json!(many), json!([text(&ada).replace('-', "")]), json!(["x"]), json!({}), json!("x"),
        ] {
            let body = json!({ "encryptedContent": "?", "responseRequired": true, "answerers": bad });
            let error = agent.post(&at_agent(&session, "/messages"), body.clone()).await.expect_error(400, "VALIDATION_ERROR");
            names_field(&error, "answerers");
            let mut frame = body.clone();
            frame["type"] = json!("send");
            frame["sessionId"] = json!(session);
            let error = hub.socket(&agent).await.ask(frame).await["error"].clone();
            assert_eq!(error["code"], "VALIDATION_ERROR", "{bad}");
            names_field(&error, "answerers");
            if bad != json!([late]) && bad != json!([ada, late]) {
                let error = agent.post("/v1/agent/interactions", body).await.expect_error(400, "VALIDATION_ERROR");
                names_field(&error, "answerers");
            }
        }
        let body = json!({ "encryptedContent": "x", "answerers": [ada] });
        let error = agent.post(&at_agent(&session, "/messages"), body).await.expect_error(400, "VALIDATION_ERROR");
        names_field(&error, "answerers");
        assert_eq!(last_seq(&agent, &session).await, 1);
    }

    async fn a_remark_leaves_the_question_pending(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let question = ask(&agent, &session).await;
        let path = at_human(&session, "/messages");
        let remark = human.post(&path, reply_to(&question, json!({ "settles": false }))).await.expect(201);
        assert_eq!(remark["inReplyTo"], question["id"]);
        let mut frame = reply_to(&question, json!({ "settles": false }));
        frame["type"] = json!("send");
        frame["sessionId"] = json!(session);
        assert_eq!(hub.socket(&human).await.ask(frame).await["message"]["inReplyTo"], question["id"]);
        let open = agent.get(&at_message(&session, &question, "/await?timeout=0")).await.expect(200);
        assert_eq!((&open["status"], &open["outcome"], &open["response"]), (&json!("Pending"), &Value::Null, &Value::Null));
        human.post(&path, reply_to(&question, json!({ "settles": true }))).await.expect(201);
        assert_eq!(status_of(&agent, &session, &question).await, "Completed");
        // After that, too.
        human.post(&path, reply_to(&question, json!({ "settles": false }))).await.expect(201);
        // An agent's reply settles nothing, whatever it says.
        let question = ask(&agent, &session).await;
        let reply = reply_to(&question, json!({ "settles": true, "outcome": "Approved" }));
        agent.post(&at_agent(&session, "/messages"), reply).await.expect(201);
        assert_eq!(status_of(&agent, &session, &question).await, "Pending");
    }

    async fn an_outcome_stands_with_an_answer_and_nowhere_else(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let path = at_human(&session, "/messages");
        let plain = say(&agent, &session, "no question").await;
        let question = ask(&agent, &session).await;
        assert_eq!((&plain["outcome"], &question["outcome"]), (&Value::Null, &Value::Null));
        for bad in [
            json!({ "encryptedContent": "x", "outcome": "Approved" }),
            reply_to(&plain, json!({ "outcome": "Approved" })),
            reply_to(&question, json!({ "outcome": "Approved", "settles": false })),
            reply_to(&question, json!({ "outcome": "approved" })),
        ] {
            let error = human.post(&path, bad).await.expect_error(400, "VALIDATION_ERROR");
            names_field(&error, "outcome");
        }
        assert_eq!(status_of(&agent, &session, &question).await, "Pending");
        let mut socket = hub.socket(&agent).await;
        socket.subscribe(&session, None).await;
        for (more, outcome) in [
            (json!({}), "Answered"), (json!({ "outcome": "Approved" }), "Approved"), (json!({ "outcome": "Rejected" }), "Rejected"),
        ] {
            let question = ask(&agent, &session).await;
            human.post(&path, reply_to(&question, more)).await.expect(201);
            let settled = agent.get(&at_message(&session, &question, "/await")).await.expect(200);
            assert_eq!((&settled["outcome"], &settled["response"]["outcome"]), (&json!(outcome), &json!(outcome)));
            let event = loop {
                let event = socket.event().await;
                if event["type"] == "message.completed" {
                    break event;
                }
            };
            assert_eq!(event["data"]["response"], settled["response"]);
        }
        // A click is answer enough.
        let asked = agent.post("/v1/agent/interactions", json!({ "encryptedContent": "?" })).await.expect(201);
        let respond = format!("/v1/human/interactions/{}/respond", text(&asked["id"]));
        human.post(&respond, json!({})).await.expect_error(400, "VALIDATION_ERROR");
        let settled = human.post(&respond, json!({ "outcome": "Rejected" })).await.expect(200);
        assert_eq!((&settled["status"], &settled["response"]["outcome"]), (&json!("Completed"), &json!("Rejected")));
    }

    async fn an_agent_takes_its_own_outcome_once(hub: Hub) {
        let (agent, other, space) = (hub.agent("agent").await, hub.agent("agent").await, hub.agent("space").await);
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        admit(&agent, &session, &other).await;
        let question = ask(&agent, &session).await;
        let path = at_message(&session, &question, "/acknowledge");
        agent.post(&path, json!({})).await.expect_error(409, "CONFLICT");
        answer(&human, &session, &question).await;
        for stranger in [&other, &space] {
            stranger.post(&path, json!({})).await.expect_error(403, "FORBIDDEN");
        }
        hub.agent("agent").await.post(&path, json!({})).await.expect_error(404, "NOT_FOUND");
        let taken = agent.post(&path, json!({})).await.expect(200);
        is_message(&taken);
        assert!(taken["acknowledgedAt"].is_string(), "{taken}");
        assert_eq!(agent.post(&path, json!({ "exclusive": false })).await.expect(200), taken);
        agent.post(&path, json!({ "exclusive": true })).await.expect_error(409, "ALREADY_ACKNOWLEDGED");
        assert_eq!(agent.get(&at_message(&session, &question, "")).await.expect(200), taken);
        let events = agent.get(&at_agent(&session, "/timeline?limit=1000")).await.expect(200);
        let events: Vec<_> = events["data"].as_array().expect("events").iter().filter(|event| event["type"] == "message.acknowledged").collect();
        assert_eq!(events.len(), 1);
        assert_eq!((&events[0]["data"], &events[0]["at"]), (&json!({ "messageId": question["id"] }), &taken["acknowledgedAt"]));

        // The winner's retry is no second one. A key of the space that acts as the agent is the agent.
        let question = ask(&agent, &session).await;
        let path = at_message(&session, &question, "/acknowledge");
        let keyed = agent.with("idempotency-key", "cancel");
        let cancelled = keyed.post(&at_message(&session, &question, "/cancel"), json!({})).await.expect(200);
        let winner = space.with("x-hiloop", text(&id_of(&agent, "/v1/agent/me").await)).with("idempotency-key", "k");
        let taken = winner.post(&path, json!({ "exclusive": true })).await.expect(200);
        assert_eq!(taken["status"], "Cancelled");
        let again = winner.post(&path, json!({ "exclusive": true })).await;
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        assert_eq!(again.expect(200), taken);
        winner.with("x-request-id", "other").post(&path, json!({})).await.expect_error(422, "IDEMPOTENCY_MISMATCH");
        agent.post(&path, json!({ "exclusive": true })).await.expect_error(409, "ALREADY_ACKNOWLEDGED");
        // And the first reply to what came before says what it said.
        assert_eq!(keyed.post(&at_message(&session, &question, "/cancel"), json!({})).await.expect(200), cancelled);
        // What asks nothing has no outcome.
        let plain = say(&agent, &session, "x").await;
        agent.post(&at_message(&session, &plain, "/acknowledge"), json!({})).await.expect_error(409, "CONFLICT");
        // A session that has ended is no hindrance.
        let question = ask(&agent, &session).await;
        agent.post(&at_agent(&session, "/archive"), json!({})).await.expect(200);
        agent.post(&at_message(&session, &question, "/acknowledge"), json!({})).await.expect(200);
    }

    async fn an_interaction_and_its_message_are_acknowledged_as_one(hub: Hub) {
        let agent = hub.agent("agent").await;
        for by_interaction in [true, false] {
            let asked = agent.post("/v1/agent/interactions", json!({ "encryptedContent": "?" })).await.expect(201);
            let session = text(&asked["id"]);
            let question = json!({ "id": asked["messageId"] });
            let interaction = format!("/v1/agent/interactions/{session}");
            agent.post(&format!("{interaction}/cancel"), json!({})).await.expect(200);
            let (of_interaction, of_message) = (format!("{interaction}/acknowledge"), at_message(session, &question, "/acknowledge"));
            let first = if by_interaction { &of_interaction } else { &of_message };
            let taken = agent.post(first, json!({})).await.expect(200)["acknowledgedAt"].clone();
            assert!(taken.is_string());
            assert_eq!(agent.get(&interaction).await.expect(200)["acknowledgedAt"], taken);
            assert_eq!(agent.get(&at_message(session, &question, "")).await.expect(200)["acknowledgedAt"], taken);
            agent.post(&of_message, json!({ "exclusive": true })).await.expect_error(409, "ALREADY_ACKNOWLEDGED");
            assert_eq!(agent.post(&of_interaction, json!({})).await.expect(200)["acknowledgedAt"], taken);
        }
    }

    async fn of_those_that_race_to_acknowledge_over_two_nodes_one_wins(hub: Hub) {
        let agent = hub.agent("agent").await;
        let settings = config(&hub.database_url, &["--public-url", &hub.base]);
        let other = start_with(settings, Arc::new(SystemClock), Arc::new(LocalBroker)).await.expect("a second node");
        let there = Client { base: format!("http://{}", other.address), ..agent.clone() };
        let session = hub.session(&agent).await;
        for _ in 0..5 {
            let question = ask(&agent, &session).await;
            agent.post(&at_message(&session, &question, "/cancel"), json!({})).await.expect(200);
            let path = at_message(&session, &question, "/acknowledge");
            let racers = (0..16).map(|index| {
                let node = if index % 2 == 0 { &agent } else { &there };
                let node = node.with("idempotency-key", &format!("{} {index}", text(&question["id"])).replace(' ', "-"));
                let path = path.clone();
                async move { (node.post(&path, json!({ "exclusive": true })).await, node) }
            });
            let mut won = Vec::new();
            for (reply, node) in join_all(racers).await {
                if reply.status == 200 {
                    won.push((reply.body, node));
                } else {
                    reply.expect_error(409, "ALREADY_ACKNOWLEDGED");
                }
            }
            assert_eq!(won.len(), 1);
            let (first, winner) = &won[0];
            let again = winner.post(&path, json!({ "exclusive": true })).await.expect(200);
            assert_eq!(again, *first);
            let events = agent.get(&at_agent(&session, "/timeline?limit=1000")).await.expect(200);
            let told = |event: &&Value| event["type"] == "message.acknowledged" && event["data"]["messageId"] == question["id"];
            assert_eq!(events["data"].as_array().expect("events").iter().filter(told).count(), 1);
        }
        other.stop().await;
    }

    async fn answers_wait_for_their_own_agent_until_it_takes_them(hub: Hub) {
        let (agent, second, space) = (hub.agent("agent").await, hub.agent("agent").await, hub.agent("space").await);
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        admit(&agent, &session, &second).await;
        let (first, open, third) = (ask(&agent, &session).await, ask(&agent, &session).await, ask(&agent, &session).await);
        ask(&second, &session).await;
        say(&agent, &session, "no question").await;
        // In the order in which they settled.
        answer(&human, &session, &third).await;
        agent.post(&at_message(&session, &first, "/cancel"), json!({})).await.expect(200);
        let answers = async |client: &Client| {
            let page = client.get("/v1/agent/answers?pageSize=100").await.expect(200);
            page["data"].as_array().expect("a list").clone()
        };
        let mut wanted = Vec::new();
        for message in [&third, &first] {
            wanted.push(agent.get(&at_message(&session, message, "")).await.expect(200));
        }
        assert_eq!(answers(&agent).await, wanted);
        let page = agent.get("/v1/agent/answers?page=2&pageSize=1").await.expect(200);
        assert_eq!((&page["total"], &page["data"]), (&json!(2), &json!([wanted[1]])));
        for other in [&second, &space, &hub.other_space().await] {
            assert_eq!(answers(other).await, Vec::<Value>::new());
        }
        // A key of the space reads those of the agent that it acts as.
        let as_agent = space.with("x-hiloop", text(&id_of(&agent, "/v1/agent/me").await));
        assert_eq!(answers(&as_agent).await, wanted);
        agent.post(&at_message(&session, &third, "/acknowledge"), json!({})).await.expect(200);
        assert_eq!(answers(&agent).await, wanted[1..]);
        // Closing settles what was open; who is removed sees nothing more.
        agent.post(&at_agent(&session, "/close"), json!({})).await.expect(200);
        assert_eq!(answers(&agent).await[1]["id"], open["id"]);
        assert_eq!(answers(&second).await.len(), 1);
        let page = agent.get(&at_agent(&session, "/participants")).await.expect(200);
        let me = id_of(&second, "/v1/agent/me").await;
        let gone = page["data"].as_array().expect("a list").iter().find(|one| one["agentId"] == me).expect("there").clone();
        agent.delete(&at_agent(&session, &format!("/participants/{}", text(&gone["id"])))).await.expect(204);
        assert!(answers(&second).await.is_empty());
    }

    async fn a_guest_has_no_other_participant_s_name(hub: Hub) {
        let agent = hub.agent("agent").await;
        let named = async |name: &str| {
            let body = json!({ "email": format!("{}@example.org", hub.name("e")), "name": name });
            hub.owner.post("/v1/manage/humans", body).await.expect(201)
        };
        let emile = named("Stra\u{df}e \u{c9}mile").await;
        let me = agent.get("/v1/agent/me").await.expect(200);
        let session = hub.session(&agent).await;
        let path = at_agent(&session, "/guest-tokens");
        agent.post(&path, json!({ "name": "Ann" })).await.expect(201);
        for taken in ["STRASSE E\u{301}MILE", &text(&me["name"]).to_uppercase()] {
            let error = agent.post(&path, json!({ "name": taken })).await.expect_error(409, "CONFLICT");
            names_field(&error, "name");
        }
        // Another inviter's guest; the same inviter may give a name again, with a second link.
        let other = hub.agent("agent").await;
        let other_id = other.get("/v1/agent/me").await.expect(200)["id"].clone();
        let body = json!({ "type": "Agent", "agentId": other_id });
        agent.post(&at_agent(&session, "/participants"), body).await.expect(201);
        for taken in ["Ann", "aNN", " ann ", "\u{ff41}nn"] {
            let error = other.post(&path, json!({ "name": taken })).await.expect_error(409, "CONFLICT");
            names_field(&error, "name");
        }
        agent.post(&path, json!({ "name": "Ann" })).await.expect(201);
        agent.post(&path, json!({ "name": "Anne" })).await.expect(201);
        // One that nobody chose gives way.
        for wanted in ["Guest", "Guest 2", "Guest 3"] {
            let guest = agent.post(&path, json!({})).await.expect(201);
            assert_eq!(guest["participant"]["name"], wanted);
        }
        // Nor does anybody join who has a guest's name.
        let participants = at_agent(&session, "/participants");
        let ann = named("ANN").await;
        let body = json!({ "type": "Human", "humanId": ann["id"] });
        agent.post(&participants, body.clone()).await.expect_error(409, "CONFLICT");
        hub.owner.post("/v1/manage/agents", json!({ "name": "aNNe" })).await.expect(201);
        agent.post(&participants, json!({ "type": "Agent", "name": "aNNe" })).await.expect_error(409, "CONFLICT");
        // Two people may have one name; and it is free once the guest has gone.
        let twin = named(text(&emile["name"])).await;
        agent.post(&participants, json!({ "type": "Human", "humanId": twin["id"] })).await.expect(201);
        let page = agent.get(&at_agent(&session, "/participants?pageSize=100")).await.expect(200);
        for guest in page["data"].as_array().expect("a list").iter().filter(|one| one["name"] == "Ann") {
            agent.delete(&format!("{participants}/{}", text(&guest["id"]))).await.expect(204);
        }
        agent.post(&participants, body).await.expect(201);
    }
}
