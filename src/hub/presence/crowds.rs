//! Presence in sessions of many people: told in batches, so that a thousand who come back at once cost each of them a
//! frame a second and not a thousand frames.

use crate::domain::{ParticipantId, SessionId};
use crate::hub::Hub;
use crate::protocol::frame::hub::PresenceChange;
use crate::supervisor::Supervisor;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// How long the changes of one session are gathered (contract section 8: at most once a second).
const EACH: Duration = Duration::from_secs(1);
/// How often it is looked which of them are due.
const TICK: Duration = Duration::from_millis(100);
/// Most changes of one frame; the others go with the next.
const MAX_CHANGES: usize = 1000;

/// The changes of presence that are still to be told.
#[derive(Default)]
pub(in crate::hub) struct Crowds {
    gathered: Mutex<HashMap<SessionId, Gathered>>,
    filled: Notify,
}

struct Gathered {
    changes: BTreeMap<ParticipantId, bool>,
    /// When the next frame may go out.
    due: Instant,
}

impl Crowds {
    /// Takes a change. The first one in a while is to be told at once, and is returned; others are gathered.
    pub(in crate::hub) fn take(
        &self,
        session: SessionId,
        change: PresenceChange,
        now: Instant,
    ) -> Option<PresenceChange> {
        let mut gathered = self.gathered.lock();
        if let Some(gathered) = gathered.get_mut(&session) {
            gathered.changes.insert(change.participant_id, change.online);
            return None;
        }
        gathered.insert(session, Gathered { changes: BTreeMap::new(), due: now + EACH });
        self.filled.notify_one();
        Some(change)
    }

    /// What is due, by session. One for which nothing was gathered is forgotten.
    fn due(&self, now: Instant) -> Vec<(SessionId, Vec<PresenceChange>)> {
        let mut due = Vec::new();
        self.gathered.lock().retain(|session, gathered| {
            if gathered.due > now {
                return true;
            }
            let mut changes = Vec::new();
            while changes.len() < MAX_CHANGES
                && let Some((participant_id, online)) = gathered.changes.pop_first()
            {
                changes.push(PresenceChange { participant_id, online });
            }
            let is_busy = !changes.is_empty();
            if is_busy {
                due.push((*session, changes));
                gathered.due = now + EACH;
            }
            is_busy
        });
        due
    }

    fn is_empty(&self) -> bool {
        self.gathered.lock().is_empty()
    }
}

/// Starts the task that tells what was gathered; it ends with the hub.
pub(in crate::hub) fn start(hub: &Arc<Hub>, supervisor: &Supervisor) {
    let state = (Arc::downgrade(hub), Arc::clone(&hub.crowds));
    supervisor.spawn("crowds", state, |(hub, crowds)| Box::pin(run(hub, crowds)));
}

async fn run(hub: &Weak<Hub>, crowds: &Crowds) {
    loop {
        if crowds.is_empty() {
            // Not for longer, to see whether there is still a hub.
            let _ = tokio::time::timeout(EACH, crowds.filled.notified()).await;
        }
        tokio::time::sleep(TICK).await;
        let Some(hub) = hub.upgrade() else { return };
        for (session, changes) in crowds.due(Instant::now()) {
            hub.show_crowd(session, &changes);
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
    fn the_first_is_told_at_once_and_the_others_together_once_a_second() {
        let (crowds, session, now) = (Crowds::default(), SessionId::new(), Instant::now());
        let first = change(true);
        assert_eq!(crowds.take(session, first, now), Some(first));
        let (second, third) = (change(true), change(false));
        let back = PresenceChange { online: false, ..second };
        for gathered in [second, third, back] {
            assert_eq!(crowds.take(session, gathered, now), None);
        }
        assert!(crowds.due(now + EACH / 2).is_empty());
        let mut due = crowds.due(now + EACH);
        let (of, changes) = due.pop().expect("it is due");
        assert_eq!((of, changes.len(), due.len()), (session, 2, 0));
        assert!(changes.contains(&back) && changes.contains(&third), "the newest word counts");
        // Quiet for a second: forgotten, and the next one is the first again.
        assert!(crowds.due(now + EACH * 3 / 2).is_empty() && !crowds.is_empty());
        assert!(crowds.due(now + EACH * 2).is_empty() && crowds.is_empty());
        assert_eq!(crowds.take(session, first, now + EACH * 2), Some(first));
    }

    #[test]
    fn a_frame_holds_no_more_than_it_may() {
        let (crowds, session, now) = (Crowds::default(), SessionId::new(), Instant::now());
        for _ in 0..=MAX_CHANGES + 10 {
            crowds.take(session, change(true), now);
        }
        assert_eq!(crowds.due(now + EACH)[0].1.len(), MAX_CHANGES);
        assert_eq!(crowds.due(now + EACH * 2)[0].1.len(), 10);
    }
}
