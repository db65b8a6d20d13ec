//! A minimal hub in this process with injectable faults.

mod awaiting;
mod pages;
mod people;
pub(crate) mod run;
mod sockets;
pub(crate) mod tls;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc::UnboundedSender,
};
use tokio_tungstenite::tungstenite::Message;

pub(crate) const KEY: &str = "hlp_0000000000000000000000000000000000000000000000000000000000000000";
/// The faulty event, on the first socket of each session.
const VICTIM: u64 = 4;

/// The fault of the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Leaves out an event.
    Lose,
    /// Leaves out the last event, so that no later one reveals the gap.
    LoseLast,
    /// Sends an event twice.
    Double,
    /// Sends an event after the next one.
    Swap,
    /// Sends other content than was posted.
    Alter,
    /// Sends an event of another session.
    Foreign,
    /// Answers one POST with 503, having stored nothing.
    Refuse,
    /// Gives one `seq` to two messages.
    RepeatSeq,
    /// Closes a socket.
    Close,
    /// Answers a subscription with an error.
    Forbid,
    /// Never answers one long-poll.
    AwaitNever,
    /// Never answers any long-poll.
    AwaitNothing,
    /// Answers a long-poll twice.
    AwaitTwice,
    /// Returns a pending message once before the timeout.
    AwaitEarly,
    /// Answers a long-poll with another message.
    AwaitOther,
    /// Returns another answer than the acknowledged one.
    AwaitAnswer,
    /// Reports an answered message as cancelled.
    AwaitCancelled,
    /// Reports a message as completed before it was answered.
    AwaitBefore,
    /// Closes the connection of a long-poll.
    AwaitClose,
    /// Answers a long-poll with 500.
    AwaitError,
    /// Stores an answer twice.
    AnswerTwice,
    /// Refuses to create keys.
    Unprivileged,
    /// Takes every answer to a question.
    TakeBoth,
    /// Leaves the sockets of a guest open whose token was revoked.
    KeepGuests,
    /// Leaves an event out of an event stream.
    StreamLose,
    /// Takes 5 ms for each message, one after the other.
    OneAtATime,
    /// Leaves an event out of a replay.
    ReplayLose,
    /// Sends an event twice in a replay.
    ReplayDouble,
    /// Sends two events of a replay in the wrong order.
    ReplaySwap,
    /// Replays everything, whatever the client has.
    ReplayAll,
    /// Answers every other handshake with 503 once there was a message.
    BusyReturn,
    /// Answers every handshake with 503 once there was a message.
    NeverReturn,
    /// Closes every socket with 4403 once there was a message.
    RevokeReturn,
    /// Closes the last socket with 4502 instead of sending an event.
    MissHeartbeat,
    /// Sends the events of the other sockets only when the last one pings: a stalled reader holds up all.
    HoldOthers,
    /// Leaves an event out of a page of a timeline.
    PageLose,
    /// Lists fewer sessions than there are.
    ListFew,
}

#[derive(Default)]
struct Session {
    seq: u64,
    subscribers: Vec<UnboundedSender<Message>>,
    /// The events from the second on, as they were sent.
    events: Vec<Message>,
    participants: Vec<Value>,
    held: Option<Message>,
    /// What [`Fault::HoldOthers`] holds back; none once it is over.
    kept: Option<Vec<(UnboundedSender<Message>, Message)>>,
    refused: bool,
}

pub(crate) struct Hub {
    fault: Fault,
    /// Messages a session gets in all, for [`Fault::LoseLast`].
    messages: u64,
    sessions: Mutex<HashMap<String, Session>>,
    questions: awaiting::Questions,
    sockets: sockets::Sockets,
    turn: tokio::sync::Mutex<()>,
    people: people::People,
}

impl Hub {
    /// Starts it; returns its URL.
    pub(crate) async fn start(fault: Fault, messages: u64) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let hub = Arc::new(Self {
            fault,
            messages,
            sessions: Mutex::default(),
            questions: awaiting::Questions::default(),
            sockets: sockets::Sockets::default(),
            turn: tokio::sync::Mutex::default(),
            people: people::People::default(),
        });
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&hub).serve(stream));
            }
        });
        url
    }

    async fn serve(self: Arc<Self>, stream: TcpStream) {
        let mut start = [0; 11];
        // The tester writes each request's head at once.
        let peeked = stream.peek(&mut start).await.unwrap_or_default();
        if start[..peeked].starts_with(b"GET /v1/ws") {
            self.serve_socket(stream).await;
        } else {
            self.serve_http(stream).await;
        }
    }

    async fn serve_http(&self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or_default() == 0 {
                return;
            }
            let (mut length, mut credential) = (0, String::new());
            let mut header = String::new();
            while stream.read_line(&mut header).await.expect("a header") > 2 {
                if let Some(value) = header.strip_prefix("content-length:") {
                    length = value.trim().parse().expect("a length");
                }
                let given = header.strip_prefix("x-api-key:").or(header.strip_prefix("authorization: Bearer"));
                if let Some(value) = given {
                    value.trim().clone_into(&mut credential);
                }
                header.clear();
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await.expect("the body");
            let mut words = line.split(' ');
            let method = words.next().expect("a method");
            let path = words.next().expect("a path");
            if path.contains("/events?after=") {
                return self.serve_stream(stream, path).await;
            }
            let (status, reply, times) = match path.split_once("/await?timeout=") {
                Some((path, seconds)) => {
                    let seconds = seconds.parse().expect("seconds");
                    // The tester may disconnect first.
                    match tokio::select! {
                        reply = self.long_poll(path, seconds) => reply,
                        _ = stream.fill_buf() => None,
                    } {
                        Some(reply) => reply,
                        None => return,
                    }
                }
                None => {
                    if self.fault == Fault::OneAtATime && path.ends_with("/messages") {
                        let _turn = self.turn.lock().await;
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                    let (status, reply) = self.answer(method, path, &body, &credential);
                    (status, reply, 1)
                }
            };
            let reply = if reply.is_null() { String::new() } else { reply.to_string() };
            let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n", reply.len());
            let _ = stream.write_all((head + &reply).repeat(times).as_bytes()).await;
        }
    }

    fn answer(&self, method: &str, path: &str, body: &[u8], credential: &str) -> (u16, Value) {
        if path.starts_with("/v1/manage/") || path.starts_with("/v1/auth/") {
            return self.manage(method, path, body);
        }
        let mut sessions = self.sessions();
        let human = path.strip_prefix("/v1/human/sessions");
        let below = human.or(path.strip_prefix("/v1/agent/sessions")).expect("a path of sessions");
        if method == "GET" && below.starts_with('?') {
            return self.list(sessions.len());
        }
        if below.is_empty() {
            let id = format!("session-{}", sessions.len());
            let participants = self.participants_of(credential, body);
            let kept = (self.fault == Fault::HoldOthers).then(Vec::new);
            sessions.insert(id.clone(), Session { seq: 1, participants, kept, ..Session::default() });
            return (201, json!({"id": id, "lastSeq": 1}));
        }
        let (id, rest) = below[1..].split_once('/').unwrap_or((&below[1..], ""));
        let session = sessions.get_mut(id).expect("a known session");
        match (method, rest) {
            ("GET", "") => (200, json!({"id": id, "lastSeq": session.seq})),
            ("POST", "messages") => {
                let body: Value = serde_json::from_slice(body).expect("JSON");
                match body["inReplyTo"].is_string() || body["responseRequired"] == true {
                    true => self.question_or_answer(id, session, &body),
                    false => self.publish(id, session, &body),
                }
            }
            ("POST", "guest-tokens") => self.create_guest(id, session),
            ("DELETE", rest) if rest.starts_with("guest-tokens/") => self.revoke_guest(&rest["guest-tokens/".len()..]),
            ("GET", rest) if rest.starts_with("timeline") => self.timeline(session, rest),
            ("GET", rest) if rest.starts_with("participants") => (200, json!({"data": session.participants})),
            other => panic!("no such endpoint: {other:?}"),
        }
    }

    fn publish(&self, id: &str, session: &mut Session, message: &Value) -> (u16, Value) {
        let seq = session.seq + 1;
        let unlucky = seq == VICTIM;
        if self.fault == Fault::Refuse && unlucky && !session.refused {
            session.refused = true;
            return (503, json!({"error": {"code": "UNAVAILABLE", "message": "no"}}));
        }
        session.seq = seq;
        let event = |session: &str, message: &Value| {
            Message::text(
                json!({"type": "event", "event": {"sessionId": session, "seq": seq,
                    "type": "message.created", "data": {"message": message}}})
                .to_string(),
            )
        };
        let frame = event(id, message);
        session.events.push(frame.clone());
        let last = session.subscribers.len().saturating_sub(1);
        for (number, subscriber) in session.subscribers.iter().enumerate() {
            let mut frames = vec![frame.clone()];
            match self.fault {
                Fault::LoseLast if number == 0 && seq == self.messages + 1 => frames.clear(),
                Fault::Lose if number == 0 && unlucky => frames.clear(),
                Fault::Double if number == 0 && unlucky => frames.push(frame.clone()),
                Fault::Swap if number == 0 && unlucky => session.held = frames.pop(),
                Fault::Swap if number == 0 => frames.extend(session.held.take()),
                Fault::Foreign if number == 0 && unlucky => frames.push(event("else", message)),
                Fault::Alter if number == 0 && unlucky => {
                    let other = json!({"encryptedContent": {"ciphertext": "bm90aGluZw=="}});
                    frames = vec![event(id, &other)];
                }
                Fault::MissHeartbeat if number == last && unlucky => frames = vec![sockets::close(4502)],
                Fault::Close if number == 0 && unlucky => frames.push(Message::Close(None)),
                _ => {}
            }
            for frame in frames {
                match &mut session.kept {
                    Some(kept) if number != last => kept.push((subscriber.clone(), frame)),
                    // A client that has left does not read.
                    _ => drop(subscriber.send(frame)),
                }
            }
        }
        let seq = match self.fault {
            Fault::RepeatSeq if unlucky => seq - 1,
            _ => seq,
        };
        (
            201,
            json!({"id": "m", "sessionId": id, "seq": seq, "status": "Completed",
            "encryptedContent": message["encryptedContent"], "response": null}),
        )
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.sessions.lock().expect("no test panicked with it")
    }
}
