//! Calls that open sessions and bring people in, who can read what was sealed before.

use crate::call::Call;
use crate::client::{Client, is_last};
use crate::drafts::{NewParticipant, NewSession};
use crate::e2e::encoding::{Bytes, Digest};
use crate::e2e::header::Kind;
use crate::e2e::identity::Identity;
use crate::e2e::journal::Carrier;
use crate::e2e::seal::Draft;
use crate::error::Error;
use crate::sessions::at;
use crate::trust::key_changed;
use crate::types::{GuestInvitation, GuestToken, Message, Participant, Session};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Content keys of one message: an envelope holds at most 256 KiB.
const KEYS: usize = 1000;

/// # Inviting
///
/// Each call fails with an error of the hub, or with `UNREACHABLE` after the client's timeout.
impl Client {
    /// Opens a session.
    pub async fn create_session(&self, session: NewSession) -> Result<Session, Error> {
        let NewSession { title, mut body, idempotency_key } = session;
        if !self.encrypts() {
            body.extend(title.map(|title| ("title".to_owned(), json!(title))));
            return self.call(Call::post("/v1/agent/sessions", Value::Object(body), idempotency_key)).await;
        }
        let opened: Session = self.call(Call::post("/v1/agent/sessions", Value::Object(body), idempotency_key)).await?;
        match title.filter(|_| opened.encrypted_title.is_none()) {
            None => Ok(opened),
            Some(title) => {
                let identity = self.identity().await?;
                let members = self.members(&identity, opened.id).await?;
                self.seal_title(&identity, opened.id, &members, &title).await
            }
        }
    }

    /// Adds an agent or human to a session. With a key, the new participant can read what was said before.
    pub async fn add_participant(&self, session: Uuid, participant: NewParticipant) -> Result<Participant, Error> {
        let (added, id) = self.invite(session, &participant).await?;
        if self.encrypts() && !added.key.is_null() {
            self.share_history(session, id).await?;
        }
        Ok(added)
    }

    /// Makes a link that opens a session without an account. [`Self::share_history`] shares what was said before, once
    /// the guest has opened it.
    pub async fn create_guest_token(&self, session: Uuid, guest: GuestInvitation) -> Result<GuestToken, Error> {
        self.call(Call::post(at(session, "/guest-tokens"), json!(guest), None)).await
    }

    /// Shares with a participant the keys of all messages of a session that this agent can read; how many they are.
    ///
    /// # Errors
    /// `KEY_CHANGED` if the participant's key is not confirmed, `NO_KEYS` if there is none.
    pub async fn share_history(&self, session: Uuid, principal: Uuid) -> Result<usize, Error> {
        let identity = self.identity().await?;
        self.members(&identity, session).await?;
        if let Some(error) = key_changed(&identity, principal) {
            return Err(error);
        }
        if identity.pins().recipient(principal).is_none() {
            return Err(Error::local("share_history", Error::NO_KEYS, "the participant has no public key"));
        }
        let keys = self.content_keys(&identity, session, principal).await?;
        for keys in keys.chunks(KEYS) {
            let content = json!({ "keys": keys });
            let sealed = identity.seal(Draft::new(Kind::Message, session), &content, &[principal]);
            let body = Map::from_iter([("encryptedContent".to_owned(), json!(sealed.envelope))]);
            let sent: Message = self.call(Call::post(at(session, "/messages"), Value::Object(body), None)).await?;
            self.note_sent(&identity, &sealed, session, &sent).await?;
        }
        Ok(keys.len())
    }

    /// The content keys of what this agent can read and the principal can't.
    async fn content_keys(&self, identity: &Identity, session: Uuid, principal: Uuid) -> Result<Vec<Value>, Error> {
        let mut keys = Vec::new();
        let key = |digest: Digest, key: &[u8; 32]| json!({ "digest": digest, "contentKey": Bytes(*key) });
        let opened = self.session(session).await?;
        if let (Some(title), Some(sender)) =
            (&opened.encrypted_title, opened.created_by_agent_id.or(opened.created_by_human_id))
        {
            let carrier = Carrier { id: session, seq: None };
            if let Ok(open) = identity.accept(title, sender, session, carrier)
                && open.header.to.iter().all(|party| party.id != principal)
            {
                keys.push(key(open.digest, &open.content_key));
            }
        }
        for page in 1.. {
            let messages = self.raw_messages(session, page).await?;
            for message in messages.data.iter().filter(|message| message.session_id == session) {
                let (Some(envelope), Some(sender)) = (&message.encrypted_content, message.sender_id()) else {
                    continue;
                };
                let carrier = Carrier { id: message.id, seq: Some(message.seq) };
                if let Ok(open) = identity.accept(envelope, sender, session, carrier)
                    && open.header.to.iter().all(|party| party.id != principal)
                    && open.content.get("keys").is_none()
                {
                    keys.push(key(open.digest, &open.content_key));
                }
            }
            if is_last(page, messages.data.len())? {
                break;
            }
        }
        Ok(keys)
    }
}
