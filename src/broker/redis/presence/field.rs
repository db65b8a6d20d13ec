//! One field of a session's presence hash: `NODE/PRINCIPAL`, with the participant as its value.

use crate::domain::{ParticipantId, PrincipalId};
use redis::{FromRedisValue as _, RedisError, Value};
use std::collections::HashMap;
use std::time::Duration;
use uuid::Uuid;

/// How long a session's hash outlives the last write to it.
pub(super) const KEEP: Duration = Duration::from_secs(3 * 3600);
/// Most changes to publish, or hashes to read, at a time.
pub(super) const CHUNK: usize = 256;

pub(super) struct Field {
    pub(super) node: Uuid,
    pub(super) principal: PrincipalId,
    pub(super) participant: ParticipantId,
}

impl Field {
    pub(super) fn name(node: Uuid, principal: PrincipalId) -> String {
        format!("{node}/{}", principal.0)
    }

    fn parse(name: &str, value: &str) -> Option<Self> {
        let (node, principal) = name.split_once('/')?;
        let principal = PrincipalId(principal.parse().ok()?);
        Some(Self { node: node.parse().ok()?, principal, participant: value.parse().ok()? })
    }

    /// The fields of a hash that other nodes than `own` wrote.
    pub(super) fn of_other_nodes(hash: Value, own: Uuid) -> Result<Vec<Self>, RedisError> {
        let fields = HashMap::<String, String>::from_redis_value(hash)?;
        let fields = fields.iter().filter_map(|(name, value)| Self::parse(name, value));
        Ok(fields.filter(|field| field.node != own).collect())
    }
}
