//! People as callers name them, by id or e-mail address, and as the hub names them in its replies.

use crate::call::Call;
use crate::client::Client;
use crate::drafts::NewParticipant;
use crate::error::Error;
use crate::noting::note_person;
use crate::question::Answerer;
use crate::sessions::at;
use crate::types::Participant;
use serde_json::json;
use uuid::Uuid;

impl Client {
    /// The ids of people. One who is named by e-mail address takes part in the session then.
    pub(crate) async fn resolve(&self, session: Uuid, people: &[Answerer]) -> Result<Vec<Uuid>, Error> {
        let mut ids = Vec::new();
        for person in people {
            ids.push(match person {
                Answerer::Id(id) => *id,
                // The hub tells the id of an address to those who invite its owner.
                Answerer::Email(_) => self.invite(session, &person.clone().into()).await?.1,
            });
        }
        Ok(ids)
    }

    /// The ids of people who are asked in a session. Those who do not take part in it yet do then.
    pub(crate) async fn asked(&self, session: Uuid, people: &[Answerer]) -> Result<Vec<Uuid>, Error> {
        let ids = self.resolve(session, people).await?;
        let members = self.participants(session).await?;
        for id in &ids {
            if members.iter().all(|member| member.principal_id() != Some(*id)) {
                self.invite(session, &NewParticipant::human_id(*id)).await?;
            }
        }
        Ok(ids)
    }

    /// Adds a participant; also the id of who was added, which is the one that was named.
    pub(crate) async fn invite(
        &self,
        session: Uuid,
        participant: &NewParticipant,
    ) -> Result<(Participant, Uuid), Error> {
        let added: Participant = self.call(Call::post(at(session, "/participants"), json!(participant), None)).await?;
        let nobody = || Error::local("participants", Error::OTHER_PERSON, "the hub names a participant without an id");
        let id = added.principal_id().ok_or_else(nobody)?;
        if let Some(named) = participant.id().filter(|named| *named != id) {
            let problem = format!("the hub added {id} where {named} was named");
            return Err(Error::local("participants", Error::OTHER_PERSON, problem));
        }
        if self.encrypts()
            && let Some(address) = participant.address()
        {
            note_person(&*self.identity().await?, &address, id)?;
        }
        Ok((added, id))
    }
}
