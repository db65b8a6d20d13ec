//! A statement batch: several statements of a transaction that are sent together, each over a table of rows.

use super::engine::{BatchStatement, Column, Engine, Query};
use super::pool::PooledConnection;
use super::{LockWait, StoreError, StoreResult};
use std::borrow::Cow;
use std::fmt::Write as _;

/// Most rows of one statement.
const MAX_ROWS: usize = 64;

/// Ends an `INSERT` of what its table selects: leaves out the rows that only pad the table.
pub const SKIP_PADDING: &str = ") AS v WHERE v.column1 IS NOT NULL";

/// Statements to execute in order. The texts are constants of the program; values are always bound.
pub struct StatementBatch<E: Engine> {
    statements: Vec<BatchStatement<E>>,
    /// The list that each statement covers.
    covers: Vec<usize>,
    /// Number of lists that were added.
    lists: usize,
    error: Option<StoreError>,
}

impl<E: Engine> StatementBatch<E> {
    pub fn new() -> Self {
        Self { statements: Vec::new(), covers: Vec::new(), lists: 0, error: None }
    }

    /// Adds the statements for one list of items: `head`, then a row for each item, then `tail`. `bind` pushes the
    /// columns of a row, or NULLs for a row that only pads the table to one of a few sizes, which the statement must
    /// ignore: so there are few distinct texts, and each of them stays prepared. An empty list adds no statement.
    ///
    /// `unless_all_change` is the error if a statement does not change one row for each of its items, if that is one.
    pub fn add<T>(
        &mut self,
        head: &str,
        tail: &str,
        unless_all_change: Option<fn() -> StoreError>,
        items: &[T],
        mut bind: impl FnMut(&mut Row<'_, E>, Option<&T>),
    ) {
        for items in items.chunks(MAX_ROWS) {
            let mut text = head.to_owned();
            let mut arguments = E::Arguments::default();
            let mut bound = 0;
            for index in 0..size_for(items.len()) {
                text.push_str(if index == 0 { " (" } else { ", (" });
                let mut row = Row {
                    text: &mut text,
                    arguments: &mut arguments,
                    bound: &mut bound,
                    error: &mut self.error,
                    is_first: true,
                };
                bind(&mut row, items.get(index));
                text.push(')');
            }
            text.push_str(tail);
            self.statements.push(BatchStatement {
                query: Query { sql: Cow::Owned(text), arguments },
                must_change: unless_all_change.map(|error| (items.len() as u64, error)),
            });
            self.covers.push(self.lists);
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
            return Err(error);
        }
        let results = connection.execute_all(self.statements, wait, commits).await?;
        let mut lists: Vec<_> = (0..self.lists).map(|_| Vec::new()).collect();
        for (list, rows) in self.covers.into_iter().zip(results) {
            lists[list].extend(rows);
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
    text: &'s mut String,
    arguments: &'s mut E::Arguments,
    /// Number of arguments of the statement so far.
    bound: &'s mut usize,
    error: &'s mut Option<StoreError>,
    is_first: bool,
}

impl<E: Engine> Row<'_, E> {
    pub fn push<T>(&mut self, value: Option<T>)
    where
        E: Column<Option<T>>,
    {
        *self.bound += 1;
        let comma = if std::mem::take(&mut self.is_first) { "" } else { ", " };
        // Writing to a String can't fail.
        let _ = write!(self.text, "{comma}{}{}", E::PLACEHOLDER, self.bound);
        if let Err(error) = E::bind(self.arguments, value) {
            self.error.get_or_insert(error);
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
