//! Choosing and changing passwords, and creating humans with a password or a setup link.

use super::super::attempts::Try;
use super::super::passwords;
use super::super::secret::{self, Secret};
use super::{Accounts, SignedIn, Visit, author};
use crate::domain::people::Human;
use crate::domain::principal::HumanPrincipal;
use crate::domain::{AuditEvent, AuditTarget, AuditTargetType, HumanId, Refusal, SpaceId, Timestamp};
use crate::store::{DirectoryTx, NewHuman, PasswordChosen};

/// Lifetime of a setup link.
const SETUP_SECONDS: i64 = 7 * 24 * 60 * 60;

impl Accounts {
    /// Changes the password, and ends all other sign-ins of the human.
    pub async fn change_password(
        &self,
        caller: &HumanPrincipal,
        current: String,
        new: String,
        visit: &Visit,
    ) -> Result<(), Refusal> {
        passwords::check("new", &new, &caller.email)?;
        let human = self.store.human(caller.id).await?.ok_or(Refusal::NotFound("Human"))?;
        let wrong = || Refusal::Forbidden("Field 'current' is not the password".to_owned());
        // The holder of a stolen token must not be able to guess the password without a limit. These failures count apart
        // from those of sign-ins, so that neither locks out the other.
        let account = human.id.to_string();
        let admit = || {
            self.attempts.admit(visit.from, Try::Password)?;
            if self.attempts.is_familiar(human.id, visit.from) { Ok(()) } else { self.attempts.admit_to(&account) }
        };
        admit()?;
        let permit = self.hash_permits.for_change(human.id, human.space_id).await?;
        admit()?;
        let guess = self.attempts.guess_at(&account, visit.from);
        let checked = match passwords::verify(&permit, current, human.password_hash.clone()).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Refusal::Unauthorized(String::new())),
            Err(refusal) => Err(refusal),
        };
        guess.end(&checked);
        let target = AuditTarget::new(AuditTargetType::Human, human.id, human.name.clone());
        if let Err(refusal) = checked {
            let is_wrong = matches!(refusal, Refusal::Unauthorized(_));
            if !is_wrong {
                return Err(refusal);
            }
            let entry = self.audit.entry(AuditEvent::PasswordChanged, Some(human.space_id), &visit.source);
            self.audit.record(entry.by(author(human.id, &human.name)).on(target).failed()).await;
            return Err(wrong());
        }
        let hash = passwords::hash(&permit, new).await?;
        drop(permit);
        let before = human.password_hash.as_deref().unwrap_or_default();
        let now = self.clock.now();
        let ended = self.store.change_password(human.id, before, &hash, caller.sign_in, now).await?;
        self.revoke(ended.ok_or_else(wrong)?);
        self.note(AuditEvent::PasswordChanged, &human, visit, target).await;
        Ok(())
    }

    /// Sets a password with a one-time setup token, which ends all sign-ins, and signs in.
    pub async fn set_up(&self, token: &str, password: String, visit: &Visit) -> Result<SignedIn, Refusal> {
        passwords::check_without_email("password", &password)?;
        let refused = || Refusal::Unauthorized("The setup link is no longer valid".to_owned());
        let permit = self.hash_permit(visit.from).await?;
        let guess = self.attempts.guess(visit.from);
        let token = secret::hash(token);
        let chosen = async {
            let human = self.store.human_of_setup_token(&token, self.clock.now()).await?.ok_or_else(refused)?;
            let human = self.store.human(human).await?.ok_or_else(refused)?;
            passwords::check("password", &password, &human.email)?;
            let hash = passwords::hash(&permit, password).await?;
            self.store.choose_password(&token, &hash, self.clock.now()).await?.ok_or_else(refused)
        };
        let chosen = chosen.await;
        guess.end(&chosen);
        drop(permit);
        let PasswordChosen { human, subjects } = chosen?;
        self.revoke(subjects);
        let human = self.store.human(human).await?.ok_or_else(refused)?;
        self.attempts.add_familiar(human.id, visit.from);
        let target = AuditTarget::new(AuditTargetType::Human, human.id, human.name.clone());
        self.note(AuditEvent::SetupLinkUsed, &human, visit, target).await;
        self.sign_in(&human, visit).await
    }

    /// Creates a new setup link for a human in a transaction, and revokes the previous ones.
    pub async fn renew_setup_link(
        &self,
        tx: &mut dyn DirectoryTx,
        human: HumanId,
        now: Timestamp,
        token: &Secret,
    ) -> Result<(), Refusal> {
        tx.void_setup_tokens(human).await?;
        Ok(tx.add_setup_token(&token.hash(), human, Self::setup_link_ends(now)).await?)
    }

    /// The end of a setup link that is created now.
    pub fn setup_link_ends(now: Timestamp) -> Timestamp {
        now.plus_seconds(SETUP_SECONDS)
    }

    /// Checks the first password of a new human, if there is one.
    pub fn check_first_password(password: Option<&str>, email: &str) -> Result<(), Refusal> {
        password.map_or(Ok(()), |password| passwords::check("password", password, email))
    }

    /// Checks and hashes the first password of a new human of a space, if there is one.
    pub async fn first_password(
        &self,
        space: SpaceId,
        password: Option<String>,
        email: &str,
    ) -> Result<Option<String>, Refusal> {
        Self::check_first_password(password.as_deref(), email)?;
        let Some(password) = password else { return Ok(None) };
        passwords::hash(&self.hash_permits.for_creation(space).await?, password).await.map(Some)
    }

    /// The refusal if the address of a new human is taken.
    pub fn address_taken() -> Refusal {
        Refusal::Conflict("Field 'email' is the address of a human of the space".to_owned())
    }

    /// Creates a human in a transaction. Without a password, the second value is the token of a setup link, which
    /// `setup_token` creates.
    pub async fn create_in(
        &self,
        tx: &mut dyn DirectoryTx,
        new: NewHuman<'_>,
        setup_token: impl FnOnce(HumanId) -> Secret + Send,
    ) -> Result<(Human, Option<Secret>), Refusal> {
        let now = self.clock.now();
        let human = tx.create_human(&new, now).await?.ok_or_else(Self::address_taken)?;
        if human.password_hash.is_some() {
            return Ok((human, None));
        }
        let token = setup_token(human.id);
        tx.add_setup_token(&token.hash(), human.id, Self::setup_link_ends(now)).await?;
        Ok((human, Some(token)))
    }
}
