//! Writes this node's presence to Redis and reads that of the other nodes, over one connection.

use super::super::connection::Connection;
use super::super::message::encode;
use super::super::shared::Shared;
use super::field::{Field, KEEP};
use super::leases::with_lease;
use super::local::Present;
use super::remote_sessions::Change;
use crate::broker::{Ephemeral, Signal};
use crate::domain::{ParticipantId, PrincipalId, SessionId};
use hiloop_sdk::backoff::between;
use redis::{Cmd, RedisError, Value, cmd};
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long a node counts as alive after it last renewed its lease. Together with [`TICK`] and `nodes::GRACE`, the
/// presence on a node that died ends on the other nodes within 11 s.
const LEASE: Duration = Duration::from_secs(6);
/// Interval of renewing the own lease and of checking those of other nodes.
pub(super) const TICK: Duration = Duration::from_secs(2);
/// Interval of writing and reading everything again.
pub(super) const REWRITE: Duration = Duration::from_secs(300);
/// Period over which the nodes spread their writes when Redis returns without its data.
const SPREAD: Duration = Duration::from_secs(1);

pub(super) struct PresenceSync {
    shared: Arc<Shared>,
    /// Whether Redis was unavailable at the last attempt.
    pub(super) was_disconnected: bool,
    /// When the lease was renewed last.
    renewed: Instant,
    /// When to write and read everything again.
    rewrite: Instant,
}

impl PresenceSync {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        let now = Instant::now();
        let rewrite = now + between(REWRITE / 2, REWRITE);
        Self { shared: Arc::clone(shared), was_disconnected: false, renewed: now, rewrite }
    }

    /// Publishes and reads what is due; with `renew` also renews the lease and checks the other nodes.
    pub(super) async fn run(&mut self, connection: &mut Connection, renew: bool) -> Result<(), RedisError> {
        if (renew || self.was_disconnected)
            && self.renew_lease(connection).await?
            && self.shared.presence.local.has_backlog()
        {
            // Probably all nodes have lost their entries.
            tokio::time::sleep(between(Duration::ZERO, SPREAD)).await;
        }
        if self.was_disconnected {
            self.shared.presence.remote.extend_grace();
            self.was_disconnected = false;
        }
        self.publish(connection).await?;
        self.read(connection).await?;
        if renew {
            self.remove_dead_nodes(connection).await?;
        }
        Ok(())
    }

    /// Renews the lease; `true` if it had expired: then other nodes ignore this node's entries, or Redis has lost its
    /// data.
    async fn renew_lease(&mut self, connection: &mut Connection) -> Result<bool, RedisError> {
        let mut lease = cmd("SET");
        lease.arg(self.shared.names.lease(self.shared.node)).arg(1).arg("PX").arg(millis(LEASE)).arg("GET");
        let replies = connection.run(vec![lease]).await?;
        self.renewed = Instant::now();
        let had_expired = matches!(replies.as_slice(), [Value::Nil]);
        let rewrites = self.rewrite <= self.renewed;
        if had_expired || rewrites {
            self.shared.presence.local.republish_all();
            self.rewrite = self.renewed + between(REWRITE / 2, REWRITE);
        }
        if rewrites {
            self.shared.presence.remote.read_all_again();
        }
        Ok(had_expired)
    }

    /// Renews the lease if that is due. Called between chunks, since the lease must not expire however many there are.
    async fn renew_if_due(&mut self, connection: &mut Connection) -> Result<(), RedisError> {
        if self.renewed.elapsed() >= TICK {
            self.renew_lease(connection).await?;
        }
        Ok(())
    }

    /// Writes and publishes the changes of this node, in chunks.
    pub(super) async fn publish(&mut self, connection: &mut Connection) -> Result<(), RedisError> {
        loop {
            let changes = self.shared.presence.local.take_unpublished();
            if changes.is_empty() {
                return Ok(());
            }
            if let Err(error) = self.publish_chunk(connection, &changes).await {
                self.shared.presence.local.requeue(changes);
                return Err(error);
            }
            self.renew_if_due(connection).await?;
        }
    }

    async fn publish_chunk(
        &self,
        connection: &mut Connection,
        changes: &[(Present, ParticipantId, bool)],
    ) -> Result<(), RedisError> {
        let Shared { names, node, counters, .. } = &*self.shared;
        let (mut writes, mut messages) = (Vec::with_capacity(changes.len() * 2), Vec::with_capacity(changes.len()));
        for &((session, principal), participant, online) in changes {
            let (key, field) = (names.presence(session), Field::name(*node, principal));
            let mut write = cmd(if online { "HSET" } else { "HDEL" });
            write.arg(&key).arg(field);
            if online {
                write.arg(participant.to_string());
            }
            writes.push(write);
            if online {
                let mut keep = cmd("PEXPIRE");
                keep.arg(&key).arg(millis(KEEP));
                writes.push(keep);
            }
            let signal = Signal::Ephemeral(Ephemeral::Presence { session, participant, principal, online });
            for (channel, message) in encode(*node, &signal) {
                messages.push(connection.publish(&names.channel(channel), &message));
            }
        }
        // Writes first: on a cluster the two go to different servers, and a node that receives the message may read the
        // hash at once.
        connection.run(writes).await?;
        connection.run(messages).await?;
        counters.published.add(changes.len());
        Ok(())
    }

    /// Reads the hashes of sessions that this node has subscribed to, in chunks.
    async fn read(&mut self, connection: &mut Connection) -> Result<(), RedisError> {
        loop {
            let sessions = self.shared.presence.remote.take_unread();
            if sessions.is_empty() {
                return Ok(());
            }
            if let Err(error) = self.read_chunk(connection, &sessions).await {
                self.shared.presence.remote.track(&sessions.iter().map(|(session, _)| *session).collect::<Vec<_>>());
                return Err(error);
            }
            self.renew_if_due(connection).await?;
        }
    }

    async fn read_chunk(&self, connection: &mut Connection, sessions: &[(SessionId, u64)]) -> Result<(), RedisError> {
        let Shared { presence, node, .. } = &*self.shared;
        let replies =
            connection.run(sessions.iter().map(|(session, _)| read_hash(&self.shared, *session)).collect()).await?;
        let hashes =
            replies.into_iter().map(|hash| Field::of_other_nodes(hash, *node)).collect::<Result<Vec<_>, _>>()?;
        let mut nodes = presence.remote.alive_nodes();
        nodes.extend(hashes.iter().flatten().map(|field| field.node));
        let alive = with_lease(&self.shared, connection, &nodes).await?;
        let dead = presence.remote.record_leases(&nodes, &alive);
        for (&(session, version), fields) in sessions.iter().zip(&hashes) {
            self.deliver(presence.remote.apply_hash(session, version, fields, &alive));
        }
        let mut deletions = Vec::new();
        for (&(session, _), fields) in sessions.iter().zip(&hashes) {
            for field in
                fields.iter().filter(|field| dead.contains(&field.node) && presence.remote.is_long_dead(field.node))
            {
                deletions.push(self.delete_field(session, field.node, field.principal));
            }
        }
        connection.run(deletions).await.map(|_| ())
    }

    /// Removes the presence on nodes that have died.
    async fn remove_dead_nodes(&self, connection: &mut Connection) -> Result<(), RedisError> {
        let presence = &self.shared.presence;
        let nodes = presence.remote.nodes_with_presence();
        let alive = with_lease(&self.shared, connection, &nodes).await?;
        for node in presence.remote.record_leases(&nodes, &alive) {
            let changes = presence.remote.remove_node(node);
            tracing::info!(%node, participants = changes.len(), "another node is dead: removed its presence");
            self.deliver(changes);
        }
        Ok(())
    }

    fn delete_field(&self, session: SessionId, node: Uuid, principal: PrincipalId) -> Cmd {
        let mut delete = cmd("HDEL");
        delete.arg(self.shared.names.presence(session)).arg(Field::name(node, principal));
        delete
    }

    fn deliver(&self, changes: Vec<Change>) {
        for (session, principal, participant, online) in changes {
            self.shared.deliver(Signal::Ephemeral(Ephemeral::Presence { session, participant, principal, online }));
        }
    }
}

/// The command that reads a session's hash.
pub(super) fn read_hash(shared: &Shared, session: SessionId) -> Cmd {
    let mut read = cmd("HGETALL");
    read.arg(shared.names.presence(session));
    read
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
