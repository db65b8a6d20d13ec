//! Feeds: tells everyone who takes part in a session about its events, whether or not they are subscribed to it.
//!
//! As with timelines, what arrives here is a hint and the store is the truth. Each event is told once, in the order
//! of its session; a hint that was lost (a full queue, a broker that drops) is noticed by the hole that it leaves or
//! by the tick, and read from the store.

mod told;

use super::subscriber::Subscriber;
use crate::broker::Broker;
use crate::clock::Clock;
use crate::domain::{ConnectionId, EventHint, EventType, PrincipalId, Scope, SessionId, SpaceId, Timestamp};
use crate::metrics::{During, Metrics};
use crate::protocol::frame::hub::feed_frame;
use crate::store::{Store, StoreResult};
use crate::supervisor::Supervisor;
use dashmap::DashMap;
use parking_lot::Mutex;
use quick_cache::sync::Cache;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use told::{FRESH_MILLIS, Place, REMEMBER_MILLIS, Told};

/// Sessions whose participants are remembered.
const MAX_CACHED: usize = 10_000;
/// How long, in case something changed that is neither an event of theirs nor a revocation: not so short that busy
/// sessions cost a query each again and again.
const CACHE_FOR: Duration = Duration::from_secs(60);
/// Most hints that wait to be told; the store has the others.
const MAX_QUEUE: usize = 65_536;
/// How often the store is asked what nobody announced.
const TICK: Duration = Duration::from_secs(1);
/// How much further back than the last look each look goes: nodes' clocks differ, and a commit may be seen long after
/// the time that it bears. What is that young and unknown has not been told, so the two must agree; what is known is
/// passed over without a look at the store.
const OVERLAP_MILLIS: i64 = FRESH_MILLIS;
/// Most events, and about how many bytes, of one read.
const PAGE: i64 = 64;
const PAGE_BYTES: i64 = 1024 * 1024;

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

    /// Whether every hint has come, and in order.
    fn has_missed_nothing(&self) -> bool {
        self.broker.is_lossless() && !self.missed.load(Ordering::SeqCst)
    }

    async fn take(&self, hint: &EventHint) {
        let place = {
            let told = self.told.lock();
            // Nobody waits for it, and the store is not asked who would. Whoever follows the space later is told of what
            // is committed later.
            if !told.is_followed(hint.space) {
                return;
            }
            told.place(hint.session, hint.seq, hint.at)
        };
        let done = match place {
            Place::Known => Ok(()),
            Place::Next => self.tell_now(hint).await,
            Place::Unknown if hint.seq == 1 || self.has_missed_nothing() => self.tell_now(hint).await,
            Place::Ahead(_) | Place::Unknown | Place::Undone(_) => {
                self.catch_up(hint.space, hint.session, hint.seq, hint.at).await
            }
        };
        if let Err(error) = done {
            self.metrics.store_failed(During::Reconcile, &error, "feeds wait for the store");
            self.missed.store(true, Ordering::SeqCst);
        }
    }

    /// Tells of one event. Called by one task alone, in the order of each session.
    async fn tell_now(&self, hint: &EventHint) -> StoreResult<()> {
        // Here and not where the hint came in: it may have been lost, and whatever is read from now on was committed.
        if matches!(hint.kind, EventType::ParticipantAdded | EventType::ParticipantRemoved) {
            self.members.remove(&hint.session);
        }
        let members = self.members_of(hint.space, hint.session).await?;
        let frame = feed_frame(hint);
        let keys = members.iter().map(|id| FeedKey::Principal(*id)).chain([FeedKey::Space(hint.space)]);
        for key in keys {
            if let Some(list) = self.followers.get(&key) {
                let behind = list.iter().filter(|follower| !follower.feed(hint.session, hint.seq, &frame));
                self.metrics.dropped_feed.inc_by(behind.count() as u64);
            }
        }
        self.told.lock().note(hint.space, hint.session, hint.seq, hint.at);
        Ok(())
    }

    /// Tells what the store has of a session and feeds have not been told; it reaches at least to `seq`, an event of the
    /// time `at`.
    async fn catch_up(&self, space: SpaceId, session: SessionId, seq: i64, time: Timestamp) -> StoreResult<()> {
        let place = self.told.lock().place(session, seq, time);
        let mut at = match place {
            Place::Known => return Ok(()),
            Place::Next => seq - 1,
            Place::Ahead(told) => told,
            Place::Unknown => {
                let fresh = self.told.lock().looked.plus_millis(-FRESH_MILLIS);
                self.older(space, session, seq, fresh).await?
            }
            // Told since the store went back.
            Place::Undone(told) if told == time => {
                self.told.lock().undo(session);
                self.told.lock().note(space, session, seq, time);
                return Ok(());
            }
            Place::Undone(told) => {
                self.told.lock().undo(session);
                self.older(space, session, seq, told.plus_millis(1)).await?
            }
        };
        loop {
            let page = self.store.events_after(Scope::Space(space), session, at, PAGE, PAGE_BYTES).await?;
            let events = page.map(|page| page.events).unwrap_or_default();
            let Some(last) = events.last() else { return Ok(()) };
            at = last.seq;
            for event in &events {
                self.tell_now(&event.into()).await?;
            }
        }
    }

    /// After which `seq` the events of a session begin, of those up to `seq`, that are not older than `floor`.
    async fn older(&self, space: SpaceId, session: SessionId, seq: i64, floor: Timestamp) -> StoreResult<i64> {
        Ok(self.store.last_older(Scope::Space(space), session, seq, floor).await?.unwrap_or(seq - 1))
    }

    async fn members_of(&self, space: SpaceId, session: SessionId) -> StoreResult<Arc<[PrincipalId]>> {
        if let Some((since, members)) = self.members.get(&session)
            && since.elapsed() < CACHE_FOR
        {
            return Ok(members);
        }
        let members: Arc<[PrincipalId]> = self.store.member_ids(space, session).await?.into();
        self.members.insert(session, (Instant::now(), Arc::clone(&members)));
        Ok(members)
    }

    /// Lets go of the spaces that nobody follows any more.
    fn let_go(&self) {
        // Under the lock, so that who begins to follow one meanwhile is not left without its hints.
        let mut told = self.told.lock();
        for space in told.let_go() {
            self.broker.set_space_interest(space, false);
        }
        self.spaces.store(told.followed(), Ordering::SeqCst);
    }

    /// Asks the store which sessions have moved since the last look, and tells what nobody announced.
    async fn look_for_missed(&self) -> StoreResult<()> {
        let (spaces, looked) = {
            let told = self.told.lock();
            (told.tracked(), told.looked)
        };
        if spaces.is_empty() {
            return Ok(());
        }
        for session in self.store.active_since(&spaces, looked.plus_millis(-OVERLAP_MILLIS)).await? {
            self.catch_up(session.space, session.id, session.last_seq, session.at).await?;
        }
        Ok(())
    }

    /// What there is to do every second.
    async fn tick(&self) {
        let now = self.clock.now();
        self.let_go();
        if (self.missed.swap(false, Ordering::SeqCst) || !self.broker.is_lossless())
            && let Err(error) = self.look_for_missed().await
        {
            self.missed.store(true, Ordering::SeqCst);
            self.metrics.store_failed(During::Reconcile, &error, "cannot compare feeds with the store");
            return;
        }
        self.told.lock().looked_at(now);
    }
}

async fn run(feeds: &Weak<Feeds>, hints: &mut mpsc::Receiver<EventHint>) {
    if let Some(feeds) = feeds.upgrade() {
        // After a panic, one hint may be lost.
        feeds.resync();
    }
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            // A full queue must not keep the tick from making good what did not fit into it.
            biased;
            _ = ticks.tick() => {
                let Some(feeds) = feeds.upgrade() else { return };
                feeds.tick().await;
            }
            hint = hints.recv() => {
                let (Some(feeds), Some(hint)) = (feeds.upgrade(), hint) else { return };
                feeds.take(&hint).await;
            }
        }
    }
}
