//! `ingest`: durable messages in a closed loop, as fast as the hub acknowledges them.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures::StreamExt as _;
use serde_json::json;
use tokio::task::JoinSet;

use super::{
    Context,
    durable::{self, Load, Rows},
};
use crate::{
    cli::IngestArgs,
    client::{Api, Session},
    latency::Latencies,
    ledger::SessionLedger,
    payload::Payload,
    problems::{Kind, Problems},
    progress::Phase,
    report::{Report, Section},
    stop::Stop,
};

/// Concurrent reads of sessions after the run.
const CHECKING: usize = 16;
/// The pause of a writer after a failure, so that a refusing hub is not flooded.
const AFTER_FAILURE: Duration = Duration::from_millis(10);

struct Writers {
    /// One for each node; writers take turns.
    apis: Vec<Arc<Api>>,
    problems: Arc<Problems>,
    payload: Payload,
    paths: Vec<String>,
    ledgers: Mutex<Vec<SessionLedger>>,
    replies: Latencies,
    next: AtomicU64,
    acknowledged: AtomicU64,
}

pub(super) async fn run(context: &Context, arguments: IngestArgs) -> Result<Report, Stop> {
    let wanted = if arguments.one_session { 1 } else { arguments.sessions };
    let rows = Rows { sessions: wanted, size: arguments.size, load: Load::Writers(arguments.writers) };
    let before = durable::measure(context, &arguments.floor, rows).await?;
    let sessions = context.create_sessions(wanted).await?;
    let writers = Arc::new(Writers::new(context, &sessions, arguments.size));
    let connections = arguments.writers.div_ceil(writers.apis.len()).min(context.options.in_flight);
    for api in &writers.apis {
        let warm = api.warm_up(connections).await;
        warm.map_err(|error| Stop::Hub(error.context("opening the writers' connections")))?;
    }

    let meter = context.meter()?;
    let start = Instant::now();
    let end = start + arguments.duration;
    let phase = Phase::start("seconds", arguments.duration.as_secs());
    let following = phase.follow(move || start.elapsed().as_secs());
    let mut tasks = JoinSet::new();
    for writer in 0..arguments.writers {
        let writers = Arc::clone(&writers);
        tasks.spawn(async move { writers.write(writer, end).await });
    }
    while tasks.join_next().await.is_some() {}
    let elapsed = start.elapsed().as_secs_f64();
    let usage = meter.stop().map_err(Stop::Hub)?;
    drop(following);

    let acknowledged = writers.acknowledged.load(Ordering::Relaxed);
    writers.check(&sessions).await;
    let after = durable::measure(context, &arguments.floor, rows).await?;
    let mut report = Report::new("ingest", &context.options.url, json!(arguments));
    report.count(Section::Load, "sessions", "sessions", sessions.len() as u64);
    report.count(Section::Load, "writers", "writers", arguments.writers as u64);
    report.count(Section::Load, "messagesAcknowledged", "messages acknowledged", acknowledged);
    let rate = acknowledged as f64 / elapsed;
    report.figure(Section::Load, "messagesPerSecond", "messages a second", rate, "/s");
    report.latency("reply", "POST to 201", writers.replies.summary());
    usage.report(&mut report);
    usage.report_per(&mut report, "usPerPublish", "CPU per publish", acknowledged);
    usage.warn_if_short(&mut report);
    durable::report(&mut report, [before, after], usage, acknowledged);
    Ok(report)
}

impl Writers {
    fn new(context: &Context, sessions: &[Session], size: usize) -> Self {
        let mut apis = vec![Arc::clone(&context.api)];
        for other in context.others.iter().filter(|other| !Arc::ptr_eq(other, &context.target)) {
            apis.push(Arc::new(Api::new(Arc::clone(other), context.options.in_flight, &context.live)));
        }
        let replies = Latencies::new();
        context.live.watch("reply", &replies);
        Self {
            apis,
            problems: Arc::clone(&context.problems),
            payload: Payload::new(size),
            paths: sessions.iter().map(|session| context.api.messages_path(&session.id)).collect(),
            ledgers: Mutex::new(sessions.iter().map(|_| SessionLedger::default()).collect()),
            replies,
            next: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
        }
    }

    async fn write(&self, writer: usize, end: Instant) {
        let session = writer % self.paths.len().max(1);
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let body = self.payload.body(index);
            let start = Instant::now();
            if start >= end {
                return;
            }
            match self.apis[writer % self.apis.len()].post_message(&self.paths[session], body).await {
                Ok(seq) => {
                    self.replies.record(start.elapsed());
                    self.acknowledged.fetch_add(1, Ordering::Relaxed);
                    self.ledgers()[session].acknowledge(seq, index);
                }
                Err(error) => {
                    self.problems.add(Kind::PostFailed, 1, || format!("{error:#}"));
                    tokio::time::sleep(AFTER_FAILURE).await;
                }
            }
        }
    }

    /// Checks that each session has exactly its acknowledged messages.
    async fn check(&self, sessions: &[Session]) {
        let mut found = futures::stream::iter(sessions.iter().enumerate())
            .map(|(number, before)| async move { (number, before, self.apis[0].session(&before.id).await) })
            .buffer_unordered(CHECKING);
        while let Some((number, before, after)) = found.next().await {
            match after {
                Ok(after) => self.compare(number, before, &after),
                Err(error) => self.problems.add(Kind::PostFailed, 1, || format!("{error:#}")),
            }
        }
    }

    fn compare(&self, number: usize, before: &Session, after: &Session) {
        let ledger = &mut self.ledgers()[number];
        let filled = ledger.fills(before.last_seq, after.last_seq);
        self.problems.add(Kind::SeqConflict, u64::from(!filled), || {
            format!(
                "session {}: {} messages acknowledged, but its seq went from {} to {}",
                before.id,
                ledger.messages(),
                before.last_seq,
                after.last_seq
            )
        });
    }

    fn ledgers(&self) -> MutexGuard<'_, Vec<SessionLedger>> {
        self.ledgers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
