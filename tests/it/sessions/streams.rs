//! Server-sent events.

use super::watched;
use crate::support::hub::{at_agent, at_human, say, text};
use crate::support::{Events, on_both_engines, timeout};
use serde_json::json;
use std::time::Duration;

on_both_engines! {
    async fn events_stream_and_resume(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        for index in 0..3 {
            say(&agent, &session, &format!("line\nfeed {index}")).await;
        }
        let path = at_agent(&session, "/events");
        let mut all = Events::open(&agent, &format!("{path}?after=0")).await;
        assert_eq!(all.seqs(4).await, [1, 2, 3, 4]);
        let mut resumed = Events::open(&agent.with("last-event-id", "2"), &path).await;
        assert_eq!(resumed.seqs(2).await, [3, 4]);
        // The header takes precedence over the URL, which a browser can't change when it reconnects.
        let mut both = Events::open(&agent.with("last-event-id", "3"), &format!("{path}?after=0")).await;
        assert_eq!(both.seqs(1).await, [4]);
        let mut live = Events::open(&human, &at_human(&session, "/events")).await;
        // A `seq` beyond the head: the store was restored, and the stream begins with the oldest event.
        let mut ahead = Events::open(&agent, &format!("{path}?after=9000")).await;
        assert_eq!(ahead.seqs(4).await, [1, 2, 3, 4]);
        // An empty id counts as absent.
        let mut unseen = Events::open(&agent.with("last-event-id", ""), &format!("{path}?after=3")).await;
        assert_eq!(unseen.seqs(1).await, [4]);
        let said = say(&agent, &session, "live").await;
        for stream in [&mut all, &mut resumed, &mut both, &mut live, &mut ahead, &mut unseen] {
            let event = stream.next().await.expect("an event");
            assert_eq!((&event["seq"], &event["data"]["message"]), (&json!(5), &said));
        }
        // Identical to the timeline, byte for byte.
        let timeline = agent.get(&at_agent(&session, "/timeline?after=4")).await.expect(200);
        let mut again = Events::open(&human, &at_human(&session, "/events?after=4")).await;
        assert_eq!(again.next().await.expect("an event").to_string(), timeline["data"][0].to_string());

        for (client, query) in [
            (agent.clone(), "?after=-1"),
            (agent.clone(), "?after=x"),
            (agent.with("last-event-id", "x"), ""),
            (agent.with("last-event-id", "-1"), ""),
        ] {
            client.get(&format!("{path}{query}")).await.expect_error(400, "VALIDATION_ERROR");
        }
        // A removed participant gets no more events.
        let people = agent.get(&at_agent(&session, "/participants")).await.expect(200);
        let person = people["data"].as_array().expect("a list").iter().find(|p| p["type"] == "Human").expect("one");
        agent.delete(&at_agent(&session, &format!("/participants/{}", text(&person["id"])))).await.expect(204);
        say(&agent, &session, "secret").await;
        for stream in [&mut live, &mut again] {
            assert_eq!(stream.next().await.map(|event| event["type"].clone()), None);
        }
        drop((all, resumed, both, live, again, ahead, unseen));
        watched(&hub, &session, false).await;
    }

    async fn a_guests_stream_ends_with_their_token(hub: Hub) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let made = agent.post(&at_agent(&session, "/guest-tokens"), json!({})).await.expect(201);
        let guest = hub.anonymous().with("authorization", &format!("Bearer {}", text(&made["token"])));
        let mut stream = Events::open(&guest, &at_human(&session, "/events?after=1")).await;
        assert_eq!(stream.seqs(1).await, [2]);
        agent.delete(&at_agent(&session, &format!("/guest-tokens/{}", text(&made["id"])))).await.expect(204);
        let ended = timeout(Duration::from_secs(5), stream.next()).await.expect("an end within five seconds");
        assert_eq!(ended, None);
    }
}
