//! Reads rows as domain types. The lists of columns are in `columns`.

use crate::domain::message::{MessageState, Settlement};
use crate::domain::participant::Participation;
use crate::domain::people::{Agent, ApiKey, Guest, Human, Role, Space};
use crate::domain::{
    Actor, AgentId, AnswerOutcome, Author, CommittedEvent, Envelope, EventType, GuestId, HumanId, KeyEntry, KeyId,
    MessageId, MessageStatus, Participant, ParticipantId, ParticipantType, Permission, PrincipalId, Priority, Session,
    SessionId, SessionStatus, SpaceId, Timestamp, older,
};
use crate::store::engine::Engine;
use crate::store::statement::Fields;
use crate::store::{Listed, StoreError, StoreResult};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::sync::Arc;
use uuid::Uuid;

fn word<T>(parsed: Option<T>, text: &str) -> StoreResult<T> {
    parsed.ok_or_else(|| StoreError::damaged(format!("unknown word '{text}'")))
}

fn time<E: Engine>(row: &mut Fields<'_, E>) -> StoreResult<Option<Timestamp>> {
    Ok(row.read::<Option<i64>>()?.map(Timestamp))
}

pub(super) fn space<E: Engine>(row: &mut Fields<'_, E>) -> StoreResult<Space> {
    Ok(Space { id: SpaceId(row.read()?), name: row.read()?, created_at: Timestamp(row.read()?) })
}

pub(super) fn key<E: Engine>(row: &mut Fields<'_, E>) -> StoreResult<Option<Box<KeyEntry>>> {
    row.read::<Option<String>>()?.map(|body| key_entry(&body).map(Box::new)).transpose()
}

pub(super) fn key_entry(body: &str) -> StoreResult<KeyEntry> {
    serde_json::from_str(body).map_err(|error| StoreError::damaged(format!("a key entry: {error}")))
}

pub(super) fn agent<E: Engine>(row: &mut Fields<'_, E>) -> StoreResult<Agent> {
    Ok(Agent {
        id: AgentId(row.read()?),
        space_id: SpaceId(row.read()?),
        name: row.read()?,
        description: row.read()?,
        key: key(row)?,
        created_at: Timestamp(row.read()?),
    })
}

pub(super) fn human<E: Engine>(row: &mut Fields<'_, E>) -> StoreResult<Human> {
    let (id, space_id) = (HumanId(row.read()?), SpaceId(row.read()?));
    let address: String = row.read()?;
    let unverified = Human::unverified_email(id, &address).map(str::to_owned);
    Ok(Human {
        id,
        space_id,
        email_verified: unverified.is_none(),
        email: unverified.unwrap_or(address),
        name: row.read()?,
        role: {
            let text: String = row.read()?;
            word(Role::parse(&text), &text)?
        },
        password_hash: row.read()?,
        key: key(row)?,
        created_at: Timestamp(row.read()?),
        // The previous release records in `revived_at` that a new person has the account.
        tokens_valid_from: time(row)?.max(time(row)?),
    })
}

/// `id, space_id, permission, agent_id, prefix, created_by, last_used_at, expires_at, created_at`
pub(super) fn api_key<E: Engine>(row: &mut Fields<'_, E>) -> StoreResult<ApiKey> {
    Ok(ApiKey {
        id: KeyId(row.read()?),
        space_id: SpaceId(row.read()?),
        permission: permission(row)?,
        agent_id: row.read::<Option<Uuid>>()?.map(AgentId),
        prefix: row.read()?,
        created_by: row.read::<Option<String>>()?.map(|text| author(&text)).transpose()?,
        last_used_at: time(row)?,
        expires_at: time(row)?,
        created_at: Timestamp(row.read()?),
    })
}

pub(super) fn permission<E: Engine>(row: &mut Fields<'_, E>) -> StoreResult<Permission> {
    let text: String = row.read()?;
    word(Permission::parse(&text), &text)
}

pub(super) fn guest<E: Engine>(row: &mut Fields<'_, E>) -> StoreResult<Guest> {
    Ok(Guest {
        id: GuestId(row.read()?),
        space_id: SpaceId(row.read()?),
        session_id: SessionId(row.read()?),
        name: row.read()?,
        key: key(row)?,
        created_by: row.read::<Option<String>>()?.map(|text| author(&text)).transpose()?,
        last_used_at: time(row)?,
        expires_at: Timestamp(row.read()?),
        created_at: Timestamp(row.read()?),
    })
}

/// `s.id, s.space_id, s.created_by_agent_id, s.created_by_human_id, s.title, s.encrypted_title, s.status, s.priority,
/// s.metadata, s.first_seq, s.last_seq, s.message_count, s.pending_count, s.created_at, s.updated_at, s.closed_at,
/// s.archived_at`
pub(super) fn session<E: Engine>(row: &mut Fields<'_, E>) -> StoreResult<Session> {
    Ok(Session {
        id: SessionId(row.read()?),
        space_id: SpaceId(row.read()?),
        created_by_agent_id: row.read::<Option<Uuid>>()?.map(AgentId),
        created_by_human_id: row.read::<Option<Uuid>>()?.map(HumanId),
        title: row.read()?,
        encrypted_title: row.read::<Option<String>>()?.and_then(Envelope::from_stored),
        status: {
            let text: String = row.read()?;
            word(SessionStatus::parse(&text), &text)?
        },
        priority: Priority::from_rank(row.read()?),
        metadata: row.read::<Option<String>>()?.and_then(|text| RawValue::from_string(text).ok()),
        first_seq: row.read()?,
        last_seq: row.read()?,
        message_count: row.read()?,
        pending_count: row.read()?,
        created_at: Timestamp(row.read()?),
        updated_at: Timestamp(row.read()?),
        closed_at: time(row)?,
        archived_at: time(row)?,
    })
}

/// The columns of [`session`], then the size of the encrypted title if it was left out.
pub(super) fn listed<E: Engine>(row: &mut Fields<'_, E>) -> StoreResult<Listed> {
    Ok(Listed { session: session(row)?, left_out: row.read()? })
}

/// `p.id, p.session_id, p.principal_id, p.kind, p.role, p.last_read_seq, p.added_at, p.invited_by, name, key`
pub(super) fn participant<E: Engine>(row: &mut Fields<'_, E>) -> StoreResult<Participant> {
    let id = ParticipantId(row.read()?);
    let session_id = SessionId(row.read()?);
    let principal: Uuid = row.read()?;
    let kind_text: String = row.read()?;
    let kind = word(ParticipantType::parse(&kind_text), &kind_text)?;
    let of = |wanted| (kind == wanted).then_some(principal);
    Ok(Participant {
        id,
        session_id,
        kind,
        agent_id: of(ParticipantType::Agent).map(AgentId),
        human_id: of(ParticipantType::Human).map(HumanId),
        guest_id: of(ParticipantType::Guest).map(GuestId),
        role: row.read()?,
        last_read_seq: row.read()?,
        online: false,
        added_at: Timestamp(row.read()?),
        invited_by: invited_by(row)?,
        name: row.read::<Option<String>>()?.unwrap_or_default(),
        key: key(row)?,
    })
}

/// `p.session_id, p.principal_id, p.id, p.invited_by, g.answers_agent_id`
pub(super) fn member<E: Engine>(row: &mut Fields<'_, E>) -> StoreResult<(SessionId, PrincipalId, Participation)> {
    let (session, principal) = (SessionId(row.read()?), PrincipalId(row.read()?));
    let participation = Participation {
        id: ParticipantId(row.read()?),
        invited_by: invited_by(row)?,
        answers_agent: row.read::<Option<Uuid>>()?.map(AgentId),
    };
    Ok((session, principal, participation))
}

pub(super) fn invited_by<E: Engine>(row: &mut Fields<'_, E>) -> StoreResult<Option<Actor>> {
    row.read::<Option<String>>()?.map(|text| actor(&text)).transpose()
}

/// A deadline. One that was stored before deadlines were bounded may be beyond the range of RFC 3339.
pub(super) fn deadline<E: Engine>(row: &mut Fields<'_, E>) -> StoreResult<Option<Timestamp>> {
    Ok(time(row)?.map(Timestamp::clamped))
}

pub(super) fn message_state<E: Engine>(row: &mut Fields<'_, E>) -> StoreResult<MessageState> {
    Ok(MessageState {
        id: MessageId(row.read()?),
        session_id: SessionId(row.read()?),
        seq: row.read()?,
        sender: row.read::<Option<Uuid>>()?.map(PrincipalId),
        response_required: row.read()?,
        status: message_status(row)?,
        priority: Priority::from_rank(row.read()?),
        deadline_at: deadline(row)?,
        answerers: {
            let text: Option<String> = row.read()?;
            let ids = text.map(|text| serde_json::from_str(&text)).transpose();
            ids.map_err(|error| StoreError::damaged(format!("answerers: {error}")))?
        },
        in_reply_to: row.read::<Option<Uuid>>()?.map(MessageId),
        settlement: {
            let seq: Option<i64> = row.read()?;
            let at = time(row)?;
            let by: Option<String> = row.read()?;
            let response = row.read::<Option<Uuid>>()?.map(MessageId);
            let outcome = match row.read::<Option<String>>()? {
                Some(text) => word(AnswerOutcome::parse(&text), &text)?,
                None => AnswerOutcome::unspecified(),
            };
            let response = response.map(|message| (message, outcome));
            match (seq, at, by) {
                (Some(seq), Some(at), Some(by)) => Some(Settlement { seq, at, by: actor(&by)?, response }),
                _ => None,
            }
        },
        acknowledged_at: time(row)?,
        created_at: Timestamp(row.read()?),
        updated_at: Timestamp(row.read()?),
    })
}

pub(super) fn message_status<E: Engine>(row: &mut Fields<'_, E>) -> StoreResult<MessageStatus> {
    let text: String = row.read()?;
    word(MessageStatus::parse(&text), &text)
}

/// The author of a change.
pub(super) fn author(text: &str) -> StoreResult<Author> {
    serde_json::from_str(text).map_err(|error| StoreError::damaged(format!("an author: {error}")))
}

fn actor<A: DeserializeOwned>(text: &str) -> StoreResult<A> {
    serde_json::from_str(text).map_err(|error| StoreError::damaged(format!("an actor: {error}")))
}

/// `e.seq, e.kind, e.type, e.at, e.pending, e.subject, e.body`, of a session that the caller passes
pub(super) fn event<E: Engine>(
    space: SpaceId,
    session: SessionId,
    row: &mut Fields<'_, E>,
) -> StoreResult<CommittedEvent> {
    let seq = row.read()?;
    let kind_text: String = row.read()?;
    let precise: Option<String> = row.read()?;
    let kind = word(EventType::of(&kind_text, precise.as_deref()), &kind_text)?;
    let at = Timestamp(row.read()?);
    let pending = row.read()?;
    let subject: Option<Uuid> = row.read()?;
    let body: String = row.read()?;
    let removes = (kind == EventType::ParticipantRemoved).then_some(subject).flatten();
    let settles = if removes.is_none() { subject } else { None };
    Ok(CommittedEvent {
        space,
        session,
        seq,
        kind,
        at,
        pending,
        settles: settles.map(MessageId),
        removes: removes.map(PrincipalId),
        text: Arc::from(older::completed(kind, &body)),
    })
}
