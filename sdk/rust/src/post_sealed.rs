//! Asks an encrypted question: for whom it is sealed, and who may answer it.

use crate::backoff::Backoff;
use crate::call::Call;
use crate::client::Client;
use crate::e2e::identity::Identity;
use crate::error::Error;
use crate::find::Asked;
use crate::held::{HeldQuestion, unverified};
use crate::key::QuestionKey;
use crate::question::Question;
use crate::sealing::{able_to_answer, may_answer};
use crate::sessions::at;
use crate::trust::key_changed;
use crate::types::{Message, Participant, Timestamp};
use serde_json::Value;
use tokio::time::Instant;
use uuid::Uuid;

impl Client {
    /// Asks in a session that is there.
    pub(crate) async fn post_sealed(
        &self,
        question: &Question,
        session: Uuid,
        key: Option<&QuestionKey>,
        end: Option<Instant>,
    ) -> Result<Asked, Error> {
        let identity = self.identity().await?;
        let mut message = question.to_message();
        let to = self.asked(session, &question.to).await?;
        if !question.named().is_empty() {
            let answerers = self.resolve(session, question.named()).await?;
            if !to.is_empty() && answerers.iter().any(|id| !to.contains(id)) {
                return Err(Error::invalid("answerers", "must be among those of 'to'"));
            }
            message = message.answerers(answerers);
        }
        let chosen: Option<Vec<Uuid>> =
            message.fields.get("answerers").and_then(|ids| serde_json::from_value(ids.clone()).ok());
        let deadline = message.fields.get("deadlineAt").and_then(Value::as_str).and_then(|time| time.parse().ok());
        let mut members = self.members_with_keys(&identity, session, chosen.as_deref(), deadline, end).await?;
        if !to.is_empty() {
            members.retain(|member| member.principal_id().is_some_and(|id| to.contains(&id)));
        }
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
        self.note_sent(&identity, &body.sealed, session, &posted).await?;
        Ok(Asked { session, message: posted.id, seq: posted.seq, view: held.question(), held: Some(held) })
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
            let is_over = deadline.is_some_and(|deadline| deadline <= Timestamp::now());
            if !is_over && !able_to_answer(identity, &members, me, chosen).is_empty() {
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
            if is_over {
                return Err(Error::local("the question", Error::NO_KEYS, message));
            }
            if end.is_some_and(|end| end <= Instant::now()) {
                return Err(Error::local("the question", Error::TIMEOUT, message));
            }
            let pause = backoff.next();
            tokio::time::sleep(end.map_or(pause, |end| pause.min(end.saturating_duration_since(Instant::now())))).await;
        }
    }
}
