//! Section 4: the types of event.

use crate::support::hub::{answer, ask, at_agent, at_human, at_message, open, say, text};
use crate::support::keys::{Keys, publish};
use crate::support::shapes::{has_keys, is_event, is_participant, is_session, is_time};
use crate::support::{Client, Deployment, eventually, on_every_deployment};
use futures::future::join_all;
use serde_json::{Value, json};

pub(super) async fn timeline(client: &Client, session: &str) -> Vec<Value> {
    let page = client.get(&at_agent(session, "/timeline?limit=1000")).await.expect(200);
    let events = page["data"].as_array().expect("a list").clone();
    for (index, event) in events.iter().enumerate() {
        is_event(event);
        assert_eq!((&event["seq"], &event["sessionId"]), (&json!(index + 1), &json!(session)));
    }
    events
}

/// The session's only event of this type.
pub(super) async fn the(client: &Client, session: &str, kind: &str) -> Value {
    let mut found: Vec<_> = timeline(client, session).await.into_iter().filter(|event| event["type"] == kind).collect();
    assert_eq!(found.len(), 1, "{kind}: {found:?}");
    found.remove(0)
}

/// The actor of a principal.
pub(super) fn actor(kind: &str, me: &Value) -> Value {
    json!({ "type": kind, "id": me["id"], "name": me["name"] })
}

on_every_deployment! {
    async fn event(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let me = agent.get("/v1/agent/me").await.expect(200);
        let session = hub.session(&agent).await;
        // Concurrent writes get 1, 2, 3 … in commit order.
        join_all((0..20).map(|index| {
            let (agent, session) = (agent.clone(), session.clone());
            async move { say(&agent, &session, &format!("{index}")).await }
        }))
        .await;
        let events = timeline(&agent, &session).await;
        assert_eq!(events.len(), 21);
        assert!(events.iter().all(|event| event["actor"] == actor("Agent", &me)));
        assert!(events.windows(2).all(|two| text(&two[0]["at"]) <= text(&two[1]["at"])));
        assert_eq!(agent.get(&at_agent(&session, "")).await.expect(200)["lastSeq"], 21);
    }

    async fn event_session_created(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = open(&agent, json!({ "title": "T" })).await;
        let event = the(&agent, text(&session["id"]), "session.created").await;
        has_keys(&event["data"], "session participants");
        is_session(&event["data"]["session"]);
        assert_eq!(event["data"]["session"], session);
        event["data"]["participants"].as_array().expect("a list").iter().for_each(is_participant);
    }

    async fn event_session_updated(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        agent.patch(&at_agent(&session, ""), json!({ "title": "T", "encryptedTitle": "e" })).await.expect(200);
        let event = the(&agent, &session, "session.updated").await;
        has_keys(&event["data"], "title encryptedTitle priority metadata");
        assert_eq!((&event["data"]["title"], &event["data"]["priority"]), (&json!("T"), &json!("Medium")));
    }

    async fn event_session_closed(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let closed = agent.post(&at_agent(&session, "/close"), json!({})).await.expect(200);
        let event = the(&agent, &session, "session.closed").await;
        assert_eq!(event["data"], json!({ "closedAt": closed["closedAt"], "archivedAt": null }));
    }

    async fn event_session_archived(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let archived = agent.post(&at_agent(&session, "/archive"), json!({})).await.expect(200);
        let event = the(&agent, &session, "session.archived").await;
        assert_eq!(event["data"]["archivedAt"], archived["archivedAt"]);
        is_time(&event["data"]["archivedAt"]);
    }

    async fn event_participant_added(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let person = hub.human().await.get("/v1/human/me").await.expect(200);
        let body = json!({ "type": "Human", "humanId": person["id"] });
        let added = agent.post(&at_agent(&session, "/participants"), body).await.expect(201);
        let event = the(&agent, &session, "participant.added").await;
        assert_eq!(event["data"], json!({ "participant": added }));
    }

    async fn event_participant_removed(hub: Deployment) {
        let agent = hub.agent("agent").await;
        hub.human().await;
        let session = hub.session(&agent).await;
        let listed = agent.get(&at_agent(&session, "/participants")).await.expect(200);
        let one = listed["data"].as_array().expect("a list").iter().find(|one| one["type"] == "Human").expect("there");
        agent.delete(&at_agent(&session, &format!("/participants/{}", text(&one["id"])))).await.expect(204);
        let event = the(&agent, &session, "participant.removed").await;
        assert_eq!(event["data"]["participantId"], one["id"]);
        is_participant(&event["data"]["participant"]);
    }

    async fn event_participant_key_changed(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let (keys, id) = publish(&human).await;
        let made = human.put("/v1/human/public-key", Keys::generate().entry_after(&keys, &id)).await.expect(200);
        eventually("the event", async || {
            let events = timeline(&agent, &session).await;
            events.iter().any(|event| event["type"] == "participant.key_changed").then_some(())
        })
        .await;
        let event = the(&agent, &session, "participant.key_changed").await;
        has_keys(&event["data"], "participantId entry chained");
        assert_eq!((&event["data"]["entry"], &event["data"]["chained"]), (&made, &json!(true)));
        let people = agent.get(&at_agent(&session, "/participants")).await.expect(200);
        let one = people["data"].as_array().expect("a list").iter().find(|one| one["humanId"] == id).expect("there");
        assert_eq!((&event["data"]["participantId"], &one["key"]), (&one["id"], &made));
        assert_eq!(event["actor"], actor("Human", &human.get("/v1/human/me").await.expect(200)));
    }

    async fn event_message_created(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let message = say(&agent, &session, "x").await;
        let event = the(&agent, &session, "message.created").await;
        assert_eq!(event["data"], json!({ "message": message }));
        assert_eq!(event["seq"], message["seq"]);
    }

    async fn event_message_completed(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let person = human.get("/v1/human/me").await.expect(200);
        let session = hub.session(&agent).await;
        let asked = ask(&agent, &session).await;
        answer(&human, &session, &asked).await;
        let event = the(&agent, &session, "message.completed").await;
        let settled = agent.get(&at_message(&session, &asked, "")).await.expect(200);
        assert_eq!(event["data"], json!({ "messageId": asked["id"], "response": settled["response"] }));
        assert_eq!(event["actor"], actor("Human", &person));
    }

    async fn event_message_cancelled(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let asked = ask(&agent, &session).await;
        agent.post(&at_message(&session, &asked, "/cancel"), json!({})).await.expect(200);
        assert_eq!(the(&agent, &session, "message.cancelled").await["data"], json!({ "messageId": asked["id"] }));
    }

    async fn a_response_is_two_events_of_one_transaction(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let asked = ask(&agent, &session).await;
        let response = answer(&human, &session, &asked).await;
        let events = timeline(&agent, &session).await;
        assert_eq!(events.iter().map(|event| text(&event["type"])).collect::<Vec<_>>(), [
            "session.created", "message.created", "message.created", "message.completed",
        ]);
        assert_eq!((&events[2]["data"]["message"], &response["inReplyTo"]), (&response, &asked["id"]));
        assert_eq!(events[2]["at"], events[3]["at"]);
        // A losing answer is not stored.
        let late = json!({ "encryptedContent": "late", "inReplyTo": asked["id"] });
        human.post(&at_human(&session, "/messages"), late).await.expect_error(409, "ALREADY_RESPONDED");
        assert_eq!(timeline(&agent, &session).await, events);
    }
}
