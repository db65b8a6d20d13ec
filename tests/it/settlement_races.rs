//! A message settles once in a race.

use crate::support::hub::{at_agent, at_human, text};
use crate::support::{Client, on_both_engines};
use futures::future::join_all;
use serde_json::{Value, json};

async fn timeline(client: &Client, session: &str) -> Vec<Value> {
    let page = client.get(&at_agent(session, "/timeline?limit=1000")).await.expect(200);
    page["data"].as_array().expect("events").clone()
}

on_both_engines! {
    async fn one_of_200_concurrent_answers_wins(hub: Hub) {
        let agent = hub.agent("agent").await;
        let humans = join_all((0..100).map(|_| hub.human())).await;
        let session = hub.session(&agent).await;
        let guests = join_all((0..100).map(|_| hub.guest(&agent, &session))).await;
        let question = json!({ "encryptedContent": "May I?", "responseRequired": true });
        let question = agent.post(&at_agent(&session, "/messages"), question).await.expect(201);
        let before = timeline(&agent, &session).await.len();

        let path = at_human(&session, "/messages");
        let answers = humans.iter().chain(&guests).enumerate().map(|(index, person)| {
            let answer = json!({ "encryptedContent": format!("answer {index}"), "inReplyTo": question["id"] });
            person.post(&path, answer)
        });
        let replies = join_all(answers).await;

        let (mut won, late): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 201);
        assert_eq!(won.len(), 1);
        let winner = won.remove(0).body;
        let mut lost = 0;
        for reply in late {
            let error = reply.expect_error(409, "ALREADY_RESPONDED");
            assert_eq!(error["details"]["responseMessageId"], winner["id"]);
            assert_eq!(error["details"]["respondedBy"]["name"], winner["senderName"]);
            assert!(error["details"]["respondedAt"].is_string());
            lost += 1;
        }
        assert_eq!(lost, 199);

        let events = timeline(&agent, &session).await;
        let kinds: Vec<_> = events[before..].iter().map(|event| text(&event["type"])).collect();
        assert_eq!(kinds, ["message.created", "message.completed"], "the losing answers are not stored");
        let message = agent.get(&at_agent(&session, &format!("/messages/{}", text(&question["id"])))).await.expect(200);
        assert_eq!(message["status"], "Completed");
        assert_eq!(message["response"]["messageId"], winner["id"]);
        assert_eq!(message["response"]["encryptedContent"], winner["encryptedContent"]);
    }

    async fn concurrent_answer_cancel_and_close_settle_a_message_once(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        for _ in 0..10 {
            let session = hub.session(&agent).await;
            let question = json!({ "encryptedContent": "?", "responseRequired": true });
            let question = agent.post(&at_agent(&session, "/messages"), question).await.expect(201);
            let id = text(&question["id"]);
            let (messages, cancel) = (at_human(&session, "/messages"), at_agent(&session, &format!("/messages/{id}/cancel")));
            let close = at_agent(&session, "/close");
            let (answer, cancelled, closed) = tokio::join!(
                human.post(&messages, json!({ "encryptedContent": "!", "inReplyTo": id })),
                agent.post(&cancel, json!({})),
                agent.post(&close, json!({})),
            );
            closed.expect(200);
            let events = timeline(&agent, &session).await;
            let settled = events.iter().filter(|event| event["data"]["messageId"] == question["id"]).count();
            assert_eq!(settled, 1);
            let answered = answer.status == 201;
            assert!(!(answered && cancelled.status == 200), "only one of them can have settled it");
            let message = agent.get(&at_agent(&session, &format!("/messages/{id}"))).await.expect(200);
            assert_eq!(message["status"], if answered { "Completed" } else { "Cancelled" });
            let seqs: Vec<_> = events.iter().map(|event| event["seq"].as_i64().expect("a seq")).collect();
            assert_eq!(seqs, (1..=i64::try_from(events.len()).expect("few")).collect::<Vec<_>>());
        }
    }

    async fn a_deadline_settles_a_message_once_and_in_time(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let soon = hub.context().clock.now().plus_millis(700);
        let question = json!({ "encryptedContent": "?", "responseRequired": true, "deadlineAt": soon });
        let question = agent.post(&at_agent(&session, "/messages"), question).await.expect(201);
        let id = text(&question["id"]);
        let message = agent.get(&at_agent(&session, &format!("/messages/{id}/await?timeout=10"))).await.expect(200);
        assert_eq!(message["status"], "Expired");
        let late = hub.context().clock.now().millis_since(soon);
        assert!((0..1000).contains(&late), "{late} ms after the deadline");
        let answer = json!({ "encryptedContent": "!", "inReplyTo": id });
        human.post(&at_human(&session, "/messages"), answer).await.expect_error(409, "ALREADY_SETTLED");
        let expired = timeline(&agent, &session).await;
        assert_eq!(expired.iter().filter(|event| event["type"] == "message.expired").count(), 1);
        let past = json!({ "encryptedContent": "?", "responseRequired": true, "deadlineAt": soon });
        let error = agent.post(&at_agent(&session, "/messages"), past).await.expect_error(400, "VALIDATION_ERROR");
        assert!(text(&error["message"]).contains("deadlineAt"));
    }
}
