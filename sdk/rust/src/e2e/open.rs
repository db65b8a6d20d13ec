//! Opens an envelope, after every check that the scheme asks for but that of replays.

use super::content::{ContentKey, unwrap};
use super::encoding::{Digest, KeyId};
use super::header::{Header, Party};
use super::keys::{PublicKeys, SecretKeys};
use super::parts::Parts;
use super::refusal::Refusal;
use crate::types::envelope::Envelope;
use serde_json::Value;
use uuid::Uuid;

/// What a receiver knows.
pub(crate) trait Receiver {
    /// The receiver's id.
    fn id(&self) -> Uuid;
    /// The receiver's own key of this id, current or earlier.
    fn own_key(&self, key: KeyId) -> Option<SecretKeys>;
    /// The pinned keys of a principal, current or earlier.
    fn pinned(&self, party: &Party) -> Result<PublicKeys, Refusal>;
    /// The content keys of an envelope that other participants have shared, of which some may be wrong.
    fn shared_keys(&self, digest: &Digest) -> Vec<ContentKey>;
}

/// An envelope that was opened.
#[derive(Clone)]
pub(crate) struct Open {
    pub(crate) header: Header,
    pub(crate) digest: Digest,
    pub(crate) content: Value,
    pub(crate) content_key: ContentKey,
}

/// Opens an envelope that the hub says is of `sender`, in `session`.
pub(crate) fn open(envelope: &Envelope, sender: Uuid, session: Uuid, receiver: &dyn Receiver) -> Result<Open, Refusal> {
    let parts = Parts::read(envelope)?;
    if parts.header.from.id != sender {
        return Err(Refusal::Sender);
    }
    parts.check_signed_by(&receiver.pinned(&parts.header.from)?)?;
    let content_key = content_key(&parts, receiver)?;
    let content = parts.content(&content_key)?;
    if parts.header.session != session {
        return Err(Refusal::Session);
    }
    Ok(Open { digest: parts.digest(), header: parts.header, content, content_key })
}

fn content_key(parts: &Parts, receiver: &dyn Receiver) -> Result<ContentKey, Refusal> {
    let own = parts.header.to.iter().filter(|party| party.id == receiver.id());
    let own = own.filter_map(|party| Some((*party, receiver.own_key(party.key_id)?))).next();
    let Some((party, keys)) = own else {
        let mut shared = receiver.shared_keys(&parts.digest()).into_iter();
        return shared.find(|key| parts.is_committed_to(key)).ok_or(Refusal::NotForUs);
    };
    let mut wrappings = parts
        .wrappings
        .iter()
        .filter(|wrapping| (wrapping.recipient_id, wrapping.recipient_key_id) == (party.id, party.key_id));
    match (wrappings.next(), wrappings.next()) {
        (Some(wrapping), None) => unwrap(&wrapping.wrapped_key, &parts.bytes, &party, &keys),
        _ => Err(Refusal::Wrapping),
    }
}
