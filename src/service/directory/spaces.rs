//! Spaces, created by an owner of the hub or by the command line.

use super::{AuditTrail, DEFAULT_AGENT, as_json, create_key, ensure_space, hold_key, id_of};
use crate::auth::secret::{API_KEY, api_key};
use crate::context::Context;
use crate::domain::people::Space;
use crate::domain::principal::AgentPrincipal;
use crate::domain::{AuditSource, Author, KeyId, Permission, Refusal, Timestamp};
use crate::protocol::body::directory::{MadeSpace, SpaceDraft};
use crate::service::Answer;
use crate::service::idempotency::{Begun, IdempotencyKey, with_secret};
use crate::store::{NewKey, SecretHash, Store, StoreResult};

/// Creates a space with a first key of the permission `manage`. Where an active space has that name, the answer is that
/// space, without a key.
pub async fn create(
    app: &Context,
    owner: &AgentPrincipal,
    source: AuditSource,
    key: &IdempotencyKey,
    digest: SecretHash,
    draft: SpaceDraft,
) -> Result<Answer, Refusal> {
    let name = draft.check()?;
    let mut change = match key.begin(app, owner.key.0, digest).await? {
        Begun::New(change) => change,
        Begun::Replay(made) => {
            let answer = if made["apiKey"].is_null() {
                Answer::ok(made.to_string())
            } else {
                let secret = key.secret(API_KEY, id_of(&made));
                with_secret(made, "apiKey", &secret)
            };
            return Ok(answer.replay());
        }
    };
    // The creation is recorded in the owner's log. The log of the new space begins with its key.
    let trail = AuditTrail { space: owner.space, author: owner.author(), source };
    let found = ensure_space(&mut *change.tx, &name, change.now, |_| trail).await?;
    let (space, is_new) =
        found.ok_or_else(|| Refusal::Conflict("Field 'name' is the name of a deactivated space".to_owned()))?;
    if !is_new {
        // Without a key: naming an existing space must not give access to it.
        let found = as_json(&MadeSpace { space, api_key: None })?;
        change.keep(200, &found).await?;
        return Ok(Answer::ok(found.to_string()));
    }
    hold_key(&mut change, owner.key).await?;
    // Without a key the new space could not be managed.
    let agent = change.tx.ensure_agent(space.id, DEFAULT_AGENT, None, change.now).await?;
    let secret = key.secret(API_KEY, &space.id.to_string());
    let agent = agent.map(|(agent, _)| agent.id);
    let new = api_key(KeyId::new(), &secret, space.id, Permission::Manage, agent, None);
    let new = NewKey { created_by_key: Some(owner.key), ..new.made_by(Author::hub_owner()) };
    // The log of the new space hides the owner's key, space and address from its managers.
    let trail = AuditTrail { space: space.id, author: Author::hub_owner(), source: AuditSource::default() };
    create_key(&mut *change.tx, &trail, &new, change.now).await?;
    let made = as_json(&MadeSpace { space, api_key: Some(String::new()) })?;
    change.keep(201, &made).await?;
    Ok(with_secret(made, "apiKey", &secret))
}

/// Creates a space in a transaction of its own, or returns the one of that name; `None` if that one is deactivated. For
/// the command line and the first start.
pub async fn ensure(store: &dyn Store, name: &str, now: Timestamp) -> StoreResult<Option<Space>> {
    let mut tx = store.begin_directory().await?;
    let found = ensure_space(&mut *tx, name, now, |space| AuditTrail::command_line(space.id)).await?;
    tx.commit(None).await?;
    Ok(found.map(|(space, _)| space))
}
