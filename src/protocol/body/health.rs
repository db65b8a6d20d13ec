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
    /// `ok`, `unreachable`, or `unwritable`: it can be read, and writes fail (it is full, or held by another program).
    pub store: &'static str,
    pub draining: bool,
    /// `ok` or `unreachable`; absent where no Redis is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    pub redis: Option<&'static str>,
    /// The tasks of the node that fail again and again; absent where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub failing: Vec<&'static str>,
}
