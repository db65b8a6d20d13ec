//! The broker over Redis. Each node has two connections: one for subscriptions, one for everything else.
//!
//! Each session has a channel, to which a node is subscribed only while it has readers of the session. Each space has a
//! channel for feeds, and one channel goes to every node. While Redis is unavailable nothing waits and nothing fails:
//! signals are dropped and counted, and the hub finds the changes in the store.

mod channel;
mod connection;
mod interest;
mod message;
mod presence;
mod publisher;
mod subscriber;

use super::{Broker, Connectivity, Counters, Ephemeral, Signal, SignalHandler};
use crate::domain::{PrincipalId, SessionId, SpaceId};
use crate::supervisor::Supervisor;
use async_trait::async_trait;
use channel::{Channel, Names};
pub use connection::Target;
use connection::{Connection, is_lasting};
use interest::Interest;
use parking_lot::Mutex;
use presence::PresenceState;
use publisher::Outgoing;
use redis::RedisError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long a connection has to last before the back-off of reconnects is reset: a node that Redis disconnects for being
/// slow would otherwise reconnect at once, only to be disconnected again, and renew all its subscriptions each time.
const STABLE_AFTER: Duration = Duration::from_secs(10);

/// What the broker's tasks share.
struct Shared {
    /// This run of this node.
    node: Uuid,
    target: Target,
    names: Names,
    handler: OnceLock<SignalHandler>,
    interest: Interest,
    outgoing: Outgoing,
    presence: PresenceState,
    /// The connection for everything but subscriptions, while there is one.
    commands: Mutex<Option<Connection>>,
    counters: Arc<Counters>,
    is_subscribed: AtomicBool,
    closing: CancellationToken,
}

pub struct RedisBroker {
    shared: Arc<Shared>,
    /// Taken by `listen`, which starts the tasks.
    signals: Mutex<Option<mpsc::Receiver<Signal>>>,
    supervisor: Supervisor,
}

impl RedisBroker {
    /// A broker for the nodes over the store with the id `store`; `listen` starts it.
    pub fn new(target: Target, store: &str, supervisor: Supervisor) -> Self {
        let (outgoing, signals) = Outgoing::new();
        let interest = Interest::default();
        interest.set(Channel::Nodes, true);
        let shared = Shared {
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
        };
        Self { shared: Arc::new(shared), signals: Mutex::new(Some(signals)), supervisor }
    }

    /// Fails if the server rejects the settings, so that a wrong password is noticed at the start. An unavailable server is
    /// no error, since it may become available later.
    pub async fn check(&self) -> Result<(), String> {
        let answer = self.shared.target.connect(Arc::new(|_| {})).await;
        match answer {
            Err(error) if is_lasting(&error) => {
                Err(error.detail().map_or_else(|| error.category().to_owned(), str::to_owned))
            }
            _ => Ok(()),
        }
    }
}

impl Shared {
    /// Passes a signal to the handler.
    fn deliver(&self, signal: Signal) {
        if let Some(handler) = self.handler.get() {
            handler(signal);
        }
    }

    /// The connection for everything but subscriptions, if there is one.
    fn commands(&self) -> Option<Connection> {
        self.commands.lock().clone()
    }

    fn subscribed(&self) {
        self.is_subscribed.store(true, Ordering::Release);
        tracing::info!(redis = self.target.label(), "connected to the other nodes");
    }

    fn disconnected(&self, error: &RedisError) {
        self.counters.disconnects.add(1);
        self.counters.channels.set(0);
        // Only once for each outage, so that retries do not fill the log.
        if self.is_subscribed.swap(false, Ordering::AcqRel) || self.counters.disconnects.get() <= 1 {
            tracing::warn!(%error, redis = self.target.label(), "Redis is unavailable: changes of other nodes are read from the store");
        }
    }
}

#[async_trait]
impl Broker for RedisBroker {
    fn listen(&self, handler: SignalHandler) {
        if let (Some(signals), true) = (self.signals.lock().take(), self.shared.handler.set(handler).is_ok()) {
            let shared = || Arc::clone(&self.shared);
            let run = &self.supervisor;
            run.spawn("redis subscriber", shared(), |shared| Box::pin(subscriber::run(Arc::clone(shared))));
            run.spawn("redis publisher", (shared(), signals), |(shared, signals)| {
                Box::pin(publisher::run(Arc::clone(shared), signals))
            });
            run.spawn("redis presence", shared(), |shared| Box::pin(presence::run(Arc::clone(shared))));
        }
    }

    fn publish(&self, signal: Signal) {
        if let Signal::Ephemeral(Ephemeral::Presence { session, participant, principal, online }) = signal {
            // Not a hint that may be dropped: it has to be correct after an outage of Redis, too.
            return self.shared.presence.set_local(session, principal, participant, online);
        }
        if !self.shared.outgoing.offer(signal) {
            self.shared.counters.dropped.add(1);
        }
    }

    fn set_interest(&self, session: SessionId, interested: bool) {
        self.shared.interest.set(Channel::Session(session), interested);
    }

    fn set_space_interest(&self, space: SpaceId, interested: bool) {
        self.shared.interest.set(Channel::Space(space), interested);
    }

    fn is_lossless(&self) -> bool {
        false
    }

    fn connectivity(&self) -> Connectivity {
        let both = self.shared.is_subscribed.load(Ordering::Acquire) && self.shared.commands.lock().is_some();
        if both { Connectivity::Connected } else { Connectivity::Disconnected }
    }

    fn counters(&self) -> Option<Arc<Counters>> {
        Some(Arc::clone(&self.shared.counters))
    }

    fn is_present_elsewhere(&self, session: SessionId, principal: PrincipalId) -> bool {
        self.shared.presence.is_present_elsewhere(session, principal)
    }

    async fn present_elsewhere(&self, session: SessionId) -> Option<Vec<PrincipalId>> {
        presence::elsewhere(&self.shared, session).await
    }

    async fn close(&self) {
        let connection = self.shared.commands();
        self.shared.closing.cancel();
        if let Some(connection) = connection {
            presence::withdraw(&self.shared, connection).await;
        }
    }
}
