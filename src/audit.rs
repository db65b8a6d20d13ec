//! The audit log: security-relevant events, each an entry in the store and a line of the log target `hiloop::audit`.
//!
//! Changes in a transaction of the store are recorded in it (`DirectoryTx::audit`, or an argument of the method), others
//! right afterwards by [`Audit::record`]. Failed sign-ins are counted, so that guessing does not fill the database: one
//! entry a minute for each origin and account, and at most [`MAX_FAILURES_PER_HOUR`] of these. Entries that the database
//! rejects are kept and retried, up to [`MAX_UNWRITTEN`] of them.

use crate::clock::Clock;
use crate::domain::{AuditEntry, AuditEvent, AuditSource, AuditTarget, AuditTargetType, HumanId, SpaceId, Timestamp};
use crate::store::{Store, StoreError};
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use uuid::Uuid;

/// Most entries of failed sign-ins of a node in an hour. Beyond that all origins share one entry a minute.
const MAX_FAILURES_PER_HOUR: usize = 1000;
/// Most entries of past minutes that wait to be written. Beyond that the oldest are only in the log.
const MAX_UNWRITTEN: usize = 4000;
/// Most entries written in one transaction.
const WRITE_CHUNK: usize = 500;
/// Most accounts that one failed sign-in is recorded for: several spaces may have the same address.
const MAX_ACCOUNTS: usize = 8;
/// Most entries deleted in one transaction.
const PRUNE_CHUNK: i64 = 500;

/// The account of a failed sign-in.
#[derive(Clone, Debug)]
pub struct FailedAccount {
    pub space: SpaceId,
    pub human: HumanId,
    pub name: String,
}

/// Failed sign-ins with the same origin and account share an entry. The account is none if no account has the address. The
/// address itself is not stored, since people type passwords into the wrong field.
type FailureKey = (Option<String>, Option<HumanId>);

#[derive(Default)]
struct Failures {
    hour: i64,
    /// Number of entries within the hour.
    entries: usize,
    by_key: HashMap<FailureKey, Failure>,
    /// Those of past minutes, oldest first.
    unwritten: VecDeque<Failure>,
}

struct Failure {
    entry: AuditEntry,
    attempts: u32,
    /// The count in the last line of the log.
    logged: u32,
    /// The count in the stored entry.
    written: u32,
    /// Whether the request of the first failure is still writing the entry, which must not overwrite a later count.
    is_being_created: bool,
}

impl Failure {
    /// The entry with its count, if that is not stored yet.
    fn to_write(&self) -> Option<AuditEntry> {
        if self.attempts <= self.written {
            return None;
        }
        let target = self.entry.target.clone().map(|target| AuditTarget { attempts: Some(self.attempts), ..target });
        Some(AuditEntry { target, ..self.entry.clone() })
    }
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

    /// An entry for an event that happens now.
    pub fn entry(&self, event: AuditEvent, space: Option<SpaceId>, source: &AuditSource) -> AuditEntry {
        AuditEntry::new(event, space, source, self.clock.now())
    }

    /// Records an event that has happened. If the store fails, the entry is only in the log.
    pub async fn record(&self, entry: AuditEntry) {
        entry.log();
        self.store_entries(std::slice::from_ref(&entry)).await;
    }

    async fn store_entries(&self, entries: &[AuditEntry]) {
        if let Err(error) = self.store.add_audit_entries(entries).await {
            tracing::error!(%error, "cannot store an audit entry");
        }
    }

    /// Counts a failed sign-in for the accounts with the given address, of which there may be none.
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
        match self.store.add_audit_entries(&new).await {
            Ok(()) => self.failures.lock().note_written(&new),
            Err(error) => {
                tracing::error!(%error, "cannot store audit entries of failed sign-ins; they are retried");
                self.failures.lock().note_created(&new);
            }
        }
    }

    /// Updates the stored counts of failed sign-ins that have grown since the last call. Entries of past minutes are dropped
    /// from memory once they are stored.
    pub async fn flush(&self) -> Result<(), StoreError> {
        let Changed { to_log, to_write } = self.failures.lock().changed(minute_of(self.clock.now()));
        to_log.iter().for_each(AuditEntry::log);
        for some in to_write.chunks(WRITE_CHUNK) {
            self.store.add_audit_entries(some).await?;
            self.failures.lock().note_written(some);
        }
        Ok(())
    }

    /// Deletes expired entries; `false` if there may be more.
    pub async fn prune(&self) -> Result<bool, StoreError> {
        let before = self.clock.now().plus_millis(-AuditEntry::KEPT_MILLIS);
        Ok(self.store.prune_audit(before, PRUNE_CHUNK).await? < PRUNE_CHUNK.unsigned_abs())
    }
}

fn minute_of(at: Timestamp) -> i64 {
    at.0.div_euclid(60_000)
}

/// Entries with a grown count.
#[derive(Default)]
struct Changed {
    to_log: Vec<AuditEntry>,
    to_write: Vec<AuditEntry>,
}

fn attempts_of(entry: &AuditEntry) -> u32 {
    entry.target.as_ref().and_then(|target| target.attempts).unwrap_or(0)
}

impl Failures {
    /// Counts one failure; returns a new entry if it is the first of its key within the minute.
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
        let (key, source, account) = if self.entries < MAX_FAILURES_PER_HOUR {
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
        let new = Failure { entry: entry.clone(), attempts: 1, logged: 1, written: 0, is_being_created: true };
        if let Some(over) = self.by_key.insert(key, new) {
            self.keep_unwritten(over);
        }
        Some(entry)
    }

    /// Keeps an entry of a past minute until it is stored.
    fn keep_unwritten(&mut self, over: Failure) {
        if over.attempts <= over.written {
            return;
        }
        if self.unwritten.len() >= MAX_UNWRITTEN {
            self.unwritten.pop_front();
        }
        self.unwritten.push_back(over);
    }

    /// The entries to log and to write. Those of minutes before `minute` are moved to `unwritten`.
    fn changed(&mut self, minute: i64) -> Changed {
        let over: Vec<FailureKey> = self
            .by_key
            .iter()
            .filter(|(_, failure)| minute_of(failure.entry.at) != minute)
            .map(|(key, _)| key.clone())
            .collect();
        for key in over {
            if let Some(over) = self.by_key.remove(&key) {
                self.keep_unwritten(over);
            }
        }
        let mut changed = Changed::default();
        let current = self.by_key.values_mut().filter(|failure| !failure.is_being_created);
        for failure in self.unwritten.iter_mut().chain(current) {
            let Some(entry) = failure.to_write() else { continue };
            if failure.attempts > failure.logged {
                failure.logged = failure.attempts;
                changed.to_log.push(entry.clone());
            }
            changed.to_write.push(entry);
        }
        changed
    }

    /// Records that these entries are stored with these counts.
    fn note_written(&mut self, entries: &[AuditEntry]) {
        let written: HashMap<Uuid, u32> = entries.iter().map(|entry| (entry.id, attempts_of(entry))).collect();
        for failure in self.unwritten.iter_mut().chain(self.by_key.values_mut()) {
            if let Some(attempts) = written.get(&failure.entry.id) {
                failure.written = failure.written.max(*attempts);
                failure.is_being_created = false;
            }
        }
        self.unwritten.retain(|failure| failure.attempts > failure.written);
    }

    /// Records that the creation of these entries has ended.
    fn note_created(&mut self, entries: &[AuditEntry]) {
        for failure in self.by_key.values_mut() {
            failure.is_being_created &= entries.iter().all(|entry| entry.id != failure.entry.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(origin: &str) -> AuditSource {
        AuditSource { origin: Some(origin.to_owned()), request_id: None }
    }

    #[test]
    fn failures_within_a_minute_share_an_entry() {
        let mut failures = Failures::default();
        let ann = FailedAccount { space: SpaceId::new(), human: HumanId::new(), name: "Ann".to_owned() };
        let now = Timestamp(1_774_434_600_000);
        let first = failures.count(&from("203.0.113.1"), Some(&ann), now).expect("an entry");
        failures.note_written(std::slice::from_ref(&first));
        assert_eq!((first.space, first.event), (Some(ann.space), AuditEvent::SignIn));
        for _ in 0..99 {
            assert!(failures.count(&from("203.0.113.1"), Some(&ann), now).is_none());
        }
        assert!(failures.count(&from("203.0.113.2"), Some(&ann), now).is_some(), "another origin");
        assert!(failures.count(&from("203.0.113.1"), None, now).is_some(), "another account");
        let changed = failures.changed(minute_of(now)).to_write;
        assert_eq!((changed.iter().map(attempts_of).collect::<Vec<_>>(), changed[0].id), (vec![100], first.id));
        failures.note_written(&changed);
        assert!(failures.changed(minute_of(now)).to_write.is_empty(), "written once");
        assert!(failures.count(&from("203.0.113.1"), Some(&ann), now.plus_seconds(60)).is_some(), "another minute");
    }

    #[test]
    fn failures_from_many_origins_are_bounded() {
        let mut failures = Failures::default();
        let now = Timestamp(1_774_434_600_000);
        let of = |number: u32| from(&std::net::Ipv4Addr::from(number).to_string());
        let made = (0..50_000).filter(|number| failures.count(&of(*number), None, now).is_some()).count();
        assert_eq!(made, MAX_FAILURES_PER_HOUR + 1);
        assert!(failures.by_key.len() <= MAX_FAILURES_PER_HOUR + 1);
        let shared = failures.changed(minute_of(now) + 1).to_write;
        let shared = shared.iter().find(|entry| entry.origin.is_none()).expect("one for the others");
        assert_eq!(attempts_of(shared), 50_000 - u32::try_from(MAX_FAILURES_PER_HOUR).expect("small"));
        assert!(failures.count(&of(1), None, now.plus_seconds(3600)).is_some(), "the next hour");
    }

    #[test]
    fn entries_that_cannot_be_stored_are_kept_up_to_a_limit() {
        let mut failures = Failures::default();
        let now = Timestamp(1_774_434_600_000);
        for minute in 0..10_000 {
            let new = failures.count(&from("203.0.113.1"), None, now.plus_seconds(60 * minute)).expect("an entry");
            failures.note_created(&[new]);
            assert!(failures.count(&from("203.0.113.1"), None, now.plus_seconds(60 * minute)).is_none());
        }
        let later = minute_of(now.plus_seconds(60 * 10_000));
        let first = failures.changed(later);
        assert_eq!((first.to_log.len(), first.to_write.len()), (MAX_UNWRITTEN, MAX_UNWRITTEN));
        assert!(first.to_write.iter().all(|entry| attempts_of(entry) == 2));
        let again = failures.changed(later);
        assert_eq!(
            (again.to_log.len(), again.to_write.len()),
            (0, MAX_UNWRITTEN),
            "logged once, written until it is stored"
        );
        failures.note_written(&again.to_write);
        assert!(failures.unwritten.is_empty() && failures.by_key.is_empty());
    }
}
