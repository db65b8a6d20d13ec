//! The bodies of health checks.

use serde::Serialize;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub struct Alive {
    /// Always `ok`.
    pub status: &'static str,
}

#[derive(Serialize, ToSchema)]
pub struct Readiness {
    /// `ok`, `degraded` (without its Redis) or `unavailable`.
    pub status: &'static str,
    /// `ok`, `unreachable`, or `unwritable`: reads succeed and writes fail (the disk is full, or another program locks the database).
    pub store: &'static str,
    pub draining: bool,
    /// `ok` or `unreachable`; absent if no Redis is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    pub redis: Option<&'static str>,
    /// The tasks of the node that fail repeatedly; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub failing: Vec<&'static str>,
}
