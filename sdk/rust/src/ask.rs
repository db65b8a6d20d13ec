//! Questions: ask once, wait for as long as it takes, take the outcome.

use crate::call::Call;
use crate::client::Client;
use crate::decision::Decision;
use crate::error::Error;
use crate::find::Asked;
use crate::held::{HeldQuestion, unverified};
use crate::key::QuestionKey;
use crate::messages::at_message;
use crate::noting::note_question;
use crate::question::Question;
use crate::sessions::at;
use crate::types::{Message, Session, Timestamp};
use crate::wait::Settled;
use serde_json::{Map, Value, json};
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// The warning where the hub lists a question as pending after its deadline.
const WITHHELD: &str = "the hub lists the question as pending after its deadline: it may withhold an answer";

impl Client {
    /// Asks people a question and waits until it settles, for hours if it must: through lost connections and restarts
    /// of the hub. Acknowledges the outcome before it returns it. Act on [`Decision::approved`] and nothing else.
    ///
    /// With a [`key`](Question::key), it is one question however often it is asked, in whatever process.
    ///
    /// # Errors
    /// Of the hub, `UNREACHABLE` if the question could not be asked within the client's timeout, `TIMEOUT` after
    /// [`Question::wait_at_most`], `NO_KEYS` if nobody who may answer had a key by the deadline, `UNVERIFIED`,
    /// `KEY_CHANGED` or `INVALID_ANSWER` if the question was answered but the answer does not count. None of them is an
    /// answer.
    pub async fn ask(&self, question: impl Into<Question>) -> Result<Decision, Error> {
        let question = question.into();
        let end = question.wait.map(|wait| Instant::now() + wait);
        let asked = Box::pin(self.put(&question, end)).await?;
        let wait = end.map(|end| end.saturating_duration_since(Instant::now()));
        let deadline = asked.held.as_ref().and_then(|held| held.asked.deadline);
        let settled = self.settled(asked.session, asked.message, deadline, wait);
        let settled = match &question.on_remark {
            Some(take) => Box::pin(self.settled_with_remarks(&asked, take, settled)).await?,
            None => settled.await?,
        };
        let still_pending = || Error::unexpected("the question", "it is pending");
        let decided = Box::pin(self.decided(settled.message, asked.held.as_ref()));
        let mut decision = decided.await?.ok_or_else(still_pending)?;
        if settled.is_overdue {
            // The hub acknowledges nothing that it lists as pending.
            decision.warning = Some(WITHHELD.to_owned());
        } else {
            decision.message = self.acknowledge(asked.session, asked.message, question.exclusive).await?;
        }
        Ok(decision)
    }

    /// Waits until a question of this agent settles, at most for `wait`: through the limit of a long-poll, lost
    /// connections and restarts of the hub. It does not acknowledge.
    ///
    /// # Errors
    /// As [`Self::ask`]; `TIMEOUT` after `wait`, which is no denial.
    pub async fn await_response(
        &self,
        session: Uuid,
        message: Uuid,
        wait: Option<Duration>,
    ) -> Result<Decision, Error> {
        let mut deadline = None;
        if self.encrypts() {
            // What was asked, before the wait for an answer to it.
            let call = Call::get(at_message(session, message, ""));
            let asked: Message = self.call(call).await?;
            self.check_reply(&asked, session, Some(message))?;
            deadline = self.held(&asked).await?.and_then(|held| held.asked.deadline);
        }
        let Settled { message, is_overdue } = self.settled(session, message, deadline, wait).await?;
        let held = self.held(&message).await?;
        let still_pending = || Error::unexpected("the question", "it is pending");
        let mut decision = Box::pin(self.decided(message, held.as_ref())).await?.ok_or_else(still_pending)?;
        decision.warning = decision.warning.or_else(|| is_overdue.then(|| WITHHELD.to_owned()));
        Ok(decision)
    }

    /// Settled questions of this agent that were not acknowledged, oldest first: what to read after a restart. One whose
    /// answer does not verify is left out, and reported to [`on_retry`](crate::ClientBuilder::on_retry).
    ///
    /// # Errors
    /// Of the hub, or `UNREACHABLE` after the client's timeout.
    pub async fn answers(&self) -> Result<Vec<Decision>, Error> {
        let messages: Vec<Value> = self.all("/v1/agent/answers").await?;
        let mut decisions = Vec::new();
        for message in messages {
            let id = message["id"].clone();
            let Ok(message) = serde_json::from_value::<Message>(message) else {
                self.inner.http.report(&format!("question {id}: it is malformed"));
                continue;
            };
            let decided = match self.held(&message).await {
                Ok(held) => self.decided(message, held.as_ref()).await,
                Err(error) => Err(error),
            };
            match decided {
                Ok(decision) => decisions.extend(decision),
                Err(error) if error.status == 0 && !error.is_transient() => {
                    self.inner.http.report(&format!("question {id}: {error}"));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(decisions)
    }

    /// The sealed question in a message; none where the encryption is off.
    pub(crate) async fn held(&self, message: &Message) -> Result<Option<HeldQuestion>, Error> {
        if !self.encrypts() {
            return Ok(None);
        }
        let identity = self.identity().await?;
        let found = HeldQuestion::found(&identity, self.me().await?.id, message);
        let held = found.map_err(|refusal| unverified(&refusal))?;
        note_question(&identity, message.id, message.session_id, held.asked.digest)?;
        Ok(Some(held))
    }

    /// Asks, unless the question of this key was asked before.
    pub(crate) async fn put(&self, question: &Question, end: Option<Instant>) -> Result<Asked, Error> {
        let Some(key) = &question.key else { return self.post(question, None, end).await };
        // The ids that follow from it; those of earlier keys of the agent last.
        let keys = self.question_keys(question.session, key).await?;
        let identity = if self.encrypts() { Some(self.identity().await?) } else { None };
        let mut opened = None;
        for key in &keys {
            let found = self.find(question.session, key).await?;
            if let Some(asked) = found.question {
                return asked.same_as(question, identity.as_deref());
            }
            opened = opened.or(found.session.map(|session| (key, session)));
        }
        let (key, opened) = match opened {
            Some((key, session)) => (key, Some(session)),
            None => (&keys[0], None),
        };
        match self.post(question, Some((key, opened)), end).await {
            // Another process was first, with another deadline or text.
            Err(error) if error.is("IDEMPOTENCY_MISMATCH") || error.is("CONFLICT") => {
                let found = self.find(question.session, key).await?.question.ok_or(error)?;
                found.same_as(question, identity.as_deref())
            }
            posted => posted,
        }
    }

    /// What may follow from the key of a question, likeliest first; at least one.
    pub(crate) async fn question_keys(&self, session: Option<Uuid>, key: &str) -> Result<Vec<QuestionKey>, Error> {
        let me = self.me().await?.id;
        if !self.encrypts() {
            return Ok(vec![QuestionKey::open(me, session, key)]);
        }
        let keys = self.identity().await?.all_keys();
        Ok(keys.iter().map(|keys| QuestionKey::secret(keys, me, session, key)).collect())
    }

    /// Asks; in the session that an earlier attempt has opened, if one has.
    async fn post(
        &self,
        question: &Question,
        key: Option<(&QuestionKey, Option<Uuid>)>,
        end: Option<Instant>,
    ) -> Result<Asked, Error> {
        let own = key.map(|(key, opened)| opened.unwrap_or_else(|| key.session(Timestamp::now().as_millis())));
        let key = key.map(|(key, _)| key);
        if self.encrypts() {
            let session = match question.session {
                Some(session) => session,
                None => self.open_session(question, own.unwrap_or_else(Uuid::now_v7)).await?,
            };
            return self.post_sealed(question, session, key, end).await;
        }
        let mark = key.map(QuestionKey::mark);
        let idempotency_key = key.map(QuestionKey::idempotency_key);
        if let Some(session) = question.session {
            let mut message = question.to_message();
            if !question.to.is_empty() {
                self.asked(session, &question.to).await?;
            }
            if !question.named().is_empty() {
                message = message.answerers(self.resolve(session, question.named()).await?);
            }
            let call = Call::post(at(session, "/messages"), message.body(mark.as_deref()).into(), idempotency_key);
            let posted: Message = self.call(call).await?;
            let (message, seq) = (posted.id, posted.seq);
            return Ok(Asked { session, message, seq, held: None, view: question.view() });
        }
        let opened = self.open_interaction(question, own, mark.as_deref(), idempotency_key).await?;
        let (session, message) = (opened.id, opened.message_id);
        Ok(Asked { session, message, seq: 0, held: None, view: question.view() })
    }

    /// Opens a session of its own for a question, unless it is there already.
    async fn open_session(&self, question: &Question, id: Uuid) -> Result<Uuid, Error> {
        let mut body: Map<String, Value> = question.own_session();
        body.insert("id".to_owned(), json!(id));
        if let Some(priority) = question.message.fields.get("priority") {
            body.insert("priority".to_owned(), priority.clone());
        }
        let call = Call::post("/v1/agent/sessions", Value::Object(body), Some(format!("session-{id}")));
        match self.call::<Session>(call).await {
            Ok(session) if session.id == id => Ok(id),
            // An earlier attempt has opened it.
            Err(error) if !error.is("CONFLICT") && !error.is("IDEMPOTENCY_MISMATCH") => Err(error),
            _ => self.own_session(id).await.map(|_| id),
        }
    }
}
