//! Nodes that reach each other over Redis: two connections a node, one to listen on and one for everything else.
//!
//! Each session has a channel, to which a node listens only while it has readers of it; each space has one, for
//! feeds; and there is one for every node. With Redis away nothing waits and nothing fails: signals are dropped and
//! counted, and the hub finds in the store what nobody told.

mod channel;
mod connection;
mod interest;
mod message;
mod presence;
mod publisher;
mod subscriber;

use super::{Broker, Connectivity, Counters, Ear, Ephemeral, Signal};
use crate::domain::{PrincipalId, SessionId, SpaceId};
use crate::supervisor::Supervisor;
use async_trait::async_trait;
use channel::{Channel, Names};
pub use connection::Target;
use connection::{Connection, is_lasting};
use interest::Interest;
use parking_lot::Mutex;
use presence::Roster;
use publisher::Outgoing;
use redis::RedisError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long a connection has to hold until the next one may be made at once again: a node that Redis cuts off for being
/// slow would come back only to be cut off, with all its subscriptions made anew each time.
const STEADY: Duration = Duration::from_secs(10);

/// What the broker's tasks share.
struct Shared {
    /// This run of this node.
    node: Uuid,
    target: Target,
    names: Names,
    ear: OnceLock<Ear>,
    interest: Interest,
    outgoing: Outgoing,
    roster: Roster,
    /// The connection for everything but listening, while there is one.
    commands: Mutex<Option<Connection>>,
    counters: Arc<Counters>,
    hears: AtomicBool,
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
            ear: OnceLock::new(),
            interest,
            outgoing,
            roster: Roster::default(),
            commands: Mutex::new(None),
            counters: Arc::default(),
            hears: AtomicBool::new(false),
            closing: CancellationToken::new(),
        };
        Self { shared: Arc::new(shared), signals: Mutex::new(Some(signals)), supervisor }
    }

    /// Fails if the settings don't fit the server, so that a wrong password is noticed at the start. A server that is
    /// away is no error: it may come.
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
    fn say(&self, signal: Signal) {
        if let Some(ear) = self.ear.get() {
            ear(signal);
        }
    }

    /// The connection for everything but listening, if there is one.
    fn commands(&self) -> Option<Connection> {
        self.commands.lock().clone()
    }

    fn hearing_found(&self) {
        self.hears.store(true, Ordering::Release);
        tracing::info!(redis = self.target.label(), "connected to the other nodes");
    }

    fn hearing_lost(&self, error: &RedisError) {
        self.counters.disconnects.add(1);
        self.counters.channels.set(0);
        // Each time anew would fill the log.
        if self.hears.swap(false, Ordering::AcqRel) || self.counters.disconnects.get() <= 1 {
            tracing::warn!(%error, redis = self.target.label(), "Redis is out of reach: what other nodes do is found in the store");
        }
    }
}

#[async_trait]
impl Broker for RedisBroker {
    fn listen(&self, ear: Ear) {
        if let (Some(signals), true) = (self.signals.lock().take(), self.shared.ear.set(ear).is_ok()) {
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
            // Not a hint among others: it has to be right when Redis comes back, too.
            return self.shared.roster.set(session, principal, participant, online);
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
        let both = self.shared.hears.load(Ordering::Acquire) && self.shared.commands.lock().is_some();
        if both { Connectivity::Connected } else { Connectivity::Disconnected }
    }

    fn counters(&self) -> Option<Arc<Counters>> {
        Some(Arc::clone(&self.shared.counters))
    }

    fn is_present_elsewhere(&self, session: SessionId, principal: PrincipalId) -> bool {
        self.shared.roster.is_elsewhere(session, principal)
    }

    async fn present_elsewhere(&self, session: SessionId) -> Option<Vec<PrincipalId>> {
        presence::elsewhere(&self.shared, session).await
    }

    async fn close(&self) {
        let connection = self.shared.commands();
        self.shared.closing.cancel();
        if let Some(connection) = connection {
            presence::take_leave(&self.shared, connection).await;
        }
    }
}
