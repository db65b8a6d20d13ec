//! The send schedule, and the thread that signals due messages.

use std::{
    io, thread,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

/// Time between laying out a schedule and its first message.
pub(crate) const LEAD: Duration = Duration::from_millis(50);

/// `count` messages, `burst` of them at a time, `interval` apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule {
    pub(crate) start: Instant,
    pub(crate) interval: Duration,
    pub(crate) burst: u64,
    pub(crate) count: u64,
    /// The index of the first message, and the distance from one to the next.
    pub(crate) first: u64,
    pub(crate) stride: u64,
    /// So many messages at the beginning have no latency.
    pub(crate) warmup: u64,
}

impl Schedule {
    /// `rate` ticks a second for `duration`, at least one.
    pub(crate) fn new(start: Instant, rate: f64, duration: Duration, burst: usize) -> Self {
        let ticks = (rate * duration.as_secs_f64()).round().max(1.0) as u64;
        let burst = burst as u64;
        let interval = Duration::from_secs_f64(1.0 / rate);
        Self { start, interval, burst, count: ticks * burst, first: 0, stride: 1, warmup: 0 }
    }

    /// The same with other indexes, so that several schedules can go side by side.
    pub(crate) fn with_indexes(self, first: u64, stride: u64) -> Self {
        Self { first, stride, ..self }
    }

    /// The same with a warm-up of so many messages.
    pub(crate) fn with_warmup(self, messages: u64) -> Self {
        Self { warmup: messages, ..self }
    }

    /// The same with so many messages at most; the warm-up keeps its share.
    pub(crate) fn at_most(self, messages: u64) -> Self {
        let count = self.count.min(messages);
        let warmup = u128::from(self.warmup) * u128::from(count) / u128::from(self.count.max(1));
        Self { count, warmup: u64::try_from(warmup).unwrap_or(count), ..self }
    }

    /// The messages that are due from one time to another after the start, as a schedule of its own.
    pub(crate) fn part(&self, from: Duration, until: Duration) -> Self {
        let ticks = |time: Duration| time.as_nanos().div_ceil(self.interval.as_nanos().max(1));
        let number = |time| u64::try_from(ticks(time)).unwrap_or(u64::MAX).saturating_mul(self.burst).min(self.count);
        let (first, end) = (number(from), number(until));
        Self { start: self.at(first), count: end.saturating_sub(first), first: self.index(first), warmup: 0, ..*self }
    }

    /// The index of a message by its number, which counts from 0.
    pub(crate) fn index(&self, number: u64) -> u64 {
        self.first + number * self.stride
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// How many messages each of `sessions` gets, written to in turn.
    pub(crate) fn spread(&self, sessions: usize) -> Vec<u64> {
        let sessions = sessions.max(1) as u64;
        (0..sessions).map(|session| self.count / sessions + u64::from(session < self.count % sessions)).collect()
    }

    /// When the message with this number is due.
    pub(crate) fn at(&self, number: u64) -> Instant {
        let nanos = self.interval.as_nanos() * u128::from(number / self.burst);
        self.start + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// When the message with this index is due, if it is of this schedule and its latency counts.
    pub(crate) fn due(&self, index: u64) -> Option<Instant> {
        let distance = index.checked_sub(self.first).filter(|distance| distance.is_multiple_of(self.stride))?;
        let number = distance / self.stride;
        (self.warmup..self.count).contains(&number).then(|| self.at(number))
    }

    /// Sends each tick's numbers when they are due. It runs on a thread of its own, which waits for the clock only,
    /// since the runtime's timers have a resolution of milliseconds.
    pub(crate) fn pace(self) -> io::Result<mpsc::UnboundedReceiver<std::ops::Range<u64>>> {
        let (due, ticks) = mpsc::unbounded_channel();
        thread::Builder::new().name("pacer".to_owned()).spawn(move || {
            for first in (0..self.count).step_by(usize::try_from(self.burst).unwrap_or(1)) {
                thread::sleep(self.at(first).saturating_duration_since(Instant::now()));
                if due.send(first..first + self.burst).is_err() {
                    break;
                }
            }
        })?;
        Ok(ticks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(rate: f64, seconds: f64, burst: usize) -> Schedule {
        Schedule::new(Instant::now(), rate, Duration::from_secs_f64(seconds), burst)
    }

    #[test]
    fn messages_are_evenly_spaced() {
        let schedule = schedule(20.0, 10.0, 1);
        assert_eq!(schedule.count(), 200);
        assert_eq!(schedule.at(0), schedule.start);
        assert_eq!(schedule.at(199) - schedule.start, Duration::from_millis(9950));
    }

    #[test]
    fn a_burst_is_due_at_one_time() {
        let schedule = schedule(20.0, 1.0, 16);
        assert_eq!(schedule.count(), 320);
        assert_eq!(schedule.at(0), schedule.at(15));
        assert_eq!(schedule.at(16) - schedule.at(15), Duration::from_millis(50));
    }

    #[test]
    fn sessions_get_messages_in_turn() {
        assert_eq!(schedule(8.0, 1.0, 1).spread(3), [3, 3, 2]);
    }

    #[test]
    fn schedules_side_by_side_have_their_own_indexes() {
        let [even, odd] = [0, 1].map(|first| schedule(10.0, 1.0, 1).with_indexes(first, 2));
        assert_eq!(odd.index(3), 7);
        assert_eq!((odd.due(7), odd.due(6), odd.due(21)), (Some(odd.at(3)), None, None));
        assert_eq!((even.due(6), even.due(7)), (Some(even.at(3)), None));
    }

    #[test]
    fn a_warm_up_has_no_latency() {
        let schedule = schedule(10.0, 1.0, 1).with_indexes(100, 1).with_warmup(4);
        assert_eq!((schedule.due(103), schedule.due(104)), (None, Some(schedule.at(4))));
    }

    #[test]
    fn a_shorter_schedule_has_a_shorter_warm_up() {
        let shorter = schedule(100.0, 10.0, 1).with_warmup(200).at_most(50);
        assert_eq!((shorter.count(), shorter.warmup), (50, 10));
        assert_eq!(schedule(100.0, 1.0, 1).at_most(500).count(), 100);
    }

    #[test]
    fn parts_have_each_message_once_when_it_is_due() {
        let whole = schedule(100.0, 0.4, 1).with_indexes(7, 1);
        let ends = [0, 105, 300, 900].map(Duration::from_millis);
        let parts: Vec<Schedule> = ends.windows(2).map(|ends| whole.part(ends[0], ends[1])).collect();
        assert_eq!(parts.iter().map(Schedule::count).collect::<Vec<_>>(), [11, 19, 10]);
        for number in 0..whole.count() {
            let index = whole.index(number);
            let due: Vec<Instant> = parts.iter().filter_map(|part| part.due(index)).collect();
            assert_eq!(due, [whole.at(number)]);
        }
        assert_eq!(whole.part(Duration::ZERO, Duration::ZERO).count(), 0);
    }

    #[test]
    fn there_is_always_one() {
        assert_eq!(schedule(0.01, 0.0, 1).count(), 1);
    }

    #[tokio::test]
    async fn the_pacer_names_every_index_once_and_never_early() {
        let schedule = schedule(5000.0, 0.02, 3);
        let mut ticks = schedule.pace().expect("a thread");
        let mut next = 0;
        while let Some(range) = ticks.recv().await {
            assert!(Instant::now() >= schedule.at(range.start));
            assert_eq!(range.start, next);
            next = range.end;
        }
        assert_eq!(next, schedule.count());
    }
}
