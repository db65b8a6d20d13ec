//! Agents of a space, created by its managers or by a provisioner key.

use super::{AuditTrail, as_json, create_key, ensure_agent, hold_key, hold_manager, id_of};
use crate::auth::Provisioner;
use crate::auth::secret::{API_KEY, api_key};
use crate::context::Context;
use crate::domain::people::Agent;
use crate::domain::principal::ManagerPrincipal;
use crate::domain::{AuditSource, Author, KeyId, Permission, Refusal};
use crate::protocol::body::directory::{AgentDraft, NewAgent, Provisioned};
use crate::service::Answer;
use crate::service::idempotency::{Begun, DirectoryChange, IdempotencyKey, with_secret};
use crate::store::{SecretHash, quotas};

/// Creates an agent in a manager's space.
pub async fn create(
    app: &Context,
    manager: &ManagerPrincipal,
    source: AuditSource,
    key: &IdempotencyKey,
    digest: SecretHash,
    draft: AgentDraft,
) -> Result<Answer, Refusal> {
    let new = draft.check()?;
    match key.begin(app, manager.credential, digest).await? {
        Begun::Replay(made) => Ok(Answer::created(made.to_string()).replay()),
        Begun::New(mut change) => {
            hold_manager(&mut change, manager).await?;
            let agent = create_new(app, &mut change, &AuditTrail::of(manager, source), &new).await?;
            let made = as_json(&agent)?;
            change.keep(201, &made).await?;
            Ok(Answer::created(made.to_string()))
        }
    }
}

/// Creates an agent with a key of its own.
pub async fn provision(
    app: &Context,
    provisioner: &Provisioner,
    source: AuditSource,
    key: &IdempotencyKey,
    digest: SecretHash,
    draft: AgentDraft,
) -> Result<Answer, Refusal> {
    let new = draft.check()?;
    let mut change = match key.begin(app, provisioner.key.0, digest).await? {
        Begun::New(change) => change,
        Begun::Replay(made) => {
            let secret = key.secret(API_KEY, id_of(&made["agent"]));
            return Ok(with_secret(made, "apiKey", &secret).replay());
        }
    };
    hold_key(&mut change, provisioner.key).await?;
    let author = Author::provisioner(provisioner.key);
    let trail = AuditTrail { space: provisioner.space, author: author.clone(), source };
    let agent = create_new(app, &mut change, &trail, &new).await?;
    let secret = key.secret(API_KEY, &agent.id.to_string());
    let new = api_key(KeyId::new(), &secret, provisioner.space, Permission::Agent, Some(agent.id), None);
    create_key(&mut *change.tx, &trail, &new.made_by(author), change.now).await?;
    let made = as_json(&Provisioned { agent, api_key: String::new() })?;
    change.keep(201, &made).await?;
    Ok(with_secret(made, "apiKey", &secret))
}

/// Creates an agent whose name the space does not have.
async fn create_new(
    app: &Context,
    change: &mut DirectoryChange,
    trail: &AuditTrail,
    new: &NewAgent,
) -> Result<Agent, Refusal> {
    match ensure_agent(&mut *change.tx, trail, &new.name, new.description.as_deref(), change.now).await? {
        Some((agent, true)) => {
            quotas::check_agents(&app.config.quotas, &mut *change.tx, trail.space).await?;
            Ok(agent)
        }
        Some((_, false)) => Err(Refusal::Conflict("Field 'name' is the name of an existing agent".to_owned())),
        // Its messages still have the name.
        None => Err(Refusal::Conflict("Field 'name' is the name of a deactivated agent".to_owned())),
    }
}
