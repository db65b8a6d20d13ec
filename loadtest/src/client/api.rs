//! The few HTTP endpoints that a load test needs.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use hyper::{Method, StatusCode};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    credential::Credential,
    ended::BadStatus,
    http::{Call, HttpPool},
    target::Target,
};
use crate::live::Live;

/// The hub's HTTP side.
pub(crate) struct Api {
    target: Arc<Target>,
    live: Arc<Live>,
    pool: HttpPool,
}

/// A session, as the hub describes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) last_seq: u64,
}

/// The fields of a message that a load test reads.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) seq: u64,
    pub(crate) status: String,
    pub(crate) encrypted_content: Envelope,
    pub(crate) response: Option<Response>,
}

/// The routes of a kind of principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Agent,
    /// Humans and guests.
    Human,
}

/// The response that settled a message.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Response {
    pub(crate) message_id: String,
    pub(crate) encrypted_content: Envelope,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Envelope {
    pub(crate) ciphertext: String,
}

impl Side {
    /// Its part of a path.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Human => "human",
        }
    }
}

#[derive(Deserialize)]
struct MessageReply {
    seq: u64,
}

#[derive(Deserialize)]
struct GuestReply {
    token: String,
}

impl Api {
    pub(crate) fn new(target: Arc<Target>, in_flight: usize, live: &Arc<Live>) -> Self {
        Self { pool: HttpPool::new(Arc::clone(&target), in_flight), target, live: Arc::clone(live) }
    }

    pub(crate) async fn warm_up(&self, connections: usize) -> Result<()> {
        self.pool.warm_up(connections).await
    }

    /// Opens one more connection ahead of a request.
    pub(crate) async fn open_connection(&self) -> Result<()> {
        self.pool.add().await
    }

    pub(crate) async fn create_session(&self) -> Result<Session> {
        let path = self.target.path("/v1/agent/sessions");
        let body = Bytes::from_static(br#"{"title":"load test"}"#);
        self.call(Method::POST, &path, body, StatusCode::CREATED).await
    }

    /// A guest of a session, who may answer there. No two of a session may have one name.
    pub(crate) async fn create_guest(&self, session: &str, name: &str) -> Result<Credential> {
        let path = self.target.path(&format!("/v1/agent/sessions/{session}/guest-tokens"));
        let body = Bytes::from(serde_json::json!({"name": name}).to_string());
        let reply: GuestReply = self.call(Method::POST, &path, body, StatusCode::CREATED).await?;
        Credential::bearer(&reply.token)
    }

    pub(crate) async fn session(&self, id: &str) -> Result<Session> {
        let path = self.target.path(&format!("/v1/agent/sessions/{id}"));
        self.call(Method::GET, &path, Bytes::new(), StatusCode::OK).await
    }

    /// The same for an agent.
    pub(crate) async fn session_as(&self, agent: &Credential, id: &str) -> Result<Session> {
        let path = format!("/v1/agent/sessions/{id}");
        self.request(agent, Method::GET, &path, Bytes::new(), StatusCode::OK).await
    }

    /// The path to post messages of a session to.
    pub(crate) fn messages_path(&self, session: &str) -> String {
        self.target.path(&format!("/v1/agent/sessions/{session}/messages"))
    }

    /// Posts a message and returns the `seq` that the hub gave it.
    pub(crate) async fn post_message(&self, path: &str, body: Bytes) -> Result<u64> {
        let reply: MessageReply = self.counted(self.call(Method::POST, path, body, StatusCode::CREATED)).await?;
        Ok(reply.seq)
    }

    /// Posts a message and returns it.
    pub(crate) async fn create_message(&self, session: &str, body: Bytes) -> Result<Message> {
        let path = self.messages_path(session);
        self.counted(self.call(Method::POST, &path, body, StatusCode::CREATED)).await
    }

    /// Posts a message as a person.
    pub(crate) async fn answer(&self, person: &Credential, session: &str, body: Bytes) -> Result<Message> {
        self.say(Side::Human, person, session, body).await
    }

    /// Posts a message as somebody.
    pub(crate) async fn say(&self, side: Side, who: &Credential, session: &str, body: Bytes) -> Result<Message> {
        let path = format!("/v1/{}/sessions/{session}/messages", side.name());
        self.counted(self.request(who, Method::POST, &path, body, StatusCode::CREATED)).await
    }

    /// Any request below the base URL.
    pub(crate) async fn request<T: DeserializeOwned>(
        &self,
        credential: &Credential,
        method: Method,
        path: &str,
        body: Bytes,
        expected: StatusCode,
    ) -> Result<T> {
        let path = self.target.path(path);
        let within = self.target.timeout();
        self.exchange(Call { method, path: &path, credential, body, within }, expected).await
    }

    /// Deletes something.
    pub(crate) async fn delete(&self, credential: &Credential, path: &str) -> Result<()> {
        self.request(credential, Method::DELETE, path, Bytes::new(), StatusCode::NO_CONTENT).await
    }

    /// Long-polls for a message to settle, for so many seconds at most.
    pub(crate) async fn await_message(&self, session: &str, message: &str, seconds: u8) -> Result<Message> {
        self.await_message_as(self.target.credential(), session, message, seconds).await
    }

    /// The same as an agent.
    pub(crate) async fn await_message_as(
        &self,
        agent: &Credential,
        session: &str,
        message: &str,
        seconds: u8,
    ) -> Result<Message> {
        let path = format!("/v1/agent/sessions/{session}/messages/{message}/await?timeout={seconds}");
        let path = self.target.path(&path);
        let within = self.target.timeout() + Duration::from_secs(seconds.into());
        let call = Call { method: Method::GET, path: &path, credential: agent, body: Bytes::new(), within };
        self.exchange(call, StatusCode::OK).await
    }

    /// Connections with more than one reply to a request.
    pub(crate) fn unasked(&self) -> u64 {
        self.pool.unasked()
    }

    /// Counts a message when it is sent, and when it is acknowledged.
    async fn counted<T>(&self, reply: impl Future<Output = Result<T>>) -> Result<T> {
        self.live.sent();
        let reply = reply.await?;
        self.live.acknowledged();
        Ok(reply)
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        expected: StatusCode,
    ) -> Result<T> {
        let within = self.target.timeout();
        self.exchange(Call { method, path, credential: self.target.credential(), body, within }, expected).await
    }

    async fn exchange<T: DeserializeOwned>(&self, call: Call<'_>, expected: StatusCode) -> Result<T> {
        let path = call.path;
        let reply = self.pool.send(call).await?;
        if reply.status != expected {
            let text: String = String::from_utf8_lossy(&reply.body).chars().take(300).collect();
            let hint = match reply.status {
                StatusCode::TOO_MANY_REQUESTS => "are HILOOP_RATE_LIMIT and HILOOP_CONNECTION_LIMIT off? ",
                _ => "",
            };
            let (status, expected) = (reply.status.as_u16(), expected.as_u16());
            let text = format!("{hint}{text}");
            return Err(
                BadStatus { path: path.to_owned(), status, expected, text, retry_after: reply.retry_after }.into()
            );
        }
        // A reply without a body is `null`.
        let body = if reply.body.is_empty() { &b"null"[..] } else { &reply.body[..] };
        serde_json::from_slice(body).with_context(|| format!("{path}: unexpected reply"))
    }
}
