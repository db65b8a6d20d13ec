//! Open-loop sending: every message is posted when it is due, regardless of earlier ones.

use std::{
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::task::JoinSet;

use super::Context;
use crate::{
    client::{Api, Session},
    latency::{Latencies, Summary},
    ledger::SessionLedger,
    payload::Payload,
    problems::{Kind, Problems},
    report::Report,
    schedule::Schedule,
    stop::Stop,
};

/// If the tester itself is later than this, the latencies are not meaningful.
pub(super) const LATE_MS: f64 = 5.0;
const LEAST_CONNECTIONS: usize = 8;

/// Posts to each session in turn, and keeps what was acknowledged.
pub(super) struct Sender {
    api: Arc<Api>,
    problems: Arc<Problems>,
    payload: Payload,
    paths: Vec<String>,
    ledgers: Mutex<Vec<SessionLedger>>,
    replies: Latencies,
    lateness: Latencies,
}

impl Sender {
    /// Opens connections for `burst` POSTs at one time.
    pub(super) async fn new(
        context: &Context,
        sessions: &[Session],
        size: usize,
        burst: usize,
    ) -> Result<Arc<Self>, Stop> {
        let connections = burst.max(LEAST_CONNECTIONS).min(context.options.in_flight);
        let warm = context.api.warm_up(connections).await;
        warm.map_err(|error| Stop::Hub(error.context("opening connections to post on")))?;
        let replies = Latencies::new();
        context.live.watch("reply", &replies);
        Ok(Arc::new(Self {
            api: Arc::clone(&context.api),
            problems: Arc::clone(&context.problems),
            payload: Payload::new(size),
            paths: sessions.iter().map(|session| context.api.messages_path(&session.id)).collect(),
            ledgers: Mutex::new(sessions.iter().map(|_| SessionLedger::default()).collect()),
            replies,
            lateness: Latencies::new(),
        }))
    }

    /// Returns when every message of the schedule has its reply.
    pub(super) async fn run(self: &Arc<Self>, schedule: Schedule) -> Result<(), Stop> {
        let pacing = schedule.pace();
        let mut ticks = pacing.map_err(|error| Stop::Tool(error.into()))?;
        let mut posts = JoinSet::new();
        while let Some(Range { start, end }) = ticks.recv().await {
            for index in start..end {
                let sender = Arc::clone(self);
                posts.spawn(async move { sender.post(schedule, index).await });
            }
            while posts.try_join_next().is_some() {}
        }
        while posts.join_next().await.is_some() {}
        Ok(())
    }

    async fn post(&self, schedule: Schedule, index: u64) {
        let (due, number, index) = (schedule.at(index), index, schedule.index(index));
        let body = self.payload.body(index);
        let session = usize::try_from(number).unwrap_or(usize::MAX) % self.paths.len().max(1);
        let counts = schedule.due(index).is_some();
        if counts {
            self.lateness.record(due.elapsed());
        }
        match self.api.post_message(&self.paths[session], body).await {
            Ok(seq) => {
                if counts {
                    self.replies.record(due.elapsed());
                }
                self.ledgers()[session].acknowledge(seq, index);
            }
            Err(error) => self.problems.add(Kind::PostFailed, 1, || format!("{error:#}")),
        }
    }

    /// The latencies of replies and of the sender itself, which begin anew.
    pub(super) fn take_latencies(&self) -> (Summary, Summary) {
        (self.replies.take(), self.lateness.take())
    }

    pub(super) fn put_latencies(&self, replies: &Summary, lateness: &Summary) {
        self.replies.add(replies);
        self.lateness.add(lateness);
    }

    /// The acknowledged messages of each session.
    pub(super) fn messages(&self) -> Vec<u64> {
        self.ledgers().iter().map(SessionLedger::messages).collect()
    }

    pub(super) fn acknowledged(&self) -> u64 {
        self.messages().iter().sum()
    }

    /// The last acknowledged `seq` of each session.
    pub(super) fn heads(&self) -> Arc<[u64]> {
        self.ledgers().iter().map(SessionLedger::last).collect()
    }

    pub(super) fn take_ledgers(&self) -> Vec<SessionLedger> {
        std::mem::take(&mut *self.ledgers())
    }

    pub(super) fn report(&self, report: &mut Report) {
        report.latency("reply", "scheduled to 201", self.replies.summary());
        report_lateness(report, self.lateness.summary());
    }

    fn ledgers(&self) -> MutexGuard<'_, Vec<SessionLedger>> {
        self.ledgers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds how late the tester itself was, and warns if that affects the latencies.
pub(super) fn report_lateness(report: &mut Report, lateness: Summary) {
    let p99 = lateness.percentile_ms(99.0);
    report.latency("lateness", "sender behind schedule", lateness);
    if p99 > LATE_MS {
        report.warn(format!("the tester itself was {p99:.1} ms late at p99: it needs more CPU or --threads"));
    }
}
