//! Several statements of a transaction that are sent together, each over a table of rows that comes with it.
//!
//! Each hand-over to SQLite's thread costs more than a small statement does, so there a script is one text with one
//! list of arguments. PostgreSQL takes one statement at a time, each with arguments of its own.

use super::engine::{Column, Engine};
use super::lease::Lease;
use super::{LockWait, StoreError, StoreResult};
use sqlx::{AssertSqlSafe, SqlSafeStr as _};
use std::fmt::Write as _;

/// Most rows of one statement.
const MOST_ROWS: usize = 64;

/// Ends an `INSERT` of what its table selects: without the rows that only fill it up.
pub const FILLED: &str = ") AS v WHERE v.column1 IS NOT NULL";

/// Statements to be carried out in order. The texts are the program's own; values are always bound.
pub struct Script<E: Engine> {
    texts: Vec<Text<E>>,
    tasks: Vec<Task>,
    /// How many lists of items there are.
    lists: usize,
    /// How many rows the table of each statement has.
    rows: usize,
    /// Whether all statements are one text.
    is_one_text: bool,
    error: Option<sqlx::Error>,
}

struct Text<E: Engine> {
    sql: String,
    arguments: E::Arguments,
    bound: usize,
}

/// What is asked of one statement.
struct Task {
    /// Which list of items it is about.
    list: usize,
    items: usize,
    /// What it means if it does not change one row for each of its items, if that means anything.
    unless_all_change: Option<fn() -> StoreError>,
}

impl<E: Engine> Script<E> {
    /// A script about lists of these lengths. Their tables are all filled up to one of a few sizes, so that few texts
    /// come about and every one of them stays prepared.
    pub fn about(lengths: &[usize]) -> Self {
        let longest = lengths.iter().copied().max().unwrap_or(0);
        Self {
            texts: Vec::new(),
            tasks: Vec::new(),
            lists: 0,
            rows: size_for(longest.min(MOST_ROWS)),
            // The longest come in as many statements as it takes: as one text, hardly any two would be the same.
            is_one_text: E::TAKES_SCRIPTS && longest <= MOST_ROWS,
            error: None,
        }
    }

    /// Adds what is asked about one list of items: `head`, then a row for each item, then `tail`. `bind` pushes the
    /// columns of a row, or NULLs for one that only fills the table up, which the statement must pass over. Nothing is
    /// asked about an empty list.
    pub fn table<T>(
        &mut self,
        head: &str,
        tail: &str,
        unless_all_change: Option<fn() -> StoreError>,
        items: &[T],
        mut bind: impl FnMut(&mut Row<'_, E>, Option<&T>),
    ) {
        for items in items.chunks(MOST_ROWS) {
            self.tasks.push(Task { list: self.lists, items: items.len(), unless_all_change });
            if !self.is_one_text || self.texts.is_empty() {
                self.texts.push(Text { sql: String::new(), arguments: E::Arguments::default(), bound: 0 });
            } else if let Some(text) = self.texts.last_mut() {
                text.sql.push_str(";\n");
            }
            let Some(text) = self.texts.last_mut() else { return };
            text.sql.push_str(head);
            for index in 0..self.rows {
                text.sql.push_str(if index == 0 { " (" } else { ", (" });
                bind(&mut Row { text, error: &mut self.error, is_first: true }, items.get(index));
                text.sql.push(')');
            }
            text.sql.push_str(tail);
        }
        self.lists += 1;
    }

    /// Carries it out in a transaction, which it begins unless the lease is in one already, and at its end makes
    /// durable if `commits`. Returns the rows that each list brought.
    pub async fn run(self, lease: &mut Lease<E>, wait: LockWait, commits: bool) -> StoreResult<Vec<Vec<E::Row>>> {
        if let Some(error) = self.error {
            return Err(error.into());
        }
        let begins = !lease.is_in_transaction();
        let has_one_text = self.is_one_text && !self.texts.is_empty();
        let begins_within = begins && has_one_text;
        // Else not before it is seen that every statement has done its task.
        let is_unconditional = self.tasks.iter().all(|task| task.unless_all_change.is_none());
        let commits_within = commits && has_one_text && is_unconditional;
        if begins_within {
            lease.begins();
        } else if begins {
            lease.begin(wait).await?;
        }
        let mut answers = Vec::with_capacity(self.tasks.len() + 2);
        for Text { sql, arguments, .. } in self.texts {
            let begin = if begins_within { [E::begin(wait), ";\n"] } else { [""; 2] };
            let commit = if commits_within { ";\nCOMMIT" } else { "" };
            let sql = AssertSqlSafe([&begin.concat(), &sql, commit].concat()).into_sql_str();
            answers.extend(lease.run(|connection| E::ask(connection, sql, arguments)).await?);
        }
        if commits_within {
            lease.committed();
        }
        let mut lists: Vec<_> = (0..self.lists).map(|_| Vec::new()).collect();
        for (task, answer) in self.tasks.iter().zip(answers.into_iter().skip(usize::from(begins_within))) {
            if let Some(error) = task.unless_all_change.filter(|_| answer.changed != task.items as u64) {
                return Err(error());
            }
            lists[task.list].extend(answer.rows);
        }
        if commits && !commits_within {
            lease.commit().await?;
        }
        Ok(lists)
    }
}

/// A power of two for the few, the next multiple of eight for many, so that not much is filled up for nothing.
fn size_for(rows: usize) -> usize {
    if rows <= 8 { rows.next_power_of_two() } else { rows.next_multiple_of(8) }
}

/// One row of a table, whose columns are pushed from left to right.
pub struct Row<'s, E: Engine> {
    text: &'s mut Text<E>,
    error: &'s mut Option<sqlx::Error>,
    is_first: bool,
}

impl<E: Engine> Row<'_, E> {
    pub fn push<T>(&mut self, value: Option<T>)
    where
        E: Column<Option<T>>,
    {
        self.text.bound += 1;
        let comma = if std::mem::take(&mut self.is_first) { "" } else { ", " };
        if E::TAKES_SCRIPTS {
            // To SQLite `$1` is a name, and looking for one takes as long as there are names before it.
            self.text.sql.push_str(comma);
            self.text.sql.push('?');
        } else {
            // Writing to a String can't fail.
            let _ = write!(self.text.sql, "{comma}${}", self.text.bound);
        }
        if let Err(error) = E::bind(&mut self.text.arguments, value) {
            self.error.get_or_insert(sqlx::Error::Encode(error));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST_ROWS, size_for};
    use std::collections::BTreeSet;

    #[test]
    fn sizes_are_few_and_hold_what_they_are_for() {
        let sizes: BTreeSet<_> = (0..=MOST_ROWS).map(size_for).collect();
        assert_eq!(sizes.into_iter().collect::<Vec<_>>(), [1, 2, 4, 8, 16, 24, 32, 40, 48, 56, 64]);
        assert!((0..=MOST_ROWS).all(|rows| size_for(rows) >= rows));
    }
}
