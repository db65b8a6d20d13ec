//! Lists of sessions: reading a page by its stored entries, and writing the entries of sessions that have changed.
//!
//! A list of few sessions is read from their rows and sorted; so is one of which much is not listed yet.

use super::scope::{Scoped, of_space};
use super::timelines::fitting;
use super::{SqlStore, sql};
use crate::domain::{Scope, SessionId, SpaceId, Timestamp};
use crate::protocol::page::{Page, PageRequest};
use crate::store::StoreResult;
use crate::store::engine::{Engine, Fields, Statement, groups};
use crate::store::lease::Lease;
use crate::store::listing::{Entry, Known, List, Place};
use std::collections::HashMap;
use std::hash::Hash;
use uuid::Uuid;

/// Up to so many sessions of a subject, sorting all of them costs less than anything else.
const FEW: i64 = 256;
/// Most sessions of a space that a page ranks by their own rows.
const MOST_UNLISTED: i64 = 1_000;
/// How deep a page may lie to be made out of entries, which are held in memory.
const DEEPEST: i64 = 10_000;
/// Most entries that are written in one transaction, unless a single session has more.
const MOST_ENTRIES: i64 = 512;

/// How many sessions a subject has, if they are fewer than `$3`. The order is that of an index: without one PostgreSQL may
/// read the table from its beginning, past the sessions of other spaces.
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

/// Sessions of a space whose entries are not right, at most `$2`.
pub const UNLISTED_OF_SPACE: &str = "SELECT s.id FROM sessions s WHERE s.space_id = $1 \
     AND s.listed_seq <> s.last_seq ORDER BY s.id LIMIT $2";

/// How many entries are stored. The columns that `known` reads: what it is about, then an entry or, as its time, a
/// number.
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

/// Begins a [`KNOWN`], before the sessions. That they are named has PostgreSQL know how few they are.
pub const KNOWN_OF: &str =
    concat!("WITH unlisted AS (SELECT ", ranked!(), " FROM sessions s WHERE ", of_space!(named), "AND s.id IN (VALUES");

/// What is known at one moment: how many entries are stored (0), the entries of sessions that are not listed as they
/// are stored (1), and as they should be (2).
macro_rules! known {
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

pub const KNOWN: Scoped = Scoped {
    // Feeds are those of participants.
    space: known!("$1", "SELECT * FROM unlisted", "WHERE e.class <> 4"),
    member: known!(
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

/// Sessions whose entries are not right, in the order of their index.
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

/// How many there are, at most `$1`.
pub const UNLISTED_TOTAL: &str = concat!("SELECT COUNT(*) FROM (", unlisted!("s.id", ""), "$1) AS unlisted");
/// With how many take part: those of spaces after `$1` that have been quiet since `$2`, at most `$3`.
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
const NOTE_LISTED: &str = "UPDATE sessions SET listed_seq = last_seq WHERE id IN (VALUES";

impl<E: Engine> SqlStore<E> {
    /// How many sessions a list has and which stand on a page; `None` if the page is better read from their rows.
    pub(super) async fn listed(
        &self,
        scope: Scope,
        list: List,
        page: PageRequest,
    ) -> StoreResult<Option<Page<SessionId>>> {
        let mut db = self.reader().await?;
        let few = FEW_SESSIONS.within::<E>(scope).bind(FEW + 1).number(&mut db).await?;
        if few <= FEW || page.offset().saturating_add(page.size) > DEEPEST {
            return Ok(None);
        }
        let Some(known) = known::<E>(&mut db, scope).await? else { return Ok(None) };
        let total = known.total(list);
        let mut stored = Vec::new();
        if page.offset() < total {
            for (class, limit) in known.to_read(list, page) {
                let entries = FIRST_ENTRIES.within::<E>(scope).bind(class).bind(limit);
                stored.extend(entries.all(&mut *db, entry).await?);
            }
        }
        Ok(Some(Page::new(page, total, known.page(list, page, stored))))
    }

    /// The same with what is read of each session. `of` ends before the sessions.
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
        // Most often there is nothing, which is no reason to keep writers waiting.
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
        let count = fitting(found.iter().map(|(.., participants)| *participants), MOST_ENTRIES);
        let found = &found[..count];
        let sessions: Vec<_> = found.iter().map(|(session, ..)| *session).collect();
        for group in groups(&sessions) {
            for [head, tail] in [[DELETE_ENTRIES, ")"], INSERT_ENTRIES, [NOTE_LISTED, ")"]] {
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
    Ok(Entry { class, place: Place { urgency: row.read()?, nearness: row.read()?, at: row.read()?, session } })
}

/// `None` if more sessions of the space are not listed than may be. Those that change or are listed while this is read
/// count as they were or as they are.
async fn known<E: Engine>(db: &mut Lease<E>, scope: Scope) -> StoreResult<Option<Known>> {
    let unlisted = sql::<E>(UNLISTED_OF_SPACE).bind(scope.space().0).bind(MOST_UNLISTED + 1);
    let unlisted = unlisted.all(db, |row| Ok(SessionId(row.read()?))).await?;
    if i64::try_from(unlisted.len()).is_ok_and(|count| count > MOST_UNLISTED) {
        return Ok(None);
    }
    let statement =
        if unlisted.is_empty() { COUNTS.within::<E>(scope) } else { KNOWN.ending::<E>(KNOWN_OF, scope, &unlisted) };
    let rows = statement.all(db, |row| Ok((row.read::<i64>()?, entry(row)?))).await?;
    let mut known = Known::default();
    for (kind, entry) in rows {
        match kind {
            0 => known.counts.push((entry.class, entry.place.at)),
            1 => known.stale.push(entry),
            _ => known.current.push(entry),
        }
    }
    Ok(Some(known))
}

/// `found` in the order of `ids`; what is not there any more is left out.
fn in_order<I: Eq + Hash, T>(ids: &[I], found: Vec<T>, id: impl Fn(&T) -> I) -> Vec<T> {
    let mut found: HashMap<_, _> = found.into_iter().map(|found| (id(&found), found)).collect();
    ids.iter().filter_map(|id| found.remove(id)).collect()
}
