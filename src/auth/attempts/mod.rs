//! Failed sign-ins, counted for each origin, so that nobody can guess at passwords, keys or tokens for long.
//!
//! A limit must not count against anybody else who comes from the same address. So only failures count; a credential
//! that has been good on this node before is checked as ever, and a token whose signature proves it is always
//! checked. What is refused while an origin is limited is what nobody can vouch for before it is looked up: passwords,
//! setup links, and keys and tokens that this node has not seen succeed. Credentials that have expired are no guesses
//! and don't count.
//!
//! The networks of an IPv6 site are also counted together, since one site has 65,536 of them. And failures are counted
//! for each account, wherever they come from, so that guesses at one account don't add up over many origins. One site
//! alone never uses up what an account has; and where many origins have, an origin from which the account's own human
//! has signed in is not held up by that, or anybody could lock its owner out.
//!
//! Nobody guesses 256 random bits, nor a signature: a key or token that fails weighs little, so that a client with a
//! list of old ones is told of each that it is not good.

use super::secret;
use crate::clock::Clock;
use crate::config::SignInLimit;
use crate::domain::refusal::Exhausted;
use crate::domain::{HumanId, Origin, Refusal, Timestamp};
use crate::limits::{Bucket, Rate};
use crate::store::SecretHash;
use parking_lot::Mutex;
use quick_cache::{sync, unsync};
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

/// Origins with failures that are remembered; beyond it those that are looked at least are forgotten.
const MAX_ORIGINS: usize = 50_000;
/// Good credentials that are remembered, as hashes.
const MAX_KNOWN: usize = 50_000;

/// Accounts with failures that are remembered, and origins at which somebody has signed in to one.
const MAX_ACCOUNTS: usize = 50_000;
/// A site may fail so many times as often as one of its networks: fewer times than there may be failures at one account,
/// so that one site alone, which anybody can rent, locks no owner out.
const SITE_SHARE: u64 = 3;
/// At one account there may be so many times as many failures as one origin may have.
const ACCOUNT_SHARE: u64 = 4;

/// So many failed keys or tokens weigh as much as one failed password.
const TOKENS_A_PASSWORD: u64 = 20;

/// What is tried, by what a failure weighs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Try {
    /// A password or a setup link.
    Password,
    /// A key or a token.
    Token,
}

impl Try {
    /// The time in which a failure is forgotten.
    fn cost(self, limit: SignInLimit) -> Duration {
        let password = limit.each_millis();
        Duration::from_millis(match self {
            Self::Password => password,
            Self::Token => (password / TOKENS_A_PASSWORD).max(1),
        })
    }
}

type Buckets<K> = unsync::Cache<K, Bucket<Timestamp>>;

/// What each origin has left.
pub struct Attempts {
    clock: Arc<dyn Clock>,
    counted: Option<Counted>,
}

struct Counted {
    limit: SignInLimit,
    rate: Rate,
    origins: Mutex<Buckets<Origin>>,
    /// By /48 network.
    sites: Mutex<Buckets<Origin>>,
    accounts: Mutex<Buckets<SecretHash>>,
    /// Where humans have signed in.
    homes: sync::Cache<(HumanId, Origin), ()>,
    known: sync::Cache<SecretHash, ()>,
}

impl Counted {
    fn check<K: Eq + Hash>(
        &self,
        buckets: &Mutex<Buckets<K>>,
        key: &K,
        cost: Duration,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let bucket = buckets.lock().get(key).copied().unwrap_or(Bucket::full(now));
        let Err(wait) = bucket.check(self.rate, cost, now) else { return Ok(()) };
        let retry_after = u64::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u64::MAX);
        Err(Refusal::RateLimited(Exhausted { per_minute: self.limit.per_minute, retry_after }))
    }

    fn drain<K: Eq + Hash>(&self, buckets: &Mutex<Buckets<K>>, key: K, cost: Duration, now: Timestamp) {
        let mut buckets = buckets.lock();
        let mut bucket = buckets.get(&key).copied().unwrap_or(Bucket::full(now));
        // Those that were under way when nothing was left make it no longer than it is.
        bucket.drain(self.rate, cost, now);
        buckets.insert(key, bucket);
    }
}

fn millis(cost: Duration) -> u64 {
    u64::try_from(cost.as_millis()).unwrap_or(u64::MAX)
}

/// What a failure costs a site. The buckets count in milliseconds: rounded up, and down for an account, so that a site
/// has less than an account has by any limit.
fn of_site(cost: Duration) -> Duration {
    Duration::from_millis(millis(cost).div_ceil(SITE_SHARE))
}

/// What a failure costs an account.
fn of_account(limit: SignInLimit) -> Duration {
    Duration::from_millis((millis(Try::Password.cost(limit)) / ACCOUNT_SHARE).max(1))
}

impl Attempts {
    /// Counts nothing without a limit.
    pub fn new(limit: Option<SignInLimit>, clock: Arc<dyn Clock>) -> Self {
        let counted = limit.map(|limit| Counted {
            limit,
            rate: limit.into(),
            origins: Mutex::new(unsync::Cache::new(MAX_ORIGINS)),
            sites: Mutex::new(unsync::Cache::new(MAX_ORIGINS)),
            accounts: Mutex::new(unsync::Cache::new(MAX_ACCOUNTS)),
            homes: sync::Cache::new(MAX_ACCOUNTS),
            known: sync::Cache::new(MAX_KNOWN),
        });
        Self { clock, counted }
    }

    /// Refuses an origin that has failed too often.
    pub(super) fn admit(&self, from: Origin, what: Try) -> Result<(), Refusal> {
        let Some(counted) = &self.counted else { return Ok(()) };
        let now = self.clock.now();
        let cost = what.cost(counted.limit);
        counted.check(&counted.origins, &from, cost, now)?;
        match from.site() {
            Some(site) => counted.check(&counted.sites, &site, of_site(cost), now),
            None => Ok(()),
        }
    }

    /// Refuses a guess at an account (any text that stands for one) at which there were too many failures.
    pub(super) fn admit_to(&self, account: &str) -> Result<(), Refusal> {
        let Some(counted) = &self.counted else { return Ok(()) };
        counted.check(&counted.accounts, &secret::hash(account), of_account(counted.limit), self.clock.now())
    }

    /// Whether a human has signed in from there, or gone on with that: what others fail at is not held against them.
    pub(super) fn is_home(&self, human: HumanId, from: Origin) -> bool {
        self.counted.as_ref().is_some_and(|counted| counted.homes.get(&(human, from)).is_some())
    }

    /// Notes where a human has signed in, or gone on with that.
    pub(super) fn note_home(&self, human: HumanId, from: Origin) {
        if let Some(counted) = &self.counted {
            counted.homes.insert((human, from), ());
        }
    }

    /// Counts a failure.
    fn failed(&self, from: Origin, what: Try) {
        let Some(counted) = &self.counted else { return };
        let now = self.clock.now();
        let cost = what.cost(counted.limit);
        counted.drain(&counted.origins, from, cost, now);
        if let Some(site) = from.site() {
            counted.drain(&counted.sites, site, of_site(cost), now);
        }
    }

    fn failed_at(&self, account: &str) {
        let Some(counted) = &self.counted else { return };
        counted.drain(&counted.accounts, secret::hash(account), of_account(counted.limit), self.clock.now());
    }

    /// A guess at what has to be worked on to be checked. It counts as failed unless it ends otherwise, so that whoever
    /// goes away before the answer has made the hub work for nothing only so often.
    pub fn guess(&self, from: Origin) -> Guess<'_> {
        Guess { attempts: self, from, account: None, counts: true }
    }

    /// The same at the password of an account.
    pub fn guess_at<'a>(&'a self, account: &'a str, from: Origin) -> Guess<'a> {
        Guess { attempts: self, from, account: Some(account), counts: true }
    }

    /// Notes a credential as a good one.
    pub(super) fn vouch_for(&self, credential: &SecretHash) {
        if let Some(counted) = &self.counted {
            counted.known.insert(*credential, ());
        }
    }

    /// Looks up a credential, if its origin may try it.
    pub async fn look_up<T>(
        &self,
        from: Origin,
        token: &str,
        look_up: impl Future<Output = Result<T, Refusal>>,
    ) -> Result<T, Refusal> {
        let Some(counted) = &self.counted else { return look_up.await };
        let credential = secret::hash(token);
        if counted.known.get(&credential).is_none() {
            self.admit(from, Try::Token)?;
        }
        let found = look_up.await;
        match &found {
            Ok(_) => counted.known.insert(credential, ()),
            Err(Refusal::Unauthorized(_)) => {
                counted.known.remove(&credential);
                self.failed(from, Try::Token);
            }
            Err(_) => {}
        }
        found
    }

    /// Checks a credential that proves itself; a bad one of an origin that has failed too often is told so.
    pub async fn verify<T>(
        &self,
        from: Origin,
        verify: impl Future<Output = Result<T, Refusal>>,
    ) -> Result<T, Refusal> {
        let verified = verify.await;
        if let Err(Refusal::Unauthorized(_)) = &verified {
            self.admit(from, Try::Token)?;
            self.failed(from, Try::Token);
        }
        verified
    }
}

/// A guess that is being checked.
pub struct Guess<'a> {
    attempts: &'a Attempts,
    from: Origin,
    account: Option<&'a str>,
    counts: bool,
}

impl Guess<'_> {
    /// What came of it.
    pub fn end<T>(mut self, outcome: &Result<T, Refusal>) {
        self.counts = matches!(outcome, Err(Refusal::Unauthorized(_)));
    }
}

impl Drop for Guess<'_> {
    fn drop(&mut self) {
        if self.counts {
            self.attempts.failed(self.from, Try::Password);
            if let Some(account) = self.account {
                self.attempts.failed_at(account);
            }
        }
    }
}

#[cfg(test)]
mod tests;
