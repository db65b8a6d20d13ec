//! Who a token of an outside issuer speaks for (contract section 2): a person is its issuer and subject. The first token
//! creates the human, or joins the human with the same address if the issuer has verified that the address is theirs.
//!
//! An address that the issuer has not verified is what anybody may claim. Its human is shown with it, but does not have
//! it: nobody is found by it, joins their human by it or is kept from having it. And a human is one person of an issuer:
//! another subject never joins them, since an address may pass from one person to another.

use super::jwt::OutsideClaims;
use crate::clock::Clock;
use crate::config::Quotas;
use crate::domain::hidden::without_hidden;
use crate::domain::people::{Human, Role, Space};
use crate::domain::text::{MAX_NAME, normal_email};
use crate::domain::{AuditEntry, AuditEvent, AuditSource, AuditTarget, AuditTargetType, Origin, Refusal, Timestamp};
use crate::limits::directory;
use crate::store::{NewHuman, OutsideIdentity, Store};
use std::sync::Arc;

/// How often it is looked again where another request has changed what was found.
const ATTEMPTS: usize = 3;
/// What a person is called whose token has nothing to call them by.
const NAMELESS: &str = "Unnamed";

pub(super) struct OutsidePeople {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// The space that they belong to.
    space: String,
    quotas: Quotas,
}

fn refused(text: &str) -> Refusal {
    Refusal::Unauthorized(text.to_owned())
}

impl OutsidePeople {
    pub(super) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, space: String, quotas: Quotas) -> Self {
        Self { store, clock, space, quotas }
    }

    /// The active human that a token's checked claims name.
    pub(super) async fn human(&self, claims: &OutsideClaims, from: Origin) -> Result<Human, Refusal> {
        let issuer = claims.iss.as_deref().unwrap_or_default();
        for _ in 0..ATTEMPTS {
            let found = match self.store.outside_identity(issuer, &claims.sub).await? {
                Some(OutsideIdentity { active: Some(human), .. }) => {
                    return self.with_verified_address(issuer, current(human, claims)?, claims).await;
                }
                Some(gone) => self.successor(issuer, claims, gone).await?,
                None => self.newcomer(issuer, claims, from).await?,
            };
            if let Some(human) = found {
                return Ok(human);
            }
        }
        Err(refused("The token's e-mail address belongs to somebody else"))
    }

    /// The human, who has the address of the token from now on if it is the first one that the issuer has verified, and
    /// nobody else has it or had it.
    async fn with_verified_address(
        &self,
        issuer: &str,
        human: Human,
        claims: &OutsideClaims,
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

    /// The human who has the address of one who was deactivated: it is the same person if the issuer says so of a
    /// token that was issued since.
    async fn successor(
        &self,
        issuer: &str,
        claims: &OutsideClaims,
        gone: OutsideIdentity,
    ) -> Result<Option<Human>, Refusal> {
        let inactive = || refused("The token's human is not active");
        let address = address(claims).filter(|_| claims.email_verified == Some(true)).ok_or_else(inactive)?;
        let human = self.store.human_by_address(self.space().await?.id, &address).await?.ok_or_else(inactive)?;
        if !is_since(claims.iat, human.created_at) {
            return Err(inactive());
        }
        let human = current(human, claims)?;
        Ok(self.store.move_outside_identity(issuer, &claims.sub, gone.human, human.id).await?.then_some(human))
    }

    /// Somebody whom no token has named before. `None` if another request was ahead, or the address is somebody else's.
    async fn newcomer(&self, issuer: &str, claims: &OutsideClaims, from: Origin) -> Result<Option<Human>, Refusal> {
        let address =
            address(claims).ok_or_else(|| refused("The token names no e-mail address that the hub can use"))?;
        if claims.email_verified == Some(false) {
            return Err(refused("The token is of somebody whose e-mail address is not verified"));
        }
        let space = self.space().await?;
        let now = self.clock.now();
        if let Some(human) = self.store.human_by_address(space.id, &address).await? {
            if claims.email_verified != Some(true) {
                return Ok(None);
            }
            // Who had the address before must not become who has it now.
            let former = self.store.former_humans(space.id, &address, issuer).await?;
            if former.any && !is_since(claims.iat, human.created_at) {
                return Err(refused("The token is of before its human was created"));
            }
            let human = current(human, claims)?;
            return Ok(self.store.add_outside_identity(issuer, &claims.sub, human.id, now).await?.then_some(human));
        }
        if self.store.former_humans(space.id, &address, issuer).await?.unknown_to_issuer {
            // It may be they, and whoever was deactivated does not come back by themselves.
            return Err(refused("The token's human is not active"));
        }
        self.create(issuer, claims, &space, &address, from, now).await
    }

    async fn create(
        &self,
        issuer: &str,
        claims: &OutsideClaims,
        space: &Space,
        address: &str,
        from: Origin,
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
        if !tx.add_outside_identity(issuer, &claims.sub, human.id, now).await? {
            return Ok(None);
        }
        directory::check_humans(&self.quotas, &mut *tx, space.id).await?;
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

/// The human, unless tokens like this one were made void.
fn current(human: Human, claims: &OutsideClaims) -> Result<Human, Refusal> {
    match human.tokens_valid_from {
        Some(from) if !is_since(claims.iat, from) => Err(refused("The token is not valid any more")),
        _ => Ok(human),
    }
}

/// Whether a token was issued at this moment or later. Issuers mostly tell seconds alone.
fn is_since(issued: Timestamp, moment: Timestamp) -> bool {
    issued.0.div_euclid(1000) >= moment.0.div_euclid(1000)
}

fn address(claims: &OutsideClaims) -> Option<String> {
    normal_email("email", claims.email.as_deref()?).ok()
}

/// What to call them: their name, else what stands before the `@` of their address, which not everybody is to know.
fn name(claims: &OutsideClaims, address: &str) -> String {
    let local = address.split('@').next().unwrap_or_default();
    let shown = |text: &str| {
        let clean: String = without_hidden(text).trim().chars().take(MAX_NAME).collect();
        Some(clean.trim().to_owned()).filter(|clean| !clean.is_empty())
    };
    let name = claims.name.as_deref().and_then(shown).or_else(|| shown(local));
    name.unwrap_or_else(|| NAMELESS.to_owned())
}
