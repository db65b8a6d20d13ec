//! Presence: which principals have a subscribed socket on which node.
//!
//! Each session with somebody present is a hash on Redis, whose field `NODE/PRINCIPAL` holds the participant. A node's
//! fields count only while its lease exists, a key that the node renews. When the lease has expired, the node is dead and
//! its fields are ignored. Changes are published too: a node with readers of a session receives them at once, and applies
//! them to its copy of the presence, which it reads from the hash when it subscribes to the session.
//!
//! While Redis is unavailable the copies do not change: a node that died can't be told from one that is disconnected, and
//! every restart of Redis would show everybody as offline and online again. They are correct within 11 s of its return.
//! What a race or a lost message has made wrong is corrected by the next [`REWRITE`](sync::REWRITE).

mod field;
mod nodes;
mod remote;
mod state;
mod sync;

use super::Shared;
use super::connection::Connection;
use crate::domain::{PrincipalId, SessionId};
use field::Field;
use redis::{ErrorKind, RedisError, ServerErrorKind, Value, cmd};
pub(super) use state::PresenceState;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use sync::{PresenceSync, TICK};
use uuid::Uuid;

/// How long a session's hash outlives the last write to it.
const KEEP: Duration = Duration::from_secs(3 * 3600);
/// Most changes to publish, or hashes to read, at a time.
const CHUNK: usize = 256;
/// Limit for withdrawing, and for a query that somebody waits for.
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
    shared.presence.withdraw_all();
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
    if let Some(present) = shared.presence.present_elsewhere(session) {
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

/// Those of the nodes that have a lease.
async fn with_lease(
    shared: &Shared,
    connection: &mut Connection,
    nodes: &HashSet<Uuid>,
) -> Result<HashSet<Uuid>, RedisError> {
    let nodes: Vec<Uuid> = nodes.iter().copied().collect();
    let commands = nodes.iter().map(|node| {
        let mut exists = cmd("EXISTS");
        exists.arg(shared.names.lease(*node));
        exists
    });
    let replies = connection.run(commands.collect()).await?;
    let alive = nodes.into_iter().zip(replies).filter(|(_, reply)| matches!(reply, Value::Int(1)));
    Ok(alive.map(|(node, _)| node).collect())
}
