//! Questions: ask once, wait for as long as it takes, take the outcome.

use crate::backoff::Backoff;
use crate::call::{Call, Failure};
use crate::client::Client;
use crate::decision::Decision;
use crate::drafts::{CONTENT, MARK};
use crate::error::Error;
use crate::key::QuestionKey;
use crate::messages::at_message;
use crate::question::Question;
use crate::sessions::at;
use crate::types::{Envelope, Interaction, Message, Opened, Timestamp};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// The longest time that the hub holds a long-poll.
const LONG_POLL: Duration = Duration::from_secs(55);
/// A long-poll may end this much early.
const SLACK: Duration = Duration::from_millis(500);
/// An internal error of the hub is retried a few times only: it may be permanent.
const INTERNAL_ERRORS: u32 = 5;

/// Where a question was asked.
struct Asked {
    session: Uuid,
    message: Uuid,
}

impl Client {
    /// Asks people a question and waits until it settles, for hours if it must: through lost connections and restarts
    /// of the hub. Acknowledges the outcome before it returns it. Act on [`Decision::approved`] and nothing else.
    ///
    /// With a [`key`](Question::key), it is one question however often it is asked, in whatever process.
    ///
    /// # Errors
    /// Of the hub, `UNREACHABLE` if the question could not be asked within the client's timeout, `TIMEOUT` after
    /// [`Question::wait_at_most`]. None of them is an answer.
    pub async fn ask(&self, question: impl Into<Question>) -> Result<Decision, Error> {
        let question = question.into();
        let Asked { session, message } = self.put(&question).await?;
        let mut decision = self.settled(session, message, question.wait).await?;
        decision.message = self.acknowledge(session, message, question.exclusive).await?;
        Ok(decision)
    }

    /// Waits until a question settles, at most for `wait`: through the limit of a long-poll, lost connections and
    /// restarts of the hub. It does not acknowledge.
    ///
    /// # Errors
    /// Of the hub; `TIMEOUT` after `wait`, which is no denial.
    pub async fn await_response(
        &self,
        session: Uuid,
        message: Uuid,
        wait: Option<Duration>,
    ) -> Result<Decision, Error> {
        self.settled(session, message, wait).await
    }

    /// Asks, unless the question of this key was asked before.
    async fn put(&self, question: &Question) -> Result<Asked, Error> {
        let Some(key) = &question.key else { return self.post(question, None).await };
        let key = QuestionKey::new(self.me().await?.id, question.session, key);
        if let Some(asked) = self.find(question, &key).await? {
            return Ok(asked);
        }
        match self.post(question, Some(&key)).await {
            // Another process was first, with another deadline or text.
            Err(error) if error.is("IDEMPOTENCY_MISMATCH") || error.is("CONFLICT") => {
                self.find(question, &key).await?.ok_or(error)
            }
            posted => posted,
        }
    }

    async fn post(&self, question: &Question, key: Option<&QuestionKey>) -> Result<Asked, Error> {
        let mark = key.map(QuestionKey::mark);
        let mut message = question.to_message();
        let idempotency_key = key.map(QuestionKey::idempotency_key);
        if let Some(session) = question.session {
            message = message.response_required();
            let call = Call::post(at(session, "/messages"), message.body(mark.as_deref()).into(), idempotency_key);
            let posted: Message = self.call(call).await?;
            return Ok(Asked { session, message: posted.id });
        }
        // The session and the question in one transaction.
        let mut body = message.body(mark.as_deref());
        body.entry(CONTENT).or_insert_with(|| json!(Envelope::plain(&json!({}))));
        body.extend(question.own_session.clone());
        if let Some(key) = key {
            body.insert("id".to_owned(), json!(key.session(Timestamp::now().as_millis())));
        }
        let call = Call::post("/v1/agent/interactions", Value::Object(body), idempotency_key);
        let opened: Interaction = self.call(call).await?;
        Ok(Asked { session: opened.id, message: opened.message_id })
    }

    /// The question of this key, where it was asked before.
    async fn find(&self, question: &Question, key: &QuestionKey) -> Result<Option<Asked>, Error> {
        if let Some(session) = question.session {
            return self.find_in(session, key).await;
        }
        for id in key.sessions(Timestamp::now().as_millis()) {
            match self.interaction(id).await {
                Ok(found) => return Ok(Some(Asked { session: found.id, message: found.message_id })),
                Err(error) if error.status == 404 => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// The question of this key among the messages of a session.
    async fn find_in(&self, session: Uuid, key: &QuestionKey) -> Result<Option<Asked>, Error> {
        let (me, mark) = (self.me().await?.id, key.mark());
        let is_marked = |message: &Message| match message.encrypted_content.as_ref().map(|sealed| sealed.open()) {
            Some(Opened::Json(content)) => content[MARK] == mark.as_str(),
            _ => false,
        };
        for page in 1.. {
            let messages = self.messages(session, page).await?;
            let asked = |message: &&Message| message.response_required && message.sender_agent_id == Some(me);
            if let Some(found) = messages.data.iter().filter(asked).find(|message| is_marked(message)) {
                return Ok(Some(Asked { session, message: found.id }));
            }
            if messages.data.len() < messages.page_size as usize {
                break;
            }
        }
        Ok(None)
    }

    async fn settled(&self, session: Uuid, message: Uuid, wait: Option<Duration>) -> Result<Decision, Error> {
        self.check_space().await?;
        let http = &self.inner.http;
        let end = wait.map(|wait| Instant::now() + wait);
        let mut backoff = Backoff::new();
        let mut internal_errors = 0;
        let mut is_reported = false;
        loop {
            let started = Instant::now();
            let hold = end.map_or(LONG_POLL, |end| LONG_POLL.min(end.saturating_duration_since(started)));
            let path = at_message(session, message, &format!("/await?timeout={}", hold.as_secs()));
            let call = Call::get(path).held_for(hold);
            let pause = match http.attempt(&call).await {
                Ok(bytes) => {
                    let message: Message =
                        serde_json::from_slice(&bytes).map_err(|error| Error::unexpected(call.what(), error))?;
                    if let Some(decision) = Decision::of(message) {
                        return Ok(decision);
                    }
                    (internal_errors, is_reported) = (0, false);
                    if started.elapsed() + SLACK >= Duration::from_secs(hold.as_secs().max(1)) {
                        backoff.reset();
                        Duration::ZERO
                    } else {
                        // A node that drains replies at once.
                        backoff.next()
                    }
                }
                Err(Failure { error, pause }) => {
                    internal_errors += u32::from(error.status == 500);
                    if !error.is_transient() || internal_errors >= INTERNAL_ERRORS {
                        return Err(error);
                    }
                    if !std::mem::replace(&mut is_reported, true) {
                        http.report_retry(&call, &error);
                    }
                    pause.unwrap_or_default().max(backoff.next())
                }
            };
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Err(Error::local(call.what(), Error::TIMEOUT, "the question has no answer yet"));
            }
            tokio::time::sleep(left.map_or(pause, |left| pause.min(left))).await;
        }
    }
}
