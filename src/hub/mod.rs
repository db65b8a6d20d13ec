//! The live side of one node: who listens to what, and how committed events reach them.
//!
//! Everything in here is a hint. A reader that was not told, or could not take it, reads the store.

mod dispatch;
mod ephemeral;
mod feed;
pub mod frame;
mod lane;
mod long_poll;
mod presence;
mod reach;
mod reconcile;
mod registry;
mod revocations;
pub mod subscriber;
mod subscriptions;
mod topic;
mod typing;

use crate::auth::RecentlyRevoked;
use crate::broker::{Broker, Ephemeral, Signal};
use crate::clock::Clock;
use crate::domain::{ConnectionId, SessionId};
use crate::limits::Connections;
use crate::metrics::Metrics;
use crate::store::Store;
use crate::supervisor::Supervisor;
use dashmap::DashMap;
use feed::Feeds;
use lane::Lane;
pub use long_poll::Waiter;
use parking_lot::Mutex;
use presence::Presence;
use presence::crowds::{self, Crowds};
pub use reach::Stream;
pub use registry::Attendance;
use revocations::Revocations;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;
use subscriber::Endpoint;
use tokio::sync::mpsc;
use topic::Topic;
pub use topic::Woken;
use typing::Typing;

/// Sessions that wait to be read from the store because an event was missing, or to be compared with it.
const MAX_REPAIRS: usize = 1024;

pub struct Hub {
    broker: Arc<dyn Broker>,
    topics: DashMap<SessionId, Arc<Topic>>,
    lanes: Vec<Lane>,
    endpoints: DashMap<ConnectionId, Arc<dyn Endpoint>>,
    feeds: Arc<Feeds>,
    presence: Presence,
    crowds: Arc<Crowds>,
    revocations: Revocations,
    /// What was revoked, here or elsewhere.
    revoked: Arc<RecentlyRevoked>,
    typing: Typing,
    repairs: mpsc::Sender<SessionId>,
    metrics: Arc<Metrics>,
    connections: Arc<Connections>,
    looks: mpsc::Sender<SessionId>,
    /// When something may have been committed last that nobody will announce.
    doubted: Mutex<Option<Instant>>,
    draining: AtomicBool,
}

impl Hub {
    /// Starts the live side of this node. It notes in `revoked` what it hears of.
    pub fn start(
        store: &Arc<dyn Store>,
        broker: Arc<dyn Broker>,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
        connections: Arc<Connections>,
        revoked: Arc<RecentlyRevoked>,
        supervisor: &Supervisor,
    ) -> Arc<Self> {
        let lanes = std::thread::available_parallelism().map_or(1, usize::from).min(64);
        let (repairs, to_repair) = mpsc::channel(MAX_REPAIRS);
        let (looks, to_look_at) = mpsc::channel(MAX_REPAIRS);
        let for_revocations = Arc::clone(&clock);
        let hub = Arc::new_cyclic(|weak: &std::sync::Weak<Self>| {
            let announcer = weak.clone();
            let announce: typing::Announce = Box::new(move |session, actor, typing, to| {
                if let Some(hub) = announcer.upgrade() {
                    let ephemeral = Ephemeral::Typing { session, actor, typing };
                    match to {
                        typing::To::Readers => hub.show_here(&ephemeral),
                        typing::To::Nodes => hub.broker.publish(Signal::Ephemeral(ephemeral)),
                    }
                }
            });
            Self {
                feeds: Feeds::start(Arc::clone(store), Arc::clone(&broker), clock, Arc::clone(&metrics), supervisor),
                broker,
                topics: DashMap::new(),
                lanes: (0..lanes).map(|_| Lane::start(supervisor, Arc::clone(&metrics))).collect(),
                endpoints: DashMap::new(),
                presence: Presence::default(),
                crowds: Arc::default(),
                revocations: Revocations::default(),
                revoked,
                typing: Typing::start(announce, supervisor),
                repairs,
                metrics,
                connections,
                looks,
                doubted: Mutex::default(),
                draining: AtomicBool::new(false),
            }
        });
        crowds::start(&hub, supervisor);
        revocations::start(&hub, Arc::clone(store), for_revocations, supervisor);
        reconcile::start(&hub, store, supervisor, to_repair, to_look_at);
        let ear = Arc::downgrade(&hub);
        hub.broker.listen(Arc::new(move |signal| {
            if let Some(hub) = ear.upgrade() {
                hub.accept(signal);
            }
        }));
        hub
    }
}
