//! Feeds: every participant of a session gets one frame for each of its events, subscribed to the session or not.
//!
//! As with timelines, hints decide when an event is sent and the store decides which. Each event is sent once, in the
//! order of its session. A hint that was lost (a full queue, a broker that drops) leaves a gap or is found by the tick,
//! and the event is read from the store.
//!
//! This file and `delivery.rs` refer to each other: [`Feeds::start`] starts the task, and the task works on the feeds.

mod delivery;
mod progress;

use super::subscriber::Subscriber;
use crate::broker::Broker;
use crate::clock::Clock;
use crate::domain::{ConnectionId, EventHint, PrincipalId, Scope, SessionId, SpaceId};
use crate::metrics::Metrics;
use crate::store::{Store, StoreResult};
use crate::supervisor::Supervisor;
use dashmap::DashMap;
use delivery::run;
use parking_lot::Mutex;
use progress::{FeedProgress, RETAIN_MILLIS};
use quick_cache::sync::Cache;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;
use tokio::sync::mpsc;

/// Sessions whose participants are cached.
const MAX_CACHED: usize = 10_000;
/// Most hints in the queue. Events whose hints do not fit are read from the store.
const MAX_QUEUE: usize = 65_536;

/// The owner of a feed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum FeedKey {
    /// Every session of the space.
    Space(SpaceId),
    /// The sessions in which this principal takes part.
    Principal(PrincipalId),
}

impl From<Scope> for FeedKey {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Space(space) => Self::Space(space),
            Scope::Member(_, id) => Self::Principal(id),
        }
    }
}

/// The participants of a session, and when they were read.
type CachedParticipants = (Instant, Arc<[PrincipalId]>);

pub(super) struct Feeds {
    store: Arc<dyn Store>,
    broker: Arc<dyn Broker>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    subscribers: DashMap<FeedKey, Vec<Arc<dyn Subscriber>>>,
    /// How many spaces have feeds. Read without the lock, so that a node without feeds ignores hints at no cost.
    spaces: AtomicUsize,
    /// A removal from a session is an event of it, which removes the entry. A revoked principal has no connection, so
    /// it may stay in an entry.
    participants: Cache<SessionId, CachedParticipants>,
    queue: mpsc::Sender<EventHint>,
    /// A hint was lost before it reached the queue.
    has_missed: AtomicBool,
    progress: Mutex<FeedProgress>,
    /// Held while the recently active sessions of a space are read, so that no second subscriber relies on them before.
    tracking: tokio::sync::Mutex<()>,
}

impl Feeds {
    pub(super) fn start(
        store: Arc<dyn Store>,
        broker: Arc<dyn Broker>,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
        supervisor: &Supervisor,
    ) -> Arc<Self> {
        let (queue, hints) = mpsc::channel(MAX_QUEUE);
        let feeds = Arc::new(Self {
            store,
            broker,
            subscribers: DashMap::new(),
            spaces: AtomicUsize::new(0),
            participants: Cache::new(MAX_CACHED),
            queue,
            has_missed: AtomicBool::new(false),
            progress: Mutex::new(FeedProgress::new(clock.now())),
            tracking: tokio::sync::Mutex::default(),
            clock,
            metrics,
        });
        let state = (Arc::downgrade(&feeds), hints);
        supervisor.spawn("feeds", state, |(feeds, hints)| Box::pin(run(feeds, hints)));
        feeds
    }

    /// Subscribes to every event within `scope` that is committed after this has returned.
    pub(super) async fn subscribe(&self, scope: Scope, subscriber: Arc<dyn Subscriber>) -> StoreResult<()> {
        let (connection, space) = (subscriber.id(), scope.space());
        self.subscribers.entry(scope.into()).or_default().push(subscriber);
        {
            // From here on the events of the space are delivered, and the tick does not release the space.
            let mut progress = self.progress.lock();
            if progress.add_feed(space) {
                self.broker.set_space_interest(space, true);
            }
            self.spaces.store(progress.spaces(), Ordering::SeqCst);
        }
        let tracked = self.track(space).await;
        if tracked.is_err() {
            self.unsubscribe(scope, connection);
        }
        tracked
    }

    pub(super) fn unsubscribe(&self, scope: Scope, connection: ConnectionId) {
        let key = FeedKey::from(scope);
        let mut ended = 0;
        if let Some(mut list) = self.subscribers.get_mut(&key) {
            let before = list.len();
            list.retain(|present| present.id() != connection);
            ended = before - list.len();
        }
        self.subscribers.remove_if(&key, |_, list| list.is_empty());
        let mut progress = self.progress.lock();
        (0..ended).for_each(|_| progress.remove_feed(scope.space()));
    }

    /// Reads the heads of the recently active sessions of a space, so that later events can be distinguished from
    /// earlier ones.
    async fn track(&self, space: SpaceId) -> StoreResult<()> {
        if self.progress.lock().is_tracked(space) {
            return Ok(());
        }
        let _turn = self.tracking.lock().await;
        if self.progress.lock().is_tracked(space) {
            return Ok(());
        }
        let since = self.clock.now().plus_millis(-RETAIN_MILLIS);
        let active = self.store.active_since(&[space], since).await?;
        let mut progress = self.progress.lock();
        for session in active {
            progress.note_delivered(space, session.id, session.last_seq, session.at);
        }
        progress.set_tracked(space);
        Ok(())
    }

    /// Queues the hint of a committed event. Costs nothing while there are no feeds.
    pub(super) fn offer(&self, hint: EventHint) {
        if self.spaces.load(Ordering::SeqCst) > 0 && self.queue.try_send(hint).is_err() {
            self.has_missed.store(true, Ordering::SeqCst);
        }
    }

    /// Notes that hints may have been lost.
    pub(super) fn resync(&self) {
        self.has_missed.store(true, Ordering::SeqCst);
    }

    /// Notes that the store was restored to a state before the delivered events of a session. Events that were written
    /// since are delivered.
    pub(super) fn reset(&self, session: SessionId) {
        self.progress.lock().note_restored(session);
        self.resync();
    }
}
