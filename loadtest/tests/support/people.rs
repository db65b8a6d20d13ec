//! Agents, people and guests of the hub, and what they do besides messages.

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncWriteExt as _, BufReader},
    net::TcpStream,
    sync::mpsc::{UnboundedSender, unbounded_channel},
};
use tokio_tungstenite::tungstenite::Message;

use super::{Fault, Hub, Session, VICTIM, sockets};

#[derive(Default)]
pub(super) struct People {
    number: AtomicU64,
    /// The sockets of each guest.
    guests: Mutex<HashMap<String, Vec<UnboundedSender<Message>>>>,
    stream_lost: AtomicBool,
}

/// Who a credential of this hub is: what follows its prefix.
pub(super) fn principal(credential: &str) -> String {
    let known = ["hlp_", "jwt_", "hlg_"].iter().find_map(|prefix| credential.strip_prefix(prefix));
    known.unwrap_or("nobody").to_owned()
}

/// The event of a frame, or the frame itself.
pub(super) fn event_of(frame: &Message) -> Value {
    let Message::Text(text) = frame else { return Value::Null };
    serde_json::from_str::<Value>(text).expect("JSON")["event"].take()
}

impl Hub {
    /// Endpoints outside of sessions.
    pub(super) fn manage(&self, method: &str, path: &str, body: &[u8]) -> (u16, Value) {
        let number = self.people.number.fetch_add(1, Ordering::Relaxed);
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        match (method, path) {
            ("POST", "/v1/manage/keys") if self.fault == Fault::Unprivileged => {
                (403, json!({"error": {"code": "FORBIDDEN", "message": "no"}}))
            }
            ("POST", "/v1/manage/keys") => {
                (201, json!({"apiKey": format!("hlp_agent-{number}"), "agentId": format!("agent-{number}")}))
            }
            // Its address is its id.
            ("POST", "/v1/manage/humans") => (201, json!({"id": body["email"]})),
            ("POST", "/v1/auth/login") => {
                let email = body["email"].as_str().expect("an address");
                (200, json!({"accessToken": format!("jwt_{email}"), "refreshToken": email}))
            }
            ("POST", "/v1/auth/refresh") => {
                let email = body["refreshToken"].as_str().expect("a token");
                (200, json!({"accessToken": format!("jwt_{email}"), "refreshToken": email}))
            }
            ("DELETE", _) => (204, Value::Null),
            other => panic!("no such endpoint: {other:?}"),
        }
    }

    pub(super) fn participants_of(&self, creator: &str, body: &[u8]) -> Vec<Value> {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let people = body["participants"].as_array().cloned().unwrap_or_default();
        let people = people.iter().map(|person| {
            let id = person["humanId"].as_str().expect("an id");
            json!({"id": format!("participant-{id}"), "humanId": id})
        });
        let agent = principal(creator);
        [json!({"id": format!("participant-{agent}"), "agentId": agent})].into_iter().chain(people).collect()
    }

    pub(super) fn create_guest(&self, id: &str, session: &mut Session) -> (u16, Value) {
        let guest = format!("guest-{}", self.people.number.fetch_add(1, Ordering::Relaxed));
        let participant = json!({"id": format!("participant-{guest}"), "guestId": guest});
        session.participants.push(participant.clone());
        self.emit(id, session, "participant.added", &json!({"participant": participant}));
        (201, json!({"id": guest, "token": format!("hlg_{guest}"), "participant": participant}))
    }

    pub(super) fn revoke_guest(&self, guest: &str) -> (u16, Value) {
        if self.fault != Fault::KeepGuests {
            let sockets = self.people.guests.lock().expect("unpoisoned").remove(guest).unwrap_or_default();
            for socket in sockets {
                let _ = socket.send(sockets::close(4403));
            }
        }
        (204, Value::Null)
    }

    pub(super) fn guest_connected(&self, principal: &str, out: &UnboundedSender<Message>) {
        if principal.starts_with("guest-") {
            let mut guests = self.people.guests.lock().expect("unpoisoned");
            guests.entry(principal.to_owned()).or_default().push(out.clone());
        }
    }

    /// Tells the others of a session something that is not stored.
    pub(super) fn ephemeral(&self, principal: &str, out: &UnboundedSender<Message>, frame: &Value) {
        let id = frame["sessionId"].as_str().expect("a session");
        let told = match frame["type"] == "typing" {
            true => json!({"type": "typing", "sessionId": id, "actor": {"id": principal},
                "typing": frame["typing"], "expiresInMs": 6000}),
            false => json!({"type": "receipt", "sessionId": id,
                "participantId": format!("participant-{principal}"), "seq": frame["seq"]}),
        };
        for subscriber in self.sessions()[id].subscribers.iter().filter(|subscriber| !subscriber.same_channel(out)) {
            let _ = subscriber.send(Message::text(told.to_string()));
        }
    }

    /// Appends an event to a session.
    pub(super) fn emit(&self, id: &str, session: &mut Session, kind: &str, data: &Value) {
        session.seq += 1;
        let event = json!({"sessionId": id, "seq": session.seq, "type": kind, "data": data});
        let frame = Message::text(json!({"type": "event", "event": event}).to_string());
        session.events.push(frame.clone());
        let unlucky = self.fault == Fault::Lose && session.seq == VICTIM;
        for subscriber in session.subscribers.iter().skip(usize::from(unlucky)) {
            let _ = subscriber.send(frame.clone());
        }
    }

    /// The timeline as Server-Sent Events, until the client leaves.
    pub(super) async fn serve_stream(&self, mut stream: BufReader<TcpStream>, path: &str) {
        let (path, after) = path.split_once("?after=").expect("a seq");
        let id = path.split('/').nth(4).expect("a session");
        let after: usize = after.parse().expect("a seq");
        let (out, mut events) = unbounded_channel();
        {
            let mut sessions = self.sessions();
            let session = sessions.get_mut(id).expect("a known session");
            for event in &session.events[after - 1..] {
                let _ = out.send(event.clone());
            }
            session.subscribers.push(out.clone());
        }
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n: hello\n\n";
        let mut text = head.to_owned();
        while stream.write_all(text.as_bytes()).await.is_ok() {
            let Some(frame) = events.recv().await else { return };
            let event = event_of(&frame);
            let may_lose = self.fault == Fault::StreamLose && !event.is_null();
            let lost = may_lose && !self.people.stream_lost.swap(true, Ordering::Relaxed);
            text = match event.is_null() || lost {
                true => String::new(),
                false => format!("id: {}\nevent: {}\ndata: {event}\n\n", event["seq"], event["type"]),
            };
        }
        self.unsubscribe(&out);
    }

    pub(super) fn unsubscribe(&self, out: &UnboundedSender<Message>) {
        for session in self.sessions().values_mut() {
            session.subscribers.retain(|subscriber| !subscriber.same_channel(out));
        }
    }
}
