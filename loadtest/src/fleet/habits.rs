//! What a member does by itself: typing, marking as read, leaving and returning.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, Sleep};

use crate::latency::Latencies;

/// A mark older than this belongs to an earlier frame.
const STALE: Duration = Duration::from_secs(5);

/// How often, on average, a member does each thing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Habits {
    pub(crate) typing: Option<Duration>,
    pub(crate) reading: Option<Duration>,
    pub(crate) leaving: Option<Duration>,
    /// The longest time away.
    pub(crate) away: Duration,
    /// Its ids in frames of the hub.
    pub(crate) principal: String,
    pub(crate) participant: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Type,
    Read,
    Leave,
}

/// The next time of each act.
pub(super) struct Agenda {
    due: Vec<(Instant, Act, Duration)>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Agenda {
    pub(super) fn new(habits: Option<&Habits>) -> Self {
        let now = Instant::now();
        let habits = habits
            .into_iter()
            .flat_map(|habits| [(Act::Type, habits.typing), (Act::Read, habits.reading), (Act::Leave, habits.leaving)]);
        let due: Vec<_> =
            habits.filter_map(|(act, every)| every.map(|every| (now + random(every), act, every))).collect();
        let mut agenda = Self { due, timer: None };
        agenda.set_timer();
        agenda
    }

    /// Waits for the next act; forever where there is none. Cancel safe.
    pub(super) async fn next(&mut self) -> (Instant, Act) {
        match &mut self.timer {
            Some(timer) => timer.as_mut().await,
            None => std::future::pending().await,
        }
        let Some(first) = self.due.iter_mut().min_by_key(|(due, ..)| *due) else {
            return std::future::pending().await;
        };
        let (due, act) = (first.0, first.1);
        // One that was away does not make up for what it has missed.
        first.0 = due.max(Instant::now() - STALE) + random(first.2);
        self.set_timer();
        (due, act)
    }

    fn set_timer(&mut self) {
        if let Some(due) = self.due.iter().map(|(due, ..)| *due).min() {
            match &mut self.timer {
                Some(timer) => timer.as_mut().reset(due),
                None => self.timer = Some(Box::pin(tokio::time::sleep_until(due))),
            }
        }
    }
}

/// Exponentially distributed around this mean, as arrivals are that do not depend on each other; ten times as long at
/// most.
pub(crate) fn random(mean: Duration) -> Duration {
    mean.mul_f64((-(1.0 - fastrand::f64()).ln()).min(10.0))
}

/// When ephemeral frames were sent, and their latencies.
pub(crate) struct Marks {
    sent: Mutex<HashMap<(usize, String), (u64, Instant)>>,
    pub(crate) typing: Latencies,
    pub(crate) receipts: Latencies,
}

impl Marks {
    pub(super) fn new() -> Self {
        Self { sent: Mutex::default(), typing: Latencies::new(), receipts: Latencies::new() }
    }

    /// Notes what was due when; `value` tells frames of one sender apart.
    pub(super) fn set(&self, session: usize, sender: &str, value: u64, due: Instant) {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.insert((session, sender.to_owned()), (value, due));
    }

    /// How long ago this very frame was due.
    pub(super) fn age(&self, session: usize, sender: &str, value: u64) -> Option<Duration> {
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let (found, due) = sent.get(&(session, sender.to_owned()))?;
        (*found == value).then(|| due.elapsed()).filter(|age| *age < STALE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn acts_come_as_often_as_they_should() {
        let habits = Habits {
            typing: Some(Duration::from_secs(1)),
            reading: Some(Duration::from_secs(10)),
            ..Habits::default()
        };
        let mut agenda = Agenda::new(Some(&habits));
        let end = Instant::now() + Duration::from_secs(1000);
        let mut counts = [0; 3];
        let mut last = Instant::now();
        loop {
            let (due, act) = agenda.next().await;
            assert!(due >= last && Instant::now() >= due);
            last = due;
            if due > end {
                break;
            }
            counts[act as usize] += 1;
        }
        assert!((700..1300).contains(&counts[0]) && (50..170).contains(&counts[1]) && counts[2] == 0, "{counts:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_mark_is_found_by_its_sender_and_value_for_a_while() {
        let marks = Marks::new();
        marks.set(1, "h", 7, Instant::now());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(marks.age(1, "h", 7), Some(Duration::from_secs(1)));
        assert_eq!(marks.age(1, "h", 8), None);
        assert_eq!(marks.age(2, "h", 7), None);
        tokio::time::advance(STALE).await;
        assert_eq!(marks.age(1, "h", 7), None);
    }
}
