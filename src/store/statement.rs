//! One SQL statement with its arguments, and reading the rows that it returns.

use super::engine::{Column, Engine, Query};
use super::pool::PooledConnection;
use super::{StoreError, StoreResult};
use std::borrow::Cow;

/// A statement with its arguments. The text consists of constants of the program; values are always bound.
pub struct Statement<E: Engine> {
    query: Query<E>,
    error: Option<StoreError>,
}

/// A statement with a constant text.
pub(super) fn sql<E: Engine>(text: &'static str) -> Statement<E> {
    Statement::new(text)
}

/// The text with the placeholders of the engine, for one with `$1` and so on.
fn placeholders<E: Engine>(text: &str) -> Option<String> {
    (E::PLACEHOLDER != '$' && text.contains('$')).then(|| text.replace('$', E::PLACEHOLDER.encode_utf8(&mut [0; 4])))
}

impl<E: Engine> Statement<E> {
    pub fn new(text: &'static str) -> Self {
        Self::of(placeholders::<E>(text).map_or(Cow::Borrowed(text), Cow::Owned))
    }

    /// A text of two parts, both constants of the program.
    pub fn joined(head: &'static str, tail: &str) -> Self {
        let text = [head, tail].concat();
        Self::of(Cow::Owned(placeholders::<E>(&text).unwrap_or(text)))
    }

    /// `head`, then `rows` groups of `columns` placeholders, then `tail`. Placeholders count on from `first`.
    pub fn with_rows(head: &'static str, tail: &'static str, first: usize, rows: usize, columns: usize) -> Self {
        use std::fmt::Write as _;
        let mut text = String::with_capacity(head.len() + tail.len() + rows * columns * 6);
        text.push_str(head);
        let mut next = first;
        for row in 0..rows {
            text.push_str(if row == 0 { " (" } else { ", (" });
            for column in 0..columns {
                let comma = if column == 0 { "" } else { ", " };
                // Writing to a String can't fail.
                let _ = write!(text, "{comma}${next}");
                next += 1;
            }
            text.push(')');
        }
        text.push_str(tail);
        Self::of(Cow::Owned(placeholders::<E>(&text).unwrap_or(text)))
    }

    fn of(sql: Cow<'static, str>) -> Self {
        Self { query: Query { sql, arguments: E::Arguments::default() }, error: None }
    }

    #[must_use]
    pub fn bind<T>(mut self, value: T) -> Self
    where
        E: Column<T>,
    {
        self.push(value);
        self
    }

    pub fn push<T>(&mut self, value: T)
    where
        E: Column<T>,
    {
        if let Err(error) = E::bind(&mut self.query.arguments, value) {
            self.error.get_or_insert(error);
        }
    }

    /// Executes it; returns the number of changed rows.
    pub async fn execute(self, connection: &mut PooledConnection<E>) -> StoreResult<u64> {
        match self.error {
            Some(error) => Err(error),
            None => connection.execute(self.query).await,
        }
    }

    /// Executes it and reads every row.
    pub async fn all<T>(
        self,
        connection: &mut PooledConnection<E>,
        mut read: impl FnMut(&mut Fields<'_, E>) -> StoreResult<T> + Send,
    ) -> StoreResult<Vec<T>> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let rows = connection.fetch(self.query).await?;
        read_all(&rows, &mut read)
    }

    /// Executes it and reads the first row, if there is one.
    pub async fn first<T>(
        self,
        connection: &mut PooledConnection<E>,
        read: impl FnMut(&mut Fields<'_, E>) -> StoreResult<T> + Send,
    ) -> StoreResult<Option<T>> {
        Ok(self.all(connection, read).await?.into_iter().next())
    }

    /// Executes it and reads its one number.
    pub async fn number(self, connection: &mut PooledConnection<E>) -> StoreResult<i64> {
        Ok(self.first(connection, |fields| fields.read::<i64>()).await?.unwrap_or(0))
    }
}

/// Reads every row.
pub fn read_all<E: Engine, T>(
    rows: &[E::Row],
    read: &mut impl FnMut(&mut Fields<'_, E>) -> StoreResult<T>,
) -> StoreResult<Vec<T>> {
    rows.iter().map(|row| read(&mut Fields { row, next: 0 })).collect()
}

/// Reads the columns of a row from left to right.
pub struct Fields<'r, E: Engine> {
    row: &'r E::Row,
    next: usize,
}

impl<E: Engine> Fields<'_, E> {
    pub fn read<T>(&mut self) -> StoreResult<T>
    where
        E: Column<T>,
    {
        let value = E::read(self.row, self.next)?;
        self.next += 1;
        Ok(value)
    }
}

/// Most rows of a statement with many columns.
const FEW: usize = 64;
/// Most rows of a statement that selects by id.
const MANY: usize = 512;

/// Splits `items` into groups for one statement each. The sizes are powers of two, so that there are few distinct texts and
/// each of them stays prepared.
pub fn groups<T>(items: &[T]) -> impl Iterator<Item = &[T]> {
    groups_of(items, FEW)
}

/// The same in larger groups, for statements with a single column.
pub fn large_groups<T>(items: &[T]) -> impl Iterator<Item = &[T]> {
    groups_of(items, MANY)
}

fn groups_of<T>(mut items: &[T], most: usize) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = 1 << items.len().min(most).checked_ilog2()?;
        let (group, rest) = items.split_at(size);
        items = rest;
        Some(group)
    })
}

#[cfg(test)]
mod tests {
    use super::{groups, large_groups};

    #[test]
    fn groups_are_powers_of_two_and_miss_nothing() {
        let items: Vec<_> = (0..715).collect();
        assert_eq!(groups(&items[..0]).count(), 0);
        assert_eq!(groups(&items[..203]).map(<[_]>::len).collect::<Vec<_>>(), [64, 64, 64, 8, 2, 1]);
        assert_eq!(large_groups(&items).map(<[_]>::len).collect::<Vec<_>>(), [512, 128, 64, 8, 2, 1]);
        assert_eq!(large_groups(&items).flatten().copied().collect::<Vec<_>>(), items);
    }
}
