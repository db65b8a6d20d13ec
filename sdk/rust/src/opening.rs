//! Opens what others have sent.

use crate::client::Client;
use crate::e2e::header::Kind;
use crate::e2e::identity::Identity;
use crate::e2e::journal::Carrier;
use crate::e2e::open::Open;
use crate::e2e::parts::SCHEME;
use crate::e2e::refusal::Refusal;
use crate::error::Error;
use crate::types::envelope::{Content, Envelope, Opened};
use crate::types::message::Message;
use crate::types::opened::{Authenticity, OpenedMessage};
use crate::types::session::Session;
use serde_json::Value;
use std::collections::HashSet;
use uuid::Uuid;

impl Client {
    /// Opens messages of a session, as far as they can be.
    pub(crate) async fn open_all(&self, session: Uuid, messages: &mut [Message]) -> Result<(), Error> {
        if !self.encrypts() {
            for message in messages {
                message.opened = Some(Box::new(read_plain(message)));
            }
            return Ok(());
        }
        let identity = self.identity().await?;
        let is_sealed = identity.is_sealed(session) || messages.iter().any(is_v2);
        let mut is_fresh = false;
        for message in messages {
            let Some(opened) = self.open_one(&identity, session, message, &mut is_fresh).await? else {
                let mut plain = read_plain(message);
                if is_sealed && message.sender_id().is_some() {
                    plain.authenticity = Authenticity::NotAuthenticated(Refusal::Scheme);
                }
                message.opened = Some(Box::new(plain));
                continue;
            };
            message.opened = Some(Box::new(opened));
        }
        Ok(())
    }

    /// The title of a session, sealed or not; none where there is none, or it does not verify.
    ///
    /// # Errors
    /// Of the hub.
    pub async fn title(&self, session: &Session) -> Result<Option<String>, Error> {
        let (Some(envelope), true) = (&session.encrypted_title, self.encrypts()) else {
            return Ok(session.title.clone());
        };
        let identity = self.identity().await?;
        let Some(sender) = session.created_by_agent_id.or(session.created_by_human_id) else { return Ok(None) };
        let carrier = Carrier { id: session.id, seq: None };
        let mut opened = identity.accept(envelope, sender, session.id, carrier);
        if matches!(opened, Err(Refusal::UnknownKey)) {
            self.members(&identity, session.id).await?;
            opened = identity.accept(envelope, sender, session.id, carrier);
        }
        let opened = opened.ok().filter(|open| open.header.kind == Kind::Title);
        Ok(opened.and_then(|open| open.content["content"]["text"].as_str().map(str::to_owned)))
    }

    /// Opens a sealed message; none where it is of another scheme.
    async fn open_one(
        &self,
        identity: &Identity,
        session: Uuid,
        message: &Message,
        is_fresh: &mut bool,
    ) -> Result<Option<OpenedMessage>, Error> {
        let Some(envelope) = message.encrypted_content.as_ref().filter(|_| is_v2(message)) else { return Ok(None) };
        let Some(sender) = message.sender_id() else { return Ok(None) };
        let carrier = Carrier { id: message.id, seq: Some(message.seq) };
        let mut result = identity.accept(envelope, sender, session, carrier);
        if matches!(result, Err(Refusal::UnknownKey | Refusal::KeyChanged | Refusal::NotAttested))
            && !std::mem::replace(is_fresh, true)
        {
            self.members(identity, session).await?;
            result = identity.accept(envelope, sender, session, carrier);
        }
        Ok(Some(match result {
            Ok(open) if !agrees(&open, message) => {
                OpenedMessage::of(Authenticity::NotAuthenticated(Refusal::Malformed("its clear fields differ")))
            }
            Ok(open) => {
                let crowd = self.inner.crowds.lock().ok().and_then(|crowds| crowds.get(&session).copied());
                verified(identity, open, crowd)
            }
            Err(refusal @ (Refusal::NotForUs | Refusal::Wrapping)) => {
                OpenedMessage::of(Authenticity::CannotOpen(refusal))
            }
            Err(refusal) => OpenedMessage::of(Authenticity::NotAuthenticated(refusal)),
        }))
    }
}

/// A message that was accepted, in a session of `crowd` participants.
pub(crate) fn verified(identity: &Identity, open: Open, crowd: Option<usize>) -> OpenedMessage {
    let recipients: HashSet<Uuid> = open.header.to.iter().map(|party| party.id).collect();
    let is_something_missing = identity.is_something_missing(&open);
    let Value::Object(mut content) = open.content else {
        return OpenedMessage::of(Authenticity::CannotOpen(Refusal::Content));
    };
    OpenedMessage {
        authenticity: Authenticity::Verified,
        content: content.remove("content").and_then(Content::read),
        components: content.remove("components").filter(|components| !components.is_null()),
        sealed_for: crowd.map(|crowd| (recipients.len(), crowd)),
        is_something_missing,
        kind: Some(open.header.kind),
        at: Some(open.header.at),
        digest: Some(open.digest),
    }
}

/// Whether the fields that the hub reads are those that were signed.
pub(crate) fn agrees(open: &Open, message: &Message) -> bool {
    let is_question = open.header.kind == Kind::Question;
    let mut answerers = message.answerers.clone();
    if let Some(ids) = &mut answerers {
        ids.sort_unstable();
    }
    is_question == message.response_required
        && (!is_question || (open.header.deadline_at == message.deadline_at && open.header.answerers == answerers))
}

fn is_v2(message: &Message) -> bool {
    message.encrypted_content.as_ref().is_some_and(|envelope| envelope.scheme.as_deref() == Some(SCHEME))
}

/// Reads a message that is not sealed.
fn read_plain(message: &Message) -> OpenedMessage {
    if is_v2(message) {
        return OpenedMessage::of(Authenticity::CannotOpen(Refusal::NotForUs));
    }
    let components = match message.encrypted_components.as_ref().map(Envelope::open) {
        Some(Opened::Json(components)) => Some(components),
        _ => None,
    };
    let content = message.encrypted_content.as_ref().and_then(Envelope::content);
    OpenedMessage { content, components, ..OpenedMessage::of(Authenticity::Plain) }
}
