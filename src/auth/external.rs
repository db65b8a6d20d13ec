//! Humans behind the tokens of an external issuer (contract section 2). A person is identified by issuer and subject. The
//! first token creates the human, or links the human with the same address if the issuer has verified the address.
//!
//! An address that the issuer has not verified is not trusted. It is shown with the human but not reserved: look-ups do not
//! find it, it does not link to another human, and other humans may have it. A human has at most one subject of an issuer,
//! since an address may be reassigned to another person.

use super::jwt::ExternalClaims;
use crate::clock::Clock;
use crate::config::Quotas;
use crate::domain::hidden::without_hidden;
use crate::domain::people::{Human, Role, Space};
use crate::domain::text::{MAX_NAME, normal_email};
use crate::domain::{
    AuditEntry, AuditEvent, AuditSource, AuditTarget, AuditTargetType, ClientNetwork, Refusal, Timestamp,
};
use crate::store::{ExternalIdentity, NewHuman, Store, quotas};
use std::sync::Arc;

/// Attempts, where concurrent requests change the same human.
const ATTEMPTS: usize = 3;
/// The name of a person whose token has none.
const DEFAULT_NAME: &str = "Unnamed";

pub(super) struct ExternalPeople {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// The name of the space that they join.
    space: String,
    quotas: Quotas,
}

fn refused(text: &str) -> Refusal {
    Refusal::Unauthorized(text.to_owned())
}

impl ExternalPeople {
    pub(super) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, space: String, quotas: Quotas) -> Self {
        Self { store, clock, space, quotas }
    }

    /// The active human for the verified claims of a token.
    pub(super) async fn human(&self, claims: &ExternalClaims, from: ClientNetwork) -> Result<Human, Refusal> {
        let issuer = claims.iss.as_deref().unwrap_or_default();
        for _ in 0..ATTEMPTS {
            let found = match self.store.external_identity(issuer, &claims.sub).await? {
                Some(ExternalIdentity { active: Some(human), .. }) => {
                    return self.with_verified_address(issuer, current(human, claims)?, claims).await;
                }
                Some(gone) => self.successor(issuer, claims, gone).await?,
                None => self.newcomer(issuer, claims, from).await?,
            };
            if let Some(human) = found {
                return Ok(human);
            }
        }
        Err(refused("The token's e-mail address belongs to another human"))
    }

    /// The human, with the address of the token if that is the first address that the issuer has verified and no other human
    /// has or had it.
    async fn with_verified_address(
        &self,
        issuer: &str,
        human: Human,
        claims: &ExternalClaims,
    ) -> Result<Human, Refusal> {
        let verified = address(claims).filter(|_| !human.email_verified && claims.email_verified == Some(true));
        let Some(address) = verified else { return Ok(human) };
        let is_free = self.store.human_by_address(human.space_id, &address).await?.is_none()
            && !self.store.former_humans(human.space_id, &address, issuer).await?.unknown_to_issuer;
        if is_free && self.store.verify_address(&human, &address).await? {
            return Ok(Human { email: address, email_verified: true, ..human });
        }
        Ok(human)
    }

    /// The human who now has the address of a deactivated one. It is the same person if the issuer has verified the address in
    /// a token that was issued since.
    async fn successor(
        &self,
        issuer: &str,
        claims: &ExternalClaims,
        gone: ExternalIdentity,
    ) -> Result<Option<Human>, Refusal> {
        let inactive = || refused("The token's human is not active");
        let address = address(claims).filter(|_| claims.email_verified == Some(true)).ok_or_else(inactive)?;
        let human = self.store.human_by_address(self.space().await?.id, &address).await?.ok_or_else(inactive)?;
        if !is_since(claims.iat, human.created_at) {
            return Err(inactive());
        }
        let human = current(human, claims)?;
        Ok(self.store.move_external_identity(issuer, &claims.sub, gone.human, human.id).await?.then_some(human))
    }

    /// The human for a new identity. `None` if a concurrent request was faster, or another human has the address.
    async fn newcomer(
        &self,
        issuer: &str,
        claims: &ExternalClaims,
        from: ClientNetwork,
    ) -> Result<Option<Human>, Refusal> {
        let address = address(claims).ok_or_else(|| refused("The token has no valid e-mail address"))?;
        if claims.email_verified == Some(false) {
            return Err(refused("The issuer has not verified the token's e-mail address"));
        }
        let space = self.space().await?;
        let now = self.clock.now();
        if let Some(human) = self.store.human_by_address(space.id, &address).await? {
            if claims.email_verified != Some(true) {
                return Ok(None);
            }
            // A former owner of the address must not be linked to its current owner.
            let former = self.store.former_humans(space.id, &address, issuer).await?;
            if former.any && !is_since(claims.iat, human.created_at) {
                return Err(refused("The token was issued before its human was created"));
            }
            let human = current(human, claims)?;
            return Ok(self.store.add_external_identity(issuer, &claims.sub, human.id, now).await?.then_some(human));
        }
        if self.store.former_humans(space.id, &address, issuer).await?.unknown_to_issuer {
            // It may be the same person, and a deactivated person can't return by signing in.
            return Err(refused("The token's human is not active"));
        }
        self.create(issuer, claims, &space, &address, from, now).await
    }

    async fn create(
        &self,
        issuer: &str,
        claims: &ExternalClaims,
        space: &Space,
        address: &str,
        from: ClientNetwork,
        now: Timestamp,
    ) -> Result<Option<Human>, Refusal> {
        let name = name(claims, address);
        let new = NewHuman { space: space.id, email: address, name: &name, role: Role::Member, password_hash: None };
        let mut tx = self.store.begin_directory().await?;
        let Some(mut human) = tx.create_human(&new, now).await? else { return Ok(None) };
        if claims.email_verified != Some(true) {
            tx.free_address(&human).await?;
            human.email_verified = false;
        }
        if !tx.add_external_identity(issuer, &claims.sub, human.id, now).await? {
            return Ok(None);
        }
        quotas::check_humans(&self.quotas, &mut *tx, space.id).await?;
        let source = AuditSource { origin: Some(from.to_string()), request_id: None };
        let target = AuditTarget::new(AuditTargetType::Human, human.id, human.name.clone());
        tx.audit(AuditEntry::new(AuditEvent::HumanCreated, Some(space.id), &source, now).on(target)).await?;
        tx.commit(None).await?;
        Ok(Some(human))
    }

    async fn space(&self) -> Result<Space, Refusal> {
        self.store.space_by_name(&self.space).await?.ok_or_else(|| {
            tracing::warn!(space = self.space, "the space of HILOOP_JWT_SPACE is not active");
            refused("The token's space is not active")
        })
    }
}

/// The human, unless the token was revoked.
fn current(human: Human, claims: &ExternalClaims) -> Result<Human, Refusal> {
    match human.tokens_valid_from {
        Some(from) if !is_since(claims.iat, from) => Err(refused("The token is no longer valid")),
        _ => Ok(human),
    }
}

/// Whether a token was issued at this moment or later, in whole seconds, since most issuers have no fractions.
fn is_since(issued: Timestamp, moment: Timestamp) -> bool {
    issued.0.div_euclid(1000) >= moment.0.div_euclid(1000)
}

fn address(claims: &ExternalClaims) -> Option<String> {
    normal_email("email", claims.email.as_deref()?).ok()
}

/// The name: that of the token, or else the local part of the address, since others must not see the whole address.
fn name(claims: &ExternalClaims, address: &str) -> String {
    let local = address.split('@').next().unwrap_or_default();
    let shown = |text: &str| {
        let clean: String = without_hidden(text).trim().chars().take(MAX_NAME).collect();
        Some(clean.trim().to_owned()).filter(|clean| !clean.is_empty())
    };
    let name = claims.name.as_deref().and_then(shown).or_else(|| shown(local));
    name.unwrap_or_else(|| DEFAULT_NAME.to_owned())
}
