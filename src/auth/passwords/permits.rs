//! Permits to hash passwords. A hash takes 19 MiB and tens of milliseconds, so only a few are computed at a time, and each
//! caller has a share of these (`limits/fair_share.rs`).
//!
//! Sign-ins have other permits than authenticated callers. The callers are addresses for the former (and the /48 network
//! of an IPv6 address, which has 65,536 networks to share among), humans and spaces for the latter.

use crate::domain::refusal::TooOften;
use crate::domain::{ClientNetwork, HumanId, Refusal, SpaceId};
use crate::limits::fair_share::{FairShares, Permit, Share, TooManyRequests};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Concurrent hashes for sign-ins.
const SIGN_INS: usize = 4;
/// Concurrent hashes for authenticated callers: password guesses must not delay managers, nor a manager who creates many
/// humans those who sign in.
const AUTHENTICATED: usize = 2;
/// The share of an address: many people may sign in from it in the same minute.
const OF_ORIGIN: Share = Share { permits: 2, requests: 200 };
const OF_SITE: Share = Share { permits: 3, requests: 400 };
/// The share of a space.
const OF_SPACE: Share = Share { permits: 1, requests: 64 };
/// The share of a human who changes their password.
const OF_HUMAN: Share = Share { permits: 1, requests: 4 };
/// How long a caller waits for a permit.
const WAIT: Duration = Duration::from_secs(10);
/// `Retry-After` where a share is used up, in seconds: a hash takes much less.
const RETRY_AFTER: u64 = 1;

/// A permit to hash. The blocking task holds a clone of it, since it continues when its caller's future is dropped.
#[derive(Clone)]
pub(in crate::auth) struct HashPermit {
    _permits: Arc<Vec<Permit>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Caller {
    ClientNetwork(ClientNetwork),
    Site(ClientNetwork),
    Human(HumanId),
    Space(SpaceId),
}

/// The permits of a node.
pub(in crate::auth) struct HashPermits {
    sign_ins: FairShares<Caller>,
    authenticated: FairShares<Caller>,
    wait: Duration,
}

impl HashPermits {
    pub(in crate::auth) fn new() -> Self {
        Self::with_wait(WAIT)
    }

    fn with_wait(wait: Duration) -> Self {
        Self { sign_ins: FairShares::new(SIGN_INS), authenticated: FairShares::new(AUTHENTICATED), wait }
    }

    /// Waits for a permit of the address of a sign-in.
    pub(in crate::auth) async fn for_sign_in(&self, from: ClientNetwork) -> Result<HashPermit, Refusal> {
        let origin = (Caller::ClientNetwork(from), OF_ORIGIN);
        match from.site() {
            None => self.acquire(&self.sign_ins, &[origin]).await,
            Some(site) => self.acquire(&self.sign_ins, &[origin, (Caller::Site(site), OF_SITE)]).await,
        }
    }

    /// Waits for a permit of a space in which a human is created.
    pub(in crate::auth) async fn for_creation(&self, space: SpaceId) -> Result<HashPermit, Refusal> {
        self.acquire(&self.authenticated, &[(Caller::Space(space), OF_SPACE)]).await
    }

    /// Waits for a permit of a human who changes their password.
    pub(in crate::auth) async fn for_change(&self, human: HumanId, space: SpaceId) -> Result<HashPermit, Refusal> {
        let callers = [(Caller::Human(human), OF_HUMAN), (Caller::Space(space), OF_SPACE)];
        self.acquire(&self.authenticated, &callers).await
    }

    /// Waits for a permit of each caller, the narrowest first, and then for one of all.
    async fn acquire(&self, shares: &FairShares<Caller>, callers: &[(Caller, Share)]) -> Result<HashPermit, Refusal> {
        let most = callers.first().map_or(0, |(_, share)| share.requests);
        let too_many = || {
            Refusal::TooOften(TooOften {
                what: "Too many passwords of this caller are being checked",
                quota: "passwords",
                amount: u32::try_from(most).unwrap_or(u32::MAX),
                seconds: 0,
                retry_after: RETRY_AFTER,
            })
        };
        let until = Instant::now() + self.wait;
        // All shares are checked before the first wait, so that a request above the limit is refused at once.
        let own = callers.iter().map(|(caller, share)| shares.own(*caller, *share));
        let own: Result<Vec<_>, TooManyRequests> = own.collect();
        let mut permits = Vec::with_capacity(callers.len() + 1);
        for own in own.map_err(|TooManyRequests| too_many())? {
            let permit = timeout_at(until, own.acquire(1)).await.map_err(|_| too_many())?;
            permits.push(permit.ok_or(Refusal::Internal)?);
        }
        // The caller's share is free: other callers keep the node busy.
        let permit = timeout_at(until, shares.all().acquire(1)).await.map_err(|_| Refusal::Unavailable)?;
        permits.push(permit.ok_or(Refusal::Internal)?);
        Ok(HashPermit { _permits: Arc::new(permits) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;
    use futures::future::BoxFuture;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    fn v4(last: u8) -> ClientNetwork {
        ClientNetwork::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, last)))
    }

    fn v6(network: u16) -> ClientNetwork {
        ClientNetwork::new(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, network, 0, 0, 0, 1)))
    }

    type Waiting<'a> = BoxFuture<'a, Result<HashPermit, Refusal>>;

    /// A request that may be polled as often as a test likes.
    fn ask<'a>(permit: impl Future<Output = Result<HashPermit, Refusal>> + Send + 'a) -> Waiting<'a> {
        tokio::task::unconstrained(permit).boxed()
    }

    #[track_caller]
    fn at_once(permit: Waiting<'_>) -> HashPermit {
        permit.now_or_never().expect("at once").expect("a permit")
    }

    /// Those of many requests that have a permit now; the others wait.
    fn served(waiting: &mut Vec<Waiting<'_>>) -> Vec<HashPermit> {
        let mut permits = Vec::new();
        waiting.retain_mut(|request| match request.now_or_never() {
            Some(permit) => {
                permits.push(permit.expect("a permit"));
                false
            }
            None => true,
        });
        permits
    }

    #[tokio::test]
    async fn one_address_does_not_delay_another() {
        let permits = HashPermits::new();
        let mut hasty: Vec<_> = (0..100).map(|_| ask(permits.for_sign_in(v4(1)))).collect();
        let hasty_permits = served(&mut hasty);
        assert_eq!(hasty_permits.len(), OF_ORIGIN.permits);
        at_once(ask(permits.for_sign_in(v4(2))));
        // While all permits are in use, it waits behind no more than the share of each other caller.
        let mut others: Vec<_> = (0..100).map(|_| ask(permits.for_sign_in(v4(3)))).collect();
        let _others = served(&mut others);
        let mut calm = vec![ask(permits.for_sign_in(v4(2)))];
        assert!(served(&mut calm).is_empty(), "all are busy");
        drop(hasty_permits);
        assert_eq!(served(&mut calm).len(), 1, "before the 98 earlier requests");
    }

    #[tokio::test]
    async fn one_site_of_many_addresses_does_not_delay_another() {
        let permits = HashPermits::new();
        let mut site: Vec<_> = (0..100).map(|network| ask(permits.for_sign_in(v6(network)))).collect();
        let _site = served(&mut site);
        assert_eq!(site.len(), 100 - OF_SITE.permits);
        at_once(ask(permits.for_sign_in(v4(1))));
    }

    #[tokio::test]
    async fn one_space_does_not_delay_another_space_or_sign_ins() {
        let permits = HashPermits::new();
        let (one, other) = (SpaceId::new(), SpaceId::new());
        let mut busy: Vec<_> = (0..20).map(|_| ask(permits.for_creation(one))).collect();
        busy.extend((0..20).map(|_| ask(permits.for_change(HumanId::new(), one))));
        let _busy = served(&mut busy);
        assert_eq!(busy.len(), 40 - OF_SPACE.permits);
        at_once(ask(permits.for_change(HumanId::new(), other)));
        at_once(ask(permits.for_sign_in(v4(1))));
    }

    #[tokio::test]
    async fn sign_ins_take_no_permit_of_authenticated_callers() {
        let permits = HashPermits::new();
        let mut signing_in: Vec<_> = (0..8).map(|last| ask(permits.for_sign_in(v4(last)))).collect();
        let _signing_in = served(&mut signing_in);
        assert_eq!(signing_in.len(), 8 - SIGN_INS, "four at once");
        at_once(ask(permits.for_creation(SpaceId::new())));
    }

    #[tokio::test]
    async fn a_caller_above_its_share_gets_a_retry_after() {
        let permits = HashPermits::with_wait(Duration::from_millis(20));
        let (human, space) = (HumanId::new(), SpaceId::new());
        let mut own: Vec<_> = (0..OF_HUMAN.requests).map(|_| ask(permits.for_change(human, space))).collect();
        let held = served(&mut own);
        assert_eq!(held.len(), 1);
        let is_refused = |refused: Result<HashPermit, Refusal>| {
            matches!(refused, Err(Refusal::TooOften(TooOften { retry_after: RETRY_AFTER, .. })))
        };
        assert!(is_refused(ask(permits.for_change(human, space)).now_or_never().expect("at once")));
        // A request that times out waiting for its own share gets the same; one that others delay gets 503.
        assert!(is_refused(own.remove(0).await));
        let mut others: Vec<_> = (0..2).map(|_| ask(permits.for_creation(SpaceId::new()))).collect();
        let _others = served(&mut others);
        assert!(matches!(permits.for_creation(SpaceId::new()).await, Err(Refusal::Unavailable)));
    }
}
