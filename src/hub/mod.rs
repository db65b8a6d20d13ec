//! The live side of one node: subscribers, and the way of committed events to them.
//!
//! Everything in here is a hint. A reader that missed an event, or had no room for it, reads the store.
//!
//! This file and those of the background tasks (`presence/batches.rs`, `reconcile.rs`, `revocations.rs`) refer to each
//! other: [`Hub::start`] starts them, and they work on the hub.

mod dispatch;
mod ephemeral;
mod event_batch;
mod fan_out;
mod feed;
pub mod frame;
mod head_watch;
mod long_poll;
mod presence;
mod reconcile;
mod registry;
mod revocations;
pub mod subscriber;
mod subscriptions;
mod topic;
mod typing;

pub use event_batch::EventBatch;
pub use head_watch::HeadWatch;
pub use registry::ConnectionGuard;
pub use topic::Wake;

use crate::auth::RecentlyRevoked;
use crate::broker::{Broker, Ephemeral, Signal};
use crate::clock::Clock;
use crate::domain::{ConnectionId, SessionId};
use crate::limits::Connections;
use crate::metrics::Metrics;
use crate::store::Store;
use crate::supervisor::Supervisor;
use dashmap::DashMap;
use fan_out::WorkerHandle;
use feed::Feeds;
use parking_lot::Mutex;
use presence::Presence;
use presence::batches::{self, PresenceBatches};
use revocations::Revocations;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;
use subscriber::Connection;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use topic::Topic;
use typing::Typing;

/// Most sessions queued for a repair (an event is missing), and most queued for a comparison with the store.
const MAX_QUEUED_SESSIONS: usize = 1024;

pub struct Hub {
    broker: Arc<dyn Broker>,
    topics: DashMap<SessionId, Arc<Topic>>,
    workers: Vec<WorkerHandle>,
    /// Every open connection: sockets, event streams, long-polls.
    open: DashMap<ConnectionId, Arc<dyn Connection>>,
    connection_limits: Arc<Connections>,
    feeds: Arc<Feeds>,
    presence: Presence,
    presence_batches: Arc<PresenceBatches>,
    typing: Typing,
    revocations: Revocations,
    /// Ids that were revoked lately, on any node.
    revoked: Arc<RecentlyRevoked>,
    repairs: mpsc::Sender<SessionId>,
    comparisons: mpsc::Sender<SessionId>,
    /// When a transaction last ended with an unknown outcome: its events, if there are any, were not announced.
    in_doubt_since: Mutex<Option<Instant>>,
    draining: AtomicBool,
    metrics: Arc<Metrics>,
}

impl Hub {
    /// Starts the live side of this node. Revocations that other nodes announce are added to `revoked`.
    pub fn start(
        store: &Arc<dyn Store>,
        broker: Arc<dyn Broker>,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
        connection_limits: Arc<Connections>,
        revoked: Arc<RecentlyRevoked>,
        supervisor: &Supervisor,
    ) -> Arc<Self> {
        let workers = Handle::current().metrics().num_workers().min(64);
        let (repairs, to_repair) = mpsc::channel(MAX_QUEUED_SESSIONS);
        let (comparisons, to_compare) = mpsc::channel(MAX_QUEUED_SESSIONS);
        let for_revocations = Arc::clone(&clock);
        let hub = Arc::new_cyclic(|weak: &std::sync::Weak<Self>| {
            let announcer = weak.clone();
            let announce: typing::Announce = Box::new(move |session, actor, typing, to| {
                if let Some(hub) = announcer.upgrade() {
                    let ephemeral = Ephemeral::Typing { session, actor, typing };
                    match to {
                        typing::Recipients::LocalReaders => hub.send_here(&ephemeral),
                        typing::Recipients::OtherNodes => hub.broker.publish(Signal::Ephemeral(ephemeral)),
                    }
                }
            });
            Self {
                feeds: Feeds::start(Arc::clone(store), Arc::clone(&broker), clock, Arc::clone(&metrics), supervisor),
                broker,
                topics: DashMap::new(),
                workers: (0..workers).map(|_| WorkerHandle::start(supervisor, Arc::clone(&metrics))).collect(),
                open: DashMap::new(),
                connection_limits,
                presence: Presence::default(),
                presence_batches: Arc::default(),
                typing: Typing::start(announce, supervisor),
                revocations: Revocations::default(),
                revoked,
                repairs,
                comparisons,
                in_doubt_since: Mutex::default(),
                draining: AtomicBool::new(false),
                metrics,
            }
        });
        batches::start(&hub, supervisor);
        revocations::start(&hub, Arc::clone(store), for_revocations, supervisor);
        reconcile::start(&hub, store, supervisor, to_repair, to_compare);
        let handler = Arc::downgrade(&hub);
        hub.broker.listen(Arc::new(move |signal| {
            if let Some(hub) = handler.upgrade() {
                hub.accept(signal);
            }
        }));
        hub
    }

    /// The topic of a session, if the session has a reader on this node.
    fn topic(&self, session: SessionId) -> Option<Arc<Topic>> {
        self.topics.get(&session).map(|topic| Arc::clone(&topic))
    }
}
