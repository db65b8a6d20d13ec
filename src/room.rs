//! Room for the bodies of requests: how much memory they may take at a time, all together and those of one payer.
//!
//! A body is promised its room as a whole before any of it is read, so that those which are half there never wait for
//! each other; and keeps it until its request is answered, unless it arrives slowly while others wait. Small bodies need
//! no promise: there are no more of them than there are connections, whose buffers are as large.

use crate::domain::{Origin, Principal, Scope};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

/// Of all callers that are known.
const KNOWN: usize = 32 << 20;
/// Of those who are still to say who they are.
const STRANGERS: usize = 8 << 20;
/// The part of it that one payer may take.
const SHARE: usize = 4;
/// What a known caller's body may take without a promise, and a stranger's.
const SMALL: usize = 16 << 10;
const TINY: usize = 1 << 10;
/// How long a body waits for its room before the caller is told to come back.
const WAIT: Duration = Duration::from_secs(10);
/// Bytes that one permit stands for.
const UNIT: usize = 1 << 10;
/// So many payers are remembered before those who hold nothing are forgotten.
const MANY: usize = 1024;

/// Who a body's room is counted for: a space, so that none can take up all, or an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Payer {
    Known(Uuid),
    Stranger(Origin),
}

impl Payer {
    pub fn of(principal: &Principal) -> Self {
        Self::Known(match principal.scope() {
            Scope::Space(space) | Scope::Member(space, _) => space.0,
        })
    }

    /// What its bodies may take without a promise.
    pub(crate) fn small(self) -> usize {
        match self {
            Self::Known(_) => SMALL,
            Self::Stranger(_) => TINY,
        }
    }
}

/// The node's room for bodies.
pub struct Room {
    known: Hall,
    strangers: Hall,
    /// Large bodies are read one after the other, away from the threads that serve everybody.
    pub(crate) reader: Semaphore,
    /// Many names are looked up by few requests at a time, so that connections to the store are left for others.
    pub(crate) many_names: Semaphore,
}

/// Room that has been promised, until it is dropped: of its payer's share, and of all.
pub struct Held([Taken; 2]);

impl Held {
    /// Whether others wait for room that this is part of.
    pub(crate) fn is_wanted(&self) -> bool {
        self.0.iter().any(|taken| taken.of.waiting.load(Ordering::Relaxed) > 0)
    }
}

impl Room {
    /// Room for bodies of which the largest has so many bytes.
    pub fn new(largest: usize) -> Self {
        Self {
            known: Hall::new(KNOWN.max(largest * SHARE)),
            strangers: Hall::new(STRANGERS),
            reader: Semaphore::new(1),
            many_names: Semaphore::new(2),
        }
    }

    /// Room for a body of so many bytes; none if there is none in time.
    pub(crate) async fn take(&self, payer: Payer, bytes: usize) -> Option<Held> {
        let hall = match payer {
            Payer::Known(_) => &self.known,
            Payer::Stranger(_) => &self.strangers,
        };
        tokio::time::timeout(WAIT, hall.take(payer, bytes)).await.ok().flatten()
    }

    /// Bytes that are left for callers who are known.
    pub fn left(&self) -> usize {
        self.known.all.permits.available_permits() * UNIT
    }
}

/// Permits for room, and how many wait for some.
struct Budget {
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
}

struct Taken {
    of: Arc<Budget>,
    _permit: OwnedSemaphorePermit,
}

/// One that waits, until this is dropped.
struct Waits<'a>(&'a Budget);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Budget {
    fn new(units: usize) -> Arc<Self> {
        Arc::new(Self { permits: Arc::new(Semaphore::new(units)), waiting: AtomicUsize::new(0) })
    }

    /// Takes so many units, in turn. None only where the permits are closed, which they never are.
    async fn take(self: &Arc<Self>, units: u32) -> Option<Taken> {
        let permit = match Arc::clone(&self.permits).try_acquire_many_owned(units) {
            Ok(permit) => permit,
            Err(_) => {
                self.waiting.fetch_add(1, Ordering::Relaxed);
                let _waits = Waits(self);
                Arc::clone(&self.permits).acquire_many_owned(units).await.ok()?
            }
        };
        Some(Taken { of: Arc::clone(self), _permit: permit })
    }
}

struct Hall {
    all: Arc<Budget>,
    /// Units that one payer may hold.
    share: usize,
    shares: Mutex<HashMap<Payer, Weak<Budget>>>,
}

impl Hall {
    fn new(bytes: usize) -> Self {
        let units = bytes / UNIT;
        Self { all: Budget::new(units), share: units / SHARE, shares: Mutex::default() }
    }

    async fn take(&self, payer: Payer, bytes: usize) -> Option<Held> {
        let units = u32::try_from(bytes.div_ceil(UNIT).min(self.share)).unwrap_or(u32::MAX);
        // Its own share first: who waits for that holds nothing of what others need.
        let own = self.share_of(payer).take(units).await?;
        let all = self.all.take(units).await?;
        Some(Held([own, all]))
    }

    fn share_of(&self, payer: Payer) -> Arc<Budget> {
        let mut shares = self.shares.lock();
        if let Some(share) = shares.get(&payer).and_then(Weak::upgrade) {
            return share;
        }
        if shares.len() >= MANY {
            shares.retain(|_, share| share.strong_count() > 0);
        }
        let share = Budget::new(self.share);
        shares.insert(payer, Arc::downgrade(&share));
        share
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    const MIB: usize = 1 << 20;

    fn known(number: u128) -> Payer {
        Payer::Known(Uuid::from_u128(number))
    }

    /// Room for a MiB, if there is some at once.
    fn at_once(room: &Room, payer: Payer) -> Option<Held> {
        room.known.take(payer, MIB).now_or_never().flatten()
    }

    #[test]
    fn one_payer_can_not_take_up_all() {
        let (room, hasty, calm) = (Room::new(MIB), known(1), known(2));
        let mut held = Vec::new();
        for _ in 0..KNOWN / SHARE / MIB {
            held.push(at_once(&room, hasty).expect("its share"));
        }
        assert!(at_once(&room, hasty).is_none(), "no more than that");
        assert!(at_once(&room, calm).is_some());
        held.pop();
        assert!(at_once(&room, hasty).is_some(), "what is given back can be taken again");
    }

    #[test]
    fn all_together_are_bounded() {
        let room = Room::new(MIB);
        let mut held: Vec<_> = (0..100).filter_map(|number| at_once(&room, known(number))).collect();
        assert_eq!(held.len(), KNOWN / MIB);
        held.clear();
        assert!(at_once(&room, known(0)).is_some());
    }

    #[tokio::test]
    async fn room_is_wanted_while_others_wait_for_it() {
        let room = Room::new(MIB);
        let mut own: Vec<_> = (0..KNOWN / SHARE / MIB).filter_map(|_| at_once(&room, known(1))).collect();
        let other = at_once(&room, known(2)).expect("room");
        assert!(!own[0].is_wanted(), "it is full, and nobody waits");
        let mut waits = Box::pin(room.known.take(known(1), MIB));
        assert!(futures::poll!(waits.as_mut()).is_pending());
        assert!(own[0].is_wanted() && !other.is_wanted(), "by its own payer alone");
        own.pop();
        let got = waits.await.expect("room");
        assert!(!got.is_wanted());
        let all: Vec<_> = (3..).map_while(|number| at_once(&room, known(number))).collect();
        let mut waits = Box::pin(room.known.take(known(1000), MIB));
        assert!(futures::poll!(waits.as_mut()).is_pending());
        assert!([&own[0], &got, &other, &all[0]].iter().all(|held| held.is_wanted()), "by all");
        drop(waits);
        assert!(!other.is_wanted(), "one that is tired of waiting does not wait");
    }
}
