//! Questions: ask once, wait for as long as it takes, take the outcome.

use crate::backoff::Backoff;
use crate::call::Call;
use crate::client::Client;
use crate::decision::Decision;
use crate::drafts::CONTENT;
use crate::e2e::identity::Identity;
use crate::error::Error;
use crate::find::Asked;
use crate::held::{HeldQuestion, unverified};
use crate::key::QuestionKey;
use crate::question::{Answerer, Question};
use crate::sealing::{able_to_answer, may_answer};
use crate::sessions::at;
use crate::trust::key_changed;
use crate::types::{Envelope, Interaction, Message, Participant, Session, Timestamp};
use serde_json::{Map, Value, json};
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

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
        let settled = self.settled(asked.session, asked.message, wait);
        let message = match &question.on_remark {
            Some(take) => Box::pin(self.settled_with_remarks(&asked, take, settled)).await?,
            None => settled.await?,
        };
        let still_pending = || Error::unexpected("the question", "it is pending");
        let mut decision = Box::pin(self.decided(message, asked.held.as_ref())).await?.ok_or_else(still_pending)?;
        decision.message = self.acknowledge(asked.session, asked.message, question.exclusive).await?;
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
        let settled = self.settled(session, message, wait).await?;
        let held = self.held(&settled).await?;
        let still_pending = || Error::unexpected("the question", "it is pending");
        Box::pin(self.decided(settled, held.as_ref())).await?.ok_or_else(still_pending)
    }

    /// Settled questions of this agent that were not acknowledged, oldest first: what to read after a restart. One whose
    /// answer does not verify is left out, and reported to [`on_retry`](crate::ClientBuilder::on_retry).
    ///
    /// # Errors
    /// Of the hub, or `UNREACHABLE` after the client's timeout.
    pub async fn answers(&self) -> Result<Vec<Decision>, Error> {
        let messages: Vec<Message> = self.all("/v1/agent/answers").await?;
        let mut decisions = Vec::new();
        for message in messages {
            let id = message.id;
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
        found.map(Some).map_err(|refusal| unverified(&refusal))
    }

    /// Asks, unless the question of this key was asked before.
    pub(crate) async fn put(&self, question: &Question, end: Option<Instant>) -> Result<Asked, Error> {
        let Some(key) = &question.key else { return self.post(question, None, end).await };
        // The ids that follow from it; those of earlier keys of the agent last.
        let keys = self.question_keys(question.session, key).await?;
        let mut opened = None;
        for key in &keys {
            let found = self.find(question.session, key).await?;
            if let Some(asked) = found.question {
                return Ok(asked);
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
                self.find(question.session, key).await?.question.ok_or(error)
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
        let mut message = question.to_message();
        if let Some(session) = question.session {
            if !question.answerers.is_empty() {
                message = message.answerers(self.resolve(session, &question.answerers).await?);
            }
            let call = Call::post(at(session, "/messages"), message.body(mark.as_deref()).into(), idempotency_key);
            let posted: Message = self.call(call).await?;
            return Ok(Asked { session, message: posted.id, seq: posted.seq, held: None });
        }
        // The session and the question in one transaction.
        let ids = question.answerers.iter().map(|person| match person {
            Answerer::Id(id) => Ok(*id),
            Answerer::Email(_) => Err(Error::invalid("answerers", "must be ids where the encryption is off")),
        });
        let ids: Vec<Uuid> = ids.collect::<Result<_, _>>()?;
        if !ids.is_empty() {
            message = message.answerers(ids);
        }
        let mut body = message.body(mark.as_deref());
        body.entry(CONTENT).or_insert_with(|| json!(Envelope::plain(&json!({}))));
        body.extend(question.own_session());
        if let Some(title) = &question.title {
            body.insert("title".to_owned(), json!(title));
        }
        if let Some(id) = own {
            body.insert("id".to_owned(), json!(id));
        }
        let call = Call::post("/v1/agent/interactions", Value::Object(body), idempotency_key);
        let opened: Interaction = self.call(call).await?;
        Ok(Asked { session: opened.id, message: opened.message_id, seq: 0, held: None })
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
            Ok(_) => Ok(id),
            // An earlier attempt has opened it.
            Err(error) if error.is("CONFLICT") || error.is("IDEMPOTENCY_MISMATCH") => {
                self.own_session(id).await?;
                Ok(id)
            }
            Err(error) => Err(error),
        }
    }

    async fn post_sealed(
        &self,
        question: &Question,
        session: Uuid,
        key: Option<&QuestionKey>,
        end: Option<Instant>,
    ) -> Result<Asked, Error> {
        let identity = self.identity().await?;
        let mut message = question.to_message();
        if !question.answerers.is_empty() {
            message = message.answerers(self.resolve(session, &question.answerers).await?);
        }
        let chosen: Option<Vec<Uuid>> =
            message.fields.get("answerers").and_then(|ids| serde_json::from_value(ids.clone()).ok());
        let deadline = message.fields.get("deadlineAt").and_then(Value::as_str).and_then(|time| time.parse().ok());
        let members = self.members_with_keys(&identity, session, chosen.as_deref(), deadline, end).await?;
        if question.session.is_none()
            && let Some(title) = &question.title
            && self.session(session).await?.encrypted_title.is_none()
        {
            self.seal_title(&identity, session, &members, title).await?;
        }
        let mark = key.map(QuestionKey::mark);
        let body = self.seal_body(&identity, session, &members, &message, mark.as_deref()).await?;
        let held = HeldQuestion::sealed(&body).map_err(|refusal| unverified(&refusal))?;
        let idempotency_key = key.map(QuestionKey::idempotency_key);
        let call = Call::post(at(session, "/messages"), Value::Object(body.body), idempotency_key);
        let posted: Message = self.call(call).await?;
        Self::note_sent(&identity, &body.sealed, self.me().await?.id, &posted);
        Ok(Asked { session, message: posted.id, seq: posted.seq, held: Some(held) })
    }

    /// The members of a session, once one of those who may answer has a key.
    async fn members_with_keys(
        &self,
        identity: &Identity,
        session: Uuid,
        chosen: Option<&[Uuid]>,
        deadline: Option<Timestamp>,
        end: Option<Instant>,
    ) -> Result<Vec<Participant>, Error> {
        let me = self.me().await?.id;
        let mut backoff = Backoff::new();
        let mut is_reported = false;
        loop {
            let members = self.members(identity, session).await?;
            if !able_to_answer(identity, &members, me, chosen).is_empty() {
                return Ok(members);
            }
            let people = may_answer(&members, me, chosen);
            if let Some(error) = people.into_iter().find_map(|person| key_changed(identity, person)) {
                return Err(error);
            }
            if !std::mem::replace(&mut is_reported, true) {
                self.inner.http.report("nobody who may answer has a public key yet; waiting for one");
            }
            let message = "nobody who may answer has a public key";
            if deadline.is_some_and(|deadline| deadline <= Timestamp::now()) {
                return Err(Error::local("the question", Error::NO_KEYS, message));
            }
            if end.is_some_and(|end| end <= Instant::now()) {
                return Err(Error::local("the question", Error::TIMEOUT, message));
            }
            let pause = backoff.next();
            tokio::time::sleep(end.map_or(pause, |end| pause.min(end.saturating_duration_since(Instant::now())))).await;
        }
    }

    /// The ids of people, who take part in the session then.
    async fn resolve(&self, session: Uuid, people: &[Answerer]) -> Result<Vec<Uuid>, Error> {
        let mut ids = Vec::new();
        for person in people {
            ids.push(match person {
                Answerer::Id(id) => *id,
                Answerer::Email(_) => {
                    // The hub tells the id of an address to those who invite its owner.
                    let body = json!(crate::drafts::NewParticipant::from(person.clone()));
                    let call = Call::post(at(session, "/participants"), body, None);
                    let member: Participant = self.call(call).await?;
                    member.principal_id().ok_or_else(|| Error::invalid("answerers", "must be people"))?
                }
            });
        }
        Ok(ids)
    }
}
