//! `await`: many long-polls, each on a message of its own, and the time from each answer to its reply.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use futures::{Stream, StreamExt as _, TryStreamExt as _};
use serde_json::json;
use tokio::task::JoinSet;

use super::{
    Context,
    memory::{report_memory, report_memory_each},
    sender::report_lateness,
};
use crate::{
    cli::AwaitArgs,
    client::{Api, Credential, Session},
    latency::Latencies,
    long_polls::{LongPolls, Question},
    payload::Payload,
    problems::{Kind, Problems},
    progress::Phase,
    report::{Report, Section},
    schedule::{LEAD, Schedule},
    stop::Stop,
};

/// Concurrent requests outside of measurements.
const PREPARING: usize = 64;

/// Answers every question on its schedule, as a person.
struct Answerer {
    api: Arc<Api>,
    problems: Arc<Problems>,
    payload: Payload,
    schedule: Schedule,
    people: Vec<Credential>,
    questions: Arc<[Question]>,
    /// The id of each question's answer, once it has its 201.
    answers: Vec<OnceLock<String>>,
    replies: Latencies,
    lateness: Latencies,
}

pub(super) async fn run(context: &Context, arguments: AwaitArgs) -> Result<Report, Stop> {
    let payload = Payload::new(arguments.size);
    let sessions = context.create_sessions(arguments.sessions.min(arguments.waiters)).await?;
    let people = people(context, &sessions, arguments.token.as_deref()).await?;
    let questions = ask(context, &sessions, &payload, arguments.waiters).await?;
    let before = context.server_memory()?;

    let polls =
        LongPolls::new(&context.target, Arc::clone(&questions), &context.problems, &context.live, arguments.wait);
    let opening = Instant::now();
    let phase = Phase::start("long-polls", questions.len() as u64);
    polls.open(context.options.connecting, &phase).await?;
    let opened_in = opening.elapsed().as_secs_f64();
    drop(phase);
    Phase::hold("rest", arguments.rest).await;
    let open = context.server_memory()?;
    let meter = context.meter()?;
    Phase::hold("hold", arguments.hold).await;
    let usage = meter.stop().map_err(Stop::Hub)?;
    let held = context.server_memory()?;

    let seqs = last_seqs(context, &sessions).await?;
    let length = Duration::from_secs_f64(questions.len() as f64 / arguments.rate);
    let schedule = Schedule::new(Instant::now() + LEAD, arguments.rate, length, 1);
    polls.follow(schedule).map_err(Stop::Tool)?;
    let answerer = Arc::new(Answerer::new(context, schedule, payload, people, &questions));
    let answering = context.meter()?;
    let phase = Phase::start("answers", questions.len() as u64);
    let following = phase.follow(polls.counter());
    answerer.run().await?;
    let acknowledged = answerer.answers.iter().filter(|answer| answer.get().is_some()).count() as u64;
    polls.wait_for(acknowledged, context.options.drain).await;
    let answered = answering.stop().map_err(Stop::Hub)?;
    drop(following);
    tokio::time::sleep(context.options.settle).await;

    let latency = polls.latency();
    let repolls = polls.repolls();
    let replied = polls.counter()();
    polls.finish(&answerer.answers).await;
    compare_seqs(context, &sessions, &seqs, &answerer).await?;

    let mut report = Report::new("await", &context.options.url, json!(arguments));
    let number = questions.len() as u64;
    report.count(Section::Load, "sessions", "sessions", sessions.len() as u64);
    report.count(Section::Load, "waiters", "long-polls", number);
    report.figure(Section::Load, "openSeconds", "all waiting after", opened_in, "s");
    report.count(Section::Load, "repolls", "polls that came back pending", repolls);
    report.count(Section::Load, "answersAcknowledged", "answers acknowledged", acknowledged);
    report.count(Section::Load, "waitersEnded", "long-polls that ended", replied);
    report.latency("answer", "scheduled to reply of long-poll", latency);
    report.latency("reply", "scheduled to 201", answerer.replies.summary());
    report_lateness(&mut report, &answerer.lateness);
    usage.report(&mut report);
    answered.report_per(&mut report, "usPerAnswer", "CPU per answer", acknowledged);
    report_memory(&mut report, "memoryBeforeMiB", "memory before", before);
    report_memory(&mut report, "memoryOpenMiB", "memory with all waiting", open);
    report_memory(&mut report, "memoryHeldMiB", "memory after the hold", held);
    report_memory_each(&mut report, "kibPerWaiter", "memory per long-poll", before, open, number);
    Ok(report)
}

/// The person who answers in each session.
async fn people(context: &Context, sessions: &[Session], token: Option<&str>) -> Result<Vec<Credential>, Stop> {
    if let Some(token) = token {
        let person = Credential::bearer(token).map_err(|error| Stop::Usage(format!("--token: {error:#}")))?;
        return Ok(vec![person; sessions.len()]);
    }
    let guests = sessions.iter().map(|session| context.api.create_guest(&session.id));
    in_order(guests).try_collect().await.map_err(|error: anyhow::Error| Stop::Hub(error.context("creating the guests")))
}

/// Posts one message that requires a response for each long-poll, in each session in turn.
async fn ask(
    context: &Context,
    sessions: &[Session],
    payload: &Payload,
    number: usize,
) -> Result<Arc<[Question]>, Stop> {
    let phase = Phase::start("messages", number as u64);
    let posts = (0..number).zip((0..sessions.len()).cycle()).map(|(index, session)| {
        let body = payload.body_with(index as u64, "responseRequired", "true");
        let id = sessions[session].id.clone();
        async move {
            let message = context.api.create_message(&id, body).await?;
            Ok(Question { session, session_id: id, message: message.id })
        }
    });
    let questions: Result<Vec<Question>, anyhow::Error> =
        in_order(posts).inspect(|_| phase.advance(1)).try_collect().await;
    questions.map(Into::into).map_err(|error| Stop::Hub(error.context("posting the messages")))
}

async fn last_seqs(context: &Context, sessions: &[Session]) -> Result<Vec<u64>, Stop> {
    let reads = sessions.iter().map(|session| async { Ok(context.api.session(&session.id).await?.last_seq) });
    let seqs: Result<Vec<u64>, anyhow::Error> = in_order(reads).try_collect().await;
    seqs.map_err(|error| Stop::Hub(error.context("reading the sessions")))
}

/// Each answer is two events, its own and that of the settlement. Checks that the sessions have grown by these.
async fn compare_seqs(
    context: &Context,
    sessions: &[Session],
    before: &[u64],
    answerer: &Answerer,
) -> Result<(), Stop> {
    let after = last_seqs(context, sessions).await?;
    let mut expected = before.to_vec();
    for (question, answer) in answerer.questions.iter().zip(&answerer.answers) {
        expected[question.session] += if answer.get().is_some() { 2 } else { 0 };
    }
    for ((session, expected), after) in sessions.iter().zip(expected).zip(after) {
        context.problems.add(Kind::SeqConflict, u64::from(expected != after), || {
            format!("session {}: its seq is {after} after all answers, expected {expected}", session.id)
        });
    }
    Ok(())
}

fn in_order<F: Future>(futures: impl Iterator<Item = F>) -> impl Stream<Item = F::Output> {
    futures::stream::iter(futures).buffered(PREPARING)
}

impl Answerer {
    fn new(
        context: &Context,
        schedule: Schedule,
        payload: Payload,
        people: Vec<Credential>,
        questions: &Arc<[Question]>,
    ) -> Self {
        Self {
            api: Arc::clone(&context.api),
            problems: Arc::clone(&context.problems),
            payload,
            schedule,
            people,
            questions: Arc::clone(questions),
            answers: questions.iter().map(|_| OnceLock::new()).collect(),
            replies: Latencies::new(),
            lateness: Latencies::new(),
        }
    }

    async fn run(self: &Arc<Self>) -> Result<(), Stop> {
        let mut ticks = self.schedule.pace().map_err(|error| Stop::Tool(error.into()))?;
        let mut posts = JoinSet::new();
        while let Some(range) = ticks.recv().await {
            for index in range {
                let answerer = Arc::clone(self);
                posts.spawn(async move { answerer.answer(index).await });
            }
            while posts.try_join_next().is_some() {}
        }
        while posts.join_next().await.is_some() {}
        Ok(())
    }

    async fn answer(&self, index: u64) {
        let due = self.schedule.at(index);
        let number = usize::try_from(index).unwrap_or(usize::MAX);
        let Some((question, answer)) = self.questions.get(number).zip(self.answers.get(number)) else { return };
        let body = self.payload.body_with(index, "inReplyTo", &format!("\"{}\"", question.message));
        self.lateness.record(due.elapsed());
        match self.api.answer(&self.people[question.session], &question.session_id, body).await {
            Ok(message) => {
                self.replies.record(due.elapsed());
                // Each index occurs once.
                let _ = answer.set(message.id);
            }
            Err(error) => self.problems.add(Kind::PostFailed, 1, || format!("{error:#}")),
        }
    }
}
