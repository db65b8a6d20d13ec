//! What a step needs: the sessions and sockets of its measurement, and what has grown beside them.

use std::{sync::Arc, time::Instant};

use futures::{StreamExt as _, TryStreamExt as _};

use super::{
    pages,
    stored::{Stored, spread},
};
use crate::{
    cli::{Dimension, SweepPlan},
    client::{Session, Target},
    fleet::{Group, Seat},
    latency::Summary,
    long_polls::Question,
    progress::Phase,
    scenario::{
        Context,
        awaiting::{Questions, Round},
    },
    schedule::{LEAD, Schedule},
    stop::Stop,
};

/// Sockets in a session, where they are not people.
const PER_SESSION: usize = 10;
/// Sessions of the questions that long-polls wait for.
const QUESTION_SESSIONS: usize = 10;
/// Timeout of a long-poll, in seconds.
const WAIT: u8 = 55;

/// The sockets of a step, and the rate of its messages.
pub(super) struct Stage {
    pub(super) sessions: Arc<[Session]>,
    pub(super) seats: Vec<Seat>,
    pub(super) rate: f64,
}

/// One dimension, and what it has grown to.
pub(super) struct Stages<'a> {
    pub(super) context: &'a Context,
    pub(super) plan: &'a SweepPlan,
    pub(super) dimension: Dimension,
    nodes: &'a [Arc<Target>],
    stored: Stored,
    waiting: Waiting,
}

/// Long-polls, and the questions of ended ones that nobody has answered.
#[derive(Default)]
struct Waiting {
    asked: Option<Questions>,
    round: Option<Round>,
    unanswered: Vec<Question>,
    /// The index of the next question.
    next: u64,
}

impl<'a> Stages<'a> {
    pub(super) fn new(
        context: &'a Context,
        plan: &'a SweepPlan,
        nodes: &'a [Arc<Target>],
        dimension: Dimension,
    ) -> Self {
        Self { context, plan, dimension, nodes, stored: Stored::default(), waiting: Waiting::default() }
    }

    /// Lets it grow to this value.
    pub(super) async fn prepare(&mut self, value: usize) -> Result<Stage, Stop> {
        let (context, plan) = (self.context, self.plan);
        match self.dimension {
            Dimension::Sockets => self.sockets(value, None).await,
            Dimension::Nodes => self.sockets(plan.probes, self.nodes.get(..value)).await,
            Dimension::Sessions => {
                self.stored.create(context, plan.writers, value).await?;
                Ok(self.probes_of_stored())
            }
            Dimension::History => {
                self.stored.create(context, plan.writers, plan.history_sessions).await?;
                self.stored.write(context, plan.writers, plan.size, value).await?;
                Ok(self.probes_of_stored())
            }
            Dimension::Waiters => {
                self.wait(value).await?;
                self.sockets(plan.probes, None).await
            }
            Dimension::People => self.people(value).await,
        }
    }

    /// After the messages: the further latency of this dimension, if it has one.
    pub(super) async fn other(&mut self, value: usize) -> Result<Option<Summary>, Stop> {
        match self.dimension {
            Dimension::Sessions => pages::sessions(self.context, value).await.map(Some),
            Dimension::History if value > 0 => pages::timelines(self.context, &self.stored.sessions).await.map(Some),
            Dimension::Waiters => self.answer().await,
            _ => Ok(None),
        }
    }

    /// New sessions with sockets, on these nodes in turn.
    async fn sockets(&self, number: usize, nodes: Option<&[Arc<Target>]>) -> Result<Stage, Stop> {
        let sessions = number.div_ceil(PER_SESSION);
        let sessions = self.context.create_sessions_by(self.plan.writers, sessions).await?;
        let mut seats = self.context.seats(&sessions, 0..number, Group::Steady);
        if let Some(nodes) = nodes {
            // The sockets of a session are on all nodes.
            for seat in &mut seats {
                let place = seat.number / sessions.len() + seat.session;
                seat.target = Arc::clone(&nodes[place % nodes.len()]);
            }
        }
        Ok(Stage { sessions, seats, rate: self.plan.rate })
    }

    /// Sockets of some of the stored sessions.
    fn probes_of_stored(&self) -> Stage {
        let sessions = self.plan.probes.div_ceil(PER_SESSION);
        let sessions: Arc<[Session]> = spread(&self.stored.sessions, sessions).cloned().collect();
        let seats = self.context.seats(&sessions, 0..self.plan.probes, Group::Steady);
        Stage { sessions, seats, rate: self.plan.rate }
    }

    /// A new session with so many guests, each with a socket.
    async fn people(&self, number: usize) -> Result<Stage, Stop> {
        let (context, plan) = (self.context, self.plan);
        let sessions = context.create_sessions(1).await?;
        let phase = Phase::start("people", number as u64);
        let id = &sessions[0].id;
        let guests: Result<Vec<_>, anyhow::Error> = futures::stream::iter(0..number)
            .map(|guest| async move { context.api.create_guest(id, &format!("guest {guest}")).await })
            .buffer_unordered(plan.writers)
            .inspect(|_| phase.advance(1))
            .try_collect()
            .await;
        let guests = guests.map_err(|error| {
            Stop::Hub(error.context("creating the people: does HILOOP_SESSION_GUESTS allow so many?"))
        })?;
        let mut seats = context.seats(&sessions, 0..number, Group::Steady);
        for (seat, guest) in seats.iter_mut().zip(guests) {
            seat.credential = guest;
        }
        Ok(Stage { sessions, seats, rate: plan.people_rate })
    }

    /// Opens so many long-polls.
    async fn wait(&mut self, number: usize) -> Result<(), Stop> {
        let waiting = &mut self.waiting;
        if number == 0 {
            return Ok(());
        }
        if waiting.asked.is_none() {
            let sessions = number.min(QUESTION_SESSIONS);
            waiting.asked = Some(Questions::new(self.context, sessions, None, self.plan.size).await?);
        }
        let Some(asked) = &waiting.asked else { return Ok(()) };
        let mut questions = std::mem::take(&mut waiting.unanswered);
        let missing = number.saturating_sub(questions.len()) as u64;
        questions.extend(asked.ask(self.context, waiting.next..waiting.next + missing).await?);
        waiting.next += missing;
        waiting.round = Some(Round::open(self.context, asked, questions, WAIT).await?);
        Ok(())
    }

    /// Answers long-polls at the rate of the messages; the latency from an answer to its long-poll.
    async fn answer(&mut self) -> Result<Option<Summary>, Stop> {
        let waiting = &mut self.waiting;
        let (Some(asked), Some(round)) = (&waiting.asked, waiting.round.take()) else { return Ok(None) };
        let schedule = Schedule::new(Instant::now() + LEAD, self.plan.rate, self.plan.duration, 1);
        let schedule = schedule.at_most(round.len() as u64);
        let answered = round.answer(self.context, asked, schedule).await?;
        waiting.unanswered = answered.unanswered;
        Ok(Some(answered.latency))
    }
}
