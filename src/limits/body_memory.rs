//! Memory for request bodies: a limit for all bodies together, and a share of it for each payer.
//!
//! The memory of a large body is reserved as a whole before any of it is read, so that bodies that are partly read never
//! wait for each other. It is released when the request is answered, or earlier if the body arrives slowly while others
//! wait. Small bodies need no reservation: there is at most one for each connection, whose buffers are as large.

use super::fair_share::{FairShares, Permit, Share};
use crate::domain::{ClientNetwork, Principal, Scope};
use std::time::Duration;
use tokio::sync::Semaphore;
use uuid::Uuid;

/// Bytes for all authenticated callers.
const AUTHENTICATED: usize = 32 << 20;
/// Bytes for all callers that are not authenticated yet.
const UNAUTHENTICATED: usize = 8 << 20;
/// One payer may hold one part in this many.
const SHARES: usize = 4;
/// Largest body that needs no reservation, of an authenticated caller and of another one.
const SMALL: usize = 16 << 10;
const TINY: usize = 1 << 10;
/// How long a body waits for memory before the request is rejected.
const WAIT: Duration = Duration::from_secs(10);
/// Bytes for each permit.
const UNIT: usize = 1 << 10;

/// The account that a body's memory counts for: a space, so that no space uses up the whole limit, or a client address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Payer {
    Space(Uuid),
    Address(ClientNetwork),
}

impl Payer {
    pub fn of(principal: &Principal) -> Self {
        Self::Space(match principal.scope() {
            Scope::Space(space) | Scope::Member(space, _) => space.0,
        })
    }

    /// Largest body that needs no reservation.
    pub(crate) fn unreserved(self) -> usize {
        match self {
            Self::Space(_) => SMALL,
            Self::Address(_) => TINY,
        }
    }
}

/// The memory for request bodies of this node.
pub struct BodyMemory {
    authenticated: Pool,
    unauthenticated: Pool,
    /// Large bodies are parsed one at a time, off the async threads.
    pub(crate) parser: Semaphore,
    /// Requests that look up many names at a time, so that database connections are left for others.
    pub(crate) name_lookups: Semaphore,
}

/// Memory that is reserved until this is dropped, out of its payer's share and out of the whole.
pub struct Reservation([Permit; 2]);

impl Reservation {
    /// Whether other requests wait for memory that this reservation holds.
    pub(crate) fn is_wanted(&self) -> bool {
        self.0.iter().any(Permit::is_wanted)
    }
}

impl BodyMemory {
    /// `largest` is the largest body that is accepted, in bytes.
    pub fn new(largest: usize) -> Self {
        Self {
            authenticated: Pool::new(AUTHENTICATED.max(largest * SHARES)),
            unauthenticated: Pool::new(UNAUTHENTICATED),
            parser: Semaphore::new(1),
            name_lookups: Semaphore::new(2),
        }
    }

    /// Reserves memory for a body of this many bytes; none if that takes too long.
    pub(crate) async fn reserve(&self, payer: Payer, bytes: usize) -> Option<Reservation> {
        let pool = match payer {
            Payer::Space(_) => &self.authenticated,
            Payer::Address(_) => &self.unauthenticated,
        };
        tokio::time::timeout(WAIT, pool.reserve(payer, bytes)).await.ok().flatten()
    }

    /// Bytes that are free for authenticated callers.
    pub fn available(&self) -> usize {
        self.authenticated.shares.available() * UNIT
    }
}

struct Pool {
    shares: FairShares<Payer>,
    share: Share,
}

impl Pool {
    fn new(bytes: usize) -> Self {
        let units = bytes / UNIT;
        // The number of requests is bounded by that of connections.
        Self { shares: FairShares::new(units), share: Share { permits: units / SHARES, requests: usize::MAX } }
    }

    async fn reserve(&self, payer: Payer, bytes: usize) -> Option<Reservation> {
        let units = u32::try_from(bytes.div_ceil(UNIT).min(self.share.permits)).unwrap_or(u32::MAX);
        let own = self.shares.own(payer, self.share).ok()?.acquire(units).await?;
        let all = self.shares.all().acquire(units).await?;
        Some(Reservation([own, all]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    const MIB: usize = 1 << 20;

    fn space(number: u128) -> Payer {
        Payer::Space(Uuid::from_u128(number))
    }

    /// Reserves a MiB, if it is free at once.
    fn at_once(memory: &BodyMemory, payer: Payer) -> Option<Reservation> {
        memory.authenticated.reserve(payer, MIB).now_or_never().flatten()
    }

    #[test]
    fn one_payer_cannot_use_up_the_limit() {
        let (memory, hasty, calm) = (BodyMemory::new(MIB), space(1), space(2));
        let mut held = Vec::new();
        for _ in 0..AUTHENTICATED / SHARES / MIB {
            held.push(at_once(&memory, hasty).expect("its share"));
        }
        assert!(at_once(&memory, hasty).is_none(), "no more than its share");
        assert!(at_once(&memory, calm).is_some());
        held.pop();
        assert!(at_once(&memory, hasty).is_some(), "released memory can be reserved again");
    }

    #[test]
    fn all_bodies_together_are_bounded() {
        let memory = BodyMemory::new(MIB);
        let mut held: Vec<_> = (0..100).filter_map(|number| at_once(&memory, space(number))).collect();
        assert_eq!(held.len(), AUTHENTICATED / MIB);
        held.clear();
        assert!(at_once(&memory, space(0)).is_some());
    }

    #[tokio::test]
    async fn memory_is_wanted_while_others_wait_for_it() {
        let memory = BodyMemory::new(MIB);
        let mut own: Vec<_> = (0..AUTHENTICATED / SHARES / MIB).filter_map(|_| at_once(&memory, space(1))).collect();
        let other = at_once(&memory, space(2)).expect("memory");
        assert!(!own[0].is_wanted(), "used up, but no request waits");
        let mut waits = Box::pin(memory.authenticated.reserve(space(1), MIB));
        assert!(futures::poll!(waits.as_mut()).is_pending());
        assert!(own[0].is_wanted() && !other.is_wanted(), "by its own payer alone");
        own.pop();
        let got = waits.await.expect("memory");
        assert!(!got.is_wanted());
        let all: Vec<_> = (3..).map_while(|number| at_once(&memory, space(number))).collect();
        let mut waits = Box::pin(memory.authenticated.reserve(space(1000), MIB));
        assert!(futures::poll!(waits.as_mut()).is_pending());
        assert!([&own[0], &got, &other, &all[0]].iter().all(|held| held.is_wanted()), "by all");
        drop(waits);
        assert!(!other.is_wanted(), "a request that was dropped no longer waits");
    }
}
