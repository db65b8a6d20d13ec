//! Sessions: open, list, get, change, close, archive, and the feed.

use super::App;
use super::auth::{Agent, HumanOnly, Person, SessionCaller};
use super::body::Body;
use super::paged_stream::{self, Chunk};
use super::path::Id;
use super::query::Query;
use super::reply::{self, HandlerResult};
use crate::domain::{Message, Refusal, Session, SessionId, SessionStatus};
use crate::protocol::body::{FeedItem, NoBody, SessionChange, SessionDraft};
use crate::protocol::openapi::errors::NotFound;
use crate::protocol::page::{Page, PageRequest};
use crate::service::idempotency::IdempotencyKey;
use crate::service::sessions;
use crate::store::{FeedEntry, Listed};
use axum::extract::State;
use serde::de::IgnoredAny;
use std::collections::HashMap;
use std::sync::Arc;

/// Open a session
///
/// The calling agent is a participant. `participants` names the others; without it, every human of the space is added. The client may choose the `id`, so that it can encrypt content for the session before the session exists; 409 `CONFLICT` if the id is in use.
#[utoipa::path(
    post, path = "/sessions", operation_id = "createSession",
    request_body = SessionDraft,
    params(IdempotencyKey),
    responses((status = 201, description = "The session", body = Session)),
)]
pub async fn create_by_agent(
    caller: Agent,
    State(app): State<App>,
    key: IdempotencyKey,
    body: Body<SessionDraft>,
) -> HandlerResult {
    let (principal, agent) = (&caller.0, caller.agent()?);
    let idempotency = key.of(principal, body.digest);
    reply::answer(sessions::open_by_agent(&app, principal, agent, body.value, idempotency).await?)
}

/// Open a session with an agent
///
/// `participants` names at least one agent, and all of them belong to one space; 404 for one that the caller can't see. The client may choose the `id`, as for agents. Not available to guests.
#[utoipa::path(
    post, path = "/sessions", operation_id = "createSession",
    request_body(
        content = SessionDraft,
        example = json!({ "title": "The nightly build", "participants": [{ "type": "Agent", "name": "deployer" }] }),
    ),
    params(IdempotencyKey),
    responses((status = 201, description = "The session", body = Session), HumanOnly, NotFound),
)]
pub async fn create_by_human(
    HumanOnly(principal, human): HumanOnly,
    State(app): State<App>,
    key: IdempotencyKey,
    body: Body<SessionDraft>,
) -> HandlerResult {
    let idempotency = key.of(&principal, body.digest);
    reply::answer(sessions::open_by_human(&app, &principal, &human, body.value, idempotency).await?)
}

/// List sessions
///
/// By latest activity, newest first. Archived sessions are listed only with `status=Archived`.
#[utoipa::path(
    get, path = "/sessions", operation_id = "listSessions",
    params(PageRequest, ("status" = Option<SessionStatus>, Query, description = "Only sessions of this status.")),
    responses((status = 200, description = "A page of sessions", body = Page<Session>)),
)]
pub async fn list<C: SessionCaller>(caller: C, State(app): State<App>, query: Query) -> HandlerResult {
    let words: Vec<_> = SessionStatus::ALL.iter().map(|status| status.as_str()).collect();
    let status = query.word("status", SessionStatus::parse, &words)?;
    let (scope, page) = (caller.principal().scope(), query.page()?);
    let found = app.store.sessions(scope, status, page).await?;
    let (total, count, listed) = (found.total, found.data.len(), Arc::from(found.data));
    let read = move |done: usize| {
        let (app, listed): (_, Arc<[Listed]>) = (App::clone(&app), Arc::clone(&listed));
        async move {
            let listed: Vec<_> = listed[done..].iter().collect();
            let found = app.store.sessions_of(scope, &listed, paged_stream::MAX_BYTES).await?;
            Chunk::new(found.count, &found.data)
        }
    };
    paged_stream::page(page, total, count, read(0).await?, read)
}

/// Get a session
#[utoipa::path(
    get, path = "/sessions/{id}", operation_id = "getSession",
    responses((status = 200, description = "The session", body = Session)),
)]
pub async fn get<C: SessionCaller>(caller: C, State(app): State<App>, Id(session): Id<SessionId>) -> HandlerResult {
    let session = app.store.session(caller.principal().scope(), session).await?;
    reply::ok(&session.ok_or(Refusal::NotFound("Session"))?)
}

/// Change a session
///
/// An absent field is left unchanged; null clears it.
#[utoipa::path(
    patch, path = "/sessions/{id}", operation_id = "updateSession",
    request_body = SessionChange,
    responses((status = 200, description = "The changed session", body = Session)),
)]
pub async fn update(
    Agent(principal): Agent,
    State(app): State<App>,
    Id(session): Id<SessionId>,
    body: Body<SessionChange>,
) -> HandlerResult {
    reply::answer(sessions::update(&app, &principal, session, body.value).await?)
}

/// Close a session
///
/// Cancels the pending messages. Idempotent. Not available to guests.
#[utoipa::path(
    post, path = "/sessions/{id}/close", operation_id = "closeSession",
    request_body = NoBody,
    params(IdempotencyKey),
    responses((status = 200, description = "The session, closed", body = Session), HumanOnly),
)]
pub async fn close<C: SessionCaller>(
    caller: C,
    State(app): State<App>,
    Id(session): Id<SessionId>,
    key: IdempotencyKey,
    body: Body<IgnoredAny>,
) -> HandlerResult {
    let principal = caller.principal();
    reply::answer(sessions::close(&app, principal, session, key.of(principal, body.digest)).await?)
}

/// Archive a session
///
/// Closes the session if it is open. Idempotent.
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
) -> HandlerResult {
    reply::answer(sessions::archive(&app, &principal, session, key.of(&principal, body.digest)).await?)
}

/// Get the feed
///
/// The sessions of the caller: first those with pending messages, by priority and then by deadline, then the others by latest activity. Archived sessions are not included.
#[utoipa::path(
    get, path = "/feed", operation_id = "getFeed",
    params(PageRequest),
    responses((status = 200, description = "A page of sessions with their pending messages", body = Page<FeedItem>)),
)]
pub async fn feed(Person(principal): Person, State(app): State<App>, query: Query) -> HandlerResult {
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
            let messages = app.store.last_messages(scope, &ids, paged_stream::MAX_BYTES).await?;
            let listed: Vec<_> = entries[..messages.count].iter().map(|entry| &entry.listed).collect();
            let sessions = app.store.sessions_of(scope, &listed, paged_stream::MAX_BYTES).await?;
            let last = messages.data.into_iter().map(|message| (message.session_id, message)).collect();
            Chunk::new(sessions.count, &items(&entries[..sessions.count], sessions.data, last))
        }
    };
    paged_stream::page(page, total, count, read(0).await?, read)
}

/// The entries of the feed whose sessions still exist, in order.
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
