//! Signing in with a password, refreshing a sign-in, and ending it.

use super::super::attempts::Try;
use super::super::passwords::{self, HashPermit};
use super::super::secret::{self, REFRESH_TOKEN, Secret};
use super::{Accounts, SignedIn, Visit, author};
use crate::audit::FailedAccount;
use crate::domain::hidden::without_hidden;
use crate::domain::people::{Human, SignIn};
use crate::domain::principal::HumanPrincipal;
use crate::domain::text::normal_email;
use crate::domain::{AuditEvent, AuditSource, AuditTarget, AuditTargetType, ClientNetwork, Refusal, SpaceId};
use crate::store::{EndedSignIns, NewSignIn, RefreshOutcome};
use uuid::Uuid;

/// Lifetime of a refresh token. Each use returns a new one, until the sign-in ends.
const REFRESH_SECONDS: i64 = 30 * 24 * 60 * 60;
/// Most accounts with the same address, in different spaces, that a password is verified against.
const MAX_ACCOUNTS: i64 = 8;
/// Longest `User-Agent` that is stored, in characters.
const MAX_USER_AGENT: usize = 256;

impl Accounts {
    /// Signs in to the account with this address in `space` (a name or an id); without a space, to the oldest account with
    /// the address whose password matches.
    pub async fn login(
        &self,
        email: &str,
        password: String,
        space: Option<&str>,
        visit: &Visit,
    ) -> Result<SignedIn, Refusal> {
        let from = visit.from;
        self.attempts.admit(from, Try::Password)?;
        // An invalid address gets the same reply as an unknown one.
        let address = normal_email("email", email).ok();
        let account = address.as_deref().unwrap_or_default();
        let accounts = match &address {
            Some(address) => self.accounts_of(address, space).await?,
            None => Vec::new(),
        };
        let accounts = self.admitted(account, accounts, from)?;
        let permit = self.hash_permit(from).await?;
        let accounts = self.admitted(account, accounts, from)?;
        let guess = self.attempts.guess_at(account, from);
        let found = Self::account_with_password(&permit, &accounts, password).await;
        guess.end(&found);
        drop(permit);
        if let Err(Refusal::Unauthorized(_)) = &found {
            let accounts: Vec<_> = accounts.iter().map(failed_account).collect();
            // With accounts in several spaces, the origin is not recorded for any of them.
            let source = if accounts.len() > 1 { AuditSource::default() } else { visit.source.clone() };
            self.audit.sign_in_failed(&source, &accounts).await;
        }
        let human = found?;
        self.attempts.add_familiar(human.id, from);
        self.sign_in(human, visit).await
    }

    /// The accounts that may be tried from an origin: all, or, if there were too many failures at the address, those whose
    /// human has signed in from the origin. Accounts with the same address in other spaces are other people, whose sign-ins
    /// do not count for each other.
    fn admitted(&self, address: &str, mut accounts: Vec<Human>, from: ClientNetwork) -> Result<Vec<Human>, Refusal> {
        let Err(refusal) = self.attempts.admit_to(address) else { return Ok(accounts) };
        accounts.retain(|human| self.attempts.is_familiar(human.id, from));
        if accounts.is_empty() { Err(refusal) } else { Ok(accounts) }
    }

    /// The accounts with this address.
    async fn accounts_of(&self, address: &str, space: Option<&str>) -> Result<Vec<Human>, Refusal> {
        Ok(match space {
            None => self.store.humans_by_address(address, MAX_ACCOUNTS).await?,
            Some(space) => match self.space_named(space).await? {
                Some(space) => self.store.human_by_address(space, address).await?.into_iter().collect(),
                None => Vec::new(),
            },
        })
    }

    async fn space_named(&self, space: &str) -> Result<Option<SpaceId>, Refusal> {
        match space.parse() {
            Ok(id) => Ok(Some(id)),
            // No space has such a name, and PostgreSQL rejects text with NUL.
            Err(_) if space.contains('\0') => Ok(None),
            Err(_) => Ok(self.store.space_by_name(space).await?.map(|space| space.id)),
        }
    }

    /// The first of these accounts with this password. At least one hash is verified, so that the reply takes as long if
    /// there is no account.
    async fn account_with_password<'a>(
        permit: &HashPermit,
        accounts: &'a [Human],
        password: String,
    ) -> Result<&'a Human, Refusal> {
        if accounts.iter().all(|human| human.password_hash.is_none()) {
            passwords::verify(permit, password.clone(), None).await?;
        }
        for human in accounts {
            let hash = human.password_hash.clone();
            if hash.is_some() && passwords::verify(permit, password.clone(), hash).await? {
                return Ok(human);
            }
        }
        Err(Refusal::Unauthorized("The e-mail address or the password is wrong".to_owned()))
    }

    /// A permit to hash for an origin with few enough failures. The limit is checked again after the wait, and the permit is
    /// held until a failure is counted: of thousands of concurrent guesses only those with a permit run ahead of the count.
    pub(super) async fn hash_permit(&self, from: ClientNetwork) -> Result<HashPermit, Refusal> {
        self.attempts.admit(from, Try::Password)?;
        let permit = self.hash_permits.for_sign_in(from).await?;
        self.attempts.admit(from, Try::Password)?;
        Ok(permit)
    }

    pub(super) async fn sign_in(&self, human: &Human, visit: &Visit) -> Result<SignedIn, Refusal> {
        let now = self.clock.now();
        let refresh_token = Secret::generate(REFRESH_TOKEN);
        let ends_at = now.plus_millis(SignIn::LASTS_MILLIS);
        let new = NewSignIn {
            id: Uuid::now_v7(),
            human: human.id,
            password_hash: human.password_hash.clone(),
            hash: refresh_token.hash(),
            expires_at: now.plus_seconds(REFRESH_SECONDS),
            ends_at,
            user_agent: visit.user_agent.as_deref().map(shown_user_agent),
        };
        let ended = self.store.add_sign_in(&new, now).await?;
        self.revoke(ended.ok_or_else(|| Refusal::Unauthorized("The password was changed meanwhile".to_owned()))?);
        self.attempts.add_valid(&new.hash);
        let target = AuditTarget::new(AuditTargetType::SignIn, new.id, human.name.clone());
        self.note(AuditEvent::SignIn, human, visit, target).await;
        self.signed_in(human, new.id, ends_at, refresh_token)
    }

    /// Exchanges a refresh token for new tokens. Reusing a refresh token ends its whole sign-in.
    pub async fn refresh(&self, token: &str, visit: &Visit) -> Result<SignedIn, Refusal> {
        self.attempts.look_up(visit.from, token, self.rotate(token, visit)).await
    }

    async fn rotate(&self, token: &str, visit: &Visit) -> Result<SignedIn, Refusal> {
        let now = self.clock.now();
        let next = Secret::generate(REFRESH_TOKEN);
        let expires = now.plus_seconds(REFRESH_SECONDS);
        let outcome = self.store.rotate_refresh_token(&secret::hash(token), &next.hash(), expires, now).await?;
        let refused = || Refusal::Unauthorized("The refresh token is not valid".to_owned());
        match outcome {
            RefreshOutcome::Rotated { human, sign_in, ends_at } => {
                let human = self.store.human(human).await?.ok_or_else(refused)?;
                self.attempts.add_valid(&next.hash());
                self.attempts.add_familiar(human.id, visit.from);
                self.signed_in(&human, sign_in, ends_at, next)
            }
            RefreshOutcome::Reused { human, sign_in } => {
                self.revoke(vec![sign_in]);
                if let Some(human) = self.store.human(human).await? {
                    let target = AuditTarget::new(AuditTargetType::SignIn, sign_in, human.name.clone());
                    self.note(AuditEvent::RefreshTokenReused, &human, visit, target).await;
                }
                Err(refused())
            }
            RefreshOutcome::Expired => Err(Refusal::Expired("The refresh token has expired".to_owned())),
            RefreshOutcome::Unknown => Err(refused()),
        }
    }

    /// Ends the sign-in of a refresh token, or all sign-ins of its human. An unknown token counts as ended.
    pub async fn logout(&self, token: &str, everywhere: bool, visit: &Visit) -> Result<(), Refusal> {
        let now = self.clock.now();
        let ended = self.store.end_sign_in_of(&secret::hash(token), everywhere, now).await?;
        let Some(EndedSignIns { human, sign_in, subjects }) = ended else { return Ok(()) };
        self.revoke(subjects);
        if let Some(human) = self.store.human(human).await? {
            let kind = if everywhere { AuditTargetType::Human } else { AuditTargetType::SignIn };
            let id = if everywhere { human.id.0 } else { sign_in };
            self.note(AuditEvent::SignInEnded, &human, visit, AuditTarget::new(kind, id, human.name.clone())).await;
        }
        Ok(())
    }

    /// Ends one sign-in of a human.
    pub async fn end_sign_in(&self, caller: &HumanPrincipal, id: Uuid, source: &AuditSource) -> Result<(), Refusal> {
        if !self.store.end_sign_in(caller.id, id, self.clock.now()).await? {
            return Err(Refusal::NotFound("Sign-in"));
        }
        self.revoke(vec![id]);
        self.note_ended(caller, AuditTarget::new(AuditTargetType::SignIn, id, caller.name.clone()), source).await;
        Ok(())
    }

    /// Ends all sign-ins of a human, and tokens without a sign-in.
    pub async fn end_all_sign_ins(&self, caller: &HumanPrincipal, source: &AuditSource) -> Result<(), Refusal> {
        self.revoke(self.store.end_all_sign_ins(caller.id, self.clock.now()).await?);
        let target = AuditTarget::new(AuditTargetType::Human, caller.id, caller.name.clone());
        self.note_ended(caller, target, source).await;
        Ok(())
    }

    /// Adds an audit entry for ended sign-ins.
    async fn note_ended(&self, caller: &HumanPrincipal, target: AuditTarget, source: &AuditSource) {
        let entry = self.audit.entry(AuditEvent::SignInEnded, Some(caller.space), source);
        self.audit.record(entry.by(author(caller.id, &caller.name)).on(target)).await;
    }
}

fn failed_account(human: &Human) -> FailedAccount {
    FailedAccount { space: human.space_id, human: human.id, name: human.name.clone() }
}

/// A `User-Agent` that is safe to display.
fn shown_user_agent(text: &str) -> String {
    without_hidden(text).chars().take(MAX_USER_AGENT).collect()
}
