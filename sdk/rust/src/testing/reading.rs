//! What a person reads.

use super::pending::{Pending, question};
use super::person::{Person, at};
use crate::call::Call;
use crate::e2e::header::Kind;
use crate::e2e::journal::Carrier;
use crate::e2e::refusal::Refusal;
use crate::error::Error;
use crate::opening::{agrees, verified};
use crate::types::opened::{Authenticity, OpenedMessage};
use crate::types::{Message, Session};
use std::time::Duration;
use uuid::Uuid;

impl Person {
    /// The questions that wait for an answer, of every session, opened and verified. Others are left out.
    ///
    /// # Errors
    /// Of the hub.
    pub async fn pending(&self) -> Result<Vec<Pending>, Error> {
        let sessions: Vec<Session> = self.all("/v1/human/sessions").await?;
        let mut pending = Vec::new();
        for session in sessions.into_iter().filter(|session| session.pending_count > 0) {
            let title = self.title(&session).await?;
            for message in self.read(session.id).await? {
                pending.extend(question(message, title.clone()));
            }
        }
        Ok(pending)
    }

    /// The next question that is not among `seen`, by its id.
    ///
    /// # Errors
    /// Of the hub; `TIMEOUT` after `wait`.
    pub async fn next(&self, seen: &[Uuid], wait: Duration) -> Result<Pending, Error> {
        let end = tokio::time::Instant::now() + wait;
        loop {
            let pending = self.pending().await?;
            if let Some(next) = pending.into_iter().find(|pending| !seen.contains(&pending.message.id)) {
                return Ok(next);
            }
            if tokio::time::Instant::now() >= end {
                return Err(Error::local("the next question", Error::TIMEOUT, "nobody asks"));
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// The messages of a session, opened as far as they can be.
    ///
    /// # Errors
    /// Of the hub.
    pub async fn read(&self, session: Uuid) -> Result<Vec<Message>, Error> {
        let members = self.members(session).await?;
        let mut messages: Vec<Message> = self.all(&at(session, "/messages")).await?;
        // Keys that somebody has shared stand in later messages than what they open.
        for _ in 0..2 {
            for message in &mut messages {
                message.opened = Some(Box::new(self.open(message, members.len())));
            }
        }
        Ok(messages)
    }

    fn open(&self, message: &Message, crowd: usize) -> OpenedMessage {
        let (Some(envelope), Some(sender)) = (&message.encrypted_content, message.sender_id()) else {
            return OpenedMessage::of(Authenticity::NotAuthenticated(Refusal::Scheme));
        };
        let carrier = Carrier { id: message.id, seq: Some(message.seq) };
        match self.identity.accept(envelope, sender, message.session_id, carrier) {
            Ok(open) if agrees(&open, message) => verified(&self.identity, open, Some(crowd)),
            Ok(_) => OpenedMessage::of(Authenticity::NotAuthenticated(Refusal::Malformed("its clear fields differ"))),
            Err(Refusal::NotForUs) => OpenedMessage::of(Authenticity::CannotOpen(Refusal::NotForUs)),
            Err(refusal) => OpenedMessage::of(Authenticity::NotAuthenticated(refusal)),
        }
    }

    /// The title of a session, sealed or not.
    ///
    /// # Errors
    /// Of the hub.
    pub async fn title(&self, session: &Session) -> Result<Option<String>, Error> {
        let Some(envelope) = &session.encrypted_title else { return Ok(session.title.clone()) };
        self.members(session.id).await?;
        let sender = session.created_by_agent_id.or(session.created_by_human_id);
        let carrier = Carrier { id: session.id, seq: None };
        let open = sender.and_then(|sender| self.identity.accept(envelope, sender, session.id, carrier).ok());
        let text = open.filter(|open| open.header.kind == Kind::Title);
        Ok(text.and_then(|open| open.content["content"]["text"].as_str().map(str::to_owned)))
    }

    /// A session.
    ///
    /// # Errors
    /// Of the hub.
    pub async fn session(&self, session: Uuid) -> Result<Session, Error> {
        self.http.call(&Call::get(at(session, ""))).await
    }
}
