//! Batches of presence changes for sessions of many people: a thousand clients that return at once cost each of them a
//! frame per second, not a thousand frames.

use crate::domain::{ParticipantId, SessionId};
use crate::hub::Hub;
use crate::protocol::frame::hub::PresenceChange;
use crate::supervisor::Supervisor;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Time between two frames of one session (contract section 8: at most once a second).
const INTERVAL: Duration = Duration::from_secs(1);
/// How often the due batches are looked for.
const TICK: Duration = Duration::from_millis(100);
/// Most changes in one frame; the rest goes into the next.
const MAX_CHANGES: usize = 1000;

/// Changes of presence that are not sent yet.
#[derive(Default)]
pub(in crate::hub) struct PresenceBatches {
    pending: Mutex<HashMap<SessionId, Batch>>,
    filled: Notify,
}

struct Batch {
    changes: BTreeMap<ParticipantId, bool>,
    /// When the next frame may go out.
    due: Instant,
}

impl PresenceBatches {
    /// Adds a change. The first change of a session in a while is returned, to be sent at once; the others wait for the
    /// next frame.
    pub(in crate::hub) fn add(
        &self,
        session: SessionId,
        change: PresenceChange,
        now: Instant,
    ) -> Option<PresenceChange> {
        let mut pending = self.pending.lock();
        if let Some(batch) = pending.get_mut(&session) {
            batch.changes.insert(change.participant_id, change.online);
            return None;
        }
        pending.insert(session, Batch { changes: BTreeMap::new(), due: now + INTERVAL });
        self.filled.notify_one();
        Some(change)
    }

    /// Takes the batches that are due. A session without changes since its last frame is removed.
    fn due(&self, now: Instant) -> Vec<(SessionId, Vec<PresenceChange>)> {
        let mut due = Vec::new();
        self.pending.lock().retain(|session, batch| {
            if batch.due > now {
                return true;
            }
            let mut changes = Vec::new();
            while changes.len() < MAX_CHANGES
                && let Some((participant_id, online)) = batch.changes.pop_first()
            {
                changes.push(PresenceChange { participant_id, online });
            }
            let is_busy = !changes.is_empty();
            if is_busy {
                due.push((*session, changes));
                batch.due = now + INTERVAL;
            }
            is_busy
        });
        due
    }

    fn is_empty(&self) -> bool {
        self.pending.lock().is_empty()
    }
}

/// Starts the task that sends the batches. It ends with the hub.
pub(in crate::hub) fn start(hub: &Arc<Hub>, supervisor: &Supervisor) {
    let state = (Arc::downgrade(hub), Arc::clone(&hub.presence_batches));
    supervisor.spawn("crowds", state, |(hub, batches)| Box::pin(run(hub, batches)));
}

async fn run(hub: &Weak<Hub>, batches: &PresenceBatches) {
    loop {
        if batches.is_empty() {
            // With a timeout, to notice the end of the hub.
            let _ = tokio::time::timeout(INTERVAL, batches.filled.notified()).await;
        }
        tokio::time::sleep(TICK).await;
        let Some(hub) = hub.upgrade() else { return };
        for (session, changes) in batches.due(Instant::now()) {
            hub.send_presence_batch(session, &changes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(online: bool) -> PresenceChange {
        PresenceChange { participant_id: ParticipantId::new(), online }
    }

    #[test]
    fn the_first_change_is_sent_at_once_and_the_others_together_once_a_second() {
        let (batches, session, now) = (PresenceBatches::default(), SessionId::new(), Instant::now());
        let first = change(true);
        assert_eq!(batches.add(session, first, now), Some(first));
        let (second, third) = (change(true), change(false));
        let back = PresenceChange { online: false, ..second };
        for change in [second, third, back] {
            assert_eq!(batches.add(session, change, now), None);
        }
        assert!(batches.due(now + INTERVAL / 2).is_empty());
        let mut due = batches.due(now + INTERVAL);
        let (of, changes) = due.pop().expect("it is due");
        assert_eq!((of, changes.len(), due.len()), (session, 2, 0));
        assert!(changes.contains(&back) && changes.contains(&third), "the newest change counts");
        // After a second without changes, the next change is a first one again.
        assert!(batches.due(now + INTERVAL * 3 / 2).is_empty() && !batches.is_empty());
        assert!(batches.due(now + INTERVAL * 2).is_empty() && batches.is_empty());
        assert_eq!(batches.add(session, first, now + INTERVAL * 2), Some(first));
    }

    #[test]
    fn a_frame_has_a_limited_number_of_changes() {
        let (batches, session, now) = (PresenceBatches::default(), SessionId::new(), Instant::now());
        for _ in 0..=MAX_CHANGES + 10 {
            batches.add(session, change(true), now);
        }
        assert_eq!(batches.due(now + INTERVAL)[0].1.len(), MAX_CHANGES);
        assert_eq!(batches.due(now + INTERVAL * 2)[0].1.len(), 10);
    }
}
