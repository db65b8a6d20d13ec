//! Entries of the audit log: security-relevant events of a space, without any secret.

use super::words::words;
use super::{Author, SpaceId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// The types of entries. Their names are on the wire, in the store and in the log.
macro_rules! events {
    ($($(#[$doc:meta])* $name:ident = $text:literal),+ $(,)?) => {
        /// The type of an entry of the audit log.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
        pub enum AuditEvent {
            $($(#[$doc])* #[serde(rename = $text)] $name),+
        }

        impl AuditEvent {
            pub const ALL: &[Self] = &[$(Self::$name),+];

            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }
    };
}

events! {
    /// A sign-in with a password, or a failed one.
    SignIn = "sign_in",
    /// A sign-in was ended by its human or by a logout.
    SignInEnded = "sign_in.ended",
    /// A refresh token was used twice, which ends its sign-in.
    RefreshTokenReused = "refresh_token.reused",
    PasswordChanged = "password.changed",
    SetupLinkCreated = "setup_link.created",
    SetupLinkUsed = "setup_link.used",
    KeyCreated = "key.created",
    KeyRevoked = "key.revoked",
    GuestTokenCreated = "guest_token.created",
    GuestTokenRevoked = "guest_token.revoked",
    AgentCreated = "agent.created",
    AgentDeactivated = "agent.deactivated",
    HumanCreated = "human.created",
    HumanDeactivated = "human.deactivated",
    SpaceCreated = "space.created",
    SpaceDeactivated = "space.deactivated",
    PublicKeyReplaced = "public_key.replaced",
    AttestationSet = "attestation.set",
}

impl AuditEvent {
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|event| event.as_str() == text)
    }
}

/// How it ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AuditOutcome {
    Success,
    Failure,
}

impl AuditOutcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Success, Self::Failure].into_iter().find(|outcome| outcome.as_str() == text)
    }
}

words! {
    /// The type of the target of an entry of the audit log.
    AuditTargetType { Key, GuestToken, Agent, Human, Guest, Space, SignIn }
}

/// The target of an entry of the audit log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditTarget {
    #[serde(rename = "type")]
    pub kind: AuditTargetType,
    pub id: Option<Uuid>,
    /// Its name; of a key its permission.
    pub name: Option<String>,
    /// Of a failed sign-in: how many there were from this origin within the minute.
    pub attempts: Option<u32>,
}

impl AuditTarget {
    pub fn new(kind: AuditTargetType, id: impl Into<Uuid>, name: impl Into<String>) -> Self {
        Self { kind, id: Some(id.into()), name: Some(name.into()), attempts: None }
    }
}

/// The request by which something happened; empty for the command line and for what the hub does on its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditSource {
    /// The address, or the network of an IPv6 one.
    pub origin: Option<String>,
    /// Its `X-Request-Id`.
    pub request_id: Option<String>,
}

/// An entry of the audit log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// Sorts by time.
    pub id: Uuid,
    /// The space in which it happened; none where no space is concerned, which the keys of owners see.
    #[serde(skip)]
    pub space: Option<SpaceId>,
    pub at: Timestamp,
    /// The type, such as `key.created`.
    #[schema(value_type = String)]
    pub event: AuditEvent,
    /// Null if the request is not authenticated.
    pub actor: Option<Author>,
    pub target: Option<AuditTarget>,
    /// Address of the client; the /64 network of an IPv6 one. Null for the command line.
    pub origin: Option<String>,
    /// The `X-Request-Id` of the request.
    pub request_id: Option<String>,
    pub outcome: AuditOutcome,
}

impl AuditEntry {
    /// How long entries are kept: 400 days.
    pub const KEPT_MILLIS: i64 = 400 * 24 * 60 * 60 * 1000;

    /// A success that happens now, by this request. [`Self::by`], [`Self::on`] and [`Self::failed`] add the rest.
    pub fn new(event: AuditEvent, space: Option<SpaceId>, source: &AuditSource, at: Timestamp) -> Self {
        Self {
            id: Uuid::now_v7(),
            space,
            at,
            event,
            actor: None,
            target: None,
            origin: source.origin.clone(),
            request_id: source.request_id.clone(),
            outcome: AuditOutcome::Success,
        }
    }

    #[must_use]
    pub fn by(self, author: Author) -> Self {
        Self { actor: Some(author), ..self }
    }

    #[must_use]
    pub fn on(self, target: AuditTarget) -> Self {
        Self { target: Some(target), ..self }
    }

    #[must_use]
    pub fn failed(self) -> Self {
        Self { outcome: AuditOutcome::Failure, ..self }
    }

    /// Writes the entry's line to the log: ids and types, but no names, which may be personal.
    pub fn log(&self) {
        let actor = self.actor.as_ref();
        let target = self.target.as_ref();
        tracing::info!(
            target: "hiloop::audit",
            id = %self.id,
            event = self.event.as_str(),
            outcome = self.outcome.as_str(),
            space = self.space.map(|space| tracing::field::display(space.0)),
            actor_type = actor.map(|author| tracing::field::debug(author.actor.kind)),
            actor = actor.and_then(|author| author.actor.id).map(tracing::field::display),
            key = actor.and_then(|author| author.key_id).map(tracing::field::display),
            target_type = target.map(|target| target.kind.as_str()),
            target = target.and_then(|target| target.id).map(tracing::field::display),
            attempts = target.and_then(|target| target.attempts),
            origin = self.origin,
            request_id = self.request_id,
            "audit"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::{AuditEvent, AuditOutcome};

    #[test]
    fn every_word_is_read_back() {
        for event in AuditEvent::ALL {
            assert_eq!(AuditEvent::parse(event.as_str()), Some(*event));
        }
        assert_eq!(AuditOutcome::parse("failure"), Some(AuditOutcome::Failure));
        assert_eq!(AuditEvent::parse("other"), None);
    }
}
