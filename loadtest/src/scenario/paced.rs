//! Open-loop sending at a fixed rate to listening sockets, for `fanout` and `chat`.

use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::task::JoinSet;

use super::Context;
use crate::{
    client::{Api, Session},
    latency::Latencies,
    ledger::SessionLedger,
    meter::Usage,
    payload::Payload,
    problems::{Kind, Problems},
    progress::Phase,
    report::{Report, Section},
    schedule::Schedule,
    stop::Stop,
};

/// Time between laying out the schedule and its first message.
pub(super) const LEAD: Duration = Duration::from_millis(50);
/// If the tester itself is later than this, the latencies are not meaningful.
const LATE_MS: f64 = 5.0;
const LEAST_CONNECTIONS: usize = 8;

/// The messages to send, and the sockets.
pub(super) struct Load {
    pub(super) name: &'static str,
    pub(super) parameters: Value,
    pub(super) sockets_per_session: usize,
    /// Ticks a second.
    pub(super) rate: f64,
    /// Messages on each tick.
    pub(super) burst: usize,
    pub(super) duration: Duration,
    pub(super) size: usize,
}

/// The report, and values from which a caller computes more.
pub(super) struct Outcome {
    pub(super) report: Report,
    pub(super) usage: Usage,
    pub(super) acknowledged: u64,
    pub(super) delivered: u64,
}

/// Sends every message on its schedule, regardless of earlier ones.
struct Sender {
    api: Arc<Api>,
    problems: Arc<Problems>,
    payload: Payload,
    schedule: Schedule,
    paths: Vec<String>,
    ledgers: Mutex<Vec<SessionLedger>>,
    replies: Latencies,
    lateness: Latencies,
}

pub(super) async fn run(context: &Context, load: Load, sessions: Arc<[Session]>) -> Result<Outcome, Stop> {
    let sockets = sessions.len() * load.sockets_per_session;
    let memory_before = context.server_memory()?;
    let fleet = context.open_fleet(&sessions, sockets, true).await?;
    let connections = load.burst.max(LEAST_CONNECTIONS).min(context.options.in_flight);
    let warm = context.api.warm_up(connections).await;
    warm.map_err(|error| Stop::Hub(error.context("opening connections to post on")))?;
    let memory_open = context.server_memory()?;

    let meter = context.meter()?;
    let schedule = Schedule::new(Instant::now() + LEAD, load.rate, load.duration, load.burst);
    fleet.follow(schedule).map_err(Stop::Tool)?;
    let sender = Arc::new(Sender::new(context, &sessions, schedule, load.size));
    let phase = Phase::start("deliveries", schedule.count() * load.sockets_per_session as u64);
    let following = phase.follow(fleet.counter());
    sender.run().await?;
    let acknowledged = sender.acknowledged();
    let expected = acknowledged * load.sockets_per_session as u64;
    fleet.wait_for(expected, context.options.drain).await;
    let usage = meter.stop().map_err(Stop::Hub)?;
    drop(following);
    tokio::time::sleep(context.options.settle).await;

    let delivered = fleet.delivered();
    let mut report = Report::new(load.name, &context.options.url, load.parameters);
    report.count(Section::Load, "sessions", "sessions", sessions.len() as u64);
    report.count(Section::Load, "sockets", "sockets", fleet.len() as u64);
    report.count(Section::Load, "messagesScheduled", "messages scheduled", schedule.count());
    report.count(Section::Load, "messagesAcknowledged", "messages acknowledged", acknowledged);
    report.count(Section::Load, "deliveriesExpected", "deliveries expected", expected);
    report.count(Section::Load, "deliveries", "deliveries", delivered);
    if let Some(bytes) = fleet.bytes().checked_div(delivered) {
        report.count(Section::Load, "frameBytes", "bytes in a frame", bytes);
    }
    report.latency("delivery", "scheduled to socket", fleet.latency());
    sender.report(&mut report);
    usage.report(&mut report);
    usage.report_per(&mut report, "usPerDelivery", "CPU per delivery", delivered);
    usage.report_per(&mut report, "usPerPublish", "CPU per publish", acknowledged);
    usage.warn_if_short(&mut report);
    report_memory(&mut report, [memory_before, memory_open, context.server_memory()?]);

    let mut ledgers = sender.take_ledgers();
    fleet.finish(&mut ledgers).await.map_err(Stop::Tool)?;
    Ok(Outcome { report, usage, acknowledged, delivered })
}

impl Sender {
    fn new(context: &Context, sessions: &[Session], schedule: Schedule, size: usize) -> Self {
        let replies = Latencies::new();
        context.live.watch("reply", &replies);
        Self {
            api: Arc::clone(&context.api),
            problems: Arc::clone(&context.problems),
            payload: Payload::new(size),
            schedule,
            paths: sessions.iter().map(|session| context.api.messages_path(&session.id)).collect(),
            ledgers: Mutex::new(sessions.iter().map(|_| SessionLedger::default()).collect()),
            replies,
            lateness: Latencies::new(),
        }
    }

    async fn run(self: &Arc<Self>) -> Result<(), Stop> {
        let pacing = self.schedule.pace();
        let mut ticks = pacing.map_err(|error| Stop::Tool(error.into()))?;
        let mut posts = JoinSet::new();
        while let Some(Range { start, end }) = ticks.recv().await {
            for index in start..end {
                let sender = Arc::clone(self);
                posts.spawn(async move { sender.post(index).await });
            }
            while posts.try_join_next().is_some() {}
        }
        while posts.join_next().await.is_some() {}
        Ok(())
    }

    async fn post(&self, index: u64) {
        let due = self.schedule.at(index);
        let body = self.payload.body(index);
        let session = usize::try_from(index).unwrap_or(usize::MAX) % self.paths.len().max(1);
        self.lateness.record(due.elapsed());
        match self.api.post_message(&self.paths[session], body).await {
            Ok(seq) => {
                self.replies.record(due.elapsed());
                let mut ledgers = self.ledgers.lock().unwrap_or_else(PoisonError::into_inner);
                ledgers[session].acknowledge(seq, index);
            }
            Err(error) => self.problems.add(Kind::PostFailed, 1, || format!("{error:#}")),
        }
    }

    fn acknowledged(&self) -> u64 {
        let ledgers = self.ledgers.lock().unwrap_or_else(PoisonError::into_inner);
        ledgers.iter().map(SessionLedger::messages).sum()
    }

    fn take_ledgers(&self) -> Vec<SessionLedger> {
        std::mem::take(&mut *self.ledgers.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn report(&self, report: &mut Report) {
        report.latency("reply", "scheduled to 201", self.replies.summary());
        report_lateness(report, &self.lateness);
    }
}

/// Adds how late the tester itself was, and warns if that affects the latencies.
pub(super) fn report_lateness(report: &mut Report, lateness: &Latencies) {
    let lateness = lateness.summary();
    let p99 = lateness.percentile_ms(99.0);
    report.latency("lateness", "sender behind schedule", lateness);
    if p99 > LATE_MS {
        report.warn(format!("the tester itself was {p99:.1} ms late at p99: it needs more CPU or --threads"));
    }
}

fn report_memory(report: &mut Report, [before, open, after]: [Option<u64>; 3]) {
    for (key, label, bytes) in [
        ("memoryBeforeMiB", "memory before the sockets", before),
        ("memoryOpenMiB", "memory with the sockets", open),
        ("memoryAfterMiB", "memory after the messages", after),
    ] {
        if let Some(bytes) = bytes {
            report.figure(Section::Server, key, label, bytes as f64 / 1_048_576.0, "MiB");
        }
    }
}
