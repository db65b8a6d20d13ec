//! Questions of this client that are sealed: what it keeps of each, to know its answer.

use crate::client::Client;
use crate::drafts::MARK;
use crate::e2e::answer::AskedQuestion;
use crate::e2e::encoding::{Bytes, Digest};
use crate::e2e::header::{Header, Party};
use crate::e2e::identity::Identity;
use crate::e2e::journal::Carrier;
use crate::e2e::open::Open;
use crate::e2e::receipt::{NamedEntry, Opening, Receipt};
use crate::e2e::refusal::Refusal;
use crate::error::Error;
use crate::noting::not_noted;
use crate::sealing::SealedBody;
use crate::trust::key_changed;
use crate::types::envelope::{Content, Envelope};
use crate::types::message::{Message, Response};
use crate::types::outcome::Outcome;
use crate::types::timestamp::Timestamp;
use crate::types::verified_question::VerifiedQuestion;
use serde_json::Value;
use uuid::Uuid;

/// A sealed question of this client.
#[derive(Clone)]
pub(crate) struct HeldQuestion {
    pub(crate) asked: AskedQuestion,
    pub(crate) components: Value,
    view: VerifiedQuestion,
    mark: Option<String>,
    from: Party,
    opening: Opening,
}

/// An answer that was verified.
pub(crate) struct VerifiedAnswer {
    pub(crate) outcome: Outcome,
    pub(crate) content: Content,
    pub(crate) receipt: Option<Receipt>,
}

impl HeldQuestion {
    fn new(header: &Header, digest: Digest, content: &Value, opening: Opening) -> Result<Self, Refusal> {
        Ok(Self {
            asked: AskedQuestion::new(header, digest, content)?,
            components: content["components"].clone(),
            view: VerifiedQuestion::sealed(content, digest),
            mark: content["content"][MARK].as_str().map(str::to_owned),
            from: header.from,
            opening,
        })
    }

    /// The question that was just sealed.
    pub(crate) fn sealed(body: &SealedBody) -> Result<Self, Refusal> {
        let sealed = &body.sealed;
        let opening = Opening { envelope: sealed.envelope.clone(), content_key: Bytes(*sealed.content_key) };
        Self::new(&sealed.header, sealed.digest, &body.content, opening)
    }

    /// The question in a message, if this agent has sealed it itself.
    pub(crate) fn found(identity: &Identity, me: Uuid, message: &Message) -> Result<Self, Refusal> {
        if message.sender_agent_id != Some(me) || !message.response_required {
            return Err(Refusal::Sender);
        }
        if message.encrypted_components.is_some() {
            return Err(Refusal::OtherQuestion);
        }
        let envelope = message.encrypted_content.as_ref().ok_or(Refusal::Scheme)?;
        let carrier = Carrier { id: message.id, seq: Some(message.seq) };
        let open = identity.accept(envelope, me, message.session_id, carrier)?;
        let opening = Opening { envelope: envelope.clone(), content_key: Bytes(*open.content_key) };
        Self::new(&open.header, open.digest, &open.content, opening)
    }

    /// What was asked.
    pub(crate) fn question(&self) -> VerifiedQuestion {
        self.view.clone()
    }

    pub(crate) fn has_mark(&self, mark: &str) -> bool {
        self.mark.as_deref() == Some(mark)
    }
}

impl Client {
    /// Verifies the answer that the hub shows for a completed question.
    pub(crate) async fn verified_answer(
        &self,
        identity: &Identity,
        question: &HeldQuestion,
        response: Option<&Response>,
    ) -> Result<VerifiedAnswer, Error> {
        let session = question.asked.session;
        let response = response.ok_or_else(|| unverified(&Refusal::NoAnswer))?;
        let envelope = response.encrypted_content.as_ref().ok_or_else(|| unverified(&Refusal::NoAnswer))?;
        if response.encrypted_components.is_some() {
            return Err(unverified(&Refusal::Scheme));
        }
        let sender = response.responded_by.id.ok_or_else(|| unverified(&Refusal::Sender))?;
        // The keys as they are now: one that was replaced meanwhile signs nothing new.
        self.members(identity, session).await?;
        if let Some(error) = key_changed(identity, sender) {
            return Err(error);
        }
        let carrier = Carrier { id: response.message_id, seq: None };
        let open = identity.accept(envelope, sender, session, carrier).map_err(|refusal| unverified(&refusal))?;
        check_key(identity, &open.header.from, &question.asked.to).map_err(|refusal| unverified(&refusal))?;
        // One that was verified in time holds after the deadline, also for another process.
        let seen_at =
            identity.notes().seen(open.digest).map_err(|error| not_noted(&error))?.unwrap_or_else(Timestamp::now);
        let outcome = question.asked.check(&open.header, &open.content, seen_at);
        let outcome = outcome.map_err(|refusal| unverified(&refusal))?;
        identity.notes().first_seen(open.digest, seen_at).map_err(|error| not_noted(&error))?;
        let receipt = self.receipt(identity, question, envelope, &open).await?;
        let content = Content::read(open.content["content"].clone()).unwrap_or_default();
        Ok(VerifiedAnswer { outcome, content, receipt })
    }

    /// The receipt of an answer; none where the hub does not have an entry that it needs.
    async fn receipt(
        &self,
        identity: &Identity,
        question: &HeldQuestion,
        answer: &Envelope,
        open: &Open,
    ) -> Result<Option<Receipt>, Error> {
        let parties = [question.from, open.header.from];
        if parties.iter().any(|party| identity.entry_of(party).is_none()) {
            self.recall_entries(identity, question.asked.session).await?;
        }
        let entry = |party: &Party| Some(NamedEntry { principal_id: party.id, entry: identity.entry_of(party)? });
        let entries: Option<Vec<NamedEntry>> = parties.iter().map(entry).collect();
        let answer = Opening { envelope: answer.clone(), content_key: Bytes(*open.content_key) };
        Ok(entries.map(|entries| Receipt { question: question.opening.clone(), answer, entries }))
    }
}

/// An earlier key of a person counts where the question was sealed to it: a thief of an older one answers nothing.
fn check_key(identity: &Identity, from: &Party, to: &[Party]) -> Result<(), Refusal> {
    let current = identity.pins().recipient(from.id).ok_or(Refusal::NotAttested)?;
    if current.key_id() == from.key_id || to.contains(from) { Ok(()) } else { Err(Refusal::UnknownKey) }
}

/// The error for an answer that does not count.
pub(crate) fn unverified(refusal: &Refusal) -> Error {
    Error::local("the answer", Error::UNVERIFIED, refusal.to_string())
}
