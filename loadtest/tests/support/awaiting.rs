//! Messages that wait for an answer, and long-polls for them.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, OnceLock},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{sync::Notify, time::Instant};

use super::{Fault, Hub, Session};

/// The message whose long-poll is faulty, unless it is the first one that is answered.
const VICTIM: &str = "question-1";

#[derive(Default)]
pub(super) struct Questions {
    messages: Mutex<HashMap<String, Value>>,
    settled: Notify,
    early: Mutex<bool>,
    /// The question that was answered first.
    first: OnceLock<String>,
}

impl Questions {
    fn messages(&self) -> MutexGuard<'_, HashMap<String, Value>> {
        self.messages.lock().expect("no test panicked with it")
    }

    /// Waits until the message has settled or the time is up.
    async fn settled(&self, id: &str, until: Instant) -> Value {
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            let message = self.messages()[id].clone();
            if message["status"] != "Pending" || tokio::time::timeout_at(until, settled).await.is_err() {
                return message;
            }
        }
    }
}

impl Hub {
    /// Stores a message that requires a response, or a response to one.
    pub(super) fn question_or_answer(&self, id: &str, session: &mut Session, body: &Value) -> (u16, Value) {
        let mut messages = self.questions.messages();
        let content = &body["encryptedContent"];
        let Some(question) = body["inReplyTo"].as_str() else {
            let name = format!("question-{}", messages.len());
            let message = json!({"id": name, "sessionId": id, "seq": session.seq + 1, "status": "Pending",
                "encryptedContent": content, "response": null});
            self.emit(id, session, "message.created", &json!({"message": message}));
            messages.insert(name, message.clone());
            return (201, message);
        };
        if self.fault == Fault::Refuse && question == VICTIM {
            return (503, json!({"error": {"code": "UNAVAILABLE", "message": "no"}}));
        }
        let twice = self.fault == Fault::AnswerTwice && question == VICTIM;
        if messages[question]["status"] != "Pending" && self.fault != Fault::TakeBoth {
            return (409, json!({"error": {"code": "ALREADY_RESPONDED", "message": "no"}}));
        }
        let answer = format!("answer-to-{question}");
        let seq = session.seq + 1;
        for _ in 0..if twice { 2 } else { 1 } {
            let created = json!({"message": {"id": answer, "encryptedContent": content}});
            self.emit(id, session, "message.created", &created);
            self.emit(id, session, "message.completed", &json!({"messageId": question}));
        }
        self.questions.first.get_or_init(|| question.to_owned());
        let message = messages.get_mut(question).expect("a known message");
        message["status"] = json!("Completed");
        message["response"] = json!({"messageId": answer, "encryptedContent": content});
        self.questions.settled.notify_waiters();
        (201, json!({"id": answer, "seq": seq, "status": "Completed", "encryptedContent": content, "response": null}))
    }

    /// The status, the body, and how many times to send it; none to close the connection.
    pub(super) async fn long_poll(&self, path: &str, seconds: u64) -> Option<(u16, Value, usize)> {
        let id = path.rsplit('/').next().expect("a message");
        // Polls that do not wait, and those of other messages, get the correct reply.
        let fault = if id == VICTIM && seconds > 0 { self.fault } else { Fault::None };
        if self.fault == Fault::AwaitNothing && seconds > 0 {
            std::future::pending::<()>().await;
        }
        match fault {
            Fault::AwaitClose => return None,
            Fault::AwaitError => return Some((500, json!({"error": {"code": "INTERNAL"}}), 1)),
            Fault::AwaitEarly if !std::mem::replace(&mut *self.questions.early.lock().expect("unpoisoned"), true) => {
                return Some((200, self.questions.messages()[id].clone(), 1));
            }
            Fault::AwaitBefore => {
                let mut message = self.questions.messages()[id].clone();
                message["status"] = json!("Completed");
                return Some((200, message, 1));
            }
            _ => {}
        }
        let until = Instant::now() + Duration::from_secs(seconds);
        let mut message = self.questions.settled(id, until).await;
        // Questions reach the hub in any order; the first one that is answered is one of the first step of a ramp.
        let is_first = seconds > 0 && self.questions.first.get().is_some_and(|first| first == id);
        match self.fault {
            Fault::AwaitNever if is_first => std::future::pending().await,
            Fault::AwaitAnswer if is_first => message["response"]["messageId"] = json!("answer-to-nothing"),
            _ => {}
        }
        match fault {
            Fault::AwaitOther => message = self.questions.settled("question-0", until).await,
            Fault::AwaitCancelled => message["status"] = json!("Cancelled"),
            _ => {}
        }
        Some((200, message, if fault == Fault::AwaitTwice { 2 } else { 1 }))
    }
}
