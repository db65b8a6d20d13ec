//! The broker over Redis. Each node has two connections: one for subscriptions, one for everything else.
//!
//! Each session has a channel, to which a node is subscribed only while it has readers of the session. Each space has a
//! channel for feeds, and one channel goes to every node. While Redis is unavailable nothing waits and nothing fails:
//! signals are dropped and counted, and the hub finds the changes in the store.

mod channel;
mod connection;
mod interest;
mod message;
mod outgoing;
mod presence;
mod publisher;
mod shared;
mod subscriber;

use super::{Broker, Connectivity, Ephemeral, Signal, SignalHandler};
use crate::domain::{PrincipalId, SessionId, SpaceId};
use crate::metrics::SignalCounts;
use crate::supervisor::Supervisor;
use async_trait::async_trait;
use channel::Channel;
pub use connection::Target;
use connection::is_lasting;
use interest::Interest;
use outgoing::Outgoing;
use parking_lot::Mutex;
use shared::Shared;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::mpsc;

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
        let shared = Shared::new(target, store, interest, outgoing);
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
            return self.shared.presence.local.set(session, principal, participant, online);
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

    fn counters(&self) -> Option<Arc<SignalCounts>> {
        Some(Arc::clone(&self.shared.counters))
    }

    fn is_present_elsewhere(&self, session: SessionId, principal: PrincipalId) -> bool {
        self.shared.presence.remote.is_present(session, principal)
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
