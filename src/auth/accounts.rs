//! The hub's own accounts: sign in, stay signed in, sign out.

use super::attempts::Try;
use super::jwt::Bearer;
use super::passwords::{Turn, Turns};
use super::secret::{self, REFRESH_TOKEN, Secret};
use super::{Attempts, Authenticator, passwords};
use crate::audit::{Audit, FailedAccount};
use crate::clock::Clock;
use crate::domain::hidden::without_hidden;
use crate::domain::people::{Human, SignIn};
use crate::domain::principal::HumanPrincipal;
use crate::domain::text::normal_email;
use crate::domain::{
    Actor, ActorType, AuditEvent, AuditSource, AuditTarget, AuditTargetType, Author, HumanId, Origin, Refusal, SpaceId,
    Timestamp,
};
use crate::store::{DirectoryTx, EndedSignIns, NewHuman, NewSignIn, PasswordChosen, RefreshOutcome, Store};
use std::collections::HashSet;
use std::sync::{Arc, OnceLock};
use uuid::Uuid;

/// How long an access token holds.
pub const ACCESS_SECONDS: i64 = 15 * 60;
/// How long a refresh token holds; each use gives a new one, until the sign-in ends.
const REFRESH_SECONDS: i64 = 30 * 24 * 60 * 60;
/// Most accounts of one address, in as many spaces, that a password is compared with.
const MAX_ACCOUNTS: i64 = 8;
/// How long a link to choose a password holds.
const SETUP_SECONDS: i64 = 7 * 24 * 60 * 60;
/// Longest `User-Agent` that is kept, in characters.
const MAX_USER_AGENT: usize = 256;

/// The request by which somebody signs in or out.
#[derive(Clone, Debug)]
pub struct Visit {
    pub from: Origin,
    pub source: AuditSource,
    pub user_agent: Option<String>,
}

/// What signing in gives.
#[derive(Debug)]
pub struct SignedIn {
    pub access_token: String,
    pub expires_at: Timestamp,
    pub refresh_token: Secret,
}

type Revoker = Box<dyn Fn(&HashSet<Uuid>) + Send + Sync>;

#[derive(Clone)]
pub struct Accounts {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    authenticator: Arc<Authenticator>,
    attempts: Arc<Attempts>,
    /// Who may hash passwords when.
    turns: Arc<Turns>,
    audit: Arc<Audit>,
    /// Called with what was revoked.
    on_revocation: Arc<OnceLock<Revoker>>,
}

impl Accounts {
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        authenticator: Arc<Authenticator>,
        attempts: Arc<Attempts>,
        audit: Arc<Audit>,
    ) -> Self {
        let turns = Arc::new(Turns::new());
        Self { store, clock, authenticator, attempts, turns, audit, on_revocation: Arc::default() }
    }

    /// Has `revoke` called for everything that is revoked from now on, so that live connections end. Set once.
    pub fn on_revocation(&self, revoke: impl Fn(&HashSet<Uuid>) + Send + Sync + 'static) {
        let _ = self.on_revocation.set(Box::new(revoke));
    }

    /// Signs in to the account of this address in `space` (a name or an id); without one, to the first account of the
    /// address, the oldest first, whose password this is.
    pub async fn login(
        &self,
        email: &str,
        password: String,
        space: Option<&str>,
        visit: &Visit,
    ) -> Result<SignedIn, Refusal> {
        let from = visit.from;
        self.attempts.admit(from, Try::Password)?;
        // An address that nobody can have is answered like one that nobody has.
        let address = normal_email("email", email).ok();
        let account = address.as_deref().unwrap_or_default();
        let accounts = match &address {
            Some(address) => self.accounts_of(address, space).await?,
            None => Vec::new(),
        };
        let accounts = self.admitted(account, accounts, from)?;
        let turn = self.turn_to_hash(from).await?;
        let accounts = self.admitted(account, accounts, from)?;
        let guess = self.attempts.guess_at(account, from);
        let found = Self::whose_password(&turn, &accounts, password).await;
        guess.end(&found);
        drop(turn);
        if let Err(Refusal::Unauthorized(_)) = &found {
            let accounts: Vec<_> = accounts.iter().map(failed_account).collect();
            // Of who tries an address that stands in several spaces, none of them is told where from.
            let source = if accounts.len() > 1 { AuditSource::default() } else { visit.source.clone() };
            self.audit.sign_in_failed(&source, &accounts).await;
        }
        let human = found?;
        self.attempts.note_home(human.id, from);
        self.sign_in(human, visit).await
    }

    /// The accounts of an address that may be tried from an origin: all of them, or, where somebody has failed at the
    /// address too often, those whose own human has signed in from there. Accounts of the same address in other spaces
    /// are other people, of whom none vouches for another.
    fn admitted(&self, address: &str, mut accounts: Vec<Human>, from: Origin) -> Result<Vec<Human>, Refusal> {
        let Err(refusal) = self.attempts.admit_to(address) else { return Ok(accounts) };
        accounts.retain(|human| self.attempts.is_home(human.id, from));
        if accounts.is_empty() { Err(refusal) } else { Ok(accounts) }
    }

    /// Those whom an address may mean.
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
            // No space has such a name, and PostgreSQL takes no text with NUL.
            Err(_) if space.contains('\0') => Ok(None),
            Err(_) => Ok(self.store.space_by_name(space).await?.map(|space| space.id)),
        }
    }

    /// The first of these accounts that this is the password of. One hash is compared at least, so that an answer
    /// takes as long where there is no account.
    async fn whose_password<'a>(turn: &Turn, accounts: &'a [Human], password: String) -> Result<&'a Human, Refusal> {
        if accounts.iter().all(|human| human.password_hash.is_none()) {
            passwords::verify(turn, password.clone(), None).await?;
        }
        for human in accounts {
            let hash = human.password_hash.clone();
            if hash.is_some() && passwords::verify(turn, password.clone(), hash).await? {
                return Ok(human);
            }
        }
        Err(Refusal::Unauthorized("The e-mail address or the password is wrong".to_owned()))
    }

    /// A turn at hashing for an origin that has not failed too often. It is asked again when its turn comes, and the
    /// turn is held until a failure is counted: of thousands of guesses at once, only those whose turn it is get
    /// ahead of the count.
    async fn turn_to_hash(&self, from: Origin) -> Result<Turn, Refusal> {
        self.attempts.admit(from, Try::Password)?;
        let turn = self.turns.to_sign_in(from).await?;
        self.attempts.admit(from, Try::Password)?;
        Ok(turn)
    }

    async fn sign_in(&self, human: &Human, visit: &Visit) -> Result<SignedIn, Refusal> {
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
        self.attempts.vouch_for(&new.hash);
        let target = AuditTarget::new(AuditTargetType::SignIn, new.id, human.name.clone());
        self.note(AuditEvent::SignIn, human, visit, target).await;
        self.signed_in(human, new.id, ends_at, refresh_token)
    }

    /// Gives new tokens for a refresh token, which is used up. One that was used before ends its whole sign-in.
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
                self.attempts.vouch_for(&next.hash());
                self.attempts.note_home(human.id, visit.from);
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

    /// Ends the sign-in of a refresh token, or every one of its human; one that is unknown has ended already.
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

    /// Ends every sign-in of a human, and their tokens that came of none.
    pub async fn end_all_sign_ins(&self, caller: &HumanPrincipal, source: &AuditSource) -> Result<(), Refusal> {
        self.revoke(self.store.end_all_sign_ins(caller.id, self.clock.now()).await?);
        let target = AuditTarget::new(AuditTargetType::Human, caller.id, caller.name.clone());
        self.note_ended(caller, target, source).await;
        Ok(())
    }

    /// Notes which sign-ins a human has ended: one, or all of their own.
    async fn note_ended(&self, caller: &HumanPrincipal, target: AuditTarget, source: &AuditSource) {
        let entry = self.audit.entry(AuditEvent::SignInEnded, Some(caller.space), source);
        self.audit.record(entry.by(author(caller.id, &caller.name)).on(target)).await;
    }

    /// Sets a new password in the place of the current one, and ends every other sign-in of the human.
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
        // Whoever has got hold of a token must not guess at the password without a limit, wherever they are. They are
        // counted apart from those who sign in, whom they must not lock out, nor these them.
        let account = human.id.to_string();
        let admit = || {
            self.attempts.admit(visit.from, Try::Password)?;
            if self.attempts.is_home(human.id, visit.from) { Ok(()) } else { self.attempts.admit_to(&account) }
        };
        admit()?;
        let turn = self.turns.to_change(human.id, human.space_id).await?;
        admit()?;
        let guess = self.attempts.guess_at(&account, visit.from);
        let checked = match passwords::verify(&turn, current, human.password_hash.clone()).await {
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
        let hash = passwords::hash(&turn, new).await?;
        drop(turn);
        let before = human.password_hash.as_deref().unwrap_or_default();
        let now = self.clock.now();
        let ended = self.store.change_password(human.id, before, &hash, caller.sign_in, now).await?;
        self.revoke(ended.ok_or_else(wrong)?);
        self.note(AuditEvent::PasswordChanged, &human, visit, target).await;
        Ok(())
    }

    /// Chooses a password with a one-time setup token, which ends every sign-in, and signs in.
    pub async fn set_up(&self, token: &str, password: String, visit: &Visit) -> Result<SignedIn, Refusal> {
        passwords::check_alone("password", &password)?;
        let refused = || Refusal::Unauthorized("The setup link is not valid any more".to_owned());
        let turn = self.turn_to_hash(visit.from).await?;
        let guess = self.attempts.guess(visit.from);
        let token = secret::hash(token);
        let chosen = async {
            let human = self.store.human_of_setup_token(&token, self.clock.now()).await?.ok_or_else(refused)?;
            let human = self.store.human(human).await?.ok_or_else(refused)?;
            passwords::check("password", &password, &human.email)?;
            let hash = passwords::hash(&turn, password).await?;
            self.store.choose_password(&token, &hash, self.clock.now()).await?.ok_or_else(refused)
        };
        let chosen = chosen.await;
        guess.end(&chosen);
        drop(turn);
        let PasswordChosen { human, subjects } = chosen?;
        self.revoke(subjects);
        let human = self.store.human(human).await?.ok_or_else(refused)?;
        self.attempts.note_home(human.id, visit.from);
        let target = AuditTarget::new(AuditTargetType::Human, human.id, human.name.clone());
        self.note(AuditEvent::SetupLinkUsed, &human, visit, target).await;
        self.sign_in(&human, visit).await
    }

    /// Makes a new setup link for a human as part of a transaction; the ones before it are void.
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

    /// When a setup link ends that is made now.
    pub fn setup_link_ends(now: Timestamp) -> Timestamp {
        now.plus_seconds(SETUP_SECONDS)
    }

    /// Has the live connections end whose sign-ins were ended, and their tokens refused at once on this node.
    fn revoke(&self, subjects: Vec<Uuid>) {
        if let Some(revoke) = self.on_revocation.get() {
            revoke(&subjects.into_iter().collect());
        }
    }

    /// Notes what a human has done, who is authenticated by it.
    async fn note(&self, event: AuditEvent, human: &Human, visit: &Visit, target: AuditTarget) {
        let entry = self.audit.entry(event, Some(human.space_id), &visit.source);
        self.audit.record(entry.by(author(human.id, &human.name)).on(target)).await;
    }

    /// Checks the first password of a new human, if they are to have one.
    pub fn check_first_password(password: Option<&str>, email: &str) -> Result<(), Refusal> {
        password.map_or(Ok(()), |password| passwords::check("password", password, email))
    }

    /// Checks and hashes the first password of a new human of a space, if they are to have one.
    pub async fn first_password(
        &self,
        space: SpaceId,
        password: Option<String>,
        email: &str,
    ) -> Result<Option<String>, Refusal> {
        Self::check_first_password(password.as_deref(), email)?;
        let Some(password) = password else { return Ok(None) };
        passwords::hash(&self.turns.to_create(space).await?, password).await.map(Some)
    }

    /// What is told of somebody who has the address of a new human.
    pub fn address_taken() -> Refusal {
        Refusal::Conflict("Field 'email' names somebody who is in the space already".to_owned())
    }

    /// Creates a human in a space, as part of a transaction. Without a password the second value is the token of a
    /// one-time setup link, which `setup_token` gives for the new human.
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

    /// An access token for a human, as `hiloop token` prints it: of no sign-in.
    pub fn access_token(&self, human: &Human, seconds: i64) -> Result<(String, Timestamp), Refusal> {
        self.token(human, None, self.clock.now().plus_seconds(seconds))
    }

    fn token(&self, human: &Human, sign_in: Option<Uuid>, ends_at: Timestamp) -> Result<(String, Timestamp), Refusal> {
        let expires_at = Timestamp(ends_at.0.div_euclid(1000).saturating_mul(1000));
        let bearer = Bearer { human: human.id.to_string(), email: &human.email, name: &human.name, sign_in };
        let token = self.authenticator.jwts().issue(bearer, self.clock.now(), expires_at)?;
        Ok((token, expires_at))
    }

    fn signed_in(
        &self,
        human: &Human,
        sign_in: Uuid,
        ends_at: Timestamp,
        refresh_token: Secret,
    ) -> Result<SignedIn, Refusal> {
        let ends_at = self.clock.now().plus_seconds(ACCESS_SECONDS).min(ends_at);
        let (access_token, expires_at) = self.token(human, Some(sign_in), ends_at)?;
        Ok(SignedIn { access_token, expires_at, refresh_token })
    }
}

fn author(human: HumanId, name: &str) -> Author {
    Author::without_key(Actor { kind: ActorType::Human, id: Some(human.0), name: name.to_owned() })
}

fn failed_account(human: &Human) -> FailedAccount {
    FailedAccount { space: human.space_id, human: human.id, name: human.name.clone() }
}

/// A `User-Agent` as it may be shown to its human.
fn shown_user_agent(text: &str) -> String {
    without_hidden(text).chars().take(MAX_USER_AGENT).collect()
}
