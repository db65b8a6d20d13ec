//! Progress on stderr: a bar on a terminal, plain lines elsewhere.

use std::{
    io::{self, IsTerminal as _},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::JoinHandle;

const TEMPLATE: &str = "{prefix:>16} {bar:32} {human_pos}/{human_len} {elapsed}";
const REFRESH: Duration = Duration::from_millis(200);
const PLAIN_EVERY: Duration = Duration::from_secs(2);

/// A phase with a known number of steps; ends when dropped.
#[derive(Clone)]
pub(crate) struct Phase(Arc<Inner>);

struct Inner {
    label: &'static str,
    bar: ProgressBar,
    /// When a plain line was last written; none on a terminal.
    plain: Option<Mutex<Instant>>,
}

/// Shows a counter until dropped, including its last value.
pub(crate) struct Following {
    phase: Phase,
    counter: Arc<dyn Fn() -> u64 + Send + Sync>,
    refreshing: JoinHandle<()>,
}

impl Phase {
    pub(crate) fn start(label: &'static str, total: u64) -> Self {
        let terminal = io::stderr().is_terminal();
        let draw = match terminal {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(Some(total), draw).with_prefix(label);
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style);
        }
        let plain = (!terminal).then(|| Mutex::new(Instant::now()));
        Self(Arc::new(Inner { label, bar, plain }))
    }

    pub(crate) fn advance(&self, by: u64) {
        self.0.bar.inc(by);
        self.0.plain_line();
    }

    fn set(&self, position: u64) {
        self.0.bar.set_position(position);
        self.0.plain_line();
    }

    /// Shows this counter until the returned guard is dropped.
    pub(crate) fn follow(self, counter: impl Fn() -> u64 + Send + Sync + 'static) -> Following {
        let counter: Arc<dyn Fn() -> u64 + Send + Sync> = Arc::new(counter);
        let (phase, current) = (self.clone(), Arc::clone(&counter));
        let refreshing = tokio::spawn(async move {
            let mut refresh = tokio::time::interval(REFRESH);
            loop {
                refresh.tick().await;
                phase.set(current());
            }
        });
        Following { phase: self, counter, refreshing }
    }

    /// Lets this time pass, in seconds.
    pub(crate) async fn hold(label: &'static str, time: Duration) {
        let start = Instant::now();
        let phase = Self::start(label, time.as_secs());
        let _following = phase.follow(move || start.elapsed().as_secs());
        tokio::time::sleep(time).await;
    }
}

impl Inner {
    fn plain_line(&self) {
        let Some(last) = &self.plain else { return };
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() >= PLAIN_EVERY {
            *last = Instant::now();
            self.write_line();
        }
    }

    fn write_line(&self) {
        let total = self.bar.length().unwrap_or_default();
        eprintln!("{}: {}/{total}", self.label, self.bar.position());
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.plain.is_some() {
            self.write_line();
        }
        self.bar.finish_and_clear();
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.refreshing.abort();
        self.phase.0.bar.set_position((self.counter)());
    }
}
