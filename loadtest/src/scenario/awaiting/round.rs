//! Long-polls that wait for answers, some or all of which are given at a rate.

use std::sync::{Arc, OnceLock};

use tokio::task::JoinSet;

use super::questions::Questions;
use crate::{
    client::{Api, Credential},
    latency::{Latencies, Summary},
    long_polls::{LongPolls, Question},
    payload::Payload,
    problems::{Kind, Problems},
    progress::Phase,
    scenario::Context,
    schedule::Schedule,
    stop::Stop,
};

/// Open long-polls, one for each question.
pub(in crate::scenario) struct Round {
    questions: Arc<[Question]>,
    polls: LongPolls,
    /// The last `seq` of each session before the first answer.
    seqs: Vec<u64>,
}

/// What became of the answers of a round.
pub(in crate::scenario) struct Answered {
    pub(in crate::scenario) acknowledged: u64,
    /// Long-polls that ended.
    pub(in crate::scenario) ended: u64,
    /// Polls that came back pending.
    pub(in crate::scenario) repolls: u64,
    /// From the due time of an answer to the reply of its long-poll.
    pub(in crate::scenario) latency: Summary,
    pub(in crate::scenario) replies: Summary,
    pub(in crate::scenario) lateness: Summary,
    /// Questions that nobody has answered.
    pub(in crate::scenario) unanswered: Vec<Question>,
}

/// Answers questions on a schedule, as their people.
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

impl Round {
    /// Opens a long-poll for each question; returns when all wait.
    pub(in crate::scenario) async fn open(
        context: &Context,
        asked: &Questions,
        questions: Vec<Question>,
        wait: u8,
    ) -> Result<Self, Stop> {
        let questions: Arc<[Question]> = questions.into();
        let polls = LongPolls::new(&context.target, Arc::clone(&questions), &context.problems, &context.live, wait);
        let phase = Phase::start("long-polls", questions.len() as u64);
        polls.open(context.options.connecting, &phase).await?;
        let seqs = asked.last_seqs(context).await?;
        Ok(Self { questions, polls, seqs })
    }

    pub(in crate::scenario) fn len(&self) -> usize {
        self.questions.len()
    }

    /// Answers the first questions, as many as the schedule has, until every answer has reached its long-poll or the time
    /// is up.
    pub(in crate::scenario) async fn answer(
        self,
        context: &Context,
        asked: &Questions,
        schedule: Schedule,
    ) -> Result<Answered, Stop> {
        self.polls.follow(schedule).map_err(Stop::Tool)?;
        let answerer = Arc::new(Answerer::new(context, asked, schedule, &self.questions));
        let phase = Phase::start("answers", schedule.count());
        let following = phase.follow(self.polls.counter());
        answerer.run().await?;
        let acknowledged = answerer.answers.iter().filter(|answer| answer.get().is_some()).count() as u64;
        self.polls.wait_for(acknowledged, context.options.drain).await;
        drop(following);
        tokio::time::sleep(context.options.settle).await;

        let answered = schedule.count().min(self.questions.len() as u64);
        let given = usize::try_from(answered).unwrap_or(usize::MAX);
        let result = Answered {
            acknowledged,
            ended: self.polls.counter()(),
            repolls: self.polls.repolls(),
            latency: self.polls.latency(),
            replies: answerer.replies.summary(),
            lateness: answerer.lateness.summary(),
            unanswered: self.questions.get(given..).unwrap_or_default().to_vec(),
        };
        self.polls.finish(&answerer.answers).await;
        compare_seqs(context, asked, &self.seqs, &answerer).await?;
        Ok(result)
    }
}

/// Each answer is two events, its own and that of the settlement. Checks that the sessions have grown by these.
async fn compare_seqs(context: &Context, asked: &Questions, before: &[u64], answerer: &Answerer) -> Result<(), Stop> {
    let after = asked.last_seqs(context).await?;
    let mut expected = before.to_vec();
    for (question, answer) in answerer.questions.iter().zip(&answerer.answers) {
        expected[question.session] += if answer.get().is_some() { 2 } else { 0 };
    }
    for ((session, expected), after) in asked.sessions.iter().zip(expected).zip(after) {
        context.problems.add(Kind::SeqConflict, u64::from(expected != after), || {
            format!("session {}: its seq is {after} after all answers, expected {expected}", session.id)
        });
    }
    Ok(())
}

impl Answerer {
    fn new(context: &Context, asked: &Questions, schedule: Schedule, questions: &Arc<[Question]>) -> Self {
        let replies = Latencies::new();
        context.live.watch("reply", &replies);
        Self {
            api: Arc::clone(&context.api),
            problems: Arc::clone(&context.problems),
            payload: asked.payload.clone(),
            schedule,
            people: asked.people.clone(),
            questions: Arc::clone(questions),
            answers: questions.iter().map(|_| OnceLock::new()).collect(),
            replies,
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

    async fn answer(&self, place: u64) {
        let due = self.schedule.at(place);
        let number = usize::try_from(place).unwrap_or(usize::MAX);
        let Some((question, answer)) = self.questions.get(number).zip(self.answers.get(number)) else { return };
        let body = self.payload.body_with(question.index, "inReplyTo", &format!("\"{}\"", question.message));
        let counts = self.schedule.due(place).is_some();
        if counts {
            self.lateness.record(due.elapsed());
        }
        match self.api.answer(&self.people[question.session], &question.session_id, body).await {
            Ok(message) => {
                if counts {
                    self.replies.record(due.elapsed());
                }
                // Each place occurs once.
                let _ = answer.set(message.id);
            }
            Err(error) => self.problems.add(Kind::PostFailed, 1, || format!("{error:#}")),
        }
    }
}
