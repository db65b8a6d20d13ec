//! The header of an envelope: everything that is signed.

use super::encoding::{Bytes, Digest, KeyId, labelled, sha256};
use super::refusal::Refusal;
use crate::types::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What an envelope is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Kind {
    /// A statement.
    Message,
    /// A message that asks for an answer.
    Question,
    /// The answer to a question.
    Answer,
    /// The title of a session.
    Title,
    /// A block of an interaction.
    Block,
}

/// A principal and one of its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Party {
    /// The principal's id.
    pub id: Uuid,
    /// The key's id.
    pub key_id: KeyId,
}

/// The header, its members in the order of the format.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct Header {
    /// The version: 2.
    pub v: u8,
    /// What the envelope is.
    pub kind: Kind,
    /// The session's id.
    pub session: Uuid,
    /// 16 random bytes.
    pub id: Bytes<16>,
    /// The sender.
    pub from: Party,
    /// Who can open it, the sender too.
    pub to: Vec<Party>,
    /// The sender's time.
    pub at: Timestamp,
    /// The question that it answers, or the message that it replies to.
    pub parent: Option<Digest>,
    /// The newest envelope of the session that the sender had accepted.
    pub seen: Option<Digest>,
    /// When a question expires.
    pub deadline_at: Option<Timestamp>,
    /// Who may answer a question.
    pub answerers: Option<Vec<Uuid>>,
    /// The hash of the ciphertext.
    pub ct: Bytes<32>,
    /// What the content key must derive.
    pub commit: Bytes<32>,
}

impl Header {
    /// The bytes that are signed.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        // Compact, in the order of the fields, with the escapes of JSON.stringify.
        serde_json::to_vec(self).expect("a header is JSON")
    }

    /// The header in these bytes, if they are its canonical form.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let header: Self = serde_json::from_slice(bytes).map_err(|_| Refusal::NotCanonical)?;
        let is_sorted = header.to.is_sorted_by(|one, next| order(one) < order(next))
            && header.answerers.as_ref().is_none_or(|ids| ids.is_sorted_by(|one, next| one < next));
        // A leap second is canonical here, and no time in other languages.
        let is_time = |time: Timestamp| !time.is_leap_second();
        let has_times = is_time(header.at) && header.deadline_at.is_none_or(is_time);
        if header.v != 2 || !has_times || !is_sorted || header.to_bytes() != bytes {
            return Err(Refusal::NotCanonical);
        }
        Ok(header)
    }
}

/// The order of `to`: of the texts of id and key.
pub(super) fn order(party: &Party) -> (Uuid, String) {
    (party.id, party.key_id.to_string())
}

/// The digest of an envelope, by its header.
pub(crate) fn digest(header: &[u8]) -> Digest {
    Bytes(sha256(labelled("hiloop/v2 digest", &[header])))
}

/// What the signature of an envelope signs.
pub(crate) fn signed_bytes(header: &[u8]) -> Vec<u8> {
    labelled("hiloop/v2 sign", &[header])
}
