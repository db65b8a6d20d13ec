//! Seals what this client sends, for those who take part in a session.

use crate::call::Call;
use crate::client::Client;
use crate::drafts::NewMessage;
use crate::e2e::encoding::Digest;
use crate::e2e::header::Kind;
use crate::e2e::identity::Identity;
use crate::e2e::journal::Carrier;
use crate::e2e::seal::{Draft, Sealed};
use crate::error::Error;
use crate::noting::note_question;
use crate::sessions::at;
use crate::types::message::Message;
use crate::types::participant::Participant;
use crate::types::session::Session;
use crate::types::timestamp::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// A sealed message: the body for the hub, and what this client keeps of it.
pub(crate) struct SealedBody {
    pub(crate) body: Map<String, Value>,
    pub(crate) sealed: Sealed,
    pub(crate) content: Value,
}

impl Client {
    /// Seals a message for the members of a session.
    pub(crate) async fn seal_body(
        &self,
        identity: &Identity,
        session: Uuid,
        members: &[Participant],
        message: &NewMessage,
        mark: Option<&str>,
    ) -> Result<SealedBody, Error> {
        let mut fields = message.fields.clone();
        let is_question = fields.get("responseRequired") == Some(&json!(true));
        let mut draft = Draft::new(if is_question { Kind::Question } else { Kind::Message }, session);
        if is_question {
            let chosen: Option<Vec<Uuid>> =
                fields.get("answerers").and_then(|ids| serde_json::from_value(ids.clone()).ok());
            let answerers = able_to_answer(identity, members, self.me().await?.id, chosen.as_deref());
            fields.insert("answerers".to_owned(), json!(answerers));
            draft.answerers = Some(answerers);
            let deadline = fields.get("deadlineAt").and_then(Value::as_str).map(str::parse::<Timestamp>);
            draft.deadline = deadline.transpose().map_err(|_| Error::invalid("deadline_at", "must be a time"))?;
        }
        if let Some(parent) = fields.get("inReplyTo").and_then(Value::as_str).and_then(|id| id.parse().ok()) {
            draft.parent = self.digest_of(identity, session, parent).await?;
        }
        let content = message.plaintext(mark);
        let sealed = identity.seal(draft, &content, &principals(members));
        let mut body = Map::from_iter([("encryptedContent".to_owned(), json!(sealed.envelope))]);
        body.extend(fields);
        Ok(SealedBody { body, sealed, content })
    }

    /// Takes note of a message of this client's own that the hub has stored.
    pub(crate) async fn note_sent(
        &self,
        identity: &Identity,
        sealed: &Sealed,
        session: Uuid,
        message: &Message,
    ) -> Result<(), Error> {
        self.check_reply(message, session, None)?;
        if sealed.header.kind == Kind::Question {
            note_question(identity, message.id, session, sealed.digest)?;
        }
        let carrier = Carrier { id: message.id, seq: Some(message.seq) };
        // It is one's own: it opens.
        let _ = identity.accept(&sealed.envelope, self.me().await?.id, session, carrier);
        Ok(())
    }

    /// The digest of a message of a session; none where it is not sealed.
    async fn digest_of(&self, identity: &Identity, session: Uuid, message: Uuid) -> Result<Option<Digest>, Error> {
        let message: Message = self.call(Call::get(at(session, &format!("/messages/{message}")))).await?;
        let (Some(envelope), Some(sender)) = (&message.encrypted_content, message.sender_id()) else { return Ok(None) };
        let carrier = Carrier { id: message.id, seq: Some(message.seq) };
        Ok(identity.accept(envelope, sender, session, carrier).ok().map(|open| open.digest))
    }

    /// Gives a session its sealed title.
    pub(crate) async fn seal_title(
        &self,
        identity: &Identity,
        session: Uuid,
        members: &[Participant],
        title: &str,
    ) -> Result<Session, Error> {
        let content = json!({ "content": { "text": title } });
        let sealed = identity.seal(Draft::new(Kind::Title, session), &content, &principals(members));
        self.call(Call::patch(at(session, ""), json!({ "encryptedTitle": sealed.envelope }))).await
    }
}

/// The ids of those who take part.
pub(crate) fn principals(members: &[Participant]) -> Vec<Uuid> {
    members.iter().filter_map(Participant::principal_id).collect()
}

/// Who may answer a question of the agent `me`: the humans, or the chosen ones. A guest, whose token the hub knows,
/// answers only where the guest is chosen, and was not invited by another agent.
pub(crate) fn may_answer(members: &[Participant], me: Uuid, chosen: Option<&[Uuid]>) -> Vec<Uuid> {
    let is_invited = |member: &Participant| {
        let by = member.invited_by.as_ref();
        by.is_some_and(|by| by.kind != "Agent" || by.id == Some(me))
    };
    let may = |member: &&Participant| match (member.principal_id(), chosen) {
        (Some(id), Some(chosen)) if chosen.contains(&id) => {
            member.agent_id.is_none() && (member.guest_id.is_none() || is_invited(member))
        }
        (Some(_), None) => member.human_id.is_some() && member.agent_id.is_none(),
        _ => false,
    };
    members.iter().filter(may).filter_map(Participant::principal_id).collect()
}

/// Those of them that something can be sealed to.
pub(crate) fn able_to_answer(
    identity: &Identity,
    members: &[Participant],
    me: Uuid,
    chosen: Option<&[Uuid]>,
) -> Vec<Uuid> {
    let mut able = may_answer(members, me, chosen);
    able.retain(|id| identity.pins().recipient(*id).is_some());
    able.sort_unstable();
    able
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_answer_only_where_they_are_chosen_and_invited() {
        let (me, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let member = |kind: &str, id: u128, by: Value| -> Participant {
            let id = Uuid::from_u128(id);
            let of = |wanted: &str| if kind == wanted { json!(id) } else { Value::Null };
            serde_json::from_value(json!({
                "id": id, "sessionId": id, "type": kind, "agentId": of("Agent"), "humanId": of("Human"),
                "guestId": of("Guest"), "name": "x", "role": "member", "key": null, "invitedBy": by, "lastReadSeq": 0,
                "online": false, "addedAt": Timestamp::now(),
            }))
            .expect("a participant")
        };
        let agent = |id: Uuid| json!({ "type": "Agent", "id": id, "name": "x" });
        let members = [
            member("Agent", 3, Value::Null),
            member("Human", 4, Value::Null),
            member("Guest", 5, agent(me)),
            member("Guest", 6, agent(other)),
            member("Guest", 7, Value::Null),
            member("Guest", 8, json!({ "type": "Human", "id": other, "name": "x" })),
        ];
        let all: Vec<Uuid> = (3..=8).map(Uuid::from_u128).collect();
        assert_eq!(may_answer(&members, me, None), [4].map(Uuid::from_u128));
        assert_eq!(may_answer(&members, me, Some(&all)), [4, 5, 8].map(Uuid::from_u128));
    }
}
