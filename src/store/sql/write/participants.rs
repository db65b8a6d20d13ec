//! Writes participants, guests, and how far participants have read.

use crate::domain::command::NewGuest;
use crate::domain::{Participant, PrincipalId, SessionId, SpaceId, Timestamp};
use crate::store::NewMark;
use crate::store::batch::{SKIP_PADDING, StatementBatch};
use crate::store::engine::Engine;

pub(super) fn insert_participants<E: Engine>(batch: &mut StatementBatch<E>, participants: &[Participant]) {
    batch.add(
        "INSERT INTO participants (id, session_id, principal_id, kind, role, last_read_seq, read_count, \
         added_at, told_key_at, invited_by) SELECT * FROM (VALUES",
        SKIP_PADDING,
        None,
        participants,
        |row, p| {
            row.push(p.map(|p| p.id.0));
            row.push(p.map(|p| p.session_id.0));
            row.push(p.map(|p| p.principal().0));
            row.push(p.map(|p| p.kind.as_str().to_owned()));
            row.push(p.map(|p| p.role.clone()));
            row.push(p.map(|p| p.last_read_seq));
            row.push(p.map(|_| 0_i64));
            row.push(p.map(|p| p.added_at.0));
            row.push(p.and_then(|p| p.key.as_ref()).map(|key| key.created_at.0));
            row.push(p.and_then(|p| p.invited_by.as_ref()).map(|actor| serde_json::json!(actor).to_string()));
        },
    );
}

pub(super) fn mark_read<E: Engine>(batch: &mut StatementBatch<E>, marks: &[NewMark]) {
    batch.add(
        "UPDATE participants SET last_read_seq = v.column3, read_count = v.column4 FROM (VALUES",
        ") AS v WHERE participants.session_id = v.column1 AND participants.principal_id = v.column2 \
         AND participants.last_read_seq < v.column3",
        None,
        marks,
        |row, mark| {
            row.push(mark.map(|mark| mark.session.0));
            row.push(mark.map(|mark| mark.principal.0));
            row.push(mark.map(|mark| mark.seq));
            row.push(mark.map(|mark| mark.count));
        },
    );
}

pub(super) fn note_announced_keys<E: Engine>(
    batch: &mut StatementBatch<E>,
    announced: &[(SessionId, PrincipalId, Timestamp)],
) {
    batch.add(
        "UPDATE participants SET told_key_at = v.column3 FROM (VALUES",
        ") AS v WHERE participants.session_id = v.column1 AND participants.principal_id = v.column2",
        None,
        announced,
        |row, announced| {
            row.push(announced.map(|(session, ..)| session.0));
            row.push(announced.map(|(_, principal, _)| principal.0));
            row.push(announced.map(|(.., at)| at.0));
        },
    );
}

pub(super) fn insert_guests<E: Engine>(batch: &mut StatementBatch<E>, guests: &[(SpaceId, Participant, NewGuest)]) {
    batch.add(
        "INSERT INTO guests (id, space_id, session_id, name, secret_hash, expires_at, created_at, \
         created_by, created_by_key, answers_agent_id) SELECT * FROM (VALUES",
        SKIP_PADDING,
        None,
        guests,
        |row, guest| {
            let p = guest.map(|(_, participant, _)| participant);
            row.push(p.map(|p| p.principal().0));
            row.push(guest.map(|(space, ..)| space.0));
            row.push(p.map(|p| p.session_id.0));
            row.push(p.map(|p| p.name.clone()));
            row.push(guest.map(|(_, _, guest)| guest.token_hash.to_vec()));
            row.push(guest.map(|(_, _, guest)| guest.expires_at.0));
            row.push(p.map(|p| p.added_at.0));
            // Serializing an author can't fail, since all keys of its JSON are strings.
            row.push(guest.and_then(|(_, _, guest)| serde_json::to_string(&guest.created_by).ok()));
            row.push(guest.and_then(|(_, _, guest)| guest.created_by.key_id).map(|key| key.0));
            row.push(guest.and_then(|(_, _, guest)| guest.answers_agent).map(|agent| agent.0));
        },
    );
}
