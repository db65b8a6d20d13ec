//! Section 8: each frame that the hub sends unasked, and the same timeline as Server-Sent Events.

use super::until_frame;
use crate::support::hub::{at_agent, at_human, say, text};
use crate::support::shapes::{has_keys, is_event};
use crate::support::socket::End;
use crate::support::{Client, Deployment, Events, Kind, Stopwatch, on_every_deployment};
use serde_json::{Value, json};
use std::time::Duration;

async fn the(agent: &Client, session: &str, kind: &str) -> Value {
    let page = agent.get(&at_agent(session, "/participants")).await.expect(200);
    page["data"].as_array().expect("a list").iter().find(|one| one["type"] == kind).expect("there").clone()
}

on_every_deployment! {
    async fn event(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let mut sockets = [hub.socket(&agent).await, hub.socket(&human).await];
        for socket in &mut sockets {
            socket.subscribe(&session, None).await;
        }
        let said = say(&agent, &session, "x").await;
        let timeline = agent.get(&at_agent(&session, "/timeline?after=1")).await.expect(200);
        // To every subscriber, its author included.
        for socket in &mut sockets {
            let frame = socket.find("event").await;
            has_keys(&frame, "type event");
            is_event(&frame["event"]);
            assert_eq!((&frame["event"], &frame["event"]["data"]["message"]), (&timeline["data"][0], &said));
        }
    }

    async fn typing(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let mut typist = hub.socket(&agent).await;
        typist.subscribe(&session, None).await;
        let mut watcher = hub.socket(&human).await;
        watcher.subscribe(&session, None).await;
        let mut started = Stopwatch::start();
        let frame = until_frame(&mut watcher, "typing", async || {
            started = Stopwatch::start();
            typist.send(json!({ "type": "typing", "sessionId": session, "typing": true })).await;
        });
        let frame = frame.await;
        has_keys(&frame, "type sessionId actor typing expiresInMs");
        assert_eq!((&frame["sessionId"], &frame["actor"]), (&json!(session), &typist.hello["principal"]));
        assert_eq!((&frame["typing"], &frame["expiresInMs"]), (&json!(true), &json!(6000)));
        // It expires unless repeated, its end is announced, and the typing participant gets no frame.
        let frame = watcher.find("typing").await;
        assert_eq!((&frame["typing"], &frame["actor"]), (&json!(false), &typist.hello["principal"]));
        let (passed, lapsed) = (started.passed(), started.elapsed());
        assert!(passed > Duration::from_millis(5500) && lapsed < Duration::from_secs(10), "{passed:?}, {lapsed:?}");
        typist.expect_none("typing").await;
    }

    async fn presence(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let person = the(&agent, &session, "Human").await;
        let mut watcher = hub.socket(&agent).await;
        watcher.subscribe(&session, None).await;
        let mut socket = hub.socket(&human).await;
        socket.subscribe(&session, None).await;
        let mut frame = watcher.find("presence").await;
        while frame["participantId"] != person["id"] {
            frame = watcher.find("presence").await;
        }
        assert_eq!(frame, json!({ "type": "presence", "sessionId": session, "participantId": person["id"], "online": true }));
        drop(socket);
        assert_eq!(watcher.find("presence").await, json!({
            "type": "presence", "sessionId": session, "participantId": person["id"], "online": false,
        }));
    }

    async fn receipt(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let person = the(&agent, &session, "Human").await;
        let mut watcher = hub.socket(&agent).await;
        watcher.subscribe(&session, None).await;
        // One more event each time, since an unchanged read mark is not announced again.
        let mut seq = 1;
        let frame = until_frame(&mut watcher, "receipt", async || {
            say(&agent, &session, "x").await;
            seq += 1;
            human.post(&at_human(&session, "/read"), json!({ "seq": seq })).await.expect(204);
        });
        let frame = frame.await;
        assert_eq!(frame, json!({ "type": "receipt", "sessionId": session, "participantId": person["id"], "seq": seq }));
    }

    async fn unsubscribed(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let person = the(&agent, &session, "Human").await;
        let mut socket = hub.socket(&human).await;
        socket.subscribe(&session, None).await;
        agent.delete(&at_agent(&session, &format!("/participants/{}", text(&person["id"])))).await.expect(204);
        let frame = socket.find("unsubscribed").await;
        has_keys(&frame, "type sessionId reason");
        assert_eq!(frame["sessionId"], json!(session));
        say(&agent, &session, "not for them").await;
        socket.expect_none("event").await;
        assert_eq!(socket.ask(json!({ "type": "subscribe", "sessionId": session })).await["error"]["code"], "NOT_FOUND");
    }

    async fn goaway(kind: Kind) {
        let mut hub = kind.alone(&[], |_| {}).await;
        let agent = hub.agent("agent").await;
        let mut socket = hub.socket(&agent).await;
        hub.stop().await;
        let frame = socket.expect("goaway").await;
        has_keys(&frame, "type reconnectAfterMs");
        let times = frame["reconnectAfterMs"].as_array().expect("two times");
        assert!(times.len() == 2 && times[0].as_u64() < times[1].as_u64(), "{frame}");
        assert_eq!(socket.end().await, End::Code(1001));
    }

    async fn server_sent_events(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        for index in 0..3 {
            say(&agent, &session, &format!("line\n{index}")).await;
        }
        // `Events` checks `id:`, `event:` and `data:` of each against each other.
        for (client, path) in [(&agent, at_agent(&session, "/events")), (&human, at_human(&session, "/events"))] {
            let mut all = Events::open(client, &format!("{path}?after=0")).await;
            assert_eq!(all.seqs(4).await, [1, 2, 3, 4]);
            let mut resumed = Events::open(&client.with("last-event-id", "2"), &path).await;
            assert_eq!(resumed.seqs(2).await, [3, 4]);
        }
        let mut live = Events::open(&human, &at_human(&session, "/events")).await;
        let said = say(&agent, &session, "live").await;
        let event = live.next().await.expect("an event");
        assert_eq!((&event["seq"], &event["data"]["message"]), (&json!(5), &said));
        let page = agent.get(&at_agent(&session, "/timeline?after=4")).await.expect(200);
        assert_eq!(page["data"][0], event);
        agent.get(&at_agent(&session, "/events?after=x")).await.expect_error(400, "VALIDATION_ERROR");
        agent.with("last-event-id", "x").get(&at_agent(&session, "/events")).await.expect_error(400, "VALIDATION_ERROR");
    }
}
