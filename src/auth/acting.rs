//! The agent that a key acts as: its own, or the one named by `X-Hiloop` (or by `agent` in a socket's first frame).

use crate::clock::Clock;
use crate::config::Quotas;
use crate::domain::text::is_agent_name;
use crate::domain::{
    Actor, ActorType, AgentId, AuditEntry, AuditEvent, AuditSource, AuditTarget, AuditTargetType, Author,
    ClientNetwork, Permission, Refusal,
};
use crate::store::{KeyHolder, Store, quotas};
use std::sync::Arc;

pub(super) struct Acting {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    quotas: Quotas,
}

/// An agent's id and name.
type Named = (AgentId, String);

impl Acting {
    pub(super) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, quotas: Quotas) -> Self {
        Self { store, clock, quotas }
    }

    /// The agent that `key` acts as. A key with the permission `agent` may name only its own; a key with `space` may name any
    /// of its space, and a new name creates an agent.
    pub(super) async fn agent(
        &self,
        key: &KeyHolder,
        wanted: Option<&str>,
        from: ClientNetwork,
    ) -> Result<Named, Refusal> {
        let own = key.agent.clone().ok_or_else(|| Refusal::Unauthorized("The API key is not valid".to_owned()))?;
        let Some(wanted) = wanted else { return Ok(own) };
        if names(&own, wanted)? {
            return Ok(own);
        }
        if key.permission < Permission::Space {
            // The same refusal whether or not there is such an agent.
            let text = "A key with the permission 'agent' can act only as its own agent";
            return Err(Refusal::Forbidden(text.to_owned()));
        }
        let known = match wanted.parse::<AgentId>() {
            Ok(id) => Some(self.store.agent(key.space, id).await?.ok_or(Refusal::NotFound("Agent"))?),
            Err(_) => self.store.agent_by_name(key.space, wanted).await?,
        };
        match known {
            Some(agent) => Ok((agent.id, agent.name)),
            None => self.create(key, own, wanted, from).await,
        }
    }

    async fn create(&self, key: &KeyHolder, own: Named, name: &str, from: ClientNetwork) -> Result<Named, Refusal> {
        let now = self.clock.now();
        let mut tx = self.store.begin_directory().await?;
        let (agent, is_new) = tx.ensure_agent(key.space, name, None, now).await?.ok_or(Refusal::NotFound("Agent"))?;
        if is_new {
            quotas::check_agents(&self.quotas, &mut *tx, key.space).await?;
            let source = AuditSource { origin: Some(from.to_string()), request_id: None };
            let actor = Actor { kind: ActorType::Agent, id: Some(own.0.0), name: own.1 };
            let entry = AuditEntry::new(AuditEvent::AgentCreated, Some(key.space), &source, now);
            let target = AuditTarget::new(AuditTargetType::Agent, agent.id, agent.name.clone());
            tx.audit(entry.by(Author { actor, key_id: Some(key.id) }).on(target)).await?;
            tx.commit(None).await?;
        }
        Ok((agent.id, agent.name))
    }
}

/// Whether `wanted`, a name or an id, is this agent.
fn names((id, name): &Named, wanted: &str) -> Result<bool, Refusal> {
    if let Ok(wanted) = wanted.parse::<AgentId>() {
        return Ok(wanted == *id);
    }
    if !is_agent_name(wanted) {
        let text = "Header 'X-Hiloop' must be an agent's id, or 1 to 64 of letters, digits, '.', '_' and '-'";
        return Err(Refusal::Invalid(text.to_owned()));
    }
    Ok(wanted == name)
}
