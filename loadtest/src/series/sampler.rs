//! A thread that reads the counters once a second.

use std::{
    io,
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{
    Series,
    recorder::{Reading, Recorder},
};
use crate::{live::Live, problems::Problems, proc_stat::Processes, progress};

const EVERY: Duration = Duration::from_secs(1);
/// The kernel walks the pages of a process to sum its memory, so that it is read the more seldom the longer that
/// takes: for at most one part in this many of the time.
const MEMORY_SHARE: u32 = 200;

/// The running thread, which is no task, so that a tester without time for its tasks still has a series, and reading
/// does not delay them.
pub(crate) struct Sampler {
    stop: mpsc::Sender<()>,
    thread: JoinHandle<Series>,
}

struct Source {
    live: Arc<Live>,
    problems: Arc<Problems>,
    server: Option<Processes>,
    start: Instant,
    memory_due: Instant,
}

impl Sampler {
    /// Reads, and shows what it has read, until stopped.
    pub(crate) fn start(live: &Arc<Live>, problems: &Arc<Problems>, server: Option<Processes>) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let start = Instant::now();
        let (live, problems) = (Arc::clone(live), Arc::clone(problems));
        let source = Source { live, problems, server, start, memory_due: start };
        // Here rather than on the thread, which may start late: what happens from now on is in the series.
        let first = source.read_counters();
        let thread = thread::Builder::new().name("sampler".to_owned()).spawn(move || source.run(first, &stopped))?;
        Ok(Self { stop, thread })
    }

    /// Reads once more and ends.
    pub(crate) fn stop(self) -> Series {
        // The thread ends on its own only if it panics.
        let _ = self.stop.send(());
        self.thread.join().unwrap_or_default()
    }
}

impl Source {
    fn run(mut self, first: Reading, stopped: &mpsc::Receiver<()>) -> Series {
        let mut recorder = Recorder::new(first);
        let mut due = self.start;
        loop {
            due += EVERY;
            // Ticks that were missed are left out.
            if due <= Instant::now() {
                due = Instant::now() + EVERY;
            }
            let stop = stopped.recv_timeout(due.saturating_duration_since(Instant::now()));
            let ends = stop != Err(RecvTimeoutError::Timeout);
            if ends {
                // The last value is read whatever it takes, which may be the only one.
                self.memory_due = Instant::now();
            }
            let reading = Reading { server_memory: self.read_memory(), ..self.read_counters() };
            let sample = recorder.add(reading);
            if ends {
                return recorder.finish();
            }
            progress::show(&sample.block(), sample.line());
        }
    }

    /// All but the memory. What cannot be read, as of a hub that has ended, is left out: the scenario reports it.
    fn read_counters(&self) -> Reading {
        Reading {
            at: self.start.elapsed(),
            phase: progress::phase(),
            counts: self.live.counts(),
            problems: self.problems.total(),
            server_cpu: self.server.as_ref().and_then(|server| server.cpu().ok()),
            server_memory: None,
            server_descriptors: self.server.as_ref().and_then(|server| server.descriptors().ok()),
            tester_cpu: self.live.tester_cpu().ok(),
            latencies: self.live.take_latencies(),
        }
    }

    fn read_memory(&mut self) -> Option<u64> {
        let start = Instant::now();
        let server = self.server.as_ref().filter(|_| start >= self.memory_due)?;
        let memory = server.pss().ok();
        let end = Instant::now();
        self.memory_due = end + (end - start) * MEMORY_SHARE;
        memory
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::Latencies;

    #[test]
    fn a_run_of_less_than_a_second_has_one_sample_with_everything() {
        let live = Arc::new(Live::default());
        let latencies = Latencies::new();
        live.watch("delivery", &latencies);
        let own = Processes::new(&[std::process::id()]).expect("readable");
        let sampler = Sampler::start(&live, &Arc::default(), own).expect("a thread");
        let _open = live.opened();
        live.sent();
        live.delivered();
        latencies.record(Duration::from_millis(5));
        let series = sampler.stop();
        let sample = series.samples.first().expect("a sample");
        assert_eq!(sample.open, 1);
        assert!(sample.sent_per_second > 0.0 && sample.deliveries_per_second > 0.0);
        assert!(sample.server_cpu.is_some() && sample.tester_cpu.is_some());
        assert_eq!(series.latency_keys(), ["delivery"]);
        assert_eq!(latencies.summary().count(), 1);
    }
}
