//! Tells feeds of events: as their hints come, and from the store where a hint was lost.

use super::told::{FRESH_MILLIS, Place};
use super::{FeedKey, Feeds};
use crate::domain::{EventHint, EventType, PrincipalId, Scope, SessionId, SpaceId, Timestamp};
use crate::metrics::During;
use crate::protocol::frame::hub::feed_frame;
use crate::store::StoreResult;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How long, in case something changed that is neither an event of theirs nor a revocation: not so short that busy
/// sessions cost a query each again and again.
const CACHE_FOR: Duration = Duration::from_secs(60);
/// How often the store is asked what nobody announced.
const TICK: Duration = Duration::from_secs(1);
/// How much further back than the last look each look goes: nodes' clocks differ, and a commit may be seen long after
/// the time that it bears. What is that young and unknown has not been told, so the two must agree; what is known is
/// passed over without a look at the store.
const OVERLAP_MILLIS: i64 = FRESH_MILLIS;
/// Most events, and about how many bytes, of one read.
const PAGE: i64 = 64;
const PAGE_BYTES: i64 = 1024 * 1024;

impl Feeds {
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

pub(super) async fn run(feeds: &Weak<Feeds>, hints: &mut mpsc::Receiver<EventHint>) {
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
