//! The audit log: security-relevant events, each an entry in the store and a line of the log target `hiloop::audit`.
//!
//! What a transaction of the store makes or ends is written in it (`DirectoryTx::audit`, or a method's argument); the
//! rest right after it, by [`Audit::record`]. Failed sign-ins are counted, so that guessing does not fill the store:
//! one entry a minute for each origin and account, and no more than [`MAX_FAILURES_AN_HOUR`] of these.

use crate::clock::Clock;
use crate::domain::{AuditEntry, AuditEvent, AuditSource, AuditTarget, AuditTargetType, HumanId, SpaceId, Timestamp};
use crate::store::{Store, StoreError};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// Most entries of failed sign-ins that a node makes in an hour; beyond it all origins share one entry a minute.
const MAX_FAILURES_AN_HOUR: usize = 1000;
/// Most accounts that one failed sign-in is reported to: an address may stand in several spaces.
const MAX_ACCOUNTS: usize = 8;
/// Most entries deleted in one transaction.
const PRUNED_AT_ONCE: i64 = 500;

/// An account at which a sign-in has failed.
#[derive(Clone, Debug)]
pub struct FailedAccount {
    pub space: SpaceId,
    pub human: HumanId,
    pub name: String,
}

/// Failed sign-ins that share an entry: by origin and account. None where no account has the address; the address
/// itself is not kept, since people type passwords into the wrong field.
type FailureKey = (Option<String>, Option<HumanId>);

#[derive(Default)]
struct Failures {
    hour: i64,
    /// Entries that were made within the hour.
    entries: usize,
    by_key: HashMap<FailureKey, Failure>,
}

struct Failure {
    entry: AuditEntry,
    attempts: u32,
    /// As many as the entry in the store says.
    written: u32,
}

pub struct Audit {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    failures: Mutex<Failures>,
}

impl Audit {
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, failures: Mutex::default() }
    }

    /// An entry of something that happens now.
    pub fn entry(&self, event: AuditEvent, space: Option<SpaceId>, source: &AuditSource) -> AuditEntry {
        AuditEntry::new(event, space, source, self.clock.now())
    }

    /// Keeps an entry of what has happened already. The log has it even if the store fails, which undoes nothing.
    pub async fn record(&self, entry: AuditEntry) {
        entry.log();
        self.store_entries(std::slice::from_ref(&entry)).await;
    }

    async fn store_entries(&self, entries: &[AuditEntry]) {
        if let Err(error) = self.store.add_audit_entries(entries).await {
            tracing::error!(%error, "an entry of the audit log could not be stored");
        }
    }

    /// Counts a failed sign-in at these accounts (those that have the address that was given; none if there is none).
    pub async fn sign_in_failed(&self, source: &AuditSource, accounts: &[FailedAccount]) {
        let new = {
            let mut failures = self.failures.lock();
            let now = self.clock.now();
            if accounts.is_empty() {
                failures.count(source, None, now).into_iter().collect()
            } else {
                let accounts = accounts.iter().take(MAX_ACCOUNTS);
                accounts.filter_map(|account| failures.count(source, Some(account), now)).collect::<Vec<_>>()
            }
        };
        if new.is_empty() {
            return;
        }
        new.iter().for_each(AuditEntry::log);
        self.store_entries(&new).await;
    }

    /// Writes how many failed sign-ins there were to the entries of those that were counted since the last call, and
    /// forgets those of minutes that are over.
    pub async fn flush(&self) -> Result<(), StoreError> {
        let changed = self.failures.lock().take_changed(minute_of(self.clock.now()));
        changed.iter().for_each(AuditEntry::log);
        if changed.is_empty() { Ok(()) } else { self.store.add_audit_entries(&changed).await }
    }

    /// Deletes entries that have been kept long enough; `false` if there may be more.
    pub async fn prune(&self) -> Result<bool, StoreError> {
        let before = self.clock.now().plus_millis(-AuditEntry::KEPT_MILLIS);
        Ok(self.store.prune_audit(before, PRUNED_AT_ONCE).await? < PRUNED_AT_ONCE.unsigned_abs())
    }
}

fn minute_of(at: Timestamp) -> i64 {
    at.0.div_euclid(60_000)
}

impl Failures {
    /// Counts one failure; its entry if it is the first of its kind within the minute.
    fn count(&mut self, source: &AuditSource, account: Option<&FailedAccount>, now: Timestamp) -> Option<AuditEntry> {
        let minute = minute_of(now);
        if minute.div_euclid(60) != self.hour {
            (self.hour, self.entries) = (minute.div_euclid(60), 0);
        }
        let key = (source.origin.clone(), account.map(|account| account.human));
        let is_current = |failure: &Failure| minute_of(failure.entry.at) == minute;
        if let Some(failure) = self.by_key.get_mut(&key).filter(|failure| is_current(failure)) {
            failure.attempts = failure.attempts.saturating_add(1);
            return None;
        }
        let (key, source, account) = if self.entries < MAX_FAILURES_AN_HOUR {
            (key, source.clone(), account)
        } else {
            ((None, None), AuditSource::default(), None)
        };
        if let Some(failure) = self.by_key.get_mut(&key).filter(|failure| is_current(failure)) {
            failure.attempts = failure.attempts.saturating_add(1);
            return None;
        }
        self.entries += 1;
        let space = account.map(|account| account.space);
        let target = match account {
            Some(account) => AuditTarget::new(AuditTargetType::Human, account.human, account.name.clone()),
            None => AuditTarget { kind: AuditTargetType::Human, id: None, name: None, attempts: None },
        };
        let target = AuditTarget { attempts: Some(1), ..target };
        let entry = AuditEntry::new(AuditEvent::SignIn, space, &source, now).failed().on(target);
        self.by_key.insert(key, Failure { entry: entry.clone(), attempts: 1, written: 1 });
        Some(entry)
    }

    fn take_changed(&mut self, minute: i64) -> Vec<AuditEntry> {
        let mut changed = Vec::new();
        self.by_key.retain(|_, failure| {
            if failure.attempts > failure.written {
                failure.written = failure.attempts;
                if let Some(target) = &mut failure.entry.target {
                    target.attempts = Some(failure.attempts);
                }
                changed.push(failure.entry.clone());
            }
            minute_of(failure.entry.at) == minute
        });
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(origin: &str) -> AuditSource {
        AuditSource { origin: Some(origin.to_owned()), request_id: None }
    }

    #[test]
    fn failures_of_a_minute_share_an_entry() {
        let mut failures = Failures::default();
        let ann = FailedAccount { space: SpaceId::new(), human: HumanId::new(), name: "Ann".to_owned() };
        let now = Timestamp(1_774_434_600_000);
        let first = failures.count(&from("203.0.113.1"), Some(&ann), now).expect("an entry");
        assert_eq!((first.space, first.event), (Some(ann.space), AuditEvent::SignIn));
        for _ in 0..99 {
            assert!(failures.count(&from("203.0.113.1"), Some(&ann), now).is_none());
        }
        assert!(failures.count(&from("203.0.113.2"), Some(&ann), now).is_some(), "another origin");
        assert!(failures.count(&from("203.0.113.1"), None, now).is_some(), "another account");
        let changed = failures.take_changed(minute_of(now));
        let attempts: Vec<_> = changed.iter().map(|entry| entry.target.as_ref().and_then(|t| t.attempts)).collect();
        assert_eq!((attempts, changed[0].id), (vec![Some(100)], first.id));
        assert!(failures.take_changed(minute_of(now)).is_empty(), "written once");
        assert!(failures.count(&from("203.0.113.1"), Some(&ann), now.plus_seconds(60)).is_some(), "another minute");
    }

    #[test]
    fn a_flood_from_many_origins_stays_bounded() {
        let mut failures = Failures::default();
        let now = Timestamp(1_774_434_600_000);
        let of = |number: u32| from(&std::net::Ipv4Addr::from(number).to_string());
        let made = (0..50_000).filter(|number| failures.count(&of(*number), None, now).is_some()).count();
        assert_eq!(made, MAX_FAILURES_AN_HOUR + 1);
        assert!(failures.by_key.len() <= MAX_FAILURES_AN_HOUR + 1);
        let shared = failures.take_changed(minute_of(now));
        let shared = shared.iter().find(|entry| entry.origin.is_none()).expect("one for the others");
        let attempts = shared.target.as_ref().and_then(|target| target.attempts);
        assert_eq!(attempts, Some(50_000 - u32::try_from(MAX_FAILURES_AN_HOUR).expect("small")));
        assert!(failures.count(&of(1), None, now.plus_seconds(3600)).is_some(), "the next hour");
    }
}
