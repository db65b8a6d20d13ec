//! A look-up of sessions with one text for each kind of scope, and the statement of it for one scope.

use super::sql;
use crate::domain::{Scope, SessionId};
use crate::store::engine::Engine;
use crate::store::statement::Statement;

/// A look-up with its text for each kind of scope. `$1` is the space, `$2` the participant, or null for a whole space.
#[derive(Clone, Copy, Debug)]
pub struct Scoped {
    pub space: &'static str,
    pub member: &'static str,
}

impl Scoped {
    fn of(self, scope: Scope) -> &'static str {
        match scope {
            Scope::Space(_) => self.space,
            Scope::Member(..) => self.member,
        }
    }

    /// The statement for this scope, with the scope bound.
    pub(super) fn within<E: Engine>(self, scope: Scope) -> Statement<E> {
        let mut statement = sql::<E>(self.of(scope));
        bind(&mut statement, scope);
        statement
    }

    /// The same for a look-up whose text ends before the list of sessions.
    pub(super) fn within_of<E: Engine>(self, scope: Scope, sessions: &[SessionId]) -> Statement<E> {
        Self::naming(self.of(scope), ")", scope, sessions)
    }

    /// The same for a look-up whose text follows the list of sessions; `head` is the text before the list.
    pub(super) fn ending<E: Engine>(self, head: &'static str, scope: Scope, sessions: &[SessionId]) -> Statement<E> {
        Self::naming(head, self.of(scope), scope, sessions)
    }

    fn naming<E: Engine>(head: &'static str, tail: &'static str, scope: Scope, sessions: &[SessionId]) -> Statement<E> {
        // The last session is repeated up to a power of two, so that there are few texts and all of them stay prepared.
        let rows = sessions.len().next_power_of_two();
        let mut statement = Statement::with_rows(head, tail, 3, rows, 1);
        bind(&mut statement, scope);
        let padding = sessions.last().into_iter().cycle().take(rows - sessions.len());
        sessions.iter().chain(padding).for_each(|session| statement.push(session.0));
        statement
    }
}

fn bind<E: Engine>(statement: &mut Statement<E>, scope: Scope) {
    statement.push(scope.space().0);
    statement.push(scope.participant().map(|id| id.0));
}

/// The condition that a session `s` belongs to space `$1`. The form for `named` sessions makes SQLite find them by their
/// ids rather than scan the space.
macro_rules! of_space {
    () => {
        "s.space_id = $1 "
    };
    (named) => {
        "CASE WHEN s.space_id = $1 THEN TRUE ELSE FALSE END "
    };
}
pub(super) use of_space;
