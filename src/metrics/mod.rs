//! The metrics of one server, in a registry of its own, rendered in Prometheus' text format.
//!
//! Most are counters and gauges that other modules update. Values that have to be queried (pending messages in the store,
//! sessions with readers) are passed in for each scrape. docs/operations.md explains every metric.

mod maker;
mod signals;

use crate::domain::EventType;
use maker::Maker;
use parking_lot::Mutex;
use prometheus::process_collector::ProcessCollector;
use prometheus::{
    Error, Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};
use signals::BrokerMetrics;
pub use signals::SignalCounts;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

/// Histogram buckets of request durations, in seconds. A long-poll takes up to 55.
const REQUEST_SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];
/// Histogram buckets of transaction durations, in seconds.
const COMMIT_SECONDS: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// Histogram buckets of batch sizes, in commands.
const BATCH_SIZES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];
/// Histogram buckets of replay sizes, in events.
const REPLAY_SIZES: &[f64] = &[0.0, 1.0, 10.0, 100.0, 1000.0, 10_000.0, 100_000.0];

/// The metrics of one server.
pub struct Metrics {
    registry: Registry,
    requests: HistogramVec,
    events: IntCounterVec,
    pending: IntGauge,
    topics: IntGauge,
    /// Open WebSockets.
    pub sockets: IntGauge,
    /// Open event streams.
    pub event_streams: IntGauge,
    /// Waiting long-polls.
    pub long_polls: IntGauge,
    /// Events sent to sockets live, those sent to sockets from the store, and those sent to event streams.
    pub delivered_live: IntCounter,
    pub delivered_replay: IntCounter,
    pub delivered_stream: IntCounter,
    /// Frames dropped because an outbox was full. Events and feed entries are read from the store later, ephemeral frames are
    /// lost.
    pub dropped_events: IntCounter,
    pub dropped_feed: IntCounter,
    pub dropped_ephemeral: IntCounter,
    /// Event batches dropped because a fan-out queue was full.
    pub fan_out_drops: IntCounter,
    /// Events that a subscription with `after` starts with.
    pub replay_events: Histogram,
    pub commit_batch_size: Histogram,
    pub commit_duration: Histogram,
    /// Messages that expired at their deadline.
    pub expired: IntCounter,
    /// Repairs of a gap in a session's events from the store.
    pub repairs: IntCounter,
    /// Sessions deleted by retention.
    pub retired: IntCounter,
    store_errors: IntCounterVec,
    task_panics: IntCounterVec,
    store_unreachable: IntGauge,
    /// How far the database's clock is ahead of this machine's, in seconds.
    pub clock_correction: Gauge,
    broker: Mutex<BrokerMetrics>,
}

/// Counts one in a gauge until it is dropped.
pub struct GaugeGuard(IntGauge);

impl GaugeGuard {
    pub fn new(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for GaugeGuard {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// The part of the hub in which the store failed. Failures in requests are counted by their status.
#[derive(Clone, Copy, Debug)]
pub enum During {
    Commit,
    Job,
    Reconcile,
    Replay,
}

impl During {
    const ALL: &[Self] = &[Self::Commit, Self::Job, Self::Reconcile, Self::Replay];

    fn as_str(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Job => "job",
            Self::Reconcile => "reconcile",
            Self::Replay => "replay",
        }
    }
}

/// Values that are queried for each scrape.
#[derive(Clone, Debug, Default)]
pub struct ScrapeValues {
    /// Pending messages in all spaces; none while the database is unavailable.
    pub pending: Option<i64>,
    /// Sessions with readers on this node.
    pub topics: usize,
    /// Whether there are other nodes, from which this one is disconnected.
    pub is_disconnected: bool,
    /// The counts of the broker; none for a single node.
    pub signals: Option<Arc<SignalCounts>>,
}

impl Metrics {
    /// Fails only if a name below is invalid.
    pub fn new() -> Result<Self, Error> {
        let registry = Registry::new();
        registry.register(Box::new(ProcessCollector::for_self()))?;
        let make = Maker(&registry);
        let build = make.add(IntGaugeVec::new(Opts::new("hiloop_build_info", "The running version"), &["version"]))?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let delivered = make.counters("hiloop_deliveries_total", "Events sent to readers", "path")?;
        let dropped = make.counters(
            "hiloop_outbox_drops_total",
            "Frames dropped because the outbox of a socket was full",
            "kind",
        )?;
        let events = make.counters("hiloop_events_total", "Events committed by this node", "type")?;
        for kind in EventType::ALL {
            events.with_label_values(&[kind.as_str()]);
        }
        let store_errors =
            make.counters("hiloop_store_errors_total", "Failures of the store outside requests", "during")?;
        for during in During::ALL {
            store_errors.with_label_values(&[during.as_str()]);
        }
        let requests =
            HistogramOpts::new("hiloop_http_request_duration_seconds", "Time from a request to the head of its reply");
        Ok(Self {
            requests: make
                .add(HistogramVec::new(requests.buckets(REQUEST_SECONDS.to_vec()), &["method", "route", "status"]))?,
            pending: make.gauge(PENDING, "Messages that wait for a response")?,
            topics: make.gauge("hiloop_live_sessions", "Sessions with readers on this node")?,
            sockets: make.gauge("hiloop_sockets", "Open WebSockets")?,
            event_streams: make.gauge("hiloop_event_streams", "Open event streams")?,
            long_polls: make.gauge("hiloop_waiters", "Waiting long-polls")?,
            delivered_live: delivered.with_label_values(&["live"]),
            delivered_replay: delivered.with_label_values(&["replay"]),
            delivered_stream: delivered.with_label_values(&["stream"]),
            dropped_events: dropped.with_label_values(&["event"]),
            dropped_feed: dropped.with_label_values(&["feed"]),
            dropped_ephemeral: dropped.with_label_values(&["ephemeral"]),
            fan_out_drops: make
                .counter("hiloop_lane_drops_total", "Event batches dropped because a fan-out queue was full")?,
            replay_events: make.histogram(
                "hiloop_replay_events",
                "Events replayed at the start of a subscription",
                REPLAY_SIZES,
            )?,
            commit_batch_size: make.histogram(
                "hiloop_commit_batch_size",
                "Commands in one transaction",
                BATCH_SIZES,
            )?,
            commit_duration: make.histogram(
                "hiloop_commit_duration_seconds",
                "Duration of one transaction",
                COMMIT_SECONDS,
            )?,
            expired: make.counter("hiloop_expired_total", "Messages that expired at their deadline")?,
            repairs: make
                .counter("hiloop_repairs_total", "Gaps in a session's events that were read from the store")?,
            retired: make.counter("hiloop_retired_sessions_total", "Sessions deleted by retention")?,
            events,
            store_errors,
            task_panics: make.counters(
                "hiloop_task_panics_total",
                "Panics of long-lived tasks, after which the task was restarted",
                "task",
            )?,
            clock_correction: make.add(Gauge::new(
                "hiloop_clock_correction_seconds",
                "How far the database's clock is ahead of this machine's",
            ))?,
            store_unreachable: make
                .gauge("hiloop_store_unreachable", "1 if the database was unavailable at this scrape")?,
            broker: Mutex::new(BrokerMetrics::new(&make)?),
            registry,
        })
    }

    /// Adds the counter of a long-lived task, with the value 0. Names are constants of the program.
    pub fn task_starts(&self, task: &'static str) {
        self.task_panics.with_label_values(&[task]);
    }

    /// Counts a panic of a long-lived task. Names are constants of the program.
    pub fn task_panicked(&self, task: &'static str) {
        self.task_panics.with_label_values(&[task]).inc();
    }

    /// Counts a request. `route` must be a template, never a path, since each value stays in memory.
    pub fn request(&self, method: &str, route: &str, status: u16, took: Duration) {
        let mut digits = [b'0'; 3];
        for (digit, power) in digits.iter_mut().zip([100, 10, 1]) {
            *digit += u8::try_from(status / power % 10).unwrap_or(0);
        }
        let status = std::str::from_utf8(&digits).unwrap_or("000");
        self.requests.with_label_values(&[method, route, status]).observe(took.as_secs_f64());
    }

    /// Counts a committed event.
    pub fn event(&self, kind: EventType) {
        self.events.with_label_values(&[kind.as_str()]).inc();
        if kind == EventType::MessageExpired {
            self.expired.inc();
        }
    }

    /// Counts a failure of the store outside a request, and logs it with the message `what`.
    pub fn store_failed(&self, during: During, error: &impl Display, what: &str) {
        self.store_errors.with_label_values(&[during.as_str()]).inc();
        tracing::warn!(%error, "{what}");
    }

    /// Counts a command that the store failed. The caller logs the cause.
    pub fn command_failed(&self) {
        self.store_errors.with_label_values(&[During::Commit.as_str()]).inc();
    }

    /// All metrics in Prometheus' text format, version 0.0.4.
    pub fn render(&self, asked: &ScrapeValues) -> Result<String, Error> {
        self.store_unreachable.set(asked.pending.is_none().into());
        self.broker.lock().update(asked.is_disconnected, asked.signals.as_deref());
        self.pending.set(asked.pending.unwrap_or(0));
        self.topics.set(i64::try_from(asked.topics).unwrap_or(i64::MAX));
        let mut families = self.registry.gather();
        if asked.pending.is_none() {
            // No value is better than a wrong one.
            families.retain(|family| family.name() != PENDING);
        }
        TextEncoder::new().encode_to_string(&families)
    }
}

/// The metric that is missing while the database is unavailable.
const PENDING: &str = "hiloop_pending_responses";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_value_is_left_out() {
        let metrics = Metrics::new().expect("the names are good");
        let text =
            metrics.render(&ScrapeValues { pending: Some(3), topics: 2, ..ScrapeValues::default() }).expect("text");
        assert!(text.contains("\nhiloop_pending_responses 3\n") && text.contains("\nhiloop_live_sessions 2\n"));
        assert!(!metrics.render(&ScrapeValues::default()).expect("text").contains(PENDING));
    }

    #[test]
    fn two_servers_in_one_process_count_for_themselves() {
        let [one, other] = [(), ()].map(|()| Metrics::new().expect("the names are good"));
        let held = GaugeGuard::new(&one.sockets);
        assert_eq!((one.sockets.get(), other.sockets.get()), (1, 0));
        drop(held);
        assert_eq!(one.sockets.get(), 0);
    }

    #[test]
    fn a_request_is_counted_by_its_labels() {
        let metrics = Metrics::new().expect("the names are good");
        metrics.request("GET", "/livez", 204, Duration::from_millis(3));
        let text = metrics.render(&ScrapeValues::default()).expect("text");
        let line =
            r#"hiloop_http_request_duration_seconds_bucket{method="GET",route="/livez",status="204",le="0.005"} 1"#;
        assert!(text.contains(line), "{text}");
    }
}
