//! Delivers events to feeds: as their hints arrive, and from the store where a hint was lost.

use super::progress::{Arrival, FRESH_MILLIS};
use super::{FeedKey, Feeds};
use crate::domain::{EventHint, EventType, PrincipalId, Scope, SessionId, SpaceId, Timestamp};
use crate::metrics::During;
use crate::protocol::frame::hub::feed_frame;
use crate::store::StoreResult;
use crate::timeline::reader::{CatchUp, Gap, Position, catch_up};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How long participants are cached, in case of a change that is neither an event of the session nor a revocation. Long
/// enough that a busy session costs no query for each event.
const CACHE_FOR: Duration = Duration::from_secs(60);
/// How often the store is asked for sessions that have changed without a hint.
const TICK: Duration = Duration::from_secs(1);
/// How far before the last comparison each comparison begins: nodes' clocks differ, and a commit may become visible
/// long after the time that its event bears. An unknown event that is this young was not delivered, so this must equal
/// [`FRESH_MILLIS`]. A known one is skipped without reading the store.
const OVERLAP_MILLIS: i64 = FRESH_MILLIS;

impl Feeds {
    /// Whether every hint has arrived, and in order.
    fn has_missed_nothing(&self) -> bool {
        self.broker.is_lossless() && !self.has_missed.load(Ordering::SeqCst)
    }

    async fn handle(&self, hint: &EventHint) {
        let arrival = {
            let progress = self.progress.lock();
            // A space without feeds costs no query. A later subscriber gets what is committed later.
            if !progress.has_feeds(hint.space) {
                return;
            }
            progress.compare(hint.session, hint.seq, hint.at)
        };
        let done = match arrival {
            Arrival::Duplicate => Ok(()),
            Arrival::Next => self.deliver(hint).await,
            Arrival::Unknown if hint.seq == 1 || self.has_missed_nothing() => self.deliver(hint).await,
            Arrival::Gap(_) | Arrival::Unknown | Arrival::Restored(_) => {
                self.deliver_missing(hint.space, hint.session, hint.seq, hint.at).await
            }
        };
        if let Err(error) = done {
            self.metrics.store_failed(During::Reconcile, &error, "feeds wait for the store");
            self.resync();
        }
    }

    /// Delivers one event. Called by one task only, in the order of each session.
    async fn deliver(&self, hint: &EventHint) -> StoreResult<()> {
        // Removed here and not when the hint was queued: a hint may be lost, and what is read from now on is committed.
        if matches!(hint.kind, EventType::ParticipantAdded | EventType::ParticipantRemoved) {
            self.participants.remove(&hint.session);
        }
        let participants = self.participants_of(hint.space, hint.session).await?;
        let frame = feed_frame(hint);
        let keys = participants.iter().map(|id| FeedKey::Principal(*id)).chain([FeedKey::Space(hint.space)]);
        for key in keys {
            if let Some(list) = self.subscribers.get(&key) {
                let behind = list.iter().filter(|subscriber| !subscriber.deliver_feed(hint.session, hint.seq, &frame));
                self.metrics.dropped_feed.inc_by(behind.count() as u64);
            }
        }
        self.progress.lock().note_delivered(hint.space, hint.session, hint.seq, hint.at);
        Ok(())
    }

    /// Delivers the events of a session that the store has and feeds have not got. The timeline reaches at least to the
    /// event `seq`, which has the time `time`.
    async fn deliver_missing(&self, space: SpaceId, session: SessionId, seq: i64, time: Timestamp) -> StoreResult<()> {
        let arrival = self.progress.lock().compare(session, seq, time);
        let mut after = match arrival {
            Arrival::Duplicate => return Ok(()),
            Arrival::Next => Position::untimed(seq - 1),
            Arrival::Gap(position) => position,
            Arrival::Unknown => {
                let fresh = self.progress.lock().compared_at.plus_millis(-FRESH_MILLIS);
                self.before(space, session, seq, fresh).await?
            }
            // Delivered since the store was restored.
            Arrival::Restored(delivered) if delivered == time => {
                let mut progress = self.progress.lock();
                progress.note_restored(session);
                progress.note_delivered(space, session, seq, time);
                return Ok(());
            }
            Arrival::Restored(delivered) => {
                self.progress.lock().note_restored(session);
                self.before(space, session, seq, delivered.plus_millis(1)).await?
            }
        };
        loop {
            let gap = Gap { after, to: seq };
            let page = match catch_up(&*self.store, Scope::Space(space), session, gap).await? {
                CatchUp::Page(page) => page,
                CatchUp::OutOfScope => return Ok(()),
                CatchUp::Restored(_) => {
                    // The tick finds what was written since.
                    self.reset(session);
                    return Ok(());
                }
            };
            let Some(last) = page.events.last() else { return Ok(()) };
            after = Position::untimed(last.seq);
            for event in &page.events {
                self.deliver(&event.into()).await?;
            }
        }
    }

    /// The position before the first event of a session, up to `seq`, that is not older than `floor`.
    async fn before(&self, space: SpaceId, session: SessionId, seq: i64, floor: Timestamp) -> StoreResult<Position> {
        let last_older = self.store.last_older(Scope::Space(space), session, seq, floor).await?;
        Ok(Position::untimed(last_older.unwrap_or(seq - 1)))
    }

    async fn participants_of(&self, space: SpaceId, session: SessionId) -> StoreResult<Arc<[PrincipalId]>> {
        if let Some((since, participants)) = self.participants.get(&session)
            && since.elapsed() < CACHE_FOR
        {
            return Ok(participants);
        }
        let participants: Arc<[PrincipalId]> = self.store.member_ids(space, session).await?.into();
        self.participants.insert(session, (Instant::now(), Arc::clone(&participants)));
        Ok(participants)
    }

    /// Releases the spaces that have no feeds any more.
    fn release_spaces(&self) {
        // Under the lock, so that a subscriber that begins meanwhile sets the interest after this.
        let mut progress = self.progress.lock();
        for space in progress.release_spaces() {
            self.broker.set_space_interest(space, false);
        }
        self.spaces.store(progress.spaces(), Ordering::SeqCst);
    }

    /// Asks the store which sessions have changed since the last comparison, and delivers events without a hint.
    async fn find_missed(&self) -> StoreResult<()> {
        let (spaces, compared_at) = {
            let progress = self.progress.lock();
            (progress.tracked(), progress.compared_at)
        };
        if spaces.is_empty() {
            return Ok(());
        }
        for session in self.store.active_since(&spaces, compared_at.plus_millis(-OVERLAP_MILLIS)).await? {
            self.deliver_missing(session.space, session.id, session.last_seq, session.at).await?;
        }
        Ok(())
    }

    async fn tick(&self) {
        let now = self.clock.now();
        self.release_spaces();
        if (self.has_missed.swap(false, Ordering::SeqCst) || !self.broker.is_lossless())
            && let Err(error) = self.find_missed().await
        {
            self.resync();
            self.metrics.store_failed(During::Reconcile, &error, "cannot compare feeds with the store");
            return;
        }
        self.progress.lock().note_compared(now);
    }
}

pub(super) async fn run(feeds: &Weak<Feeds>, hints: &mut mpsc::Receiver<EventHint>) {
    if let Some(feeds) = feeds.upgrade() {
        // A panic may have lost a hint.
        feeds.resync();
    }
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            // A full queue must not delay the tick, which finds what did not fit into it.
            biased;
            _ = ticks.tick() => {
                let Some(feeds) = feeds.upgrade() else { return };
                feeds.tick().await;
            }
            hint = hints.recv() => {
                let (Some(feeds), Some(hint)) = (feeds.upgrade(), hint) else { return };
                feeds.handle(&hint).await;
            }
        }
    }
}
