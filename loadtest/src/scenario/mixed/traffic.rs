//! Durable traffic: messages and questions on their schedules, and what was acknowledged of them.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use futures::{StreamExt as _, TryStreamExt as _};
use tokio::task::JoinSet;

use super::{super::Context, cast::Cast};
use crate::{
    cli::{MixedArgs, Share},
    client::{Api, Target},
    latency::Latencies,
    ledger::SessionLedger,
    payload::Payload,
    problems::{Kind, Problems},
    report::{Report, Section},
    schedule::Schedule,
    stop::Stop,
};

/// Indexes of messages, questions, answers and racing answers differ by their remainder.
pub(super) const KINDS: u64 = 4;
pub(super) const MESSAGE: u64 = 0;
pub(super) const QUESTION: u64 = 1;
pub(super) const ANSWER: u64 = 2;
/// Concurrent reads of sessions.
const READING: usize = 16;

/// Everything that is sent on a schedule.
pub(super) struct Traffic {
    pub(super) api: Arc<Api>,
    /// A separate pool, so that answers never use the connection of a long-poll.
    pub(super) polls: Api,
    pub(super) target: Arc<Target>,
    pub(super) problems: Arc<Problems>,
    pub(super) payload: Payload,
    pub(super) cast: Arc<Cast>,
    pub(super) think: Duration,
    pub(super) stay: Duration,
    pub(super) races: Share,
    ledgers: Mutex<Vec<SessionLedger>>,
    replies: Latencies,
    pub(super) answers: Latencies,
    pub(super) answer_replies: Latencies,
    pub(super) revocations: Latencies,
    pub(super) lateness: Latencies,
    pub(super) asked: AtomicU64,
    pub(super) answered: AtomicU64,
    /// Answers that came second.
    pub(super) refused: AtomicU64,
    pub(super) visits: AtomicU64,
}

impl Traffic {
    pub(super) async fn new(context: &Context, arguments: &MixedArgs, cast: &Arc<Cast>) -> Result<Arc<Self>, Stop> {
        let warm = context.api.warm_up(8).await;
        warm.map_err(|error| Stop::Hub(error.context("opening connections to post on")))?;
        let traffic = Self {
            api: Arc::clone(&context.api),
            polls: Api::new(Arc::clone(&context.target), context.options.in_flight, &context.live),
            target: Arc::clone(&context.target),
            problems: Arc::clone(&context.problems),
            payload: Payload::new(arguments.size),
            cast: Arc::clone(cast),
            think: arguments.think,
            stay: arguments.stay,
            races: arguments.races,
            ledgers: Mutex::new(cast.sessions.iter().map(|_| SessionLedger::default()).collect()),
            replies: Latencies::new(),
            answers: Latencies::new(),
            answer_replies: Latencies::new(),
            revocations: Latencies::new(),
            lateness: Latencies::new(),
            asked: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            visits: AtomicU64::new(0),
        };
        context.live.watch("reply", &traffic.replies);
        context.live.watch("answer", &traffic.answers);
        Ok(Arc::new(traffic))
    }

    /// Sends everything; returns when all questions have been answered and all visitors have left.
    pub(super) async fn run(
        self: &Arc<Self>,
        [messages, questions, visits]: [Option<Schedule>; 3],
    ) -> Result<(), Stop> {
        let (first, second, third) = tokio::join!(
            self.each(messages, |traffic, schedule, number| async move { traffic.say(schedule, number).await }),
            self.each(questions, |traffic, schedule, number| async move { traffic.ask(schedule, number).await }),
            self.each(visits, |traffic, schedule, number| async move { traffic.visit(schedule, number).await }),
        );
        first.and(second).and(third)
    }

    async fn each<F>(
        self: &Arc<Self>,
        schedule: Option<Schedule>,
        act: impl Fn(Arc<Self>, Schedule, u64) -> F,
    ) -> Result<(), Stop>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Some(schedule) = schedule else { return Ok(()) };
        let mut ticks = schedule.pace().map_err(|error| Stop::Tool(error.into()))?;
        let mut acts = JoinSet::new();
        while let Some(range) = ticks.recv().await {
            for number in range {
                self.lateness.record(schedule.at(number).elapsed());
                acts.spawn(act(Arc::clone(self), schedule, number));
            }
            while acts.try_join_next().is_some() {}
        }
        while acts.join_next().await.is_some() {}
        Ok(())
    }

    /// A message of one of the players of a session, in turn.
    async fn say(&self, schedule: Schedule, number: u64) {
        let (session, turn) = self.place(number);
        let players = &self.cast.players[session];
        let player = &players[turn % players.len()];
        let index = schedule.index(number);
        let body = self.payload.body(index);
        match self.api.say(player.side, &player.credential, &self.cast.sessions[session].id, body).await {
            Ok(message) => {
                self.replies.record(schedule.at(number).elapsed());
                self.acknowledge(session, message.seq, index);
            }
            Err(error) => self.problems.add(Kind::PostFailed, 1, || format!("{error:#}")),
        }
    }

    /// Sessions take turns, and in each of them its players.
    pub(super) fn place(&self, number: u64) -> (usize, usize) {
        let number = usize::try_from(number).unwrap_or_default();
        let sessions = self.cast.sessions.len();
        (number % sessions, number / sessions)
    }

    pub(super) fn acknowledge(&self, session: usize, seq: u64, index: u64) {
        self.ledgers()[session].acknowledge(seq, index);
    }

    /// The acknowledged messages of each session.
    pub(super) fn messages(&self) -> Vec<u64> {
        self.ledgers().iter().map(SessionLedger::messages).collect()
    }

    /// The ledgers up to the last event of each session, whatever its type.
    pub(super) async fn final_ledgers(&self, context: &Context) -> Result<Vec<SessionLedger>, Stop> {
        let places = self.cast.sessions.iter().zip(&self.cast.players);
        let reads = places.map(|(session, players)| context.api.session_as(&players[0].credential, &session.id));
        let sessions: Result<Vec<_>> = futures::stream::iter(reads).buffered(READING).try_collect().await;
        let sessions = sessions.map_err(|error| Stop::Hub(error.context("reading the sessions")))?;
        let mut ledgers = std::mem::take(&mut *self.ledgers());
        for (ledger, session) in ledgers.iter_mut().zip(sessions) {
            ledger.ends_at(session.last_seq);
        }
        Ok(ledgers)
    }

    pub(super) fn report(&self, report: &mut Report) {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        report.count(Section::Load, "messagesAcknowledged", "messages acknowledged", self.messages().iter().sum());
        report.count(Section::Load, "questions", "of them questions", count(&self.asked));
        report.count(Section::Load, "answers", "questions answered once", count(&self.answered));
        report.count(Section::Load, "answersRefused", "second answers refused", count(&self.refused));
        report.count(Section::Load, "visits", "visits of further guests", count(&self.visits));
        report.latency("reply", "scheduled to 201", self.replies.summary());
        report.latency("answer", "answer to reply of long-poll", self.answers.summary());
        report.latency("answerReply", "answer to 201", self.answer_replies.summary());
        report.latency("revocation", "revocation to close", self.revocations.summary());
    }

    fn ledgers(&self) -> MutexGuard<'_, Vec<SessionLedger>> {
        self.ledgers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
