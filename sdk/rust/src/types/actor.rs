//! Who did something.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An agent, a human, a guest, or the hub itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Actor {
    /// `Agent`, `Human`, `Guest` or `System`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The id; none for the hub itself.
    pub id: Option<Uuid>,
    /// The name.
    pub name: String,
}
