//! A human or guest as a program: signs in, has keys, opens questions and answers them.

use crate::call::Call;
use crate::e2e::encoding::{Digest, KeyId};
use crate::e2e::entry::Entry;
use crate::e2e::folder::settings_folder;
use crate::e2e::header::Kind;
use crate::e2e::identity::Identity;
use crate::e2e::journal::Carrier;
use crate::e2e::key_file::{KeyFile, Keyring};
use crate::e2e::keys::SecretKeys;
use crate::e2e::pins::Pins;
use crate::e2e::refusal::Refusal;
use crate::e2e::seal::Draft;
use crate::error::Error;
use crate::http::Http;
use crate::net::{Net, checked_url, secret_header};
use crate::opening::{agrees, verified};
use crate::people::Answer;
use crate::types::opened::{Authenticity, OpenedMessage};
use crate::types::{Content, Message, MessageStatus, Page, Participant, Session};
use reqwest::header::{AUTHORIZATION, HeaderMap};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

const TIMEOUT: Duration = Duration::from_secs(60);
const PAGE_SIZE: usize = 100;

/// A human or guest.
pub struct Person {
    http: Http,
    id: Uuid,
    name: String,
    identity: Identity,
    file: Option<KeyFile>,
}

/// A question that waits for an answer, opened and verified.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Pending {
    /// The question.
    pub message: Message,
    /// The title: of its approval, else of its session.
    pub title: Option<String>,
    /// The content.
    pub content: Content,
    /// The components; null where there are none.
    pub components: Value,
    digest: Digest,
    agent: Uuid,
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
        Self::start(url, &token(url, email, password).await?, Some(&folder)).await
    }

    /// With an access token of a human or a guest's token; new keys, which are forgotten with the value.
    ///
    /// # Errors
    /// As [`Self::sign_in`].
    pub async fn with_token(url: &str, token: &str) -> Result<Self, Error> {
        Self::start(url, token, None).await
    }

    async fn start(url: &str, token: &str, folder: Option<&Path>) -> Result<Self, Error> {
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
        person.publish(false).await?;
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

    /// Publishes the keys in place of others that the hub has.
    ///
    /// # Errors
    /// Of the hub.
    pub async fn replace_keys(&self) -> Result<(), Error> {
        self.publish(true).await
    }

    async fn publish(&self, replace: bool) -> Result<(), Error> {
        let mut body = json!(self.identity.entry());
        if replace {
            body["replace"] = json!(true);
        }
        self.http.send(&Call::put("/v1/human/public-key", body)).await
    }

    /// The questions that wait for an answer, of every session, opened and verified. Others are left out.
    ///
    /// # Errors
    /// Of the hub.
    pub async fn pending(&self) -> Result<Vec<Pending>, Error> {
        let sessions: Vec<Session> = self.all("/v1/human/sessions").await?;
        let mut pending = Vec::new();
        for session in sessions.into_iter().filter(|session| session.pending_count > 0) {
            let title = self.title(&session).await?;
            for message in self.read(session.id).await? {
                pending.extend(question(message, title.clone()));
            }
        }
        Ok(pending)
    }

    /// The next question that is not among `seen`, by its id.
    ///
    /// # Errors
    /// Of the hub; `TIMEOUT` after `wait`.
    pub async fn next(&self, seen: &[Uuid], wait: Duration) -> Result<Pending, Error> {
        let end = tokio::time::Instant::now() + wait;
        loop {
            let pending = self.pending().await?;
            if let Some(next) = pending.into_iter().find(|pending| !seen.contains(&pending.message.id)) {
                return Ok(next);
            }
            if tokio::time::Instant::now() >= end {
                return Err(Error::local("the next question", Error::TIMEOUT, "nobody asks"));
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// The messages of a session, opened as far as they can be.
    ///
    /// # Errors
    /// Of the hub.
    pub async fn read(&self, session: Uuid) -> Result<Vec<Message>, Error> {
        let members = self.members(session).await?;
        let mut messages: Vec<Message> = self.all(&at(session, "/messages")).await?;
        // Keys that somebody has shared stand in later messages than what they open.
        for _ in 0..2 {
            for message in &mut messages {
                message.opened = Some(Box::new(self.open(message, members.len())));
            }
        }
        Ok(messages)
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
    async fn members(&self, session: Uuid) -> Result<Vec<Participant>, Error> {
        let members: Vec<Participant> = self.all(&at(session, "/participants")).await?;
        for member in &members {
            if let (Some(id), Ok(entry)) = (member.principal_id(), Entry::deserialize(&member.key)) {
                self.identity.show(id, &entry).map_err(|error| Error::invalid("folder", error.to_string()))?;
            }
        }
        Ok(members)
    }

    fn open(&self, message: &Message, crowd: usize) -> OpenedMessage {
        let (Some(envelope), Some(sender)) = (&message.encrypted_content, message.sender_id()) else {
            return OpenedMessage::of(Authenticity::NotAuthenticated(Refusal::Scheme));
        };
        let carrier = Carrier { id: message.id, seq: Some(message.seq) };
        match self.identity.accept(envelope, sender, message.session_id, carrier) {
            Ok(open) if agrees(&open, message) => verified(&self.identity, open, Some(crowd)),
            Ok(_) => OpenedMessage::of(Authenticity::NotAuthenticated(Refusal::Malformed("its clear fields differ"))),
            Err(Refusal::NotForUs) => OpenedMessage::of(Authenticity::CannotOpen(Refusal::NotForUs)),
            Err(refusal) => OpenedMessage::of(Authenticity::NotAuthenticated(refusal)),
        }
    }

    /// The title of a session, sealed or not.
    ///
    /// # Errors
    /// Of the hub.
    pub async fn title(&self, session: &Session) -> Result<Option<String>, Error> {
        let Some(envelope) = &session.encrypted_title else { return Ok(session.title.clone()) };
        self.members(session.id).await?;
        let sender = session.created_by_agent_id.or(session.created_by_human_id);
        let carrier = Carrier { id: session.id, seq: None };
        let open = sender.and_then(|sender| self.identity.accept(envelope, sender, session.id, carrier).ok());
        let text = open.filter(|open| open.header.kind == Kind::Title);
        Ok(text.and_then(|open| open.content["content"]["text"].as_str().map(str::to_owned)))
    }

    /// A session.
    ///
    /// # Errors
    /// Of the hub.
    pub async fn session(&self, session: Uuid) -> Result<Session, Error> {
        self.http.call(&Call::get(at(session, ""))).await
    }

    async fn all<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, Error> {
        let mut entries = Vec::new();
        for page in 1.. {
            let call = Call::get(format!("{path}?page={page}&pageSize={PAGE_SIZE}"));
            let found: Page<T> = self.http.call(&call).await?;
            let is_last = found.data.len() < PAGE_SIZE;
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

/// The message as a pending question, if it is one that was verified.
fn question(message: Message, title: Option<String>) -> Option<Pending> {
    let opened = message.opened.clone()?;
    let is_pending = message.response_required && message.status == MessageStatus::Pending;
    if !is_pending || opened.authenticity != Authenticity::Verified {
        return None;
    }
    let components = opened.components.unwrap_or_default();
    let own = components["data"]["title"].as_str().map(str::to_owned);
    Some(Pending {
        title: own.or(title),
        content: opened.content.unwrap_or_default(),
        components,
        digest: opened.digest?,
        agent: message.sender_agent_id?,
        message,
    })
}

impl Pending {
    /// The agent that asks.
    #[must_use]
    pub fn agent(&self) -> Uuid {
        self.agent
    }
}

fn at(session: Uuid, path: &str) -> String {
    format!("/v1/human/sessions/{session}{path}")
}

fn http(url: &str, headers: HeaderMap) -> Result<Http, Error> {
    let url = checked_url(url)?;
    let exchange = Arc::new(Net::new(url.clone(), headers, TIMEOUT)?);
    Ok(Http { exchange, url, timeout: TIMEOUT, on_retry: None })
}

async fn token(url: &str, email: &str, password: &str) -> Result<String, Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct SignIn {
        access_token: String,
    }
    let body =
        Map::from_iter([("email", email), ("password", password)].map(|(name, text)| (name.to_owned(), json!(text))));
    let call = Call::post("/v1/auth/login", Value::Object(body), None);
    Ok(http(url, HeaderMap::new())?.call::<SignIn>(&call).await?.access_token)
}
