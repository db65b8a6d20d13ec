//! Lists of sessions: reads a page from stored entries, and writes the entries of sessions that have changed.
//!
//! Short lists, and lists with many unlisted sessions, are read from the rows of the sessions and sorted.

use super::page_bytes::fitting;
use super::scoped::{Scoped, of_space};
use super::{SqlStore, sql};
use crate::domain::{Scope, SessionId, SpaceId, Timestamp};
use crate::protocol::page::{Page, PageRequest};
use crate::store::StoreResult;
use crate::store::engine::Engine;
use crate::store::listing::{Entry, List, ListState, Rank};
use crate::store::pool::PooledConnection;
use crate::store::statement::{Fields, Statement, groups};
use std::collections::HashMap;
use std::hash::Hash;
use uuid::Uuid;

/// Up to this number of sessions, sorting all of them is cheapest.
const FEW: i64 = 256;
/// Most unlisted sessions of a space that a page ranks by their own rows.
const MAX_UNLISTED: i64 = 1_000;
/// Largest offset of a page that is read from entries, which are held in memory.
const MAX_OFFSET: i64 = 10_000;
/// Most entries written in one transaction, unless a single session has more.
const MAX_ENTRIES: i64 = 512;

/// The number of sessions of a subject, at most `$3`. Ordered by an index: without that PostgreSQL may scan the table from
/// its beginning, over the sessions of other spaces.
pub const FEW_SESSIONS: Scoped = Scoped {
    space: "SELECT COUNT(*) FROM (SELECT s.id FROM sessions s WHERE s.space_id = $1 ORDER BY s.updated_at LIMIT $3) AS few",
    member: "SELECT COUNT(*) FROM (SELECT sp.session_id FROM participants sp WHERE sp.principal_id = $2 LIMIT $3) AS few",
};

/// The entries that the sessions `$from` should have. The numbers are the classes of `store/listing.rs`.
macro_rules! entries_of {
    ($from:literal) => {
        concat!(
            "SELECT u.id, u.space_id, CAST(CASE u.status WHEN 'Archived' THEN 3 WHEN 'Closed' THEN 2 ELSE \
             CASE WHEN u.pending_count > 0 THEN 0 ELSE 1 END END AS BIGINT) AS class, \
             CAST(0 AS BIGINT) AS urgency, CAST(0 AS BIGINT) AS nearness, u.updated_at AS at FROM ",
            $from,
            " u UNION ALL SELECT u.id, u.space_id, 4, COALESCE((SELECT MAX(m.priority) FROM messages m \
             WHERE m.session_id = u.id AND m.status = 'Pending'), -1), \
             -COALESCE((SELECT MIN(m.deadline_at + 0) FROM messages m \
             WHERE m.session_id = u.id AND m.status = 'Pending'), 9223372036854775807), u.updated_at FROM ",
            $from,
            " u WHERE u.pending_count > 0 AND u.status <> 'Archived' \
             UNION ALL SELECT u.id, u.space_id, CASE m.status WHEN 'Pending' THEN 10 WHEN 'Completed' THEN 11 \
             WHEN 'Cancelled' THEN 12 ELSE 13 END, 0, 0, u.updated_at FROM ",
            $from,
            " u CROSS JOIN interactions i CROSS JOIN messages m \
             WHERE i.session_id = u.id AND m.id = i.message_id AND u.status <> 'Archived'"
        )
    };
}

/// The columns of sessions that `entries_of!` reads.
macro_rules! ranked {
    () => {
        "s.id, s.space_id, s.status, s.pending_count, s.updated_at"
    };
}

/// Unlisted sessions of a space, at most `$2`.
pub const UNLISTED_OF_SPACE: &str = "SELECT s.id FROM sessions s WHERE s.space_id = $1 \
     AND s.listed_seq <> s.last_seq ORDER BY s.id LIMIT $2";

/// The numbers of stored entries. The columns that `state` reads: the kind of row, then an entry, or a number in the place
/// of its time.
macro_rules! counts {
    ($subject:literal) => {
        concat!(
            "SELECT CAST(0 AS BIGINT), c.subject_id, c.class, CAST(0 AS BIGINT), CAST(0 AS BIGINT), c.count \
             FROM list_counts c WHERE c.space_id = $1 AND c.subject_id = ",
            $subject
        )
    };
}

pub const COUNTS: Scoped = Scoped { space: counts!("$1"), member: counts!("$2") };

/// The beginning of [`LIST_STATE`], before the sessions. Since they are listed, PostgreSQL estimates that they are few.
pub const LIST_STATE_OF: &str =
    concat!("WITH unlisted AS (SELECT ", ranked!(), " FROM sessions s WHERE ", of_space!(named), "AND s.id IN (VALUES");

/// The state of lists in one snapshot: the numbers of stored entries (0), the stored entries of unlisted sessions (1), and
/// the entries that these sessions should have (2).
macro_rules! list_state {
    ($subject:literal, $theirs:literal, $rest:literal) => {
        concat!(
            ")), theirs AS (",
            $theirs,
            ") ",
            counts!($subject),
            " UNION ALL SELECT 1, e.session_id, e.class, e.urgency, e.nearness, e.at \
             FROM unlisted u CROSS JOIN list_entries e \
             WHERE e.session_id = u.id AND e.space_id = $1 AND e.subject_id = ",
            $subject,
            " UNION ALL SELECT 2, e.id, e.class, e.urgency, e.nearness, e.at FROM (",
            entries_of!("theirs"),
            ") AS e ",
            $rest
        )
    };
}

pub const LIST_STATE: Scoped = Scoped {
    // Only participants have feeds.
    space: list_state!("$1", "SELECT * FROM unlisted", "WHERE e.class <> 4"),
    member: list_state!(
        "$2",
        "SELECT n.* FROM unlisted n CROSS JOIN participants p WHERE p.session_id = n.id AND p.principal_id = $2",
        ""
    ),
};

/// The first `$4` entries of class `$3`.
macro_rules! first_entries {
    ($subject:literal) => {
        concat!(
            "SELECT e.session_id, e.class, e.urgency, e.nearness, e.at FROM list_entries e \
             WHERE e.space_id = $1 AND e.class = $3 AND e.subject_id = ",
            $subject,
            " ORDER BY e.urgency DESC, e.nearness DESC, e.at DESC, e.session_id DESC LIMIT $4"
        )
    };
}

pub const FIRST_ENTRIES: Scoped = Scoped { space: first_entries!("$1"), member: first_entries!("$2") };

/// Unlisted sessions, in the order of their index.
macro_rules! unlisted {
    ($select:literal, $rest:literal) => {
        concat!(
            "SELECT ",
            $select,
            " FROM sessions s WHERE s.listed_seq <> s.last_seq ",
            $rest,
            " ORDER BY s.space_id, s.id LIMIT "
        )
    };
}

/// Their number, at most `$1`.
pub const UNLISTED_TOTAL: &str = concat!("SELECT COUNT(*) FROM (", unlisted!("s.id", ""), "$1) AS unlisted");
/// Those of spaces after `$1` without activity since `$2`, with their number of participants, at most `$3`.
pub const UNLISTED: &str = concat!(
    unlisted!(
        "s.id, s.space_id, (SELECT COUNT(*) FROM participants p WHERE p.session_id = s.id)",
        "AND s.space_id > $1 AND s.updated_at < $2"
    ),
    "$3"
);

const DELETE_ENTRIES: &str = "DELETE FROM list_entries WHERE session_id IN (VALUES";
const INSERT_ENTRIES: [&str; 2] = [
    concat!("WITH changed AS (SELECT ", ranked!(), " FROM (VALUES"),
    concat!(
        ") AS v CROSS JOIN sessions s WHERE s.id = v.column1), e AS (",
        entries_of!("changed"),
        ") INSERT INTO list_entries (space_id, subject_id, class, urgency, nearness, at, session_id) \
         SELECT e.space_id, p.principal_id, e.class, e.urgency, e.nearness, e.at, e.id \
         FROM e CROSS JOIN participants p WHERE p.session_id = e.id AND p.kind <> 'Guest' \
         UNION ALL SELECT e.space_id, e.space_id, e.class, e.urgency, e.nearness, e.at, e.id FROM e WHERE e.class <> 4"
    ),
];
const MARK_LISTED: &str = "UPDATE sessions SET listed_seq = last_seq WHERE id IN (VALUES";

impl<E: Engine> SqlStore<E> {
    /// The total of a list and the sessions on a page; `None` if the page is better read from the rows of the sessions.
    pub(super) async fn listed(
        &self,
        scope: Scope,
        list: List,
        page: PageRequest,
    ) -> StoreResult<Option<Page<SessionId>>> {
        let mut db = self.reader().await?;
        let few = FEW_SESSIONS.within::<E>(scope).bind(FEW + 1).number(&mut db).await?;
        if few <= FEW || page.offset().saturating_add(page.size) > MAX_OFFSET {
            return Ok(None);
        }
        let Some(state) = state::<E>(&mut db, scope).await? else { return Ok(None) };
        let total = state.total(list);
        let mut stored = Vec::new();
        if page.offset() < total {
            for (class, limit) in state.to_read(list, page) {
                let entries = FIRST_ENTRIES.within::<E>(scope).bind(class).bind(limit);
                stored.extend(entries.all(&mut *db, entry).await?);
            }
        }
        Ok(Some(Page::new(page, total, state.page(list, page, stored))))
    }

    /// The same with data of each session, by the look-up `of`, whose text ends before the sessions.
    pub(super) async fn listed_as<T: Send>(
        &self,
        scope: Scope,
        list: List,
        page: PageRequest,
        of: Scoped,
        read: fn(&mut Fields<'_, E>) -> StoreResult<T>,
        id: fn(&T) -> SessionId,
    ) -> StoreResult<Option<Page<T>>> {
        let Some(found) = self.listed(scope, list, page).await? else { return Ok(None) };
        if found.data.is_empty() {
            return Ok(Some(Page::new(page, found.total, Vec::new())));
        }
        let rows = of.within_of::<E>(scope, &found.data).all(&mut *self.reader().await?, read).await?;
        Ok(Some(Page::new(page, found.total, in_order(&found.data, rows, id))))
    }

    pub(super) async fn count_unlisted(&self, limit: i64) -> StoreResult<i64> {
        sql::<E>(UNLISTED_TOTAL).bind(limit).number(&mut *self.reader().await?).await
    }

    pub(super) async fn list_quiet(
        &self,
        since: Timestamp,
        after: Option<SpaceId>,
        limit: i64,
    ) -> StoreResult<Option<SpaceId>> {
        let after = after.map_or(Uuid::nil(), |space| space.0);
        // Usually there is nothing to do, which needs no write transaction.
        let some = sql::<E>(UNLISTED).bind(after).bind(since.0).bind(1_i64);
        if some.first(&mut *self.reader().await?, |row| row.read::<Uuid>()).await?.is_none() {
            return Ok(None);
        }
        let mut tx = self.transaction().await?;
        let found = Statement::<E>::joined(UNLISTED, E::SKIP_LOCKED)
            .bind(after)
            .bind(since.0)
            .bind(limit)
            .all(&mut *tx, |row| Ok((SessionId(row.read()?), SpaceId(row.read()?), row.read::<i64>()?)))
            .await?;
        let count = fitting(found.iter().map(|(.., participants)| *participants), MAX_ENTRIES);
        let found = &found[..count];
        let sessions: Vec<_> = found.iter().map(|(session, ..)| *session).collect();
        for group in groups(&sessions) {
            for [head, tail] in [[DELETE_ENTRIES, ")"], INSERT_ENTRIES, [MARK_LISTED, ")"]] {
                let mut statement = Statement::<E>::with_rows(head, tail, 1, group.len(), 1);
                group.iter().for_each(|session| statement.push(session.0));
                statement.execute(&mut *tx).await?;
            }
        }
        tx.commit().await?;
        Ok(found.last().map(|(_, space, _)| *space))
    }
}

fn entry<E: Engine>(row: &mut Fields<'_, E>) -> StoreResult<Entry> {
    let session = SessionId(row.read()?);
    let class = row.read()?;
    Ok(Entry { class, rank: Rank { urgency: row.read()?, nearness: row.read()?, at: row.read()?, session } })
}

/// `None` if the space has too many unlisted sessions. A session that changes during the query counts with its old or its
/// new state.
async fn state<E: Engine>(db: &mut PooledConnection<E>, scope: Scope) -> StoreResult<Option<ListState>> {
    let unlisted = sql::<E>(UNLISTED_OF_SPACE).bind(scope.space().0).bind(MAX_UNLISTED + 1);
    let unlisted = unlisted.all(db, |row| Ok(SessionId(row.read()?))).await?;
    if i64::try_from(unlisted.len()).is_ok_and(|count| count > MAX_UNLISTED) {
        return Ok(None);
    }
    let statement = if unlisted.is_empty() {
        COUNTS.within::<E>(scope)
    } else {
        LIST_STATE.ending::<E>(LIST_STATE_OF, scope, &unlisted)
    };
    let rows = statement.all(db, |row| Ok((row.read::<i64>()?, entry(row)?))).await?;
    let mut state = ListState::default();
    for (kind, entry) in rows {
        match kind {
            0 => state.counts.push((entry.class, entry.rank.at)),
            1 => state.stale.push(entry),
            _ => state.current.push(entry),
        }
    }
    Ok(Some(state))
}

/// `found` in the order of `ids`; missing items are left out.
fn in_order<I: Eq + Hash, T>(ids: &[I], found: Vec<T>, id: impl Fn(&T) -> I) -> Vec<T> {
    let mut found: HashMap<_, _> = found.into_iter().map(|found| (id(&found), found)).collect();
    ids.iter().filter_map(|id| found.remove(id)).collect()
}
