//! The principals of a run and their sessions.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use futures::StreamExt as _;
use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{super::Context, every};
use crate::{
    cli::MixedArgs,
    client::{Api, BadStatus, Credential, Session, Side},
    fleet::{Group, Habits, LinkKind, Seat},
    problems::{Kind, Problems},
    progress::Phase,
    stop::Stop,
};

/// Concurrent requests; passwords are hashed by the hub for each person.
const CREATING: usize = 8;
const PEOPLE_IN_A_SESSION: usize = 2;

/// Somebody who takes part in a session.
#[derive(Debug, Clone)]
pub(super) struct Player {
    pub(super) side: Side,
    pub(super) credential: Credential,
    /// The id of the agent, human or guest.
    pub(super) id: String,
}

struct Account {
    player: Player,
    /// Rotates with each renewal; none for an agent, nor for the person of `--token`.
    refresh_token: Option<tokio::sync::Mutex<String>>,
}

/// Everybody, and who is where.
#[derive(Default)]
pub(super) struct Cast {
    agents: Vec<Account>,
    people: Vec<Account>,
    guests: usize,
    pub(super) sessions: Arc<[Session]>,
    /// Of each session: its agent first.
    pub(super) players: Vec<Vec<Player>>,
    /// The ids of the same as participants, in the same order.
    participants: Vec<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MadeKey {
    api_key: String,
    agent_id: String,
}

#[derive(Deserialize)]
struct Made {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignedIn {
    access_token: String,
    refresh_token: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MadeGuest {
    pub(super) id: String,
    pub(super) token: String,
    participant: GuestParticipant,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GuestParticipant {
    guest_id: String,
}

#[derive(Deserialize)]
struct List<T> {
    data: Vec<T>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Participant {
    id: String,
    agent_id: Option<String>,
    human_id: Option<String>,
    guest_id: Option<String>,
}

impl Cast {
    pub(super) async fn create(context: &Context, arguments: &MixedArgs) -> Result<Self, Stop> {
        let phase = Phase::start("principals", (arguments.agents + arguments.people + arguments.sessions) as u64);
        let mut cast = Self::default();
        let Err(error) = cast.fill(context, arguments, &phase).await else { return Ok(cast) };
        cast.retire(context).await;
        Err(match error.downcast_ref::<BadStatus>() {
            Some(bad) if bad.status == 403 && bad.path.contains("/v1/manage/") => {
                Stop::Usage("`mixed` needs a key with the permission `manage`, or --agents 0 --people 0".to_owned())
            }
            _ => Stop::Hub(error.context("creating the principals")),
        })
    }

    async fn fill(&mut self, context: &Context, arguments: &MixedArgs, phase: &Phase) -> Result<()> {
        let api = &*context.api;
        let key = context.target.credential();
        let run = format!("{:08x}", fastrand::u32(..));
        if let Some(token) = &arguments.token {
            self.people.push(Account::given(api, token).await.context("the person of --token")?);
        }
        let agents = (0..arguments.agents).map(|number| create_agent(api, key, format!("load-{run}-{number}")));
        each(agents, phase, |agent| self.agents.push(agent)).await?;
        let people = (0..arguments.people).map(|number| create_person(api, key, format!("load-{run}-{number}")));
        each(people, phase, |person| self.people.push(person)).await?;
        let (agents, people) = (&self.agents, &self.people);
        let sessions = (0..arguments.sessions).map(|number| {
            let agent = match agents.len() {
                0 => Player { side: Side::Agent, credential: key.clone(), id: String::new() },
                all => agents[number % all].player.clone(),
            };
            let members = people_of(people, number);
            let guest = number < arguments.guests;
            async move { create_session(api, agent, members, guest).await }
        });
        let mut made = Vec::new();
        each(sessions, phase, |session| made.push(session)).await?;
        let mut sessions = Vec::with_capacity(made.len());
        for (session, players, participants) in made {
            sessions.push(session);
            self.players.push(players);
            self.participants.push(participants);
        }
        self.sessions = sessions.into();
        // After the agent and the people of each session.
        let before = 1 + PEOPLE_IN_A_SESSION.min(self.people.len());
        self.guests = self.players.iter().map(|players| players.len() - before).sum();
        Ok(())
    }

    pub(super) fn principals(&self) -> usize {
        self.agents.len().max(1) + self.people.len() + self.guests
    }

    /// A socket for everybody, and an event stream for every other person.
    pub(super) fn seats(&self, context: &Context, arguments: &MixedArgs) -> Vec<Seat> {
        let number = self.players.iter().map(Vec::len).sum();
        let sends = |place: usize, player: &Player| player.side == Side::Human && place != PEOPLE_IN_A_SESSION;
        let senders = self.players.iter().flat_map(|players| players.iter().enumerate());
        let senders = senders.filter(|(place, player)| sends(*place, player)).count();
        let mut seats = context.seats(&[], 0..number, Group::Steady);
        let places = self.players.iter().zip(&self.participants).enumerate().flat_map(|(session, (players, ids))| {
            players.iter().zip(ids).enumerate().map(move |(place, (player, id))| (session, place, player, id))
        });
        for (seat, (session, place, player, participant)) in seats.iter_mut().zip(places) {
            seat.session = session;
            seat.credential = player.credential.clone();
            let sends = sends(place, player);
            if player.side == Side::Human && !sends {
                seat.link = LinkKind::EventStream(Side::Human);
            }
            seat.habits = Some(Arc::new(Habits {
                typing: every(senders, arguments.typing).filter(|_| sends),
                reading: every(senders, arguments.reads).filter(|_| sends),
                leaving: every(number, arguments.leaves),
                away: arguments.away,
                principal: player.id.clone(),
                participant: participant.clone(),
            }));
        }
        seats
    }

    /// Renews the JWTs of all people at this interval.
    pub(super) async fn renew(self: Arc<Self>, api: Arc<Api>, interval: Duration, problems: Arc<Problems>) {
        loop {
            tokio::time::sleep(interval.max(Duration::from_secs(1))).await;
            for account in &self.people {
                if let Err(error) = account.renew(&api).await {
                    problems.add(Kind::PostFailed, 1, || format!("renewing a JWT: {error:#}"));
                }
            }
        }
    }

    /// Deactivates who was created; returns the number of failures.
    pub(super) async fn retire(&self, context: &Context) -> usize {
        let key = context.target.credential();
        let agents = self.agents.iter().map(|account| format!("/v1/manage/agents/{}", account.player.id));
        let people = self.people.iter().filter(|account| account.refresh_token.is_some());
        let people = people.map(|account| format!("/v1/manage/humans/{}", account.player.id));
        let paths: Vec<String> = agents.chain(people).collect();
        let mut retired =
            futures::stream::iter(&paths).map(|path| context.api.delete(key, path)).buffer_unordered(CREATING);
        let mut failures = 0;
        while let Some(result) = retired.next().await {
            failures += usize::from(result.is_err());
        }
        failures
    }
}

impl Account {
    /// Somebody who is not of this run: the JWT is not renewed, and the person stays.
    async fn given(api: &Api, token: &str) -> Result<Self> {
        let credential = Credential::bearer(token)?;
        let me: Made = get(api, &credential, "/v1/human/me").await?;
        Ok(Self { player: Player { side: Side::Human, credential, id: me.id }, refresh_token: None })
    }

    async fn renew(&self, api: &Api) -> Result<()> {
        let Some(refresh_token) = &self.refresh_token else { return Ok(()) };
        let mut token = refresh_token.lock().await;
        let body = json!({"refreshToken": *token});
        let credential = &self.player.credential;
        let signed_in: SignedIn = post(api, credential, "/v1/auth/refresh", &body, StatusCode::OK).await?;
        *token = signed_in.refresh_token;
        credential.replace(&signed_in.access_token)
    }
}

/// Two people, other ones in each session as far as there are enough.
fn people_of(people: &[Account], session: usize) -> Vec<Player> {
    let number = PEOPLE_IN_A_SESSION.min(people.len());
    (0..number).map(|place| people[(session * number + place) % people.len()].player.clone()).collect()
}

async fn create_agent(api: &Api, key: &Credential, name: String) -> Result<Account> {
    let body = json!({"permission": "agent", "agent": name});
    let made: MadeKey = post(api, key, "/v1/manage/keys", &body, StatusCode::CREATED).await?;
    let player = Player { side: Side::Agent, credential: Credential::key(&made.api_key)?, id: made.agent_id };
    Ok(Account { player, refresh_token: None })
}

async fn create_person(api: &Api, key: &Credential, name: String) -> Result<Account> {
    let (email, password) =
        (format!("{name}@load.invalid"), format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..)));
    let body = json!({"email": email, "name": name, "password": password});
    let made: Made = post(api, key, "/v1/manage/humans", &body, StatusCode::CREATED).await?;
    let body = json!({"email": email, "password": password});
    let signed_in: SignedIn = post(api, key, "/v1/auth/login", &body, StatusCode::OK).await?;
    let player = Player { side: Side::Human, credential: Credential::bearer(&signed_in.access_token)?, id: made.id };
    Ok(Account { player, refresh_token: Some(signed_in.refresh_token.into()) })
}

/// A session with its players, and their ids as participants.
async fn create_session(
    api: &Api,
    agent: Player,
    people: Vec<Player>,
    guest: bool,
) -> Result<(Session, Vec<Player>, Vec<String>)> {
    let mut body = json!({"title": "load test"});
    if !people.is_empty() {
        body["participants"] = people.iter().map(|person| json!({"type": "Human", "humanId": person.id})).collect();
    }
    let key = agent.credential.clone();
    let session: Session = post(api, &key, "/v1/agent/sessions", &body, StatusCode::CREATED).await?;
    let mut players = vec![agent];
    players.extend(people);
    if guest || players.len() == 1 {
        let made = create_guest(api, &key, &session.id).await?;
        let credential = Credential::bearer(&made.token)?;
        players.push(Player { side: Side::Human, credential, id: made.participant.guest_id });
    }
    let path = format!("/v1/agent/sessions/{}", session.id);
    let list: List<Participant> =
        get(api, &key, &format!("{path}/participants?pageSize=100")).await.context("the participants")?;
    let participant = |player: &Player| {
        let is = |id: &Option<String>| id.as_deref() == Some(player.id.as_str());
        let found = list.data.iter().find(|one| is(&one.agent_id) || is(&one.human_id) || is(&one.guest_id));
        found.map(|found| found.id.clone()).unwrap_or_default()
    };
    let participants = players.iter().map(participant).collect();
    // The sockets begin after all that.
    Ok((get(api, &key, &path).await?, players, participants))
}

/// A guest of a session.
pub(super) async fn create_guest(api: &Api, agent: &Credential, session: &str) -> Result<MadeGuest> {
    let name = format!("guest {:08x}", fastrand::u32(..));
    let path = format!("/v1/agent/sessions/{session}/guest-tokens");
    post(api, agent, &path, &json!({"name": name}), StatusCode::CREATED).await
}

async fn post<T: serde::de::DeserializeOwned>(
    api: &Api,
    credential: &Credential,
    path: &str,
    body: &Value,
    expected: StatusCode,
) -> Result<T> {
    api.request(credential, Method::POST, path, Bytes::from(body.to_string()), expected).await
}

async fn get<T: serde::de::DeserializeOwned>(api: &Api, credential: &Credential, path: &str) -> Result<T> {
    api.request(credential, Method::GET, path, Bytes::new(), StatusCode::OK).await
}

/// Hands over each result in order; ends with the first error.
async fn each<T>(
    futures: impl Iterator<Item = impl Future<Output = Result<T>>>,
    phase: &Phase,
    mut take: impl FnMut(T),
) -> Result<()> {
    let mut results = futures::stream::iter(futures).buffered(CREATING);
    while let Some(result) = results.next().await {
        take(result?);
        phase.advance(1);
    }
    Ok(())
}
