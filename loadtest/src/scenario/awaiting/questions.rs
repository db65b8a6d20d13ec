//! Messages that require a response, and the people who answer them.

use std::sync::Arc;

use futures::{Stream, StreamExt as _, TryStreamExt as _};

use crate::{
    client::{Credential, Session},
    long_polls::Question,
    payload::Payload,
    progress::Phase,
    scenario::Context,
    stop::Stop,
};

/// Concurrent requests outside of measurements.
const PREPARING: usize = 64;

/// The sessions that questions are asked in.
pub(in crate::scenario) struct Questions {
    pub(in crate::scenario) sessions: Arc<[Session]>,
    /// The person who answers in each session.
    pub(super) people: Vec<Credential>,
    pub(super) payload: Payload,
}

impl Questions {
    /// Creates the sessions; a new guest of each answers, unless there is the JWT of a person.
    pub(in crate::scenario) async fn new(
        context: &Context,
        sessions: usize,
        token: Option<&str>,
        size: usize,
    ) -> Result<Self, Stop> {
        let sessions = context.create_sessions(sessions).await?;
        let people = people(context, &sessions, token).await?;
        Ok(Self { sessions, people, payload: Payload::new(size) })
    }

    /// Posts one message for each of these indexes, in each session in turn.
    pub(in crate::scenario) async fn ask(
        &self,
        context: &Context,
        indexes: std::ops::Range<u64>,
    ) -> Result<Vec<Question>, Stop> {
        let phase = Phase::start("messages", indexes.end - indexes.start);
        let posts = indexes.zip((0..self.sessions.len()).cycle()).map(|(index, session)| {
            let body = self.payload.body_with(index, "responseRequired", "true");
            let id = self.sessions[session].id.clone();
            async move {
                let message = context.api.create_message(&id, body).await?;
                Ok(Question { index, session, session_id: id, message: message.id })
            }
        });
        let questions: Result<Vec<Question>, anyhow::Error> =
            in_order(posts).inspect(|_| phase.advance(1)).try_collect().await;
        questions.map_err(|error| Stop::Hub(error.context("posting the messages")))
    }

    /// The last `seq` of each session.
    pub(super) async fn last_seqs(&self, context: &Context) -> Result<Vec<u64>, Stop> {
        let reads = self.sessions.iter().map(|session| async { Ok(context.api.session(&session.id).await?.last_seq) });
        let seqs: Result<Vec<u64>, anyhow::Error> = in_order(reads).try_collect().await;
        seqs.map_err(|error| Stop::Hub(error.context("reading the sessions")))
    }
}

async fn people(context: &Context, sessions: &[Session], token: Option<&str>) -> Result<Vec<Credential>, Stop> {
    if let Some(token) = token {
        let person = Credential::bearer(token).map_err(|error| Stop::Usage(format!("--token: {error:#}")))?;
        return Ok(vec![person; sessions.len()]);
    }
    let guests = sessions.iter().map(|session| context.api.create_guest(&session.id, "load test"));
    in_order(guests).try_collect().await.map_err(|error: anyhow::Error| Stop::Hub(error.context("creating the guests")))
}

fn in_order<F: Future>(futures: impl Iterator<Item = F>) -> impl Stream<Item = F::Output> {
    futures::stream::iter(futures).buffered(PREPARING)
}
