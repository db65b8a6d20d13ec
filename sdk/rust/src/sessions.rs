//! Calls on sessions, their participants and their timelines.

use crate::call::Call;
use crate::client::{Client, page_of};
use crate::error::Error;
use crate::types::{Contact, Event, Message, Page, Participant, Session, SessionStatus, TimelinePage};
use serde::Deserialize as _;
use serde_json::json;
use uuid::Uuid;

/// Entries of a page of a list.
const PAGE_SIZE: u32 = 50;

/// # Sessions
///
/// Each call fails with an error of the hub, or with `UNREACHABLE` after the client's timeout.
impl Client {
    /// A page of the sessions, newest activity first; archived sessions only if `status` says so. Pages count from 1.
    pub async fn sessions(&self, status: Option<SessionStatus>, page: u32) -> Result<Page<Session>, Error> {
        let path = match status {
            Some(status) => format!("/v1/agent/sessions?status={}", status.as_str()),
            None => "/v1/agent/sessions".to_owned(),
        };
        self.call(Call::get(page_of(&path, page, PAGE_SIZE))).await
    }

    /// A session.
    pub async fn session(&self, session: Uuid) -> Result<Session, Error> {
        self.call(Call::get(at(session, ""))).await
    }

    /// Closes a session: its pending questions are cancelled, and new messages are refused. May be repeated.
    pub async fn close(&self, session: Uuid) -> Result<Session, Error> {
        self.call(Call::post(at(session, "/close"), json!({}), None)).await
    }

    /// Closes a session and leaves it out of lists. May be repeated.
    pub async fn archive(&self, session: Uuid) -> Result<Session, Error> {
        self.call(Call::post(at(session, "/archive"), json!({}), None)).await
    }

    /// Events of a session after a `seq`, at most 1,000, with their messages opened as far as they can be.
    /// [`Client::events`] follows a session.
    pub async fn timeline(&self, session: Uuid, after: i64, limit: u32) -> Result<TimelinePage, Error> {
        let mut page: TimelinePage = self.call(timeline(session, after, limit)).await?;
        let message = |event: &Event| Message::deserialize(&event.data["message"]).ok();
        let created = page.data.iter_mut().filter(|event| event.kind == "message.created");
        let (mut events, mut messages): (Vec<_>, Vec<_>) =
            created.filter_map(|event| message(event).map(|message| (event, message))).unzip();
        self.open_all(session, &mut messages).await?;
        for (event, message) in events.iter_mut().zip(messages) {
            event.message = Some(Box::new(message));
        }
        Ok(page)
    }

    /// Who takes part in a session.
    pub async fn participants(&self, session: Uuid) -> Result<Vec<Participant>, Error> {
        self.all(&at(session, "/participants")).await
    }

    /// Shows people that the agent is writing; lapses after 6 seconds unless it is repeated.
    pub async fn typing(&self, session: Uuid, typing: bool) -> Result<(), Error> {
        self.send_call(Call::post(at(session, "/typing"), json!({ "typing": typing }), None)).await
    }

    /// The people of the space.
    pub async fn humans(&self) -> Result<Vec<Contact>, Error> {
        self.all("/v1/agent/humans").await
    }

    /// The agents of the space.
    pub async fn agents(&self) -> Result<Vec<Contact>, Error> {
        self.all("/v1/agent/agents").await
    }
}

/// A path below a session.
pub(crate) fn at(session: Uuid, path: &str) -> String {
    format!("/v1/agent/sessions/{session}{path}")
}

pub(crate) fn timeline(session: Uuid, after: i64, limit: u32) -> Call {
    Call::get(at(session, &format!("/timeline?after={after}&limit={limit}")))
}
