//! The session of the hub that belongs to a session of a coding agent.

use super::agent::CodingAgent;
use super::event::Event;
use super::remarks::{Remarks, of_people};
use super::state::StateFile;
use hiloop_sdk::{
    Client, Decision, Error, MessageStatus, NewMessage, NewParticipant, NewSession, Priority, Question, Session,
    SessionStatus, Timestamp,
};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::path::Path;
use std::time::Duration;
use uuid::Uuid;

/// Spacing of the times that ids of sessions carry. The hub takes ids whose time is within 24 hours of its own.
const SPACING: u64 = 36 * 60 * 60 * 1000;
/// How many spacings back a session is looked for: a week and a little more.
const BACK: u64 = 5;
/// How many sessions one session of a coding agent may have: people may close one.
const MAX_SESSIONS: u32 = 20;
/// How long after its deadline a question may take to settle.
const GRACE: Duration = Duration::from_secs(10);

pub(super) struct HubSession {
    client: Client,
    id: Uuid,
    /// Whom the settings name: nobody else may answer, whoever takes part. Everyone where they name nobody.
    to: Vec<String>,
}

impl HubSession {
    /// The session of the event's session: the one that an earlier event has opened, else a new one.
    pub(super) async fn open(
        client: &Client,
        agent: CodingAgent,
        event: &Event,
        to: &[String],
        state: &StateFile,
    ) -> Result<Self, String> {
        let remembered = state.read().unwrap_or_default().session;
        let me = client.me().await.map_err(said)?.id;
        if let Some(id) = remembered
            && let Some(session) = found(client, id).await.map_err(said)?
            && is_usable(&session, me)
        {
            return Ok(Self { client: client.clone(), id, to: to.to_vec() });
        }
        let id = Self::find_or_open(client, me, agent, event, to).await?;
        // Without it, the next process searches again.
        let _ = state.update(|state| {
            if state.session.replace(id) != Some(id) {
                state.delivered = 0;
            }
        });
        Ok(Self { client: client.clone(), id, to: to.to_vec() })
    }

    async fn find_or_open(
        client: &Client,
        me: Uuid,
        agent: CodingAgent,
        event: &Event,
        to: &[String],
    ) -> Result<Uuid, String> {
        'next: for number in 0..MAX_SESSIONS {
            let ids = Ids::new(me, agent, &event.session, number);
            let mut new = None;
            for id in ids.at(Timestamp::now().as_millis()) {
                match found(client, id).await.map_err(said)? {
                    Some(session) if is_usable(&session, me) => return Ok(id),
                    // Closed, or opened by another agent under an id that it foresaw.
                    Some(_) => continue 'next,
                    None => new = new.or(Some(id)),
                }
            }
            let Some(id) = new else { continue };
            let folder = Path::new(&event.folder).file_name().and_then(|name| name.to_str()).unwrap_or("/");
            let mut session = NewSession::titled(format!("{} in {folder}", agent.name()))
                .id(id)
                .idempotency_key(format!("session-{id}"));
            if !to.is_empty() {
                session = session.participants(to.iter().map(NewParticipant::human));
            }
            match client.create_session(session).await {
                Ok(_) => return Ok(id),
                // Another hook was first, or another agent.
                Err(error) if error.is("CONFLICT") || error.is("IDEMPOTENCY_MISMATCH") => {
                    let session = found(client, id).await.map_err(said)?;
                    if session.is_some_and(|session| is_usable(&session, me)) {
                        return Ok(id);
                    }
                }
                Err(error) => return Err(said(error)),
            }
        }
        Err(format!("{MAX_SESSIONS} sessions of this one are closed, or belong to other agents"))
    }

    /// Asks and waits. Of several processes that ask with the same key, one gets the decision.
    pub(super) async fn ask(&self, components: Value, key: &str, wait: Duration) -> Result<Decision, Error> {
        let mut question = Question::of_components(components)
            .session(self.id)
            .key(key)
            .priority(Priority::High)
            .deadline_in(wait)
            .wait_at_most(wait + GRACE)
            .exclusive();
        if !self.to.is_empty() {
            question = question.answerers(self.to.iter().map(String::as_str));
        }
        self.client.ask(question).await
    }

    /// Sends a message, once for each key.
    pub(super) async fn send(&self, message: NewMessage, key: &str) -> Result<(), Error> {
        match self.client.send(self.id, message.idempotency_key(key)).await {
            // An earlier process has sent it, sealed in another way.
            Err(error) if error.is("IDEMPOTENCY_MISMATCH") => Ok(()),
            sent => sent.map(drop),
        }
    }

    /// Takes back the questions that nothing waits for any more, and reads what people wrote after a place of the
    /// timeline.
    pub(super) async fn catch_up(&self, after: i64) -> Result<Remarks, Error> {
        let me = self.client.me().await?.id;
        let messages = self.client.all_messages(self.id).await?;
        for message in &messages {
            let is_own = message.sender_agent_id == Some(me) && message.response_required;
            if is_own && message.status == MessageStatus::Pending {
                // It may settle meanwhile.
                let _ = self.client.cancel(self.id, message.id).await;
            }
        }
        let mut remarks = Remarks::after(&messages, after);
        for message in of_people(&messages, after) {
            if self.client.is_remark(message).await? {
                remarks.add(message);
            } else {
                remarks.unreadable += 1;
            }
        }
        Ok(remarks)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(super) fn said(error: Error) -> String {
    error.to_string()
}

/// Whether this agent has opened the session, and it is open.
fn is_usable(session: &Session, me: Uuid) -> bool {
    session.status == SessionStatus::Active && session.created_by_agent_id == Some(me)
}

async fn found(client: &Client, id: Uuid) -> Result<Option<Session>, Error> {
    match client.session(id).await {
        Ok(session) => Ok(Some(session)),
        Err(error) if error.status == 404 => Ok(None),
        Err(error) => Err(error),
    }
}

/// The ids of the hub's session follow from the coding agent's, so that each process finds it again.
struct Ids {
    digest: [u8; 32],
}

impl Ids {
    fn new(me: Uuid, agent: CodingAgent, session: &str, number: u32) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"hiloop hook session\0");
        hash.update(me.as_bytes());
        hash.update(agent.command());
        hash.update([0]);
        hash.update(number.to_be_bytes());
        hash.update(session);
        Self { digest: hash.finalize().into() }
    }

    /// The ids at `now` (milliseconds since 1970): that of a new session, then those that it may have had.
    fn at(&self, now: i64) -> impl Iterator<Item = Uuid> + '_ {
        let nearest = (u64::try_from(now).unwrap_or_default() + SPACING / 2) / SPACING;
        let others = (1..=BACK).map(move |back| nearest.saturating_sub(back));
        std::iter::once(nearest).chain([nearest + 1]).chain(others).map(|slot| {
            let mut random = [0; 10];
            random.copy_from_slice(&self.digest[..10]);
            uuid::Builder::from_unix_timestamp_millis(slot * SPACING, &random).into_uuid()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_774_432_200_000;

    #[test]
    fn a_session_of_another_agent_or_a_closed_one_is_not_used() {
        let me = Uuid::from_u128(1);
        let session = |creator: Value, status: &str| -> Session {
            serde_json::from_value(serde_json::json!({
                "id": me, "spaceId": me, "createdByAgentId": creator, "createdByHumanId": null, "title": null,
                "encryptedTitle": null, "status": status, "priority": "Medium", "metadata": null, "lastSeq": 1,
                "pendingCount": 0, "createdAt": "2026-03-25T10:30:00.000Z", "updatedAt": "2026-03-25T10:30:00.000Z",
                "closedAt": null, "archivedAt": null,
            }))
            .expect("a session")
        };
        assert!(is_usable(&session(serde_json::json!(me), "Active"), me));
        assert!(!is_usable(&session(serde_json::json!(Uuid::from_u128(2)), "Active"), me));
        assert!(!is_usable(&session(Value::Null, "Active"), me));
        assert!(!is_usable(&session(serde_json::json!(me), "Closed"), me));
    }

    #[test]
    fn each_process_finds_the_session_for_a_week() {
        let ids = Ids::new(Uuid::nil(), CodingAgent::ClaudeCode, "s", 0);
        let opened = ids.at(NOW).next().expect("an id");
        assert_eq!(opened.get_version_num(), 7);
        for hours in -12..=7 * 24 {
            assert!(ids.at(NOW + hours * 60 * 60 * 1000).any(|id| id == opened), "{hours}");
        }
    }

    #[test]
    fn another_session_or_agent_has_another_one() {
        let id = |me, agent, session, number| Ids::new(me, agent, session, number).at(NOW).next();
        let own = id(Uuid::nil(), CodingAgent::ClaudeCode, "s", 0);
        assert_ne!(id(Uuid::max(), CodingAgent::ClaudeCode, "s", 0), own);
        assert_ne!(id(Uuid::nil(), CodingAgent::Codex, "s", 0), own);
        assert_ne!(id(Uuid::nil(), CodingAgent::ClaudeCode, "t", 0), own);
        assert_ne!(id(Uuid::nil(), CodingAgent::ClaudeCode, "s", 1), own);
    }
}
