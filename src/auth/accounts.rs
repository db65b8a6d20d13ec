//! The hub's own accounts: sign in, stay signed in, sign out.

use super::attempts::Try;
use super::passwords::Turn;
use super::secret::{self, REFRESH_TOKEN, SETUP_TOKEN, Secret};
use super::{Attempts, Authenticator, passwords};
use crate::clock::Clock;
use crate::domain::people::Human;
use crate::domain::text::normal_email;
use crate::domain::{HumanId, Origin, Refusal, SpaceId, Timestamp};
use crate::store::{DirectoryTx, NewHuman, Refresh, RefreshOutcome, Store};
use std::sync::Arc;
use uuid::Uuid;

/// How long an access token holds.
pub const ACCESS_SECONDS: i64 = 15 * 60;
/// How long a refresh token holds; each use gives a new one.
const REFRESH_SECONDS: i64 = 30 * 24 * 60 * 60;
/// Most accounts of one address, in as many spaces, that a password is compared with.
const MAX_ACCOUNTS: i64 = 8;
/// How long a link to choose a first password holds.
const SETUP_SECONDS: i64 = 7 * 24 * 60 * 60;

/// What signing in gives.
#[derive(Debug)]
pub struct SignedIn {
    pub access_token: String,
    pub expires_at: Timestamp,
    pub refresh_token: Secret,
}

#[derive(Clone)]
pub struct Accounts {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    authenticator: Arc<Authenticator>,
    attempts: Arc<Attempts>,
}

impl Accounts {
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        authenticator: Arc<Authenticator>,
        attempts: Arc<Attempts>,
    ) -> Self {
        Self { store, clock, authenticator, attempts }
    }

    /// Signs in to the account of this address in `space` (a name or an id); without one, to the first account of the
    /// address, the oldest first, whose password this is.
    pub async fn login(
        &self,
        email: &str,
        password: String,
        space: Option<&str>,
        from: Origin,
    ) -> Result<SignedIn, Refusal> {
        self.attempts.admit(from, Try::Password)?;
        let accounts = self.accounts_of(email, space).await?;
        let turn = self.turn_to_hash(from).await?;
        let guess = self.attempts.guess(from);
        let found = Self::whose_password(&turn, accounts, password).await;
        guess.end(&found);
        drop(turn);
        self.sign_in(&found?).await
    }

    /// Those whom an address may mean who can sign in with a password. An address that nobody can have is answered
    /// like one that nobody has.
    async fn accounts_of(&self, email: &str, space: Option<&str>) -> Result<Vec<Human>, Refusal> {
        let Ok(email) = normal_email("email", email) else { return Ok(Vec::new()) };
        let mut accounts = match space {
            None => self.store.humans_by_address(&email, MAX_ACCOUNTS).await?,
            Some(space) => match self.space_named(space).await? {
                Some(space) => self.store.human_by_address(space, &email).await?.into_iter().collect(),
                None => Vec::new(),
            },
        };
        accounts.retain(|human| human.password_hash.is_some());
        Ok(accounts)
    }

    async fn space_named(&self, space: &str) -> Result<Option<SpaceId>, Refusal> {
        match space.parse() {
            Ok(id) => Ok(Some(id)),
            Err(_) => Ok(self.store.space_by_name(space).await?.map(|space| space.id)),
        }
    }

    /// The first of these accounts that this is the password of. One hash is compared at least, so that an answer
    /// takes as long where there is no account.
    async fn whose_password(turn: &Turn, accounts: Vec<Human>, password: String) -> Result<Human, Refusal> {
        if accounts.is_empty() {
            passwords::verify(turn, password, None).await?;
        } else {
            for human in accounts {
                if passwords::verify(turn, password.clone(), human.password_hash.clone()).await? {
                    return Ok(human);
                }
            }
        }
        Err(Refusal::Unauthorized("The e-mail address or the password is wrong".to_owned()))
    }

    /// A turn at hashing for an origin that has not failed too often. It is asked again when its turn comes, and the
    /// turn is held until a failure is counted: of thousands of guesses at once, only those whose turn it is get
    /// ahead of the count.
    async fn turn_to_hash(&self, from: Origin) -> Result<Turn, Refusal> {
        self.attempts.admit(from, Try::Password)?;
        let turn = passwords::turn_to_sign_in().await?;
        self.attempts.admit(from, Try::Password)?;
        Ok(turn)
    }

    async fn sign_in(&self, human: &Human) -> Result<SignedIn, Refusal> {
        let now = self.clock.now();
        let refresh_token = Secret::generate(REFRESH_TOKEN);
        let stored = Refresh {
            hash: refresh_token.hash(),
            family: Uuid::now_v7(),
            human: human.id,
            expires_at: now.plus_seconds(REFRESH_SECONDS),
        };
        self.store.add_refresh_token(&stored, now).await?;
        self.attempts.vouch_for(&stored.hash);
        self.signed_in(human, refresh_token)
    }

    /// Gives new tokens for a refresh token, which is used up. One that was used before ends its whole family.
    pub async fn refresh(&self, token: &str, from: Origin) -> Result<SignedIn, Refusal> {
        self.attempts.look_up(from, token, self.rotate(token)).await
    }

    async fn rotate(&self, token: &str) -> Result<SignedIn, Refusal> {
        let now = self.clock.now();
        let next = Secret::generate(REFRESH_TOKEN);
        let expires = now.plus_seconds(REFRESH_SECONDS);
        let outcome = self.store.rotate_refresh_token(&secret::hash(token), &next.hash(), expires, now).await?;
        let refused = || Refusal::Unauthorized("The refresh token is not valid".to_owned());
        match outcome {
            RefreshOutcome::Rotated(human) => {
                let human = self.store.human(human).await?.ok_or_else(refused)?;
                self.attempts.vouch_for(&next.hash());
                self.signed_in(&human, next)
            }
            RefreshOutcome::Reused => {
                tracing::warn!("a refresh token was used twice; its family has ended");
                Err(refused())
            }
            RefreshOutcome::Expired => Err(Refusal::Expired("The refresh token has expired".to_owned())),
            RefreshOutcome::Unknown => Err(refused()),
        }
    }

    /// Ends the family of a refresh token; one that is unknown has ended already.
    pub async fn logout(&self, token: &str) -> Result<(), Refusal> {
        Ok(self.store.end_refresh_family(&secret::hash(token)).await?)
    }

    /// Chooses a first password with a one-time setup token, and signs in.
    pub async fn set_up(&self, token: &str, password: String, from: Origin) -> Result<SignedIn, Refusal> {
        passwords::check("password", &password)?;
        let refused = || Refusal::Unauthorized("The setup link is not valid any more".to_owned());
        let turn = self.turn_to_hash(from).await?;
        let guess = self.attempts.guess(from);
        let chosen = async {
            let hash = passwords::hash(&turn, password).await?;
            let human = self.store.choose_password(&secret::hash(token), &hash, self.clock.now()).await?;
            human.ok_or_else(refused)
        };
        let chosen = chosen.await;
        guess.end(&chosen);
        drop(turn);
        let human = self.store.human(chosen?).await?.ok_or_else(refused)?;
        self.sign_in(&human).await
    }

    /// Creates a human in a space by itself; as [`Self::create_in`] does.
    pub async fn create(
        &self,
        new: NewHuman<'_>,
        password: Option<String>,
    ) -> Result<(Human, Option<Secret>), Refusal> {
        let hash = Self::first_password(password).await?;
        let mut tx = self.store.begin_directory().await?;
        let new = NewHuman { password_hash: hash.as_deref(), ..new };
        let made = self.create_in(&mut *tx, new, |_| Secret::generate(SETUP_TOKEN)).await?;
        tx.commit(None).await?;
        Ok(made)
    }

    /// Checks and hashes the first password of a new human, if they are to have one.
    pub async fn first_password(password: Option<String>) -> Result<Option<String>, Refusal> {
        let Some(password) = password else { return Ok(None) };
        passwords::check("password", &password)?;
        passwords::hash(&passwords::turn_to_create().await?, password).await.map(Some)
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
        let human = tx
            .create_human(&new, now)
            .await?
            .ok_or_else(|| Refusal::Conflict("Field 'email' names somebody who is in the space already".to_owned()))?;
        if human.password_hash.is_some() {
            return Ok((human, None));
        }
        let token = setup_token(human.id);
        tx.add_setup_token(&token.hash(), human.id, now.plus_seconds(SETUP_SECONDS)).await?;
        Ok((human, Some(token)))
    }

    /// An access token for a human, as `hiloop token` prints it.
    pub fn access_token(&self, human: &Human, seconds: i64) -> Result<(String, Timestamp), Refusal> {
        let now = self.clock.now();
        let expires_at = Timestamp(now.plus_seconds(seconds).0.div_euclid(1000).saturating_mul(1000));
        let jwts = self.authenticator.jwts();
        Ok((jwts.issue(&human.id.to_string(), &human.email, &human.name, now, expires_at)?, expires_at))
    }

    fn signed_in(&self, human: &Human, refresh_token: Secret) -> Result<SignedIn, Refusal> {
        let (access_token, expires_at) = self.access_token(human, ACCESS_SECONDS)?;
        Ok(SignedIn { access_token, expires_at, refresh_token })
    }
}
