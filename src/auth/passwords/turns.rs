//! Who may hash passwords, and when. A hash takes 19 MiB and tens of milliseconds, so few are worked on at a time; and
//! each caller has a share of these, so that nobody takes up all of them (`shares.rs`).
//!
//! Those who sign in are apart from those who are known already. Callers are addresses for the former (and the /48
//! network of an IPv6 one, which has 65,536 addresses to share among), humans and spaces for the latter.

use crate::domain::refusal::TooOften;
use crate::domain::{HumanId, Origin, Refusal, SpaceId};
use crate::shares::{Full, Share, Shares};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

/// Hashes at a time for those who sign in.
const SIGNING_IN: usize = 4;
/// For those who are known: who guesses at passwords must not hold up managers, nor one of these who creates many people
/// those who sign in.
const KNOWN: usize = 2;
/// What an address may have: many people may come from it at the same minute.
const OF_ORIGIN: Share = Share { permits: 2, requests: 200 };
const OF_SITE: Share = Share { permits: 3, requests: 400 };
/// What a space may have, whoever of it asks.
const OF_SPACE: Share = Share { permits: 1, requests: 64 };
/// What a human may have for their own password.
const OF_HUMAN: Share = Share { permits: 1, requests: 4 };
/// How long a caller waits for a turn.
const PATIENCE: Duration = Duration::from_secs(10);
/// When to come back where the share is used up, in seconds: a hash takes much less.
const RETRY_AFTER: u64 = 1;

/// A turn at hashing. The work itself holds on to it: a caller who goes away does not stop the work.
#[derive(Clone)]
pub(in crate::auth) struct Turn {
    _permits: Arc<Vec<OwnedSemaphorePermit>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Caller {
    Origin(Origin),
    Site(Origin),
    Human(HumanId),
    Space(SpaceId),
}

/// The turns of a node.
pub(in crate::auth) struct Turns {
    signing_in: Shares<Caller>,
    known: Shares<Caller>,
    patience: Duration,
}

impl Turns {
    pub(in crate::auth) fn new() -> Self {
        Self::with_patience(PATIENCE)
    }

    fn with_patience(patience: Duration) -> Self {
        Self { signing_in: Shares::new(SIGNING_IN), known: Shares::new(KNOWN), patience }
    }

    /// Waits for a turn of an address from which somebody signs in.
    pub(in crate::auth) async fn to_sign_in(&self, from: Origin) -> Result<Turn, Refusal> {
        let origin = (Caller::Origin(from), OF_ORIGIN);
        match from.site() {
            None => self.turn(&self.signing_in, &[origin]).await,
            Some(site) => self.turn(&self.signing_in, &[origin, (Caller::Site(site), OF_SITE)]).await,
        }
    }

    /// Waits for a turn of a space in which somebody is created.
    pub(in crate::auth) async fn to_create(&self, space: SpaceId) -> Result<Turn, Refusal> {
        self.turn(&self.known, &[(Caller::Space(space), OF_SPACE)]).await
    }

    /// Waits for a turn of a human who changes their password.
    pub(in crate::auth) async fn to_change(&self, human: HumanId, space: SpaceId) -> Result<Turn, Refusal> {
        self.turn(&self.known, &[(Caller::Human(human), OF_HUMAN), (Caller::Space(space), OF_SPACE)]).await
    }

    /// Waits for a permit of each caller, the narrowest first, and then for one of all.
    async fn turn(&self, shares: &Shares<Caller>, callers: &[(Caller, Share)]) -> Result<Turn, Refusal> {
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
        let until = Instant::now() + self.patience;
        // Every place before anything is waited for: who is to be refused is told at once.
        let own: Result<Vec<_>, Full> = callers.iter().map(|(caller, share)| shares.own(*caller, *share)).collect();
        let mut permits = Vec::with_capacity(callers.len() + 1);
        for own in own.map_err(|Full| too_many())? {
            let permit = timeout_at(until, own.acquire_owned()).await.map_err(|_| too_many())?;
            permits.push(permit.map_err(|_| Refusal::Internal)?);
        }
        // Its share is free: it is the others who keep the node busy.
        let permit = timeout_at(until, shares.all().acquire_owned()).await.map_err(|_| Refusal::Unavailable)?;
        permits.push(permit.map_err(|_| Refusal::Internal)?);
        Ok(Turn { _permits: Arc::new(permits) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;
    use futures::future::BoxFuture;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    fn v4(last: u8) -> Origin {
        Origin::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, last)))
    }

    fn v6(network: u16) -> Origin {
        Origin::new(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, network, 0, 0, 0, 1)))
    }

    type Waiting<'a> = BoxFuture<'a, Result<Turn, Refusal>>;

    /// A request that may be polled as often as a test likes.
    fn ask<'a>(turn: impl Future<Output = Result<Turn, Refusal>> + Send + 'a) -> Waiting<'a> {
        tokio::task::unconstrained(turn).boxed()
    }

    #[track_caller]
    fn at_once(turn: Waiting<'_>) -> Turn {
        turn.now_or_never().expect("at once").expect("a turn")
    }

    /// Those of many requests that have their turn now; the others wait.
    fn served(waiting: &mut Vec<Waiting<'_>>) -> Vec<Turn> {
        let mut turns = Vec::new();
        waiting.retain_mut(|request| match request.now_or_never() {
            Some(turn) => {
                turns.push(turn.expect("a turn"));
                false
            }
            None => true,
        });
        turns
    }

    #[tokio::test]
    async fn one_address_never_holds_up_another() {
        let turns = Turns::new();
        let mut hasty: Vec<_> = (0..100).map(|_| ask(turns.to_sign_in(v4(1)))).collect();
        let hasty_turns = served(&mut hasty);
        assert_eq!(hasty_turns.len(), OF_ORIGIN.permits);
        at_once(ask(turns.to_sign_in(v4(2))));
        // Where all are busy, it comes after no more than a share of each of the others.
        let mut others: Vec<_> = (0..100).map(|_| ask(turns.to_sign_in(v4(3)))).collect();
        let _others = served(&mut others);
        let mut calm = vec![ask(turns.to_sign_in(v4(2)))];
        assert!(served(&mut calm).is_empty(), "all are busy");
        drop(hasty_turns);
        assert_eq!(served(&mut calm).len(), 1, "before the 98 who asked earlier");
    }

    #[tokio::test]
    async fn one_site_of_many_addresses_never_holds_up_another() {
        let turns = Turns::new();
        let mut site: Vec<_> = (0..100).map(|network| ask(turns.to_sign_in(v6(network)))).collect();
        let _site = served(&mut site);
        assert_eq!(site.len(), 100 - OF_SITE.permits);
        at_once(ask(turns.to_sign_in(v4(1))));
    }

    #[tokio::test]
    async fn one_space_never_holds_up_another_nor_those_who_sign_in() {
        let turns = Turns::new();
        let (one, other) = (SpaceId::new(), SpaceId::new());
        let mut busy: Vec<_> = (0..20).map(|_| ask(turns.to_create(one))).collect();
        busy.extend((0..20).map(|_| ask(turns.to_change(HumanId::new(), one))));
        let _busy = served(&mut busy);
        assert_eq!(busy.len(), 40 - OF_SPACE.permits);
        at_once(ask(turns.to_change(HumanId::new(), other)));
        at_once(ask(turns.to_sign_in(v4(1))));
    }

    #[tokio::test]
    async fn who_signs_in_takes_no_turn_of_those_who_are_created() {
        let turns = Turns::new();
        let mut signing_in: Vec<_> = (0..8).map(|last| ask(turns.to_sign_in(v4(last)))).collect();
        let _signing_in = served(&mut signing_in);
        assert_eq!(signing_in.len(), 8 - SIGNING_IN, "four at once");
        at_once(ask(turns.to_create(SpaceId::new())));
    }

    #[tokio::test]
    async fn a_caller_who_has_used_up_its_share_is_told_when_to_come_back() {
        let turns = Turns::with_patience(Duration::from_millis(20));
        let (human, space) = (HumanId::new(), SpaceId::new());
        let mut own: Vec<_> = (0..OF_HUMAN.requests).map(|_| ask(turns.to_change(human, space))).collect();
        let held = served(&mut own);
        assert_eq!(held.len(), 1);
        let is_told = |refused: Result<Turn, Refusal>| {
            matches!(refused, Err(Refusal::TooOften(TooOften { retry_after: RETRY_AFTER, .. })))
        };
        assert!(is_told(ask(turns.to_change(human, space)).now_or_never().expect("at once")));
        // One who waits for its own share in vain is told the same; one whom others hold up is not to blame.
        assert!(is_told(own.remove(0).await));
        let mut others: Vec<_> = (0..2).map(|_| ask(turns.to_create(SpaceId::new()))).collect();
        let _others = served(&mut others);
        assert!(matches!(turns.to_create(SpaceId::new()).await, Err(Refusal::Unavailable)));
    }
}
