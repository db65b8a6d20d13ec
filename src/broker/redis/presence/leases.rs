//! The leases of nodes on Redis.

use super::super::connection::Connection;
use super::super::shared::Shared;
use redis::{RedisError, Value, cmd};
use std::collections::HashSet;
use uuid::Uuid;

/// Those of the nodes that have a lease.
pub(super) async fn with_lease(
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
