//! Feeds: tells everyone who takes part in a session about its events, whether or not they are subscribed to it.
//!
//! As with timelines, what arrives here is a hint and the store is the truth. Each event is told once, in the order
//! of its session; a hint that was lost (a full queue, a broker that drops) is noticed by the hole that it leaves or
//! by the tick, and read from the store.

mod tell;
mod told;

use super::subscriber::Subscriber;
use crate::broker::Broker;
use crate::clock::Clock;
use crate::domain::{ConnectionId, EventHint, PrincipalId, Scope, SessionId, SpaceId};
use crate::metrics::Metrics;
use crate::store::{Store, StoreResult};
use crate::supervisor::Supervisor;
use dashmap::DashMap;
use parking_lot::Mutex;
use quick_cache::sync::Cache;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;
use tell::run;
use tokio::sync::mpsc;
use told::{REMEMBER_MILLIS, Told};

/// Sessions whose participants are remembered.
const MAX_CACHED: usize = 10_000;
/// Most hints that wait to be told; the store has the others.
const MAX_QUEUE: usize = 65_536;

/// Whose feed it is.
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

type Members = (Instant, Arc<[PrincipalId]>);

pub(super) struct Feeds {
    store: Arc<dyn Store>,
    broker: Arc<dyn Broker>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    followers: DashMap<FeedKey, Vec<Arc<dyn Subscriber>>>,
    /// How many spaces are followed, for who has only to know whether there is one.
    spaces: AtomicUsize,
    /// Who is removed from a session is so by an event of it; who is revoked has no socket any more, and need not be
    /// looked up anew.
    members: Cache<SessionId, Members>,
    queue: mpsc::Sender<EventHint>,
    /// A hint was lost on the way through here.
    missed: AtomicBool,
    told: Mutex<Told>,
    /// Held by whoever starts to track a space, so that nobody counts on it before that is done.
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
            followers: DashMap::new(),
            spaces: AtomicUsize::new(0),
            members: Cache::new(MAX_CACHED),
            queue,
            missed: AtomicBool::new(false),
            told: Mutex::new(Told::new(clock.now())),
            tracking: tokio::sync::Mutex::default(),
            clock,
            metrics,
        });
        let state = (Arc::downgrade(&feeds), hints);
        supervisor.spawn("feeds", state, |(feeds, hints)| Box::pin(run(feeds, hints)));
        feeds
    }

    /// Tells the subscriber of every event, within `scope`, that is committed after this has returned.
    pub(super) async fn subscribe(&self, scope: Scope, subscriber: Arc<dyn Subscriber>) -> StoreResult<()> {
        let (connection, space) = (subscriber.id(), scope.space());
        self.followers.entry(scope.into()).or_default().push(subscriber);
        {
            // From here on what is committed in the space is told, and the tick does not let go of it.
            let mut told = self.told.lock();
            if told.follow(space) {
                self.broker.set_space_interest(space, true);
            }
            self.spaces.store(told.followed(), Ordering::SeqCst);
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
        if let Some(mut list) = self.followers.get_mut(&key) {
            let before = list.len();
            list.retain(|present| present.id() != connection);
            ended = before - list.len();
        }
        self.followers.remove_if(&key, |_, list| list.is_empty());
        let mut told = self.told.lock();
        (0..ended).for_each(|_| told.unfollow(scope.space()));
    }

    /// Learns where the recently active sessions of a space stand, so that what comes after it can be told from
    /// what came before.
    async fn track(&self, space: SpaceId) -> StoreResult<()> {
        if self.told.lock().is_tracked(space) {
            return Ok(());
        }
        let _turn = self.tracking.lock().await;
        if self.told.lock().is_tracked(space) {
            return Ok(());
        }
        let since = self.clock.now().plus_millis(-REMEMBER_MILLIS);
        let active = self.store.active_since(&[space], since).await?;
        let mut told = self.told.lock();
        for session in active {
            told.note(space, session.id, session.last_seq, session.at);
        }
        told.track(space);
        Ok(())
    }

    /// Takes a hint that an event was committed. Costs nothing while nobody has a feed.
    pub(super) fn tell(&self, hint: EventHint) {
        if self.spaces.load(Ordering::SeqCst) > 0 && self.queue.try_send(hint).is_err() {
            self.missed.store(true, Ordering::SeqCst);
        }
    }

    /// Hints may have been lost between the nodes.
    pub(super) fn resync(&self) {
        self.missed.store(true, Ordering::SeqCst);
    }

    /// The store went back behind what was told of a session: what was written since is told.
    pub(super) fn reset(&self, session: SessionId) {
        self.told.lock().undo(session);
        self.resync();
    }
}
