//! What a tester and its worker processes say to each other: one JSON object a line.

use std::{
    collections::BTreeMap,
    ops::Range,
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use super::{orders::Storm, seat::Group};
use crate::{
    client::{Causes, Session},
    latency::Counts,
    ledger::SessionLedger,
    problems::{Entry, Kind},
    schedule::Schedule,
};

/// From the tester to a worker, on its stdin.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Command {
    /// Open these sockets, except for those of other processes.
    Open {
        sessions: Vec<Session>,
        groups: Vec<(Range<usize>, Group)>,
        subscribe: bool,
    },
    /// Measure latency against this schedule.
    Follow(ScheduleLine),
    Storm(StormLine),
    /// Send the totals.
    Collect,
    /// Close all and compare what they got with these ledgers.
    Finish(Vec<SessionLedger>),
}

/// From a worker to the tester, on its stdout.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Reply {
    Opened {
        readers: Vec<u64>,
        sockets: u64,
        opening: Counts,
    },
    /// Nothing could be opened.
    Failed(String),
    /// What was counted since the last ones, without being asked.
    Totals(Totals),
    Collected(Totals),
    /// How long the sockets of a storm took.
    Returned(Counts),
    Finished {
        totals: Totals,
        problems: BTreeMap<Kind, Entry>,
    },
}

/// What was counted since the last totals.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Totals {
    pub(super) delivered: u64,
    pub(super) replayed: u64,
    pub(super) bytes: u64,
    /// Of both groups.
    pub(super) latency: [Counts; 2],
    pub(super) causes: Causes,
}

/// A schedule; times are nanoseconds of the clock that all processes of a machine share.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ScheduleLine {
    start: u64,
    interval: u64,
    burst: u64,
    count: u64,
    first: u64,
    stride: u64,
    warmup: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StormLine {
    number: u64,
    at: u64,
    polite: bool,
    spread: Duration,
    patience: Duration,
}

impl From<Schedule> for ScheduleLine {
    fn from(schedule: Schedule) -> Self {
        let Schedule { start, interval, burst, count, first, stride, warmup } = schedule;
        Self { start: nanos_of(start), interval: nanos(interval), burst, count, first, stride, warmup }
    }
}

impl From<ScheduleLine> for Schedule {
    fn from(line: ScheduleLine) -> Self {
        let ScheduleLine { start, interval, burst, count, first, stride, warmup } = line;
        Self { start: instant_of(start), interval: Duration::from_nanos(interval), burst, count, first, stride, warmup }
    }
}

impl From<Storm> for StormLine {
    fn from(storm: Storm) -> Self {
        let Storm { number, at, polite, spread, patience } = storm;
        Self { number, at: nanos_of(at), polite, spread, patience }
    }
}

impl From<StormLine> for Storm {
    fn from(line: StormLine) -> Self {
        let StormLine { number, at, polite, spread, patience } = line;
        Self { number, at: instant_of(at), polite, spread, patience }
    }
}

/// The clock of [`Instant`].
fn now() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or_default())
}

fn nanos_of(instant: Instant) -> u64 {
    let (now, here) = (now(), Instant::now());
    nanos((now + instant.saturating_duration_since(here)).saturating_sub(here.saturating_duration_since(instant)))
}

fn instant_of(nanos: u64) -> Instant {
    let (now, here, then) = (now(), Instant::now(), Duration::from_nanos(nanos));
    let later = here + then.saturating_sub(now);
    later.checked_sub(now.saturating_sub(then)).unwrap_or(later)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::Latencies;

    fn through<T: Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
        serde_json::from_str(&serde_json::to_string(value).expect("JSON")).expect("the same")
    }

    #[test]
    fn a_schedule_means_the_same_times_in_each_process() {
        let start = Instant::now() + Duration::from_millis(50);
        for start in [start, start.checked_sub(Duration::from_millis(90)).expect("after boot")] {
            let schedule = Schedule::new(start, 300.0, Duration::from_secs(2), 4).with_indexes(1, 4);
            let there = Schedule::from(through(&ScheduleLine::from(schedule)));
            assert_eq!((there.count(), there.index(3)), (schedule.count(), 13));
            let (here, there) = (schedule.at(999), there.at(999));
            let apart = here.saturating_duration_since(there).max(there.saturating_duration_since(here));
            // Each process reads both clocks one after the other.
            assert!(apart < Duration::from_millis(20), "{apart:?}");
        }
    }

    #[test]
    fn latencies_keep_their_percentiles() {
        let [here, there] = [Latencies::new(), Latencies::new()];
        (1..=5000).for_each(|micros| here.record(Duration::from_micros(micros * micros)));
        let sent = here.summary();
        there.add_counts(&through(&sent.counts()));
        let received = there.summary();
        assert_eq!(received.count(), 5000);
        for percentile in [1.0, 50.0, 99.0, 99.9] {
            assert_eq!(received.percentile_ms(percentile), sent.percentile_ms(percentile));
        }
        assert_eq!(received.max_ms(), sent.max_ms());
    }

    #[test]
    fn commands_and_replies_survive_the_way() {
        let command = Command::Open { sessions: Vec::new(), groups: vec![(0..7, Group::Disturbed)], subscribe: true };
        assert!(matches!(through(&command), Command::Open { groups, .. } if groups == [(0..7, Group::Disturbed)]));
        let problems = BTreeMap::from([(Kind::Lost, Entry { count: 2, examples: vec!["here".to_owned()] })]);
        let reply = Reply::Finished { totals: Totals::default(), problems: problems.clone() };
        assert!(matches!(through(&reply), Reply::Finished { problems: found, .. } if found == problems));
    }
}
