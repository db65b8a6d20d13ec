//! The actor that settled a message.

use super::{Actor, ActorType};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// The actor that settled a message and, for a guest, the actor that invited them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Responder {
    #[serde(rename = "type")]
    pub kind: ActorType,
    pub id: Option<Uuid>,
    pub name: String,
    /// Of a guest, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invited_by: Option<Actor>,
}

impl Responder {
    /// `actor`; if it is a guest, with `invited_by`.
    pub fn new(actor: &Actor, invited_by: Option<&Actor>) -> Self {
        let invited_by = invited_by.filter(|_| actor.kind == ActorType::Guest).cloned();
        Self { kind: actor.kind, id: actor.id, name: actor.name.clone(), invited_by }
    }
}

impl From<&Actor> for Responder {
    fn from(actor: &Actor) -> Self {
        Self::new(actor, None)
    }
}
