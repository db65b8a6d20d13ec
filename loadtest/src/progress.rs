//! Progress on stderr: a bar and the last second's values on a terminal, plain lines elsewhere.

use std::{
    io::{self, IsTerminal as _},
    sync::{
        Arc, LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::JoinHandle;

const TEMPLATE: &str = "{prefix:>16} {bar:32} {human_pos}/{human_len} {elapsed}";
const REFRESH: Duration = Duration::from_millis(200);
const PLAIN_EVERY: Duration = Duration::from_secs(2);

/// Of the whole process, as stderr is.
static DISPLAY: LazyLock<Display> = LazyLock::new(Display::new);

struct Display {
    terminal: bool,
    /// A worker leaves the display to the tester.
    muted: AtomicBool,
    bars: MultiProgress,
    shown: Mutex<Shown>,
}

#[derive(Default)]
struct Shown {
    /// The label of the current phase.
    phase: &'static str,
    /// Below the bar, on a terminal.
    block: Option<ProgressBar>,
    /// At the end of the next plain line, elsewhere.
    line: String,
}

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

/// Shows the values of the last second: `block`, of several lines, on a terminal, and `line` elsewhere.
pub(crate) fn show(block: &str, line: String) {
    DISPLAY.show(block, line);
}

/// Shows nothing from now on.
pub(crate) fn mute() {
    DISPLAY.muted.store(true, Ordering::Relaxed);
    DISPLAY.bars.set_draw_target(ProgressDrawTarget::hidden());
}

/// The label of the current phase; empty between phases.
pub(crate) fn phase() -> &'static str {
    DISPLAY.shown().phase
}

/// Removes what [`show`] has shown.
pub(crate) fn clear() {
    if let Some(block) = std::mem::take(&mut *DISPLAY.shown()).block {
        block.finish_and_clear();
    }
}

impl Display {
    fn new() -> Self {
        let terminal = io::stderr().is_terminal();
        let draw = match terminal {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        Self {
            terminal,
            muted: AtomicBool::new(false),
            bars: MultiProgress::with_draw_target(draw),
            shown: Mutex::default(),
        }
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A bar above the block.
    fn add(&self, label: &'static str, total: u64) -> ProgressBar {
        self.shown().phase = label;
        let bar = self.bars.insert(0, ProgressBar::new(total).with_prefix(label));
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style);
        }
        bar
    }

    fn show(&self, block: &str, line: String) {
        let mut shown = self.shown();
        shown.line = line;
        if !self.terminal {
            return;
        }
        let bar = shown.block.get_or_insert_with(|| {
            let bar = self.bars.add(ProgressBar::no_length());
            if let Ok(style) = ProgressStyle::with_template("{msg}") {
                bar.set_style(style);
            }
            bar
        });
        let indented: Vec<String> = block.lines().map(|line| format!("{:>16} {line}", "")).collect();
        bar.set_message(indented.join("\n"));
    }
}

impl Phase {
    pub(crate) fn start(label: &'static str, total: u64) -> Self {
        let bar = DISPLAY.add(label, total);
        let plain = (!DISPLAY.terminal).then(|| Mutex::new(Instant::now()));
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
        if DISPLAY.muted.load(Ordering::Relaxed) {
            return;
        }
        let total = self.bar.length().unwrap_or_default();
        // Not twice: the values of a second that is over say nothing about the next phase.
        let values = std::mem::take(&mut DISPLAY.shown().line);
        let separator = if values.is_empty() { "" } else { ": " };
        eprintln!("{}: {}/{total}{separator}{values}", self.label, self.bar.position());
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.plain.is_some() {
            self.write_line();
        }
        self.bar.finish_and_clear();
        DISPLAY.bars.remove(&self.bar);
        let mut shown = DISPLAY.shown();
        if shown.phase == self.label {
            shown.phase = "";
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.refreshing.abort();
        self.phase.0.bar.set_position((self.counter)());
    }
}
