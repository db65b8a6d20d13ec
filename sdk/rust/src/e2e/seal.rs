//! Seals a value for recipients, and signs it.

use super::content::{ContentKey, Derived, wrap};
use super::encoding::{Bytes, Digest, random, sha256};
use super::header::{Header, Kind, Party, order, signed_bytes};
use super::keys::{PublicKeys, SecretKeys};
use super::padding::pad;
use super::parts::{Parts, Wrapping};
use crate::types::envelope::Envelope;
use crate::types::timestamp::Timestamp;
use serde_json::Value;
use uuid::Uuid;
use zeroize::Zeroizing;

/// What is to be sealed, beside its content.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) kind: Kind,
    pub(crate) session: Uuid,
    pub(crate) parent: Option<Digest>,
    pub(crate) seen: Option<Digest>,
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) answerers: Option<Vec<Uuid>>,
}

impl Draft {
    pub(crate) fn new(kind: Kind, session: Uuid) -> Self {
        Self { kind, session, parent: None, seen: None, deadline: None, answerers: None }
    }
}

/// A sealed value, with what its sender keeps of it.
#[derive(Clone)]
pub(crate) struct Sealed {
    pub(crate) envelope: Envelope,
    pub(crate) header: Header,
    pub(crate) digest: Digest,
    pub(crate) content_key: ContentKey,
}

/// Seals `content` for `recipients` and the sender. A recipient whose public key is unusable is left out.
pub(crate) fn seal(
    draft: Draft,
    content: &Value,
    sender: (Uuid, &SecretKeys),
    recipients: &[(Uuid, PublicKeys)],
) -> Sealed {
    let (id, keys) = sender;
    let mut to: Vec<(Party, PublicKeys)> = recipients
        .iter()
        .copied()
        .chain([(id, *keys.public())])
        .map(|(id, keys)| (Party { id, key_id: keys.key_id() }, keys))
        .collect();
    to.sort_by_key(|(party, _)| order(party));
    to.dedup_by_key(|(party, _)| *party);
    let content_key: ContentKey = Zeroizing::new(random());
    let derived = Derived::of(&content_key);
    let plaintext = Zeroizing::new(pad(content.to_string().into_bytes()));
    let ciphertext = derived.encrypt(&plaintext);
    let mut answerers = draft.answerers;
    if let Some(ids) = &mut answerers {
        ids.sort_unstable();
        ids.dedup();
    }
    let header = Header {
        v: 2,
        kind: draft.kind,
        session: draft.session,
        id: Bytes(random()),
        from: Party { id, key_id: keys.key_id() },
        to: to.iter().map(|(party, _)| *party).collect(),
        at: Timestamp::now(),
        parent: draft.parent,
        seen: draft.seen,
        deadline_at: draft.deadline,
        answerers,
        ct: Bytes(sha256(&ciphertext)),
        commit: Bytes(derived.commit().try_into().expect("32 bytes")),
    };
    let bytes = header.to_bytes();
    let wrappings = to.iter().filter_map(|(party, keys)| {
        let wrapped_key = wrap(&content_key, &bytes, party, keys)?;
        Some(Wrapping { recipient_id: party.id, recipient_key_id: party.key_id, wrapped_key })
    });
    let parts = Parts {
        wrappings: wrappings.collect(),
        signature: keys.sign(&signed_bytes(&bytes)),
        ciphertext,
        header: header.clone(),
        bytes,
    };
    Sealed { envelope: parts.to_envelope(), digest: parts.digest(), header, content_key }
}
