//! A human or guest as a program: signs in, has keys, opens questions and answers them.

use super::pending::Pending;
use super::sign_in::{http, token};
use crate::call::Call;
use crate::client::is_last;
use crate::e2e::encoding::KeyId;
use crate::e2e::entry::Entry;
use crate::e2e::folder::settings_folder;
use crate::e2e::header::Kind;
use crate::e2e::identity::Identity;
use crate::e2e::journal::Carrier;
use crate::e2e::key_file::{KeyFile, Keyring};
use crate::e2e::keys::SecretKeys;
use crate::e2e::pins::Pins;
use crate::e2e::seal::Draft;
use crate::error::Error;
use crate::http::Http;
use crate::net::secret_header;
use crate::people::Answer;
use crate::types::{Message, Page, Participant};
use reqwest::header::{AUTHORIZATION, HeaderMap};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt;
use std::path::{Path, PathBuf};
use uuid::Uuid;

const PAGE_SIZE: usize = 100;

/// A human or guest.
pub struct Person {
    pub(super) http: Http,
    id: Uuid,
    name: String,
    pub(super) identity: Identity,
    file: Option<KeyFile>,
}

#[derive(Deserialize)]
struct Me {
    id: Uuid,
    name: String,
}

impl Person {
    /// Signs in with a password; new keys, which are forgotten with the value.
    ///
    /// # Errors
    /// Of the hub; `KEY_EXISTS` if the human has keys already.
    pub async fn sign_in(url: &str, email: &str, password: &str) -> Result<Self, Error> {
        Self::with_token(url, &token(url, email, password).await?).await
    }

    /// Signs in with a password; keys that are kept in a folder, `$XDG_CONFIG_HOME/hiloop` unless given.
    ///
    /// # Errors
    /// As [`Self::sign_in`].
    pub async fn sign_in_with_files(
        url: &str,
        email: &str,
        password: &str,
        folder: Option<PathBuf>,
    ) -> Result<Self, Error> {
        let folder = folder.or_else(settings_folder);
        let folder = folder.ok_or_else(|| Error::invalid("folder", "is required (XDG_CONFIG_HOME)"))?;
        Self::start(url, &token(url, email, password).await?, Some(&folder), false).await
    }

    /// With an access token of a human or a guest's token; new keys, which are forgotten with the value.
    ///
    /// # Errors
    /// As [`Self::sign_in`].
    pub async fn with_token(url: &str, token: &str) -> Result<Self, Error> {
        Self::start(url, token, None, false).await
    }

    /// As [`Self::with_token`], in place of keys that the hub has of this human or guest: of which others are warned.
    ///
    /// # Errors
    /// Of the hub.
    pub async fn replacing(url: &str, token: &str) -> Result<Self, Error> {
        Self::start(url, token, None, true).await
    }

    async fn start(url: &str, token: &str, folder: Option<&Path>, replace: bool) -> Result<Self, Error> {
        let bearer = secret_header("token", &format!("Bearer {token}"))?;
        let http = http(url, HeaderMap::from_iter([(AUTHORIZATION, bearer)]))?;
        let me: Me = http.call(&Call::get("/v1/human/me")).await?;
        let file = folder.map(|folder| KeyFile::of(folder, http.url(), me.id));
        let kept = |error: std::io::Error| Error::invalid("folder", error.to_string());
        let (keyring, pins) = match (&file, folder) {
            (Some(file), Some(folder)) => {
                (file.load_or_create().map_err(kept)?, Pins::in_folder(folder, http.url(), me.id, None))
            }
            _ => (Keyring { current: SecretKeys::generate(), earlier: Vec::new() }, Pins::in_memory(None)),
        };
        let person = Self { identity: Identity::new(me.id, keyring, pins), http, id: me.id, name: me.name, file };
        person.publish(replace).await?;
        Ok(person)
    }

    /// The id of the human or guest.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id of the current key.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.identity.keys().public().key_id()
    }

    /// Makes new keys, signed by the ones before.
    ///
    /// # Errors
    /// Of the hub.
    pub async fn rotate_keys(&self) -> Result<KeyId, Error> {
        self.identity.rotate(self.file.as_ref()).map_err(|error| Error::invalid("folder", error.to_string()))?;
        self.publish(false).await?;
        Ok(self.key_id())
    }

    async fn publish(&self, replace: bool) -> Result<(), Error> {
        let mut body = json!(self.identity.entry());
        if replace {
            body["replace"] = json!(true);
        }
        self.http.send(&Call::put("/v1/human/public-key", body)).await
    }

    /// Answers a question, or says something about it.
    ///
    /// # Errors
    /// Of the hub, such as `ALREADY_RESPONDED`.
    pub async fn answer(&self, question: &Pending, answer: impl Into<Answer>) -> Result<Message, Error> {
        let answer = answer.into();
        let session = question.message.session_id;
        let kind = if answer.is_remark { Kind::Message } else { Kind::Answer };
        let draft = Draft { parent: Some(question.digest), ..Draft::new(kind, session) };
        let mut fields = json!({ "inReplyTo": question.message.id, "settles": !answer.is_remark });
        if let Some(outcome) = answer.outcome {
            fields["outcome"] = json!(outcome);
        }
        self.send(draft, &answer.content(), fields).await
    }

    /// Writes a message of text.
    ///
    /// # Errors
    /// Of the hub.
    pub async fn say(&self, session: Uuid, text: &str) -> Result<Message, Error> {
        self.send(Draft::new(Kind::Message, session), &json!({ "content": { "text": text } }), json!({})).await
    }

    async fn send(&self, draft: Draft, content: &Value, fields: Value) -> Result<Message, Error> {
        let session = draft.session;
        let members = self.members(session).await?;
        let recipients: Vec<Uuid> = members.iter().filter_map(Participant::principal_id).collect();
        let sealed = self.identity.seal(draft, content, &recipients);
        let Value::Object(mut body) = fields else { return Err(Error::invalid("fields", "must be an object")) };
        body.insert("encryptedContent".to_owned(), json!(sealed.envelope));
        let sent: Message = self.http.call(&Call::post(at(session, "/messages"), Value::Object(body), None)).await?;
        let carrier = Carrier { id: sent.id, seq: Some(sent.seq) };
        let _ = self.identity.accept(&sealed.envelope, self.id, session, carrier);
        Ok(sent)
    }

    /// Who takes part; their keys are pinned.
    pub(super) async fn members(&self, session: Uuid) -> Result<Vec<Participant>, Error> {
        let members: Vec<Participant> = self.all(&at(session, "/participants")).await?;
        for member in &members {
            if let (Some(id), Ok(entry)) = (member.principal_id(), Entry::deserialize(&member.key)) {
                self.identity.show(id, &entry).map_err(|error| Error::invalid("folder", error.to_string()))?;
            }
        }
        Ok(members)
    }

    pub(super) async fn all<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, Error> {
        let mut entries = Vec::new();
        for page in 1.. {
            let call = Call::get(format!("{path}?page={page}&pageSize={PAGE_SIZE}"));
            let found: Page<T> = self.http.call(&call).await?;
            let is_last = is_last(page, found.data.len())?;
            entries.extend(found.data);
            if is_last {
                break;
            }
        }
        Ok(entries)
    }
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Person").field("id", &self.id).finish_non_exhaustive()
    }
}

pub(super) fn at(session: Uuid, path: &str) -> String {
    format!("/v1/human/sessions/{session}{path}")
}
