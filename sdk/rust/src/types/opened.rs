//! A message as this client can read it.

use super::envelope::Content;
use super::timestamp::Timestamp;
use crate::e2e::encoding::Digest;
use crate::e2e::header::Kind;
use crate::e2e::refusal::Refusal;
use serde_json::Value;

/// How far a message can be relied on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Authenticity {
    /// Sealed and signed by the sender that the hub names.
    Verified,
    /// Of the scheme `plain`, in a session where nothing is sealed: the hub's word is all there is.
    Plain,
    /// Not what the hub says it is, or `plain` in a session of sealed messages.
    NotAuthenticated(Refusal),
    /// Not sealed for this agent, or not readable.
    CannotOpen(Refusal),
}

/// A message as this client can read it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OpenedMessage {
    /// How far it can be relied on.
    pub authenticity: Authenticity,
    /// The content, where it can be read: also that of a plain message that is not authenticated.
    pub content: Option<Content>,
    /// The components.
    pub components: Option<Value>,
    /// For how many it was sealed, of those who take part.
    pub sealed_for: Option<(usize, usize)>,
    /// Whether the sender had seen a message that this client has not.
    pub is_something_missing: bool,
    /// What its sender signed it as.
    pub kind: Option<Kind>,
    /// When it was sent, by the clock of its sender.
    pub at: Option<Timestamp>,
    pub(crate) digest: Option<Digest>,
}

impl OpenedMessage {
    /// A message of which only this can be said.
    pub(crate) fn of(authenticity: Authenticity) -> Self {
        Self {
            authenticity,
            content: None,
            components: None,
            sealed_for: None,
            is_something_missing: false,
            kind: None,
            at: None,
            digest: None,
        }
    }

    /// Whether the content can be relied on as far as the encryption of the client asks for.
    #[must_use]
    pub fn is_authentic(&self) -> bool {
        matches!(self.authenticity, Authenticity::Verified | Authenticity::Plain)
    }
}
