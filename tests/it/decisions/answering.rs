//! The permitted answerers of a question, and the unencrypted outcome of an answer.

use super::{admit, id_of};
use crate::support::hub::{answer, ask, at_agent, at_human, at_message, say, text};
use crate::support::shapes::{is_message, names_field};
use crate::support::{Client, on_both_engines};
use serde_json::{Value, json};

async fn status_of(agent: &Client, session: &str, message: &Value) -> Value {
    agent.get(&at_message(session, message, "")).await.expect(200)["status"].clone()
}

/// A question that only these may answer.
async fn ask_of(agent: &Client, session: &str, answerers: &[&Value]) -> Value {
    let body = json!({ "encryptedContent": "?", "responseRequired": true, "answerers": answerers });
    agent.post(&at_agent(session, "/messages"), body).await.expect(201)
}

/// A reply of a person.
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
    async fn a_guest_of_one_agent_cannot_answer_another_agents_question(hub: Hub) {
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
        assert_eq!(last_seq(&asker, &session).await, before, "the reply is not stored");
        // Named or not: the guest was invited by another agent.
        let named = ask_of(&asker, &session, &[&id_of(&ann, "/v1/human/me").await]).await;
        ann.post(&path, reply_to(&named, json!({}))).await.expect_error(403, "FORBIDDEN");
        // A reply with `settles: false` is allowed.
        frame["settles"] = json!(false);
        assert_eq!(socket.ask(frame).await["type"], "sent");
        assert_eq!(status_of(&asker, &session, &question).await, "Pending");

        // The guest answers the inviting agent, and the answer names it.
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

        // A guest invited by a key with `space` may answer every agent.
        let guest = hub.guest(&space, &session).await;
        for (agent, question) in [(&asker, &question), (&other, &ask(&other, &session).await)] {
            answer(&guest, &session, question).await;
            assert_eq!(status_of(agent, &session, question).await, "Completed");
        }
        // The same rule holds for interactions.
        let asked = asker.post("/v1/agent/interactions", json!({ "encryptedContent": "?" })).await.expect(201);
        let interaction = text(&asked["id"]);
        admit(&asker, interaction, &other).await;
        let guest = hub.guest(&other, interaction).await;
        let path = format!("/v1/human/interactions/{interaction}/respond");
        guest.post(&path, json!({ "encryptedContent": "yes" })).await.expect_error(403, "FORBIDDEN");
        guest.post(&path, json!({ "outcome": "Approved" })).await.expect_error(403, "FORBIDDEN");
    }

    async fn only_named_answerers_may_answer(hub: Hub) {
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
        // Callers who may not answer get 403 also after the settlement.
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

    async fn answerers_must_be_participants_who_may_answer(hub: Hub) {
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

    async fn a_reply_that_does_not_settle_leaves_the_question_pending(hub: Hub) {
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
        // A reply of an agent never settles a message.
        let question = ask(&agent, &session).await;
        let reply = reply_to(&question, json!({ "settles": true, "outcome": "Approved" }));
        agent.post(&at_agent(&session, "/messages"), reply).await.expect(201);
        assert_eq!(status_of(&agent, &session, &question).await, "Pending");
    }

    async fn an_outcome_is_only_allowed_with_an_answer(hub: Hub) {
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
        // An answer may have only an outcome.
        let asked = agent.post("/v1/agent/interactions", json!({ "encryptedContent": "?" })).await.expect(201);
        let respond = format!("/v1/human/interactions/{}/respond", text(&asked["id"]));
        human.post(&respond, json!({})).await.expect_error(400, "VALIDATION_ERROR");
        let settled = human.post(&respond, json!({ "outcome": "Rejected" })).await.expect(200);
        assert_eq!((&settled["status"], &settled["response"]["outcome"]), (&json!("Completed"), &json!("Rejected")));
    }

    async fn a_guest_name_is_unique_in_the_session(hub: Hub) {
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
        // A guest of another agent; the same agent may reuse a name with a second link.
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
        // A default name gets a number.
        for wanted in ["Guest", "Guest 2", "Guest 3"] {
            let guest = agent.post(&path, json!({})).await.expect(201);
            assert_eq!(guest["participant"]["name"], wanted);
        }
        // A participant with a guest's name can't be added either.
        let participants = at_agent(&session, "/participants");
        let ann = named("ANN").await;
        let body = json!({ "type": "Human", "humanId": ann["id"] });
        agent.post(&participants, body.clone()).await.expect_error(409, "CONFLICT");
        hub.owner.post("/v1/manage/agents", json!({ "name": "aNNe" })).await.expect(201);
        agent.post(&participants, json!({ "type": "Agent", "name": "aNNe" })).await.expect_error(409, "CONFLICT");
        // Two people may have the same name; it is free once the guest was removed.
        let twin = named(text(&emile["name"])).await;
        agent.post(&participants, json!({ "type": "Human", "humanId": twin["id"] })).await.expect(201);
        let page = agent.get(&at_agent(&session, "/participants?pageSize=100")).await.expect(200);
        for guest in page["data"].as_array().expect("a list").iter().filter(|one| one["name"] == "Ann") {
            agent.delete(&format!("{participants}/{}", text(&guest["id"]))).await.expect(204);
        }
        agent.post(&participants, body).await.expect(201);
    }
}
