//! How long something took, without the time in which tasks waited for a processor or the disk, as far as the kernel
//! measures it (pressure stall information). So a bound holds on a machine whose cores are all busy.

use parking_lot::Mutex;
use std::fmt;
use std::future::IntoFuture;
use std::time::{Duration, Instant};

/// By how much the wall clock may exceed a limit, however short of processors the machine is.
const AT_MOST_LATER: Duration = Duration::from_secs(120);

/// Measures time from when it was started.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    began: Instant,
    stalled: Duration,
}

impl Stopwatch {
    pub fn start() -> Self {
        Self { began: Instant::now(), stalled: stalled() }
    }

    /// The time by the wall clock.
    pub fn passed(&self) -> Duration {
        self.began.elapsed()
    }

    /// The time that has passed, without that in which the machine was short of something.
    pub fn elapsed(&self) -> Duration {
        self.passed().saturating_sub(stalled().saturating_sub(self.stalled))
    }

    /// The time that the machine was short of something.
    pub fn stalled(&self) -> Duration {
        self.passed().saturating_sub(self.elapsed())
    }

    /// Whether more than `limit` has passed.
    pub fn is_past(&self, limit: Duration) -> bool {
        let passed = self.passed();
        passed > limit && (self.elapsed() > limit || passed > limit + AT_MOST_LATER)
    }
}

/// The future did not complete within its limit.
#[derive(Debug, PartialEq, Eq)]
pub struct Late(Duration);

impl fmt::Display for Late {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "not done within {:?}", self.0)
    }
}

/// As `tokio::time::timeout`, by a [`Stopwatch`].
pub async fn timeout<F: IntoFuture>(limit: Duration, future: F) -> Result<F::Output, Late> {
    let watch = Stopwatch::start();
    let mut future = std::pin::pin!(future.into_future());
    loop {
        let left = limit.saturating_sub(watch.elapsed()).max(Duration::from_millis(10));
        tokio::select! {
            biased;
            done = &mut future => return Ok(done),
            () = tokio::time::sleep(left) => {}
        }
        if watch.is_past(limit) {
            return Err(Late(limit));
        }
    }
}

/// For how long, since the machine was started, some task waited for a processor or for the disk. It is read at most
/// every few milliseconds, as this is called for each frame that a test receives.
fn stalled() -> Duration {
    static LAST: Mutex<Option<(Instant, Duration)>> = Mutex::new(None);
    let mut last = LAST.lock();
    if let Some((read, stalled)) = *last
        && read.elapsed() < Duration::from_millis(5)
    {
        return stalled;
    }
    let total = |resource: &str| {
        let text = std::fs::read_to_string(format!("/proc/pressure/{resource}")).ok()?;
        let line = text.lines().find(|line| line.starts_with("some "))?;
        line.rsplit_once("total=")?.1.parse().ok().map(Duration::from_micros)
    };
    let stalled = ["cpu", "io"].into_iter().filter_map(total).sum();
    *last = Some((Instant::now(), stalled));
    stalled
}
