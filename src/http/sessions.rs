//! Sessions: open, list, get, change, close, archive, and the feed.

use super::App;
use super::audience::{Agent, Audience, Member, Person};
use super::body::{Body, NoBody};
use super::entrants::{self, Entrants};
use super::idempotency::IdempotencyKey;
use super::path::Id;
use super::pieces::{self, Piece};
use super::query::Query;
use super::reply::{self, Reply};
use crate::domain::decide::Command;
use crate::protocol::body::{SessionChange, SessionDraft};
use crate::domain::interaction::NewInteraction;
use crate::domain::{AgentId, HumanId, Message, Participant, ParticipantType, Principal, Priority, Refusal, Session, SessionId, SessionStatus, Timestamp};
use crate::protocol::page::{Page, PageRequest};
use crate::store::{FeedEntry, Listed, SavedReplyKind};
use crate::timeline::{Action, By, Idempotency, Outcome, Request};
use crate::protocol::openapi::errors::NotFound;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use serde::de::IgnoredAny;
use std::collections::HashMap;
use std::sync::Arc;
use utoipa::ToSchema;

/// Open a session
///
/// The calling agent takes part, and whoever `participants` names; without it every human of the space. With an `id` of the client's own, so that it can seal before it creates; 409 `CONFLICT` where that is taken.
#[utoipa::path(
    post, path = "/sessions", operation_id = "createSession",
    request_body = SessionDraft,
    params(IdempotencyKey),
    responses((status = 201, description = "The session", body = Session)),
)]
pub async fn create_by_agent(
    Agent(principal): Agent,
    State(app): State<App>,
    key: IdempotencyKey,
    body: Body<SessionDraft>,
) -> Reply {
    let Principal::Agent(agent) = &*principal else { return Err(Refusal::Internal.into()) };
    let mut draft = body.value;
    draft.look_over(app.config.max_field_bytes)?;
    let entrants = entrants::of_agent(&app, agent, draft.participants.take()).await;
    let outcome = match entrants.and_then(|entrants| Opening::new(&app, entrants, draft)) {
        Ok(opening) => opening.submit(&app, &principal, None, key.of(&principal, body.digest)).await?,
        Err(refusal) => key.recall(&app, &principal, body.digest, refusal).await?,
    };
    opened(outcome)
}

/// Open a session with an agent
///
/// `participants` names at least one agent, all of one space; one that the person can't see is a 404. An `id` as for agents. Not for guests.
#[utoipa::path(
    post, path = "/sessions", operation_id = "createSession",
    request_body(
        content = SessionDraft,
        example = json!({ "title": "The nightly build", "participants": [{ "type": "Agent", "name": "deployer" }] }),
    ),
    params(IdempotencyKey),
    responses((status = 201, description = "The session", body = Session), Member, NotFound),
)]
pub async fn create_by_human(
    Member(principal, human): Member,
    State(app): State<App>,
    key: IdempotencyKey,
    body: Body<SessionDraft>,
) -> Reply {
    let mut draft = body.value;
    draft.look_over(app.config.max_field_bytes)?;
    let named = draft.participants.take().ok_or_else(|| Refusal::required("participants"))?;
    let entrants = entrants::of_human(&app, &human, &named).await;
    let outcome = match entrants.and_then(|entrants| Opening::new(&app, entrants, draft)) {
        Ok(opening) => opening.submit(&app, &principal, None, key.of(&principal, body.digest)).await?,
        Err(refusal) => key.recall(&app, &principal, body.digest, refusal).await?,
    };
    opened(outcome)
}

/// A session that is to be created, with its first participants; the creator is one of them.
pub(super) struct Opening {
    session: Box<Session>,
    has_chosen_id: bool,
    participants: Vec<Participant>,
}

impl Opening {
    pub(super) fn new(app: &App, entrants: Entrants, draft: SessionDraft) -> Result<Self, Refusal> {
        let Entrants { space, creator, others } = entrants;
        let now = app.clock.now();
        let chosen = draft.id.map(|id| id.check_chosen(now)).transpose()?;
        let patch = draft.check(app.config.max_field_bytes)?;
        let id = chosen.unwrap_or_default();
        let by_agent = creator.kind == ParticipantType::Agent;
        let mut participants = vec![Participant::new(id, &creator, Participant::OWNER, None, now)];
        for (member, role) in others {
            if participants.iter().all(|present| present.principal() != member.id) {
                participants.push(Participant::new(id, &member, &role, Some(creator.actor()), now));
            }
        }
        let session = Box::new(Session {
            id,
            space_id: space,
            created_by_agent_id: by_agent.then_some(AgentId(creator.id.0)),
            created_by_human_id: (!by_agent).then_some(HumanId(creator.id.0)),
            title: patch.title.flatten(),
            encrypted_title: patch.encrypted_title.flatten(),
            status: SessionStatus::Active,
            priority: patch.priority.unwrap_or(Priority::Medium),
            metadata: patch.metadata.flatten(),
            last_seq: 0,
            pending_count: 0,
            created_at: now,
            updated_at: now,
            closed_at: None,
            archived_at: None,
            first_seq: 1,
            message_count: 0,
        });
        Ok(Self { session, has_chosen_id: chosen.is_some(), participants })
    }

    /// Creates it, with what is asked in it from the start if it is an interaction.
    pub(super) async fn submit(
        self,
        app: &App,
        principal: &Arc<Principal>,
        interaction: Option<Box<NewInteraction>>,
        idempotency: Option<Idempotency>,
    ) -> Result<Outcome, Refusal> {
        let request = Request {
            space: self.session.space_id,
            session: self.session.id,
            by: By::Principal(Arc::clone(principal)),
            action: Action::Create {
                session: self.session,
                has_chosen_id: self.has_chosen_id,
                participants: self.participants,
                interaction,
            },
            idempotency,
        };
        let request = Request { action: app.space_bytes.within(request.space, request.action), ..request };
        app.timeline.submit(request).await
    }
}

/// The reply to a session that was created.
fn opened(outcome: Outcome) -> Reply {
    match outcome {
        Outcome::Session(session) => reply::created(&session),
        Outcome::Replayed { reply: SavedReplyKind::Body(body), .. } => {
            Ok(reply::replayed(reply::raw_json(StatusCode::CREATED, body)))
        }
        _ => Err(Refusal::Internal.into()),
    }
}

/// List sessions
///
/// Newest activity first; archived ones only when asked for.
#[utoipa::path(
    get, path = "/sessions", operation_id = "listSessions",
    params(PageRequest, ("status" = Option<SessionStatus>, Query, description = "Only sessions of this status.")),
    responses((status = 200, description = "A page of sessions", body = Page<Session>)),
)]
pub async fn list<A: Audience>(caller: A, State(app): State<App>, query: Query) -> Reply {
    let words: Vec<_> = SessionStatus::ALL.iter().map(|status| status.as_str()).collect();
    let status = query.word("status", SessionStatus::parse, &words)?;
    let (scope, page) = (caller.principal().scope(), query.page()?);
    let found = app.store.sessions(scope, status, page).await?;
    let (total, count, listed) = (found.total, found.data.len(), Arc::from(found.data));
    let read = move |done: usize| {
        let (app, listed): (_, Arc<[Listed]>) = (App::clone(&app), Arc::clone(&listed));
        async move {
            let listed: Vec<_> = listed[done..].iter().collect();
            let found = app.store.sessions_of(scope, &listed, pieces::MAX_BYTES).await?;
            Piece::new(found.count, &found.data)
        }
    };
    pieces::page(page, total, count, read(0).await?, read)
}

/// Get a session
#[utoipa::path(
    get, path = "/sessions/{id}", operation_id = "getSession",
    responses((status = 200, description = "The session", body = Session)),
)]
pub async fn get<A: Audience>(caller: A, State(app): State<App>, Id(session): Id<SessionId>) -> Reply {
    let session = app.store.session(caller.principal().scope(), session).await?;
    reply::ok(&session.ok_or(Refusal::NotFound("Session"))?)
}

/// Change a session
///
/// A field that is absent stays; null clears it.
#[utoipa::path(
    patch, path = "/sessions/{id}", operation_id = "updateSession",
    request_body = SessionChange,
    responses((status = 200, description = "The session as it is now", body = Session)),
)]
pub async fn update(
    Agent(principal): Agent,
    State(app): State<App>,
    Id(session): Id<SessionId>,
    body: Body<SessionChange>,
) -> Reply {
    let patch = body.value.check(app.config.max_field_bytes)?;
    let outcome = app.command(&principal, session, Command::Update(patch), None).await?;
    reply::outcome(&app, principal.scope(), outcome).await
}

async fn end(
    app: &App,
    principal: &Arc<Principal>,
    session: SessionId,
    command: Command,
    key: &IdempotencyKey,
    body: &Body<IgnoredAny>,
) -> Reply {
    let outcome = app.command(principal, session, command, key.of(principal, body.digest)).await?;
    reply::outcome(app, principal.scope(), outcome).await
}

/// Close a session
///
/// Cancels what is pending. It may be repeated. Not for guests.
#[utoipa::path(
    post, path = "/sessions/{id}/close", operation_id = "closeSession",
    request_body = NoBody,
    params(IdempotencyKey),
    responses((status = 200, description = "The session, closed", body = Session), Member),
)]
pub async fn close<A: Audience>(
    caller: A,
    State(app): State<App>,
    Id(session): Id<SessionId>,
    key: IdempotencyKey,
    body: Body<IgnoredAny>,
) -> Reply {
    end(&app, caller.principal(), session, Command::Close, &key, &body).await
}

/// Archive a session
///
/// Closes it first. It may be repeated.
#[utoipa::path(
    post, path = "/sessions/{id}/archive", operation_id = "archiveSession",
    request_body = NoBody,
    params(IdempotencyKey),
    responses((status = 200, description = "The session, archived", body = Session)),
)]
pub async fn archive(
    Agent(principal): Agent,
    State(app): State<App>,
    Id(session): Id<SessionId>,
    key: IdempotencyKey,
    body: Body<IgnoredAny>,
) -> Reply {
    end(&app, &principal, session, Command::Archive, &key, &body).await
}

/// A session of the feed, with what waits in it for this person.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct FeedItem {
    #[schema(minimum = 0)]
    pending_count: i64,
    #[schema(minimum = 0)]
    unread_count: i64,
    highest_priority: Option<Priority>,
    next_deadline_at: Option<Timestamp>,
    last_message: Option<Message>,
    session: Session,
}

/// What needs this human
///
/// Pending first (by priority, then by nearest deadline), then latest activity; archived sessions are left out.
#[utoipa::path(
    get, path = "/feed", operation_id = "getFeed",
    params(PageRequest),
    responses((status = 200, description = "A page of sessions with what waits in them", body = Page<FeedItem>)),
)]
pub async fn feed(Person(principal): Person, State(app): State<App>, query: Query) -> Reply {
    let (scope, page) = (principal.scope(), query.page()?);
    let found = app.store.feed(scope, principal.id(), page).await?;
    let (total, count) = (found.total, found.data.len());
    let entries: Arc<[FeedEntry]> = found.data.into();
    let read = move |done: usize| {
        let (app, entries) = (App::clone(&app), Arc::clone(&entries));
        async move {
            let entries = &entries[done..];
            let sessions = entries.iter().map(|entry| &entry.listed.session);
            let ids: Vec<_> = sessions.map(|session| (session.id, session.message_count)).collect();
            let messages = app.store.last_messages(scope, &ids, pieces::MAX_BYTES).await?;
            let listed: Vec<_> = entries[..messages.count].iter().map(|entry| &entry.listed).collect();
            let sessions = app.store.sessions_of(scope, &listed, pieces::MAX_BYTES).await?;
            let last = messages.data.into_iter().map(|message| (message.session_id, message)).collect();
            Piece::new(sessions.count, &items(&entries[..sessions.count], sessions.data, last))
        }
    };
    pieces::page(page, total, count, read(0).await?, read)
}

/// The entries of the feed whose sessions are still there, in order.
fn items(entries: &[FeedEntry], sessions: Vec<Session>, mut last: HashMap<SessionId, Message>) -> Vec<FeedItem> {
    let mut sessions: HashMap<_, _> = sessions.into_iter().map(|session| (session.id, session)).collect();
    let items = entries.iter().filter_map(|entry| {
        let session = sessions.remove(&entry.listed.session.id)?;
        Some(FeedItem {
            pending_count: session.pending_count,
            unread_count: entry.unread_count,
            highest_priority: entry.highest_priority,
            next_deadline_at: entry.next_deadline_at,
            last_message: last.remove(&session.id),
            session,
        })
    });
    items.collect()
}
