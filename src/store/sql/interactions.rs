//! Interactions: sessions with a row in `interactions`. Question, answer and blocks are read from the timeline.

use super::messages::message;
use super::page_bytes::fitting_of;
use super::{SqlStore, look_ups, sql};
use crate::domain::interaction::InteractionState;
use crate::domain::{Envelope, Interaction, MessageId, MessageStatus, Scope, SessionId, Timestamp};
use crate::protocol::page::{Page, PageRequest};
use crate::store::batch::{SKIP_PADDING, StatementBatch};
use crate::store::engine::Engine;
use crate::store::listing::List;
use crate::store::pool::PooledConnection;
use crate::store::statement::{Fields, Statement, groups};
use crate::store::{Interactions, Moment, StoreError, StoreResult, Taken};
use async_trait::async_trait;
use serde::Deserialize;
use std::collections::HashMap;

#[async_trait]
impl<E: Engine> Interactions for SqlStore<E> {
    async fn interaction_message(&self, scope: Scope, session: SessionId) -> StoreResult<Option<MessageId>> {
        let found = look_ups::INTERACTION_MESSAGE.within::<E>(scope).bind(session.0);
        found.first(&mut *self.reader().await?, |row| Ok(MessageId(row.read()?))).await
    }

    async fn interaction(&self, scope: Scope, session: SessionId, at: Moment) -> StoreResult<Option<Interaction>> {
        let mut db = self.reader().await?;
        let found = look_ups::INTERACTION.within::<E>(scope).bind(session.0).first(&mut *db, found).await?;
        let Some(mut found) = found else { return Ok(None) };
        let at = match at {
            Moment::Now => found.last_seq,
            Moment::Settled => found.settled_seq.unwrap_or(found.last_seq),
            Moment::Seq(seq) => seq,
        };
        for (_, seq, block) in blocks::<E>(&mut db, &[session]).await? {
            if seq <= at {
                found.interaction.blocks.push(block);
            }
        }
        if at < found.last_seq {
            found.rewind(at);
            if let Some((title, updated_at)) = title_at::<E>(&mut db, session, at).await? {
                found.interaction.title = title;
                found.interaction.updated_at = updated_at;
            }
        }
        Ok(Some(found.interaction))
    }

    async fn interactions(
        &self,
        scope: Scope,
        status: Option<MessageStatus>,
        page: PageRequest,
    ) -> StoreResult<Page<SessionId>> {
        if let Some(found) = self.listed(scope, List::Interactions(status), page).await? {
            return Ok(found);
        }
        let status = status.map(|status| status.as_str().to_owned());
        let count = look_ups::INTERACTIONS_TOTAL.within::<E>(scope).bind(status.clone());
        let list = look_ups::INTERACTIONS.within::<E>(scope).bind(status);
        self.page(page, count, list, |row| Ok(SessionId(row.read()?))).await
    }

    async fn interactions_of(
        &self,
        scope: Scope,
        sessions: &[SessionId],
        max_bytes: i64,
    ) -> StoreResult<Taken<Interaction>> {
        let mut db = self.reader().await?;
        let count = fitting_of::<E>(&mut db, look_ups::INTERACTION_SIZES, scope, sessions, max_bytes).await?;
        if count == 0 {
            return Ok(Taken { count, data: Vec::new() });
        }
        let sessions = &sessions[..count];
        let list = look_ups::INTERACTIONS_OF.within_of::<E>(scope, sessions);
        let mut found: HashMap<_, _> = list
            .all(&mut *db, found)
            .await?
            .into_iter()
            .map(|found| (found.interaction.id, found.interaction))
            .collect();
        let ids: Vec<_> = found.keys().copied().collect();
        for (session, _, block) in blocks::<E>(&mut db, &ids).await? {
            if let Some(interaction) = found.get_mut(&session) {
                interaction.blocks.push(block);
            }
        }
        Ok(Taken { count, data: sessions.iter().filter_map(|session| found.remove(session)).collect() })
    }
}

/// The current state of an interaction without its blocks, and the `seq`s at which it changed.
struct Found {
    interaction: Interaction,
    last_seq: i64,
    settled_seq: Option<i64>,
    acknowledged_seq: Option<i64>,
}

impl Found {
    /// Reverts changes after `seq`.
    fn rewind(&mut self, seq: i64) {
        if self.settled_seq.is_some_and(|settled| settled > seq) {
            self.interaction.status = MessageStatus::Pending;
            self.interaction.response = None;
        }
        if self.acknowledged_seq.is_some_and(|acknowledged| acknowledged > seq) {
            self.interaction.acknowledged_at = None;
        }
    }
}

fn found<E: Engine>(row: &mut Fields<'_, E>) -> StoreResult<Found> {
    let message = message(row)?;
    let interaction = Interaction::new(message, row.read()?, row.read()?, Timestamp(row.read()?));
    let last_seq = row.read()?;
    let settled_seq = row.read()?;
    let acknowledged_seq = row.read()?;
    Ok(Found { interaction, last_seq, settled_seq, acknowledged_seq })
}

#[derive(Deserialize)]
struct Pushed {
    data: PushedData,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PushedData {
    encrypted_blocks: Envelope,
}

fn damaged(error: &serde_json::Error) -> StoreError {
    StoreError::damaged(format!("an event: {error}"))
}

/// The blocks of interactions, each with the `seq` of its event, in order. The caller has checked the scope.
async fn blocks<E: Engine>(
    db: &mut PooledConnection<E>,
    sessions: &[SessionId],
) -> StoreResult<Vec<(SessionId, i64, Envelope)>> {
    let mut found = Vec::new();
    for group in groups(sessions) {
        let mut statement = Statement::<E>::with_rows(
            "SELECT e.session_id, e.seq, e.body FROM (VALUES",
            ") AS v CROSS JOIN events e WHERE e.session_id = v.column1 AND e.kind = 'blocks.pushed' \
         ORDER BY e.session_id, e.seq",
            1,
            group.len(),
            1,
        );
        group.iter().for_each(|session| statement.push(session.0));
        let blocks = statement.all(db, |row| {
            let (session, seq, body) = (SessionId(row.read()?), row.read()?, row.read::<String>()?);
            let pushed: Pushed = serde_json::from_str(&body).map_err(|error| damaged(&error))?;
            Ok((session, seq, pushed.data.encrypted_blocks))
        });
        found.extend(blocks.await?);
    }
    Ok(found)
}

#[derive(Deserialize)]
struct Titled {
    data: TitledData,
}

/// `data` of `session.created`, which has the whole session, or of `session.updated`.
#[derive(Deserialize)]
struct TitledData {
    session: Option<TitledSession>,
    title: Option<String>,
}

#[derive(Deserialize)]
struct TitledSession {
    title: Option<String>,
}

/// The time of event `$2` of session `$1`, and the last event up to it that sets the title.
pub const TITLE_AT: &str = "SELECT e.at, (SELECT t.body FROM events t \
     WHERE t.session_id = $1 AND t.seq <= $2 AND t.kind IN ('session.created', 'session.updated') \
     ORDER BY t.seq DESC LIMIT 1) FROM events e WHERE e.session_id = $1 AND e.seq = $2";

/// The title of a session right after the event of this `seq`, and the time of the event; `None` if retention has deleted
/// it.
async fn title_at<E: Engine>(
    db: &mut PooledConnection<E>,
    session: SessionId,
    seq: i64,
) -> StoreResult<Option<(Option<String>, Timestamp)>> {
    let event = sql::<E>(TITLE_AT)
        .bind(session.0)
        .bind(seq)
        .first(db, |row| Ok((Timestamp(row.read()?), row.read::<Option<String>>()?)))
        .await?;
    let Some((at, Some(body))) = event else { return Ok(None) };
    let titled: Titled = serde_json::from_str(&body).map_err(|error| damaged(&error))?;
    Ok(Some((titled.data.session.map_or(titled.data.title, |session| session.title), at)))
}

/// The state that rules need of an interaction, if the session is one.
pub(super) async fn state<E: Engine>(
    db: &mut PooledConnection<E>,
    session: SessionId,
) -> StoreResult<Option<InteractionState>> {
    sql::<E>(
        "SELECT i.message_id, \
         (SELECT COUNT(*) FROM events e WHERE e.session_id = i.session_id AND e.kind = 'blocks.pushed'), \
         (SELECT CAST(COALESCE(SUM(e.size), 0) AS BIGINT) FROM events e \
         WHERE e.session_id = i.session_id AND e.kind = 'blocks.pushed') \
         FROM interactions i WHERE i.session_id = $1",
    )
    .bind(session.0)
    .first(db, |row| {
        Ok(InteractionState { message: MessageId(row.read()?), blocks: row.read()?, block_bytes: row.read()? })
    })
    .await
}

pub(super) fn insert<E: Engine>(batch: &mut StatementBatch<E>, interactions: &[(SessionId, MessageId, String)]) {
    batch.add(
        "INSERT INTO interactions (session_id, message_id, kind) SELECT * FROM (VALUES",
        SKIP_PADDING,
        None,
        interactions,
        |row, interaction| {
            row.push(interaction.map(|(session, ..)| session.0));
            row.push(interaction.map(|(_, message, _)| message.0));
            row.push(interaction.map(|(_, _, kind)| kind.clone()));
        },
    );
}
