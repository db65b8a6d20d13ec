//! Identifiers: UUID version 7 behind one newtype each, so that they sort by time and can't be mixed up.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(|_| D::Error::custom("must be a UUID"))
            }
        }

        impl $name {
            /// A new id for something created now.
            #[must_use]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                // Only the canonical hyphenated form: one id, one spelling.
                if text.len() != 36 {
                    return Err(Uuid::parse_str("").expect_err("an empty text is no UUID"));
                }
                Uuid::parse_str(text).map(Self)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Uuid {
                id.0
            }
        }
    )+};
}

id! {
    /// A tenant.
    SpaceId,
    AgentId,
    HumanId,
    /// A guest, with exactly one guest token.
    GuestId,
    SessionId,
    MessageId,
    ParticipantId,
    /// An API key (the record, not the secret).
    KeyId,
    /// A sign-in of a human.
    SignInId,
    /// One WebSocket.
    ConnectionId,
}

impl HumanId {
    /// The id to revoke for the human's tokens without a sign-in.
    #[must_use]
    pub fn without_sign_in(self) -> Uuid {
        Uuid::from_u128(self.0.as_u128() ^ WITHOUT_SIGN_IN)
    }
}

/// Any constant will do that makes another id of an id.
const WITHOUT_SIGN_IN: u128 = 0x5f3a_91c4_0000_0000_0000_7b1e_d02c_64a8;

/// The id of an agent, a human or a guest, all of which can participate in a session.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Debug, utoipa::ToSchema)]
#[serde(transparent)]
pub struct PrincipalId(pub Uuid);

impl fmt::Display for PrincipalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for PrincipalId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // In the one spelling that every id has.
        AgentId::deserialize(deserializer).map(Self::from)
    }
}

impl FromStr for PrincipalId {
    type Err = uuid::Error;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<AgentId>().map(Self::from)
    }
}

/// Which of `partitions` (one at least) the thing with this id belongs to.
pub fn partition(id: Uuid, partitions: usize) -> usize {
    // The random bits of a version 7 UUID are its last.
    let (_, low) = id.as_u64_pair();
    usize::try_from(low % partitions as u64).unwrap_or(0)
}

macro_rules! into_principal {
    ($($name:ident),+) => {$(
        impl From<$name> for PrincipalId {
            fn from(id: $name) -> Self {
                Self(id.0)
            }
        }
    )+};
}
into_principal!(AgentId, HumanId, GuestId);
