//! Receipts: who decided what on which question, for anybody to check without the hub.

use super::answer::AskedQuestion;
use super::encoding::Bytes;
use super::entry::Entry;
use super::header::{Header, Party};
use super::parts::Parts;
use super::refusal::Refusal;
use crate::types::envelope::{Content, Envelope};
use crate::types::outcome::Outcome;
use crate::types::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use uuid::Uuid;
use zeroize::Zeroizing;

/// A question and its answer with the keys to read these two messages, and the entries that verify them.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    pub(crate) question: Opening,
    pub(crate) answer: Opening,
    pub(crate) entries: Vec<NamedEntry>,
}

/// An envelope with its content key.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Opening {
    pub(crate) envelope: Envelope,
    pub(crate) content_key: Bytes<32>,
}

/// An entry with the principal that it is of.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NamedEntry {
    pub(crate) principal_id: Uuid,
    #[serde(flatten)]
    pub(crate) entry: Entry,
}

/// What a receipt proves. Compare the key ids with those that you know: a receipt brings its keys with it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Decided {
    /// The session.
    pub session: Uuid,
    /// The agent that asked, and its key.
    pub asked_by: Party,
    /// When it asked, by its own clock.
    pub asked_at: Timestamp,
    /// The content and the components of the question.
    pub question: Value,
    /// The person who answered, and the key.
    pub answered_by: Party,
    /// When the person answered, by the person's own clock.
    pub answered_at: Timestamp,
    /// What the answer decides.
    pub outcome: Outcome,
    /// What the answer says.
    pub answer: Content,
}

impl Receipt {
    /// Checks signatures, contents and rules; what the receipt proves.
    ///
    /// # Errors
    /// What does not hold.
    pub fn verify(&self) -> Result<Decided, Refusal> {
        let (question, question_content) = self.open(&self.question)?;
        let (answer, answer_content) = self.open(&self.answer)?;
        let asked = AskedQuestion::new(&question.header, question.digest(), &question_content)?;
        // There is no other clock than the one of the person who answered.
        let outcome = asked.check(&answer.header, &answer_content, answer.header.at)?;
        let Header { session, from: asked_by, at: asked_at, .. } = question.header;
        Ok(Decided {
            session,
            asked_by,
            asked_at,
            question: question_content,
            answered_by: answer.header.from,
            answered_at: answer.header.at,
            outcome,
            answer: Content::read(answer_content["content"].clone()).unwrap_or_default(),
        })
    }

    fn open(&self, opening: &Opening) -> Result<(Parts, Value), Refusal> {
        let parts = Parts::read(&opening.envelope)?;
        let from = parts.header.from;
        let entry =
            self.entries.iter().find(|named| (named.principal_id, named.entry.key_id) == (from.id, from.key_id));
        let keys = entry.and_then(|named| named.entry.verify(named.principal_id)).ok_or(Refusal::UnknownKey)?;
        parts.check_signed_by(&keys)?;
        let content = parts.content(&Zeroizing::new(opening.content_key.0))?;
        Ok((parts, content))
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the content keys.
        f.debug_struct("Receipt").finish_non_exhaustive()
    }
}
