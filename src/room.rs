//! Room for the bodies of requests: how much memory they may take at a time, all together and those of one payer.
//!
//! A body is promised its room as a whole before any of it is read, so that those which are half there never wait for
//! each other; and keeps it until its request is answered. Small bodies need no promise: there are no more of them than
//! there are connections, whose buffers are as large.

use crate::domain::{Origin, Principal, Scope};
use crate::shares::{Share, Shares};
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

/// Room that has been promised, until it is dropped.
pub struct Held(#[allow(dead_code)] [OwnedSemaphorePermit; 2]);

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
}

struct Hall {
    shares: Shares<Payer>,
    /// What one payer may have: how many of its bodies wait is bounded by how long one waits.
    share: Share,
}

impl Hall {
    fn new(bytes: usize) -> Self {
        let units = bytes / UNIT;
        Self { shares: Shares::new(units), share: Share { permits: units / SHARE, requests: usize::MAX } }
    }

    async fn take(&self, payer: Payer, bytes: usize) -> Option<Held> {
        let units = u32::try_from(bytes.div_ceil(UNIT).min(self.share.permits)).unwrap_or(u32::MAX);
        // Its own share first: who waits for that holds nothing of what others need.
        let own = self.shares.own(payer, self.share).ok()?.acquire_many_owned(units).await.ok()?;
        let all = self.shares.all().acquire_many_owned(units).await.ok()?;
        Some(Held([own, all]))
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
}
