//! Interactions: a session with one question that is opened in one step, under the older names.

use crate::call::Call;
use crate::client::{Client, PAGE_SIZE, page_of};
use crate::drafts::{CONTENT, NewMessage};
use crate::e2e::identity::Identity;
use crate::e2e::journal::Carrier;
use crate::e2e::refusal::Refusal;
use crate::error::Error;
use crate::held::unverified;
use crate::noting::{note_interaction, note_question};
use crate::question::{Answerer, Question};
use crate::sealing::able_to_answer;
use crate::trust::not_pinned;
use crate::types::{Contact, Envelope, Interaction, Page, Participant, Timestamp};
use crate::{Decision, e2e::entry::Entry};
use serde::Deserialize as _;
use serde_json::{Map, Value, json};
use std::time::Duration;
use uuid::Uuid;

/// # Interactions
///
/// Each call fails with an error of the hub, or with `UNREACHABLE` after the client's timeout.
impl Client {
    /// Opens a session and asks in it, in one step and without waiting. [`Self::ask`] does more: it takes e-mail
    /// addresses and a key, and waits for the keys of others.
    ///
    /// # Errors
    /// Of the hub; `NO_KEYS` if nobody who may answer has a key yet; `VALIDATION_ERROR` for a question with a session, a
    /// key or, unless the encryption is off, e-mail addresses.
    pub async fn create_interaction(&self, question: impl Into<Question>) -> Result<Interaction, Error> {
        let question = question.into();
        if question.session.is_some() || question.key.is_some() {
            return Err(Error::invalid("question", "of an interaction has neither a session nor a key"));
        }
        if self.encrypts() {
            return Box::pin(self.create_sealed(&question)).await;
        }
        self.open_interaction(&question, None, None, None).await
    }

    /// A page of the interactions, newest first. Pages count from 1.
    pub async fn interactions(&self, page: u32) -> Result<Page<Interaction>, Error> {
        self.call(Call::get(page_of("/v1/agent/interactions", page, PAGE_SIZE))).await
    }

    /// An interaction.
    pub async fn interaction(&self, id: Uuid) -> Result<Interaction, Error> {
        self.call(Call::get(at_interaction(id, ""))).await
    }

    /// Waits until an interaction of this agent settles, at most for `wait`. It does not acknowledge.
    ///
    /// # Errors
    /// As [`Self::await_response`].
    pub async fn await_interaction(&self, id: Uuid, wait: Option<Duration>) -> Result<Decision, Error> {
        let found = self.interaction(id).await?;
        if self.encrypts() {
            if (found.id, found.session_id) != (id, id) {
                return Err(unverified(&Refusal::OtherQuestion));
            }
            note_interaction(&*self.identity().await?, id, found.message_id)?;
        }
        self.await_response(found.session_id, found.message_id, wait).await
    }

    /// Takes back a pending interaction; `ALREADY_SETTLED` if it is not pending.
    pub async fn cancel_interaction(&self, id: Uuid) -> Result<Interaction, Error> {
        self.call(Call::post(at_interaction(id, "/cancel"), json!({}), None)).await
    }

    /// Takes the outcome of a settled interaction.
    pub async fn acknowledge_interaction(&self, id: Uuid) -> Result<Interaction, Error> {
        self.call(Call::post(at_interaction(id, "/acknowledge"), json!({}), None)).await
    }

    /// The session and the question in one transaction, without encryption.
    pub(crate) async fn open_interaction(
        &self,
        question: &Question,
        id: Option<Uuid>,
        mark: Option<&str>,
        idempotency_key: Option<String>,
    ) -> Result<Interaction, Error> {
        let mut message = question.to_message();
        let answerers = ids(&question.answerers, "answerers")?;
        if !answerers.is_empty() {
            message = message.answerers(answerers);
        }
        let mut body = message.body(mark);
        body.entry(CONTENT).or_insert_with(|| json!(Envelope::plain(&json!({}))));
        body.extend(question.own_session());
        if let Some(title) = &question.title {
            body.insert("title".to_owned(), json!(title));
        }
        if let Some(id) = id {
            body.insert("id".to_owned(), json!(id));
        }
        self.call(Call::post("/v1/agent/interactions", Value::Object(body), idempotency_key)).await
    }

    async fn create_sealed(&self, question: &Question) -> Result<Interaction, Error> {
        let (identity, id, me) = (self.identity().await?, Uuid::now_v7(), self.me().await?.id);
        let members = self.meet(&identity, question, id).await?;
        let mut message: NewMessage = question.to_message();
        let chosen = ids(question.named(), "answerers")?;
        let chosen = (!chosen.is_empty()).then_some(chosen);
        if able_to_answer(&identity, &members, me, chosen.as_deref()).is_empty() {
            return Err(Error::local("the question", Error::NO_KEYS, "nobody who may answer has a public key"));
        }
        if let Some(chosen) = chosen {
            message = message.answerers(chosen);
        }
        let sealed = self.seal_body(&identity, id, &members, &message, None).await?;
        let mut body: Map<String, Value> = sealed.body;
        body.remove("responseRequired");
        body.extend(question.own_session());
        body.insert("id".to_owned(), json!(id));
        let opened: Interaction = self.call(Call::post("/v1/agent/interactions", Value::Object(body), None)).await?;
        if (opened.id, opened.session_id) != (id, id) {
            return Err(unverified(&Refusal::OtherQuestion));
        }
        note_question(&identity, opened.message_id, id, sealed.sealed.digest)?;
        note_interaction(&identity, id, opened.message_id)?;
        // It is one's own: it opens. The second event of its session.
        let carrier = Carrier { id: opened.message_id, seq: Some(2) };
        let _ = identity.accept(&sealed.sealed.envelope, me, id, carrier);
        if let Some(title) = &question.title {
            self.seal_title(&identity, id, &members, title).await?;
        }
        Ok(opened)
    }

    /// Those who will take part and can read the question; their keys are pinned. The session does not exist before its
    /// question is sealed.
    async fn meet(&self, identity: &Identity, question: &Question, session: Uuid) -> Result<Vec<Participant>, Error> {
        let mut people = ids(&question.to, "to")?;
        if people.is_empty() {
            let named = question.participants.iter().flatten();
            let human = |participant: &crate::NewParticipant| participant.human_by_id();
            let humans: Option<Vec<Uuid>> = named.map(human).collect();
            people = humans.ok_or_else(|| Error::invalid("participants", BY_ID))?;
        }
        let is_named = question.participants.is_some() || !question.to.is_empty();
        let mut members = Vec::new();
        for contact in self.humans().await? {
            if is_named && !people.contains(&contact.id) {
                continue;
            }
            if let Ok(entry) = Entry::deserialize(&contact.key) {
                identity.show(contact.id, &entry).map_err(|error| not_pinned(&error))?;
            }
            members.push(participant(contact, session));
        }
        if members.len() < people.len() {
            return Err(Error::invalid("participants", "must be humans of the space"));
        }
        Ok(members)
    }
}

const BY_ID: &str = "must be humans, by id";

fn ids(people: &[Answerer], option: &str) -> Result<Vec<Uuid>, Error> {
    let id = |person: &Answerer| match person {
        Answerer::Id(id) => Ok(*id),
        Answerer::Email(_) => Err(Error::invalid(option, BY_ID)),
    };
    people.iter().map(id).collect()
}

/// A human who is about to take part.
fn participant(human: Contact, session: Uuid) -> Participant {
    Participant {
        id: human.id,
        session_id: session,
        kind: "Human".to_owned(),
        agent_id: None,
        human_id: Some(human.id),
        guest_id: None,
        name: human.name,
        role: String::new(),
        key: human.key,
        invited_by: None,
        last_read_seq: 0,
        online: false,
        added_at: Timestamp::now(),
    }
}

fn at_interaction(id: Uuid, path: &str) -> String {
    format!("/v1/agent/interactions/{id}{path}")
}
