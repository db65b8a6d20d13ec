//! A question: asked by an agent that waits for the answer, and answered by one person or by two at once.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};

use super::traffic::{ANSWER, KINDS, Traffic};
use crate::{
    client::{BadStatus, Message, Side},
    fleet::random,
    payload,
    problems::Kind,
    schedule::Schedule,
};

/// The timeout of each long-poll; a pending reply is polled again.
const POLL_SECONDS: u8 = 30;
/// How long after its answer a long-poll may still wait.
const PATIENCE: Duration = Duration::from_secs(20);

/// The answer that counts.
struct Answer {
    id: String,
    index: u64,
    sent: Instant,
}

impl Traffic {
    pub(super) async fn ask(&self, schedule: Schedule, number: u64) {
        let (session, _) = self.place(number);
        let id = &self.cast.sessions[session].id;
        let agent = &self.cast.players[session][0].credential;
        let index = schedule.index(number);
        let body = self.payload.body_with(index, "responseRequired", "true");
        let question = match self.api.say(Side::Agent, agent, id, body).await {
            Ok(message) => message,
            Err(error) => return self.problems.add(Kind::PostFailed, 1, || format!("{error:#}")),
        };
        self.acknowledge(session, question.seq, index);
        self.asked.fetch_add(1, Ordering::Relaxed);
        let think = random(self.think);
        let waiting = self.wait(session, &question.id, think + PATIENCE);
        let (reply, answer) = tokio::join!(waiting, self.answer(session, number, &question.id, think));
        let Some(answer) = answer else { return };
        self.answered.fetch_add(1, Ordering::Relaxed);
        match reply {
            Ok((reply, at)) => {
                self.answers.record(at.saturating_duration_since(answer.sent));
                self.check(&question, &answer, &reply);
            }
            Err(error) => self.problems.add(Kind::AwaitFailed, 1, || format!("message {}: {error:#}", question.id)),
        }
    }

    /// Long-polls until the question has settled.
    async fn wait(&self, session: usize, question: &str, limit: Duration) -> Result<(Message, Instant)> {
        let id = &self.cast.sessions[session].id;
        let agent = &self.cast.players[session][0].credential;
        let polling = async {
            loop {
                let message = self.polls.await_message_as(agent, id, question, POLL_SECONDS).await?;
                if message.status != "Pending" || message.id != question {
                    return Ok((message, Instant::now()));
                }
            }
        };
        tokio::time::timeout(limit, polling).await.map_err(|_| anyhow!("no answer within {limit:?}"))?
    }

    /// Answers after this time; none where that failed.
    async fn answer(&self, session: usize, number: u64, question: &str, think: Duration) -> Option<Answer> {
        tokio::time::sleep(think).await;
        let sent = Instant::now();
        let (_, turn) = self.place(number);
        let first = ANSWER + number * KINDS;
        let answering = self.try_answer(session, turn, question, first);
        let answers = match self.races.includes(usize::try_from(number).unwrap_or_default()) {
            true => tokio::join!(answering, self.try_answer(session, turn + 1, question, first + 1)),
            false => (answering.await, None),
        };
        let mut taken: Vec<(String, u64)> = answers.0.into_iter().chain(answers.1).collect();
        if taken.len() > 1 {
            self.problems.add(Kind::NotOnce, 1, || format!("message {question}: {} answers taken", taken.len()));
        }
        let (id, index) = taken.pop()?;
        self.answer_replies.record(sent.elapsed());
        Some(Answer { id, index, sent })
    }

    /// Sends one answer; returns its id and index if the hub has taken it.
    async fn try_answer(&self, session: usize, turn: usize, question: &str, index: u64) -> Option<(String, u64)> {
        // After the agent.
        let people = &self.cast.players[session][1..];
        let person = &people[turn % people.len()];
        let body = self.payload.body_with(index, "inReplyTo", &format!("\"{question}\""));
        match self.api.say(Side::Human, &person.credential, &self.cast.sessions[session].id, body).await {
            Ok(message) => {
                self.acknowledge(session, message.seq, index);
                Some((message.id, index))
            }
            Err(error) if is_second(&error) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                None
            }
            Err(error) => {
                self.problems.add(Kind::PostFailed, 1, || format!("{error:#}"));
                None
            }
        }
    }

    fn check(&self, question: &Message, answer: &Answer, reply: &Message) {
        let answered = reply.response.as_ref().is_some_and(|response| {
            response.message_id == answer.id
                && payload::index_of(&response.encrypted_content.ciphertext) == Some(answer.index)
        });
        let right = reply.id == question.id && reply.status == "Completed" && answered;
        self.problems.add(Kind::AwaitWrong, u64::from(!right), || {
            let by = reply.response.as_ref().map_or("nothing", |response| &response.message_id);
            format!(
                "message {}: answered by {}, but its long-poll got {} as {}, answered by {by}",
                question.id, answer.id, reply.id, reply.status
            )
        });
    }
}

/// Whether somebody else was first.
fn is_second(error: &anyhow::Error) -> bool {
    let bad = error.downcast_ref::<BadStatus>();
    bad.is_some_and(|bad| bad.status == 409 && bad.text.contains("ALREADY_RESPONDED"))
}
