//! Limits of failed sign-ins, so that passwords, keys and tokens can't be guessed.
//!
//! A limit must not affect other callers behind the same address. So only failures count; a credential that was valid on
//! this node before is always checked, and so is a token that proves itself by its signature. While an origin is limited,
//! only credentials that need a look-up first are refused: passwords, setup links, and keys and tokens that have not
//! succeeded on this node. Expired credentials were valid and don't count.
//!
//! Failures are counted for each origin, for each IPv6 site (which has 65,536 networks), and for each account, so that
//! guesses at one account add up over many origins. A single site can never exhaust the limit of an account. If many
//! origins have exhausted it, sign-ins from origins where the account's human has signed in before are still accepted;
//! otherwise an attacker could lock the owner out.
//!
//! 256 random bits and signatures can't be guessed, so that a failed key or token counts little: a client with a list of
//! old ones gets a proper reply for each.

use super::secret;
use crate::clock::Clock;
use crate::config::SignInLimit;
use crate::domain::rate::{Bucket, Rate};
use crate::domain::refusal::Exhausted;
use crate::domain::{ClientNetwork, HumanId, Refusal, Timestamp};
use crate::store::SecretHash;
use parking_lot::Mutex;
use quick_cache::{sync, unsync};
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

/// Most origins with failures that are kept.
const MAX_ORIGINS: usize = 50_000;
/// Most valid credentials that are kept, as hashes.
const MAX_VALID: usize = 50_000;

/// Most accounts with failures, and most (human, origin) pairs of sign-ins, that are kept.
const MAX_ACCOUNTS: usize = 50_000;
/// Limit of a site, as a multiple of that of an origin. It is lower than that of an account, so that a single site, which
/// an attacker can rent, can't lock an owner out.
const SITE_FACTOR: u64 = 3;
/// Limit of an account, as a multiple of that of an origin.
const ACCOUNT_FACTOR: u64 = 4;

/// Number of failed keys or tokens that count as one failed password.
const TOKENS_PER_PASSWORD: u64 = 20;

/// The kind of a credential, by the weight of a failure.
#[derive(Clone, Copy, Debug)]
pub(super) enum Try {
    /// A password or a setup link.
    Password,
    /// A key or a token.
    Token,
}

impl Try {
    /// The time in which a failure is refilled.
    fn cost(self, limit: SignInLimit) -> Duration {
        let password = limit.each_millis();
        Duration::from_millis(match self {
            Self::Password => password,
            Self::Token => (password / TOKENS_PER_PASSWORD).max(1),
        })
    }
}

type Buckets<K> = unsync::Cache<K, Bucket<Timestamp>>;

/// The failed sign-ins of this node.
pub struct Attempts {
    clock: Arc<dyn Clock>,
    counted: Option<Counted>,
}

struct Counted {
    limit: SignInLimit,
    rate: Rate,
    origins: Mutex<Buckets<ClientNetwork>>,
    /// By /48 network.
    sites: Mutex<Buckets<ClientNetwork>>,
    accounts: Mutex<Buckets<SecretHash>>,
    /// Origins from which humans have signed in.
    familiar: sync::Cache<(HumanId, ClientNetwork), ()>,
    valid: sync::Cache<SecretHash, ()>,
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
        // Concurrent failures beyond the limit do not extend the wait.
        bucket.drain(self.rate, cost, now);
        buckets.insert(key, bucket);
    }
}

fn millis(cost: Duration) -> u64 {
    u64::try_from(cost.as_millis()).unwrap_or(u64::MAX)
}

/// The cost of a failure for a site. Buckets have a resolution of milliseconds: the cost is rounded up here and down for an
/// account, so that a site has less than an account for any limit.
fn of_site(cost: Duration) -> Duration {
    Duration::from_millis(millis(cost).div_ceil(SITE_FACTOR))
}

/// The cost of a failure for an account.
fn of_account(limit: SignInLimit) -> Duration {
    Duration::from_millis((millis(Try::Password.cost(limit)) / ACCOUNT_FACTOR).max(1))
}

impl Attempts {
    /// Without a limit, nothing is counted.
    pub fn new(limit: Option<SignInLimit>, clock: Arc<dyn Clock>) -> Self {
        let counted = limit.map(|limit| Counted {
            limit,
            rate: limit.into(),
            origins: Mutex::new(unsync::Cache::new(MAX_ORIGINS)),
            sites: Mutex::new(unsync::Cache::new(MAX_ORIGINS)),
            accounts: Mutex::new(unsync::Cache::new(MAX_ACCOUNTS)),
            familiar: sync::Cache::new(MAX_ACCOUNTS),
            valid: sync::Cache::new(MAX_VALID),
        });
        Self { clock, counted }
    }

    /// Refuses an origin with too many failures.
    pub(super) fn admit(&self, from: ClientNetwork, what: Try) -> Result<(), Refusal> {
        let Some(counted) = &self.counted else { return Ok(()) };
        let now = self.clock.now();
        let cost = what.cost(counted.limit);
        counted.check(&counted.origins, &from, cost, now)?;
        match from.site() {
            Some(site) => counted.check(&counted.sites, &site, of_site(cost), now),
            None => Ok(()),
        }
    }

    /// Refuses a guess at an account (identified by any text) with too many failures.
    pub(super) fn admit_to(&self, account: &str) -> Result<(), Refusal> {
        let Some(counted) = &self.counted else { return Ok(()) };
        counted.check(&counted.accounts, &secret::hash(account), of_account(counted.limit), self.clock.now())
    }

    /// Whether a human has signed in or refreshed from this origin. Failures of others do not count against that.
    pub(super) fn is_familiar(&self, human: HumanId, from: ClientNetwork) -> bool {
        self.counted.as_ref().is_some_and(|counted| counted.familiar.get(&(human, from)).is_some())
    }

    /// Records that a human has signed in or refreshed from this origin.
    pub(super) fn add_familiar(&self, human: HumanId, from: ClientNetwork) {
        if let Some(counted) = &self.counted {
            counted.familiar.insert((human, from), ());
        }
    }

    /// Counts a failure.
    fn failed(&self, from: ClientNetwork, what: Try) {
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

    /// Begins a check that needs work. It counts as failed unless it ends otherwise, so that a client can't cause unlimited
    /// work by disconnecting before the reply.
    pub fn guess(&self, from: ClientNetwork) -> Guess<'_> {
        Guess { attempts: self, from, account: None, counts: true }
    }

    /// The same for the password of an account.
    pub fn guess_at<'a>(&'a self, account: &'a str, from: ClientNetwork) -> Guess<'a> {
        Guess { attempts: self, from, account: Some(account), counts: true }
    }

    /// Records a credential as valid.
    pub(super) fn add_valid(&self, credential: &SecretHash) {
        if let Some(counted) = &self.counted {
            counted.valid.insert(*credential, ());
        }
    }

    /// Looks up a credential, if its origin is below the limit.
    pub async fn look_up<T>(
        &self,
        from: ClientNetwork,
        token: &str,
        look_up: impl Future<Output = Result<T, Refusal>>,
    ) -> Result<T, Refusal> {
        let Some(counted) = &self.counted else { return look_up.await };
        let credential = secret::hash(token);
        if counted.valid.get(&credential).is_none() {
            self.admit(from, Try::Token)?;
        }
        let found = look_up.await;
        match &found {
            Ok(_) => counted.valid.insert(credential, ()),
            Err(Refusal::Unauthorized(_)) => {
                counted.valid.remove(&credential);
                self.failed(from, Try::Token);
            }
            Err(_) => {}
        }
        found
    }

    /// Verifies a credential that proves itself. A failure beyond the limit is refused as such.
    pub async fn verify<T>(
        &self,
        from: ClientNetwork,
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

/// A check under way.
pub struct Guess<'a> {
    attempts: &'a Attempts,
    from: ClientNetwork,
    account: Option<&'a str>,
    counts: bool,
}

impl Guess<'_> {
    /// Ends the check with its outcome.
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
