//! A statement batch: several statements of a transaction that are sent together, each over a table of rows.
//!
//! On SQLite a message to the connection's thread costs more than a small statement does, so the whole batch is one text
//! with one list of arguments. PostgreSQL accepts one statement at a time, each with its own arguments.

use super::engine::{Column, Engine};
use super::pool::PooledConnection;
use super::{LockWait, StoreError, StoreResult};
use sqlx::{AssertSqlSafe, SqlSafeStr as _};
use std::fmt::Write as _;

/// Most rows of one statement.
const MAX_ROWS: usize = 64;

/// Ends an `INSERT` of what its table selects: leaves out the rows that only pad the table.
pub const SKIP_PADDING: &str = ") AS v WHERE v.column1 IS NOT NULL";

/// Statements to execute in order. The texts are constants of the program; values are always bound.
pub struct StatementBatch<E: Engine> {
    texts: Vec<Text<E>>,
    tasks: Vec<Task>,
    /// Number of lists that were added.
    lists: usize,
    /// Number of rows in the table of each statement.
    rows: usize,
    /// Whether all statements form one text.
    is_one_text: bool,
    error: Option<sqlx::Error>,
}

struct Text<E: Engine> {
    sql: String,
    arguments: E::Arguments,
    bound: usize,
}

/// One statement of the batch.
struct Task {
    /// Index of the list that it covers.
    list: usize,
    items: usize,
    /// The error if it does not change one row for each of its items, if that is one.
    unless_all_change: Option<fn() -> StoreError>,
}

impl<E: Engine> StatementBatch<E> {
    /// A batch over lists of these lengths. All tables are padded to one of a few sizes, so that there are few distinct
    /// texts and each of them stays prepared.
    pub fn over(lengths: &[usize]) -> Self {
        let longest = lengths.iter().copied().max().unwrap_or(0);
        Self {
            texts: Vec::new(),
            tasks: Vec::new(),
            lists: 0,
            rows: size_for(longest.min(MAX_ROWS)),
            // Longer lists take several statements: as one text, hardly any two batches would have the same text.
            is_one_text: E::MULTI_STATEMENT_TEXTS && longest <= MAX_ROWS,
            error: None,
        }
    }

    /// Adds the statements for one list of items: `head`, then a row for each item, then `tail`. `bind` pushes the
    /// columns of a row, or NULLs for a row that only pads the table, which the statement must ignore. An empty list
    /// adds no statement.
    pub fn add<T>(
        &mut self,
        head: &str,
        tail: &str,
        unless_all_change: Option<fn() -> StoreError>,
        items: &[T],
        mut bind: impl FnMut(&mut Row<'_, E>, Option<&T>),
    ) {
        for items in items.chunks(MAX_ROWS) {
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

    /// Executes the batch in a transaction, which it begins unless the connection is in one, and commits at the end if
    /// `commits`. Returns the rows of each list.
    pub async fn execute(
        self,
        connection: &mut PooledConnection<E>,
        wait: LockWait,
        commits: bool,
    ) -> StoreResult<Vec<Vec<E::Row>>> {
        if let Some(error) = self.error {
            return Err(error.into());
        }
        let begins = !connection.is_in_transaction();
        let has_one_text = self.is_one_text && !self.texts.is_empty();
        let begins_within = begins && has_one_text;
        // Where a task has a condition, the commit waits until every condition was checked.
        let is_unconditional = self.tasks.iter().all(|task| task.unless_all_change.is_none());
        let commits_within = commits && has_one_text && is_unconditional;
        if begins_within {
            connection.mark_begun();
        } else if begins {
            connection.begin(wait).await?;
        }
        let mut results = Vec::with_capacity(self.tasks.len() + 2);
        for Text { sql, arguments, .. } in self.texts {
            let begin = if begins_within { [E::begin(wait), ";\n"] } else { [""; 2] };
            let commit = if commits_within { ";\nCOMMIT" } else { "" };
            let sql = AssertSqlSafe([&begin.concat(), &sql, commit].concat()).into_sql_str();
            results.extend(connection.run(|connection| E::execute_each(connection, sql, arguments)).await?);
        }
        if commits_within {
            connection.mark_committed();
        }
        let mut lists: Vec<_> = (0..self.lists).map(|_| Vec::new()).collect();
        for (task, result) in self.tasks.iter().zip(results.into_iter().skip(usize::from(begins_within))) {
            if let Some(error) = task.unless_all_change.filter(|_| result.changed != task.items as u64) {
                return Err(error());
            }
            lists[task.list].extend(result.rows);
        }
        if commits && !commits_within {
            connection.commit().await?;
        }
        Ok(lists)
    }
}

/// A power of two for few rows, the next multiple of eight for many, which keeps the padding small.
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
        if E::MULTI_STATEMENT_TEXTS {
            // To SQLite `$1` is a name, and a look-up of a name takes time in proportion to the names before it.
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
    use super::{MAX_ROWS, size_for};
    use std::collections::BTreeSet;

    #[test]
    fn sizes_are_few_and_large_enough() {
        let sizes: BTreeSet<_> = (0..=MAX_ROWS).map(size_for).collect();
        assert_eq!(sizes.into_iter().collect::<Vec<_>>(), [1, 2, 4, 8, 16, 24, 32, 40, 48, 56, 64]);
        assert!((0..=MAX_ROWS).all(|rows| size_for(rows) >= rows));
    }
}
