//! The shared state of the broker's tasks.

use super::channel::Names;
use super::connection::{Connection, Target};
use super::interest::Interest;
use super::outgoing::Outgoing;
use super::presence::PresenceState;
use crate::broker::{Signal, SignalHandler};
use crate::metrics::SignalCounts;
use parking_lot::Mutex;
use redis::RedisError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long a connection has to last before the back-off of reconnects is reset: a node that Redis disconnects for being
/// slow would otherwise reconnect at once, only to be disconnected again, and renew all its subscriptions each time.
pub(super) const STABLE_AFTER: Duration = Duration::from_secs(10);

/// The shared state of the broker's tasks.
pub(super) struct Shared {
    /// This run of this node.
    pub(super) node: Uuid,
    pub(super) target: Target,
    pub(super) names: Names,
    pub(super) handler: OnceLock<SignalHandler>,
    pub(super) interest: Interest,
    pub(super) outgoing: Outgoing,
    pub(super) presence: PresenceState,
    /// The connection for everything but subscriptions, while there is one.
    pub(super) commands: Mutex<Option<Connection>>,
    pub(super) counters: Arc<SignalCounts>,
    pub(super) is_subscribed: AtomicBool,
    pub(super) closing: CancellationToken,
}

impl Shared {
    /// The state of a broker that is not connected yet. `store` is the id of the store that all nodes of the hub share.
    pub(super) fn new(target: Target, store: &str, interest: Interest, outgoing: Outgoing) -> Self {
        Self {
            node: Uuid::now_v7(),
            target,
            names: Names::new(store),
            handler: OnceLock::new(),
            interest,
            outgoing,
            presence: PresenceState::default(),
            commands: Mutex::new(None),
            counters: Arc::default(),
            is_subscribed: AtomicBool::new(false),
            closing: CancellationToken::new(),
        }
    }

    /// Passes a signal to the handler.
    pub(super) fn deliver(&self, signal: Signal) {
        if let Some(handler) = self.handler.get() {
            handler(signal);
        }
    }

    /// The connection for everything but subscriptions, if there is one.
    pub(super) fn commands(&self) -> Option<Connection> {
        self.commands.lock().clone()
    }

    pub(super) fn subscribed(&self) {
        self.is_subscribed.store(true, Ordering::Release);
        tracing::info!(redis = self.target.label(), "connected to the other nodes");
    }

    pub(super) fn disconnected(&self, error: &RedisError) {
        self.counters.disconnects.add(1);
        self.counters.channels.set(0);
        // Only once for each outage, so that retries do not fill the log.
        if self.is_subscribed.swap(false, Ordering::AcqRel) || self.counters.disconnects.get() <= 1 {
            tracing::warn!(%error, redis = self.target.label(), "Redis is unavailable: changes of other nodes are read from the store");
        }
    }
}
