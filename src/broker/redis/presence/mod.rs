//! Presence: which principals have a subscribed socket on which node.
//!
//! Each session with principals present is a hash on Redis, whose field `NODE/PRINCIPAL` holds the participant. A node's
//! fields count only while its lease exists, a key that the node renews. When the lease has expired, the node is dead and
//! its fields are ignored. Changes are published too: a node with readers of a session receives them at once, and applies
//! them to its copy of the presence, which it reads from the hash when it subscribes to the session.
//!
//! While Redis is unavailable the copies do not change: a node that died can't be distinguished from one that is disconnected, and
//! every restart of Redis would show every principal as offline and online again. They are correct within 11 s of its return.
//! Errors by races and lost messages are corrected by the next [`REWRITE`](sync::REWRITE).

mod field;
mod leases;
mod local;
mod nodes;
mod remote;
mod remote_sessions;
mod state;
mod sync;

use super::connection::Connection;
use super::shared::Shared;
use crate::domain::{PrincipalId, SessionId};
use field::Field;
use leases::with_lease;
use redis::{ErrorKind, RedisError, ServerErrorKind, cmd};
pub(super) use state::PresenceState;
use std::sync::Arc;
use std::time::Duration;
use sync::{PresenceSync, TICK};

/// Limit for withdrawing, and for a query that a caller waits for.
const QUERY_TIMEOUT: Duration = Duration::from_millis(500);

/// Keeps the hashes, the lease and the copies up to date, until the broker closes.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut sync = PresenceSync::new(&shared);
    sync.was_disconnected = true;
    let mut was_warned = false;
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let renew = tokio::select! {
            () = shared.closing.cancelled() => return,
            () = shared.presence.changed() => false,
            _ = ticks.tick() => true,
        };
        let Some(mut connection) = shared.commands() else {
            sync.was_disconnected = true;
            continue;
        };
        let outcome = tokio::select! {
            () = shared.closing.cancelled() => return,
            outcome = sync.run(&mut connection, renew) => outcome,
        };
        match outcome {
            Ok(()) => was_warned = false,
            Err(error) => {
                sync.was_disconnected = true;
                // A lost connection is logged by its own task. An error reply (out of memory, read-only replica) would go
                // unnoticed otherwise, since the connection stays up and messages still arrive.
                if is_error_reply(&error) && !was_warned {
                    was_warned = true;
                    tracing::warn!(%error, "Redis rejects presence updates: other nodes don't see who is present here");
                } else {
                    tracing::debug!(%error, "cannot write or read presence");
                }
            }
        }
    }
}

/// Whether Redis replied with an error that lasts longer than its start or the move of a slot.
fn is_error_reply(error: &RedisError) -> bool {
    let is_reply = matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension);
    is_reply && !error.is_cluster_error() && error.kind() != ErrorKind::Server(ServerErrorKind::BusyLoading)
}

/// Ends the presence of all principals on this node, if that is possible within [`QUERY_TIMEOUT`].
pub(super) async fn withdraw(shared: &Arc<Shared>, mut connection: Connection) {
    shared.presence.local.withdraw_all();
    let mut sync = PresenceSync::new(shared);
    let withdraw = async {
        sync.publish(&mut connection).await?;
        let mut lease = cmd("DEL");
        lease.arg(shared.names.lease(shared.node));
        connection.run(vec![lease]).await
    };
    if !matches!(tokio::time::timeout(QUERY_TIMEOUT, withdraw).await, Ok(Ok(_))) {
        tracing::debug!("cannot withdraw presence: it ends on the other nodes when this node's lease expires");
    }
}

/// The principals that are present in a session on other nodes: from this node's copy, or else from the hash.
pub(super) async fn elsewhere(shared: &Shared, session: SessionId) -> Option<Vec<PrincipalId>> {
    if let Some(present) = shared.presence.remote.present(session) {
        return Some(present);
    }
    let mut connection = shared.commands()?;
    let query = async {
        let replies = connection.run(vec![sync::read_hash(shared, session)]).await?;
        let fields = replies.into_iter().next().map(|hash| Field::of_other_nodes(hash, shared.node));
        let fields = fields.transpose()?.unwrap_or_default();
        let nodes = fields.iter().map(|field| field.node).collect();
        let alive = with_lease(shared, &mut connection, &nodes).await?;
        let present = fields.into_iter().filter(|field| alive.contains(&field.node)).map(|field| field.principal);
        Ok::<_, RedisError>(present.collect())
    };
    tokio::time::timeout(QUERY_TIMEOUT, query).await.ok()?.ok()
}
