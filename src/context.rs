//! What a request or a socket can reach, and the few actions that both offer.

use crate::audit::Audit;
use crate::auth::{Accounts, Authenticator};
use crate::broker::Broker;
use crate::clock::Clock;
use crate::config::Config;
use crate::connections::Connections;
use crate::domain::decide::Command;
use crate::protocol::body::MessageDraft;
use crate::domain::{Message, MessageStatus, Principal, Refusal, SessionId};
use crate::hub::Hub;
use crate::metrics::Metrics;
use crate::room::Room;
use crate::space_bytes::SpaceBytes;
use crate::store::{SavedReplyKind, Store};
use crate::supervisor::Supervisor;
use crate::timeline::{Action, By, Idempotency, Outcome, Request, Timeline};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Everything that lives as long as the server.
pub struct Context {
    pub config: Config,
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub hub: Arc<Hub>,
    pub broker: Arc<dyn Broker>,
    pub timeline: Timeline,
    pub space_bytes: SpaceBytes,
    pub authenticator: Arc<Authenticator>,
    pub accounts: Accounts,
    pub audit: Arc<Audit>,
    pub metrics: Arc<Metrics>,
    /// For the bodies of requests.
    pub room: Room,
    pub supervisor: Supervisor,
    pub connections: Arc<Connections>,
    /// Cancelled when the server begins to drain.
    pub draining: CancellationToken,
}

/// The state of every handler and socket.
pub type App = Arc<Context>;

/// A message that was posted: its JSON, and whether an earlier request had done it.
pub struct Posted {
    pub json: String,
    pub replayed: bool,
}

impl Context {
    /// Carries out a command of this principal on one session.
    pub async fn command(
        &self,
        principal: &Arc<Principal>,
        session: SessionId,
        command: Command,
        idempotency: Option<Idempotency>,
    ) -> Result<Outcome, Refusal> {
        let space = principal.space();
        let by = By::Principal(Arc::clone(principal));
        let action = self.space_bytes.within(space, Action::Command(command));
        self.timeline.submit(Request { space, session, by, action, idempotency }).await
    }

    /// Posts a message; durable when this returns.
    pub async fn post(
        &self,
        principal: &Arc<Principal>,
        session: SessionId,
        draft: MessageDraft,
        idempotency: Option<Idempotency>,
    ) -> Result<Posted, Refusal> {
        let message = draft.check(principal.is_person(), self.config.max_field_bytes)?;
        match self.command(principal, session, Command::Post(message), idempotency).await? {
            Outcome::Posted { json, last_seq, reader } => {
                if let Some(reader) = reader {
                    self.hub.show_receipt(session, reader, last_seq);
                }
                Ok(Posted { json, replayed: false })
            }
            Outcome::Replayed { reply: SavedReplyKind::Posted(session, id), .. } => {
                let message = self.store.message(principal.scope(), session, id).await?;
                let first = as_first_posted(message.ok_or(Refusal::NotFound("Session"))?);
                let json = serde_json::to_string(&first).map_err(|_| Refusal::Internal)?;
                Ok(Posted { json, replayed: true })
            }
            _ => Err(Refusal::Internal),
        }
    }

    /// Notes that a principal types in a session that it sees, or has stopped.
    pub async fn type_in(&self, principal: &Principal, session: SessionId, typing: bool) -> Result<(), Refusal> {
        let head = self.store.head(principal.scope(), session).await?;
        head.ok_or(Refusal::NotFound("Session"))?;
        self.hub.note_typing(session, principal.id(), principal.actor(), typing);
        Ok(())
    }

    /// Notes how far a participant has read, and shows it to the others.
    pub async fn read_to(&self, principal: &Principal, session: SessionId, seq: i64) -> Result<(), Refusal> {
        if seq < 0 {
            return Err(Refusal::invalid("seq", "must not be negative"));
        }
        let mark = self.store.mark_read(principal.scope(), session, principal.id(), seq).await?;
        let mark = mark.ok_or(Refusal::NotFound("Session"))?;
        if mark.moved {
            self.hub.show_receipt(session, mark.participant, mark.seq);
        }
        Ok(())
    }

    /// Makes revocations hold at once on this node and soon on the others.
    pub fn revoke(&self, ids: impl IntoIterator<Item = Uuid>) {
        self.hub.revoke(&ids.into_iter().collect());
    }
}

/// A message as it was when it was posted.
fn as_first_posted(mut message: Message) -> Message {
    if message.response_required {
        message.status = MessageStatus::Pending;
    }
    message.outcome = None;
    message.response = None;
    message.acknowledged_at = None;
    message.updated_at = message.created_at;
    message
}
