//! What is noted beyond the process, as errors where the hub says otherwise later.

use crate::client::Client;
use crate::e2e::encoding::{Bytes, Digest};
use crate::e2e::identity::Identity;
use crate::e2e::notes::Notes;
use crate::e2e::refusal::Refusal;
use crate::error::Error;
use crate::held::unverified;
use crate::types::Message;
use std::io;
use uuid::Uuid;

impl Client {
    /// Fails where a reply is about another message than the one that was named.
    pub(crate) fn check_reply(&self, message: &Message, session: Uuid, id: Option<Uuid>) -> Result<(), Error> {
        let is_it = message.session_id == session && id.is_none_or(|id| message.id == id);
        // Without encryption the hub is trusted with this, and with everything else.
        if is_it || !self.encrypts() { Ok(()) } else { Err(unverified(&Refusal::OtherQuestion)) }
    }
}

/// A message that is known as a question stays this question, and no other message carries it.
pub(crate) fn note_question(identity: &Identity, message: Uuid, session: Uuid, digest: Digest) -> Result<(), Error> {
    let is_it = identity.notes().is_question(message, session, digest).map_err(|error| not_noted(&error))?;
    if is_it { Ok(()) } else { Err(unverified(&Refusal::OtherQuestion)) }
}

/// Whether the envelope of a remark stands in this message alone.
pub(crate) fn is_new_remark(identity: &Identity, message: Uuid, digest: Digest) -> Result<bool, Error> {
    identity.notes().is_message(message, digest).map_err(|error| not_noted(&error))
}

/// An interaction stays that of this question.
pub(crate) fn note_interaction(identity: &Identity, id: Uuid, message: Uuid) -> Result<(), Error> {
    let is_it = identity.notes().is_interaction(id, message).map_err(|error| not_noted(&error))?;
    if is_it { Ok(()) } else { Err(unverified(&Refusal::OtherQuestion)) }
}

/// An address stays that of this principal.
pub(crate) fn note_person(identity: &Identity, address: &str, id: Uuid) -> Result<(), Error> {
    let known = identity.notes().person(address, id).map_err(|error| not_noted(&error))?;
    if known == id {
        return Ok(());
    }
    let problem =
        format!("the hub says that '{address}' is {id}; it was {known} before: name the person by id if that is right");
    Err(Error::local("participants", Error::PERSON_CHANGED, problem))
}

/// A space key stays that of this space.
pub(crate) fn note_space(notes: &Notes, key: &Bytes<32>, id: Uuid) -> Result<(), Error> {
    let known = notes.space(key, id).map_err(|error| not_noted(&error))?;
    if known == id {
        return Ok(());
    }
    let problem = format!("the hub names the space {id}; with this space key it was {known} before");
    Err(Error::local("space_key", Error::SPACE_CHANGED, problem))
}

pub(crate) fn not_noted(error: &io::Error) -> Error {
    Error::local("the notes", Error::VALIDATION, error.to_string())
}
