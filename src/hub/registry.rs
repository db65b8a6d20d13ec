//! Every open connection of this node (sockets, event streams, long-polls), so that each can be revoked and drained.

use super::Hub;
use super::subscriber::{EndReason, Endpoint, is_revoked_by};
use crate::broker::Signal;
use crate::domain::{ConnectionId, Principal, Refusal};
use crate::limits::connections::Permit;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long ago the credential of a request that begins to wait may have been looked up.
const LOOKED_UP_WITHIN: Duration = Duration::from_secs(2);

impl Hub {
    /// Adds somebody to those that can be revoked and drained.
    pub fn register(&self, endpoint: Arc<dyn Endpoint>) {
        self.endpoints.insert(endpoint.id(), endpoint);
    }

    pub fn unregister(&self, connection: ConnectionId) {
        self.endpoints.remove(&connection);
    }

    /// Makes a request that waits (a long-poll, an event stream) end when its credential is revoked or the node
    /// drains. Refused if its credential has too many connections already.
    pub fn attend(self: &Arc<Self>, principal: Arc<Principal>) -> Result<Attendance, Refusal> {
        let permit = self.connections.hold(&principal)?;
        let visitor = Arc::new(Visitor {
            id: ConnectionId::new(),
            principal,
            ended: CancellationToken::new(),
            is_revoked: AtomicBool::new(false),
        });
        self.register(visitor.clone());
        // Registered first, so that a drain that begins meanwhile finds it in one way or the other.
        if self.draining.load(Ordering::SeqCst) {
            visitor.go_away();
        }
        // Its credential was looked up a moment ago.
        if self.is_revoked_since(&visitor.principal, Instant::now() - LOOKED_UP_WITHIN) {
            visitor.revoke();
        }
        Ok(Attendance { hub: Arc::clone(self), visitor, _permit: permit })
    }

    /// How many sockets, streams and long-polls there are.
    pub fn endpoint_count(&self) -> usize {
        self.endpoints.len()
    }

    /// Ends every socket, on every node, whose principal rests on one of `ids`.
    pub fn revoke(&self, ids: &HashSet<Uuid>) {
        if ids.is_empty() {
            return;
        }
        self.revocations.heard(ids);
        self.revoke_here(ids);
        self.broker.publish(Signal::Revoked(ids.iter().copied().collect()));
    }

    /// However many they are, everything that is open is looked at once.
    pub(super) fn revoke_here(&self, ids: &HashSet<Uuid>) {
        // First noted, then looked for: who registers meanwhile is found in one way or the other.
        self.revoked.note(ids);
        for endpoint in &self.endpoints {
            if endpoint.principal().is_some_and(|principal| is_revoked_by(&principal, ids)) {
                endpoint.revoke();
            }
        }
        // A space that was shut: whoever lives in another one too keeps the socket and loses these sessions.
        for topic in self.topics.iter().filter(|topic| topic.space().is_some_and(|space| ids.contains(&space.0))) {
            topic.evict(EndReason::Removed, &self.lanes);
        }
    }

    /// Whether a principal whose credential was looked up at `since` or later has lost it meanwhile. To be asked
    /// after it is registered.
    pub fn is_revoked_since(&self, principal: &Principal, since: Instant) -> bool {
        self.revoked.ends(principal.revocable().into_iter().flatten(), since)
    }

    /// Tells everyone to go elsewhere.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
        self.endpoints.iter().for_each(|endpoint| endpoint.go_away());
    }
}

/// A request that waits.
struct Visitor {
    id: ConnectionId,
    principal: Arc<Principal>,
    ended: CancellationToken,
    is_revoked: AtomicBool,
}

impl Endpoint for Visitor {
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

/// The registration of a request that waits; dropping it takes it out.
pub struct Attendance {
    hub: Arc<Hub>,
    visitor: Arc<Visitor>,
    _permit: Permit,
}

impl Attendance {
    /// Returns when the request must not wait any longer.
    pub async fn ended(&self) {
        self.visitor.ended.cancelled().await;
    }

    /// Whether that is because its credential was revoked.
    pub fn is_revoked(&self) -> bool {
        self.visitor.is_revoked.load(Ordering::SeqCst)
    }
}

impl Drop for Attendance {
    fn drop(&mut self) {
        self.hub.unregister(self.visitor.id);
    }
}
