//! `await`: many long-polls, each on a message of its own, and the time from each answer to its reply.

mod questions;
mod round;

use std::time::{Duration, Instant};

use serde_json::json;

use self::round::Answered;
pub(super) use self::{questions::Questions, round::Round};
use super::{
    Context,
    memory::{report_memory, report_memory_each},
    ramp::{self, Measured, Ramp, RampLoad},
    sender::report_lateness,
};
use crate::{
    cli::AwaitArgs,
    latency::Summary,
    long_polls::Question,
    progress::Phase,
    report::{Report, Section},
    schedule::{LEAD, Schedule},
    stop::Stop,
};

pub(super) async fn run(context: &Context, arguments: AwaitArgs) -> Result<Report, Stop> {
    let target = arguments.ramp.target.clone();
    ramp::check(target.as_ref(), Answering::MAIN)?;
    let sessions = arguments.sessions.min(arguments.waiters);
    let asked = Questions::new(context, sessions, arguments.token.as_deref(), arguments.size).await?;
    let number = arguments.waiters as u64;
    let questions = asked.ask(context, 0..number).await?;
    let before = context.server_memory()?;

    let opening = Instant::now();
    let round = Round::open(context, &asked, questions, arguments.wait).await?;
    let opened_in = opening.elapsed().as_secs_f64();
    Phase::hold("rest", arguments.rest).await;
    let open = context.server_memory()?;
    let meter = context.meter()?;
    Phase::hold("hold", arguments.hold).await;
    let usage = meter.stop().map_err(Stop::Hub)?;
    let held = context.server_memory()?;

    let answering = context.meter()?;
    let mut answers = Answering::new(context, &arguments, &asked, round);
    let (measured, ramp) = match &target {
        None => {
            let length = Duration::from_secs_f64(number as f64 / arguments.rate);
            (Some(answers.all(length).await?), None)
        }
        Some(target) => {
            let (ramp, best) = Ramp::run(&arguments.ramp, target, arguments.rate, &mut answers).await?;
            (best, Some(ramp))
        }
    };
    let answered = answering.stop().map_err(Stop::Hub)?;
    let Answering { acknowledged, ended, repolls, .. } = answers;

    let mut report = Report::new("await", &context.options.url, json!(arguments));
    report.count(Section::Load, "sessions", "sessions", asked.sessions.len() as u64);
    report.count(Section::Load, "waiters", "long-polls", number);
    report.figure(Section::Load, "openSeconds", "all waiting after", opened_in, "s");
    report.count(Section::Load, "repolls", "polls that came back pending", repolls);
    report.count(Section::Load, "answersAcknowledged", "answers acknowledged", acknowledged);
    report.count(Section::Load, "waitersEnded", "long-polls that ended", ended);
    let steady = ramp.is_none();
    if let Some(ramp) = ramp {
        ramp.report(&mut report);
    }
    let Measured { main, replies, lateness, .. } = measured.unwrap_or_else(Measured::none);
    report.latency("answer", "scheduled to reply of long-poll", main);
    report.latency("reply", "scheduled to 201", replies);
    report_lateness(&mut report, lateness);
    usage.report(&mut report);
    if steady {
        answered.report_per(&mut report, "usPerAnswer", "CPU per answer", acknowledged);
    }
    report_memory(&mut report, "memoryBeforeMiB", "memory before", before);
    report_memory(&mut report, "memoryOpenMiB", "memory with all waiting", open);
    report_memory(&mut report, "memoryHeldMiB", "memory after the hold", held);
    report_memory_each(&mut report, "kibPerWaiter", "memory per long-poll", before, open, number);
    Ok(report)
}

/// Answers at rates that are searched, or all at one.
struct Answering<'a> {
    context: &'a Context,
    arguments: &'a AwaitArgs,
    asked: &'a Questions,
    /// The long-polls that wait; none between two steps.
    round: Option<Round>,
    /// Questions of earlier steps that nobody has answered.
    unanswered: Vec<Question>,
    /// The index of the next question.
    next: u64,
    acknowledged: u64,
    ended: u64,
    repolls: u64,
}

impl<'a> Answering<'a> {
    fn new(context: &'a Context, arguments: &'a AwaitArgs, asked: &'a Questions, round: Round) -> Self {
        let next = round.len() as u64;
        let unanswered = Vec::new();
        Self { context, arguments, asked, round: Some(round), unanswered, next, acknowledged: 0, ended: 0, repolls: 0 }
    }

    async fn all(&mut self, length: Duration) -> Result<Measured, Stop> {
        let round = self.waiting().await?;
        let schedule = Schedule::new(Instant::now() + LEAD, self.arguments.rate, length, 1);
        self.answer(round, schedule).await
    }

    /// All long-polls, opened again where they have ended.
    async fn waiting(&mut self) -> Result<Round, Stop> {
        if let Some(round) = self.round.take() {
            return Ok(round);
        }
        let mut questions = std::mem::take(&mut self.unanswered);
        let missing = self.arguments.waiters.saturating_sub(questions.len()) as u64;
        questions.extend(self.asked.ask(self.context, self.next..self.next + missing).await?);
        self.next += missing;
        Round::open(self.context, self.asked, questions, self.arguments.wait).await
    }

    async fn answer(&mut self, round: Round, schedule: Schedule) -> Result<Measured, Stop> {
        let Answered { acknowledged, ended, repolls, latency, replies, lateness, unanswered } =
            round.answer(self.context, self.asked, schedule).await?;
        self.acknowledged += acknowledged;
        self.ended += ended;
        self.repolls += repolls;
        self.unanswered = unanswered;
        let complete = acknowledged == schedule.count() && ended == acknowledged && self.context.problems.total() == 0;
        Ok(Measured { main: latency, replies, lateness, complete })
    }
}

impl RampLoad for Answering<'_> {
    const MAIN: &'static str = "answer";

    fn burst(&self) -> usize {
        1
    }

    fn most(&self) -> (f64, String) {
        let AwaitArgs { waiters, ramp, .. } = self.arguments;
        let time = (ramp.step + ramp.step_warmup).as_secs_f64();
        (*waiters as f64 / time.max(f64::MIN_POSITIVE), "each answer of a step needs one of --waiters".to_owned())
    }

    async fn step(&mut self, rate: f64) -> Result<Measured, Stop> {
        let round = self.waiting().await?;
        let schedule = ramp::schedule_of(&self.arguments.ramp, rate, 1, 0).at_most(round.len() as u64);
        self.answer(round, schedule).await
    }
}

impl Measured {
    fn none() -> Self {
        Self { main: Summary::none(), replies: Summary::none(), lateness: Summary::none(), complete: true }
    }
}
