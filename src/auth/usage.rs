//! The last use of keys and guest tokens, to the minute. Recorded in memory and written by a job, at most once a minute for
//! each, so that no request waits for it.

use super::Caller;
use crate::clock::Clock;
use crate::domain::{GuestId, KeyId, Principal, Timestamp};
use crate::store::{Store, StoreError, Uses};
use parking_lot::Mutex;
use quick_cache::sync::Cache;
use std::collections::HashMap;
use std::sync::Arc;

const MINUTE_MILLIS: i64 = 60_000;
/// Credentials whose last recorded minute is kept. Others may be written again.
const MAX_RECORDED: usize = 50_000;
/// Most uses that wait to be written. Beyond that they are recorded at their next use.
const MAX_WAITING: usize = 50_000;

/// A key or a guest token.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Used {
    Key(KeyId),
    Guest(GuestId),
}

pub struct Usage {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// The last recorded minute of each.
    noted: Cache<Used, i64>,
    waiting: Mutex<HashMap<Used, Timestamp>>,
}

impl Usage {
    pub(super) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, noted: Cache::new(MAX_RECORDED), waiting: Mutex::default() }
    }

    pub(super) fn note_caller(&self, caller: &Caller) {
        match caller {
            Caller::Principal(principal) => self.note(principal),
            Caller::Provisioner(provisioner) => self.note_used(Used::Key(provisioner.key)),
        }
    }

    /// Records a use of a credential now.
    pub(super) fn note(&self, principal: &Principal) {
        match principal {
            Principal::Agent(agent) => self.note_used(Used::Key(agent.key)),
            Principal::Guest(guest) => self.note_used(Used::Guest(guest.id)),
            Principal::Human(_) => {}
        }
    }

    fn note_used(&self, used: Used) {
        let minute = self.clock.now().0.div_euclid(MINUTE_MILLIS);
        if self.noted.get(&used).is_some_and(|noted| noted >= minute) {
            return;
        }
        let mut waiting = self.waiting.lock();
        if waiting.len() < MAX_WAITING || waiting.contains_key(&used) {
            waiting.insert(used, Timestamp(minute * MINUTE_MILLIS));
            self.noted.insert(used, minute);
        }
    }

    /// Writes the uses that were recorded since the last call.
    pub async fn flush(&self) -> Result<(), StoreError> {
        let waiting = std::mem::take(&mut *self.waiting.lock());
        if waiting.is_empty() {
            return Ok(());
        }
        let mut uses = Uses::default();
        for (used, at) in &waiting {
            match used {
                Used::Key(key) => uses.keys.push((*key, *at)),
                Used::Guest(guest) => uses.guests.push((*guest, *at)),
            }
        }
        let written = self.store.note_uses(&uses).await;
        if written.is_err() {
            // Retried later, unless there is a newer use by then.
            let mut again = self.waiting.lock();
            for (used, at) in waiting {
                again.entry(used).or_insert(at);
            }
        }
        written
    }
}
