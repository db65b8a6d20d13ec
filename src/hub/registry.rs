//! The open connections of this node (sockets, event streams, long-polls), so that each can be revoked and drained.

use super::Hub;
use super::subscriber::{Connection, EndReason, is_revoked_by};
use crate::broker::Signal;
use crate::domain::{ConnectionId, Principal, Refusal};
use crate::limits::connections::Permit;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long before its registration the credential of a request may have been looked up.
const LOOKED_UP_WITHIN: Duration = Duration::from_secs(2);

impl Hub {
    pub fn register(&self, connection: Arc<dyn Connection>) {
        self.open.insert(connection.id(), connection);
    }

    pub fn unregister(&self, connection: ConnectionId) {
        self.open.remove(&connection);
    }

    /// Registers a long-poll or an event stream, which ends when its credential is revoked or the node drains.
    /// Refused if the credential has too many connections already.
    pub fn register_request(self: &Arc<Self>, principal: Arc<Principal>) -> Result<ConnectionGuard, Refusal> {
        let permit = self.connection_limits.hold(&principal)?;
        let connection = Arc::new(RequestConnection {
            id: ConnectionId::new(),
            principal,
            ended: CancellationToken::new(),
            is_revoked: AtomicBool::new(false),
        });
        self.register(connection.clone());
        // Checked after the registration: a drain or revocation that begins meanwhile finds the connection.
        if self.draining.load(Ordering::SeqCst) {
            connection.go_away();
        }
        if self.is_revoked_since(&connection.principal, Instant::now() - LOOKED_UP_WITHIN) {
            connection.revoke();
        }
        Ok(ConnectionGuard { hub: Arc::clone(self), connection, _permit: permit })
    }

    /// How many sockets, event streams and long-polls are open.
    pub fn connection_count(&self) -> usize {
        self.open.len()
    }

    /// Ends every connection, on every node, whose principal depends on one of `ids`.
    pub fn revoke(&self, ids: &HashSet<Uuid>) {
        if ids.is_empty() {
            return;
        }
        self.revocations.note_announced(ids);
        self.revoke_here(ids);
        self.broker.publish(Signal::Revoked(ids.iter().copied().collect()));
    }

    /// Ends the connections of this node. One pass over them, however many ids there are.
    pub(super) fn revoke_here(&self, ids: &HashSet<Uuid>) {
        // Noted before the pass: a connection that registers meanwhile finds the ids in `revoked`.
        self.revoked.note(ids);
        for connection in &self.open {
            if connection.principal().is_some_and(|principal| is_revoked_by(&principal, ids)) {
                connection.revoke();
            }
        }
        // A principal with access to a second space keeps its socket when one is deactivated, and loses the sessions.
        for topic in self.topics.iter().filter(|topic| topic.space().is_some_and(|space| ids.contains(&space.0))) {
            topic.evict(EndReason::Removed, &self.workers);
        }
    }

    /// Whether a principal, whose credential was looked up at `since` or later, was revoked meanwhile. Call this after
    /// the registration of its connection.
    pub fn is_revoked_since(&self, principal: &Principal, since: Instant) -> bool {
        self.revoked.ends(principal.revocable().into_iter().flatten(), since)
    }

    /// Asks every client to reconnect elsewhere.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
        self.open.iter().for_each(|connection| connection.go_away());
    }
}

/// The connection of a long-poll or an event stream.
struct RequestConnection {
    id: ConnectionId,
    principal: Arc<Principal>,
    ended: CancellationToken,
    is_revoked: AtomicBool,
}

impl Connection for RequestConnection {
    fn id(&self) -> ConnectionId {
        self.id
    }

    fn principal(&self) -> Option<Arc<Principal>> {
        Some(Arc::clone(&self.principal))
    }

    fn revoke(&self) {
        self.is_revoked.store(true, Ordering::SeqCst);
        self.ended.cancel();
    }

    fn go_away(&self) {
        self.ended.cancel();
    }
}

/// The registration of a long-poll or an event stream. Dropping it removes the connection.
pub struct ConnectionGuard {
    hub: Arc<Hub>,
    connection: Arc<RequestConnection>,
    _permit: Permit,
}

impl ConnectionGuard {
    /// Returns when the request must end: its credential was revoked, or the node drains.
    pub async fn ended(&self) {
        self.connection.ended.cancelled().await;
    }

    /// Whether the credential was revoked.
    pub fn is_revoked(&self) -> bool {
        self.connection.is_revoked.load(Ordering::SeqCst)
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.hub.unregister(self.connection.id);
    }
}
