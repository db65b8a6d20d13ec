//! Feeds: tells everyone who takes part in a session about its events, whether or not they are subscribed to it.
//!
//! As with timelines, what arrives here is a hint and the store is the truth. Each event is told once, in the order
//! of its session; a hint that was lost (a full queue, a broker that drops) is noticed by the hole that it leaves or
//! by the tick, and read from the store.

mod told;

use super::frame::feed_frame;
use super::subscriber::Subscriber;
use crate::broker::Broker;
use crate::clock::Clock;
use crate::domain::{ConnectionId, EventHint, EventType, PrincipalId, Scope, SessionId, SpaceId, Timestamp};
use crate::metrics::{During, Metrics};
use crate::store::{Store, StoreResult};
use crate::supervisor::Supervisor;
use dashmap::DashMap;
use parking_lot::Mutex;
use quick_cache::sync::Cache;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
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

struct Follower {
    subscriber: Arc<dyn Subscriber>,
    space: SpaceId,
}

type Members = (Instant, Arc<[PrincipalId]>);

pub(super) struct Feeds {
    store: Arc<dyn Store>,
    broker: Arc<dyn Broker>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    followers: DashMap<FeedKey, Vec<Follower>>,
    count: AtomicUsize,
    members: Cache<SessionId, Members>,
    /// How often all of them were forgotten, so that what was being read meanwhile is not remembered.
    forgotten: AtomicU64,
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
            count: AtomicUsize::new(0),
            members: Cache::new(MAX_CACHED),
            forgotten: AtomicU64::new(0),
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
        let connection = subscriber.id();
        let follower = Follower { subscriber, space: scope.space() };
        // First of all, so that the tick does not let go of its spaces.
        self.followers.entry(scope.into()).or_default().push(follower);
        self.count.fetch_add(1, Ordering::SeqCst);
        let tracked = self.track(scope.space()).await;
        if tracked.is_err() {
            self.unsubscribe(scope, connection);
        }
        tracked
    }

    pub(super) fn unsubscribe(&self, scope: Scope, connection: ConnectionId) {
        let key = FeedKey::from(scope);
        if let Some(mut list) = self.followers.get_mut(&key) {
            let before = list.len();
            list.retain(|present| present.subscriber.id() != connection);
            self.count.fetch_sub(before - list.len(), Ordering::SeqCst);
        }
        self.followers.remove_if(&key, |_, list| list.is_empty());
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
        self.broker.set_space_interest(space, true);
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
        if self.count.load(Ordering::SeqCst) > 0 && self.queue.try_send(hint).is_err() {
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
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        let place = self.told.lock().place(hint.session, hint.seq, hint.at);
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
                let behind = list.iter().filter(|follower| !follower.subscriber.feed(hint.session, hint.seq, &frame));
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
                self.before(fresh, space, session, seq).await?
            }
            // Told since the store went back.
            Place::Undone(told) if told == time => {
                self.told.lock().undo(session);
                self.told.lock().note(space, session, seq, time);
                return Ok(());
            }
            Place::Undone(told) => {
                self.told.lock().undo(session);
                self.before(told.plus_millis(1), space, session, seq).await?
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

    /// The `seq` before the first event, of those up to `seq`, that is not older than `floor`.
    async fn before(&self, floor: Timestamp, space: SpaceId, session: SessionId, seq: i64) -> StoreResult<i64> {
        let mut before = seq - 1;
        while before > 0 {
            let from = (before - PAGE).max(0);
            let page = self.store.events_after(Scope::Space(space), session, from, PAGE, i64::MAX).await?;
            let Some(page) = page else { return Ok(before) };
            let old = page.events.iter().rev().find(|event| event.seq <= before && event.at < floor);
            match old {
                Some(event) => return Ok(event.seq),
                // Retention has taken what stood further back.
                None if from < page.head.first_seq => return Ok(page.head.first_seq - 1),
                None => before = from,
            }
        }
        Ok(0)
    }

    async fn members_of(&self, space: SpaceId, session: SessionId) -> StoreResult<Arc<[PrincipalId]>> {
        if let Some((since, members)) = self.members.get(&session)
            && since.elapsed() < CACHE_FOR
        {
            return Ok(members);
        }
        let forgotten = self.forgotten.load(Ordering::SeqCst);
        let members: Arc<[PrincipalId]> = self.store.member_ids(space, session).await?.into();
        self.members.insert(session, (Instant::now(), Arc::clone(&members)));
        if self.forgotten.load(Ordering::SeqCst) != forgotten {
            self.members.remove(&session);
        }
        Ok(members)
    }

    /// Somebody was revoked: who takes part in what is asked anew.
    pub(super) fn forget_members(&self) {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        self.members.clear();
    }

    /// Lets go of the spaces that nobody follows any more.
    fn review_spaces(&self) {
        let followers = self.followers.iter();
        let wanted =
            followers.flat_map(|list| list.iter().map(|follower| follower.space).collect::<Vec<_>>()).collect();
        // What is young in a space that begins here is told though it may be older than the follower: better twice
        // than never.
        let (begun, gone) = self.told.lock().track_only(&wanted);
        begun.into_iter().for_each(|space| self.broker.set_space_interest(space, true));
        gone.into_iter().for_each(|space| self.broker.set_space_interest(space, false));
    }

    /// Asks the store which sessions have moved since the last look, and tells what nobody announced.
    async fn look_for_missed(&self) -> StoreResult<()> {
        self.review_spaces();
        let (spaces, looked) = {
            let told = self.told.lock();
            (told.tracked(), told.looked)
        };
        for session in self.store.active_since(&spaces, looked.plus_millis(-OVERLAP_MILLIS)).await? {
            self.catch_up(session.space, session.id, session.last_seq, session.at).await?;
        }
        Ok(())
    }

    /// What there is to do every second.
    async fn tick(&self) {
        let now = self.clock.now();
        if self.count.load(Ordering::SeqCst) == 0 {
            let (_, gone) = self.told.lock().track_only(&HashSet::new());
            gone.into_iter().for_each(|space| self.broker.set_space_interest(space, false));
        } else if (self.missed.swap(false, Ordering::SeqCst) || !self.broker.is_lossless())
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
