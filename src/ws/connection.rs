//! The one task of a socket: reads frames, drains what waits, reads back what was dropped, keeps the heartbeat.

use super::link::{Behind, Ending, Link, Prepared};
use super::pace::Pace;
use super::session::{Effect, Session};
use crate::config::SocketTiming;
use crate::connections::{Descriptor, Permit};
use crate::context::App;
use crate::domain::{Origin, Principal, Refusal, SessionId, Timestamp};
use crate::hub::subscriber::{EndReason, Endpoint as _, Subscriber as _};
use crate::metrics::{During, Held};
use crate::protocol::close::CloseCode;
use crate::protocol::error::ErrorCode;
use crate::protocol::frame::FrameId;
use crate::protocol::frame::client::ClientFrame;
use crate::protocol::frame::hub::{event_frame, feed_frame, reply};
use crate::protocol::limits::MAX_SUBSCRIPTIONS;
use crate::protocol::rfc6455::decode::{Decoder, Incoming};
use crate::protocol::rfc6455::encode::{close_frame, empty_close_frame, ping_frame, pong_frame};
use crate::service::{messages, participants};
use crate::timeline::Idempotency;
use futures::FutureExt as _;
use sha2::{Digest as _, Sha256};
use std::cell::RefCell;
use std::collections::HashSet;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};

/// How long a socket may take nothing of what waits before it counts as gone.
const STALLED_AFTER: Duration = Duration::from_secs(300);
/// How long the closing handshake may take.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);
/// How long to wait where the store fails.
const READ_AGAIN_AFTER: Duration = Duration::from_millis(200);
/// Most events, and about how many bytes, of one read from the store.
const REPLAY_PAGE: i64 = 256;
const REPLAY_BYTES: i64 = 256 * 1024;

const SCRATCH: usize = 16 * 1024;
thread_local! {
    /// What all connections of a thread read into; an idle one owns no buffer.
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into());
}

struct Connection {
    app: App,
    link: Arc<Link>,
    session: Session,
    decoder: Decoder,
    origin: Origin,
    pace: Pace,
    expires_at: Option<Timestamp>,
    /// Counted for whose credential it is, or for where it comes from until that is known.
    permit: Permit,
    /// Sessions in which this socket counts as present.
    present: HashSet<SessionId>,
    last_replayed: Option<SessionId>,
    opened: Instant,
    last_frame: Instant,
    /// When a ping went out that has not been answered.
    pinged: Option<Instant>,
    /// How much was written when that was last looked at, and since when it has not moved.
    progress: (u64, Instant),
}

/// Why the task stops.
enum Stop {
    /// The client closed; answer with its code.
    Closed(Option<u16>),
    /// The connection is gone.
    Gone,
}

/// Serves one socket until it ends. `early` is what came in behind the request.
/// `principal` comes with the moment before its credential was looked up.
pub(super) async fn serve(
    app: App,
    stream: TcpStream,
    early: Vec<u8>,
    principal: Option<(Arc<Principal>, std::time::Instant)>,
    origin: Origin,
    (permit, _descriptor): (Permit, Descriptor),
) {
    let link = Arc::new(Link::new(stream));
    let _open = Held::new(&app.metrics.sockets);
    let now = Instant::now();
    let mut connection = Connection {
        app: Arc::clone(&app),
        link: Arc::clone(&link),
        session: Session::default(),
        decoder: Decoder::default(),
        origin,
        pace: Pace::new(app.config.rate_limit, now),
        expires_at: None,
        permit,
        present: HashSet::new(),
        last_replayed: None,
        opened: now,
        last_frame: now,
        pinged: None,
        progress: (0, now),
    };
    app.hub.register(link.clone());
    if app.draining.is_cancelled() {
        link.go_away();
    }
    if let Some((principal, since)) = principal {
        connection.accept(None, &principal, since);
    }
    let served = AssertUnwindSafe(connection.serve(&early)).catch_unwind().await;
    let stop = served.unwrap_or_else(|panic| {
        // The hub must not go on counting on this socket.
        app.supervisor.panicked("socket", &*panic);
        link.end(CloseCode::INTERNAL, false);
        Stop::Gone
    });
    connection.leave_everything().await;
    // A draining server waits for those that are registered: not before the close frame is out.
    close(&link, &stop).await;
    app.hub.unregister(link.id());
}

/// Ends the connection in the way of RFC 6455 section 7.1.1: a close frame, then the client's, then the socket.
async fn close(link: &Link, stop: &Stop) {
    let (frame, gently) = match (stop, link.ending()) {
        (Stop::Gone, None) => return,
        (Stop::Closed(None), _) => (empty_close_frame(), false),
        (Stop::Closed(Some(code)), _) => (close_frame(*code, ""), false),
        (Stop::Gone, Some(Ending { code, gently })) => (close_frame(code.code, code.reason), gently),
    };
    link.put_last(frame, gently);
    // Nobody waits longer than this for a client that does not play along.
    let _ = timeout(CLOSE_WITHIN, async {
        link.flush()?;
        while link.has_backlog() {
            link.stream.writable().await?;
            link.flush()?;
        }
        socket2::SockRef::from(&link.stream).shutdown(std::net::Shutdown::Write)?;
        loop {
            link.stream.readable().await?;
            // Reading to the end keeps the kernel from resetting the connection before the close frame has arrived;
            // there may be more to read even behind a client's own close frame.
            match BUFFER.with_borrow_mut(|buffer| link.stream.try_read(buffer)) {
                Ok(0) => return io::Result::Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    })
    .await;
}

impl Connection {
    /// Takes what came in with the request, then everything else until the end.
    async fn serve(&mut self, early: &[u8]) -> Stop {
        match self.take(early).await {
            Ok(()) => self.run().await,
            Err(stop) => stop,
        }
    }

    async fn run(&mut self) -> Stop {
        let link = Arc::clone(&self.link);
        let timer = sleep_until(self.next_deadline());
        tokio::pin!(timer);
        loop {
            if link.ending().is_some() {
                return Stop::Gone;
            }
            // Authentication and a refresh move it.
            let due = self.next_deadline();
            if due < timer.deadline() {
                timer.as_mut().reset(due);
            }
            // Here too: a client that never lets the socket run dry must not keep its deadlines from coming.
            if due <= Instant::now() {
                self.tick();
                timer.as_mut().reset(self.next_deadline());
            }
            let backlog = link.has_backlog();
            let low = !backlog || link.is_low();
            let behind = if low { link.behind(self.last_replayed) } else { None };
            let outcome = tokio::select! {
                // What the hub asks for (an end, an eviction) goes before everything else; then room is made before
                // more is taken in; reading back from the store fills what time is left.
                biased;
                () = link.wake.notified() => self.evict().await,
                ready = link.stream.writable(), if backlog => ready.and_then(|()| link.flush()).map_err(|_| Stop::Gone),
                ready = link.stream.readable(), if low => match ready {
                    Ok(()) => self.read().await,
                    Err(_) => Err(Stop::Gone),
                },
                () = &mut timer => {
                    self.tick();
                    timer.as_mut().reset(self.next_deadline());
                    Ok(())
                }
                () = std::future::ready(()), if behind.is_some() => {
                    if let Some(behind) = behind {
                        self.read_back(behind).await;
                    }
                    Ok(())
                }
            };
            if let Err(stop) = outcome {
                return stop;
            }
        }
    }

    /// The hub has ended subscriptions: leave their sessions.
    async fn evict(&mut self) -> Result<(), Stop> {
        for session in self.link.take_evicted() {
            self.leave(session).await;
        }
        Ok(())
    }

    async fn read(&mut self) -> Result<(), Stop> {
        let mut messages = Vec::new();
        let fed = BUFFER.with_borrow_mut(|buffer| match self.link.stream.try_read(buffer) {
            Ok(0) => Err(Stop::Gone),
            Ok(read) => Ok(self.decoder.feed(&buffer[..read], &mut messages)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Ok(())),
            Err(_) => Err(Stop::Gone),
        })?;
        self.handle(messages, fed).await
    }

    /// Counts what was read as frames; fragments without end or content cost as much as messages.
    fn is_too_fast(&mut self) -> bool {
        let now = Instant::now();
        (0..self.decoder.take_fragments()).any(|_| !self.pace.allows(now))
    }

    /// Takes bytes that came in with the request.
    async fn take(&mut self, early: &[u8]) -> Result<(), Stop> {
        let mut messages = Vec::new();
        let fed = self.decoder.feed(early, &mut messages);
        self.handle(messages, fed).await
    }

    async fn handle(&mut self, messages: Vec<Incoming>, fed: Result<(), CloseCode>) -> Result<(), Stop> {
        if self.is_too_fast() {
            self.link.end(CloseCode::TOO_MANY_FRAMES, false);
            return Ok(());
        }
        for message in messages {
            self.last_frame = Instant::now();
            self.pinged = None;
            if !self.pace.allows(self.last_frame) {
                self.link.end(CloseCode::TOO_MANY_FRAMES, false);
                return Ok(());
            }
            let effect = match message {
                Incoming::Text(text) => self.session.on_text(&text),
                Incoming::Binary => self.session.on_binary(),
                Incoming::Ping(payload) => {
                    self.link.send_frame(pong_frame(&payload));
                    continue;
                }
                Incoming::Pong => continue,
                Incoming::Close(code) => return Err(Stop::Closed(code)),
            };
            self.perform(effect).await;
            if self.link.ending().is_some() {
                return Ok(());
            }
        }
        if let Err(code) = fed {
            self.link.end(code, false);
        }
        Ok(())
    }

    async fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Reply(text) => self.link.reply(&text),
            Effect::ReplyAndClose(text, code) => {
                self.link.reply(&text);
                self.link.end(code, true);
            }
            Effect::Authenticate { id, token, agent } => self.authenticate(&id, &token, agent.as_deref()).await,
            Effect::Do(id, frame) => {
                if let Err(refusal) = self.carry_out(&id, frame).await {
                    self.link.reply(&reply::error(&id, &refusal));
                }
            }
        }
    }

    async fn authenticate(&mut self, id: &FrameId, token: &str, agent: Option<&str>) {
        let since = std::time::Instant::now();
        match self.resolve(token, agent).await {
            Ok(principal) => match self.app.connections.hold(&principal) {
                Ok(permit) => {
                    self.permit = permit;
                    self.accept(Some(id).filter(|id| !id.is_null()), &principal, since);
                }
                Err(refusal) => {
                    self.link.reply(&reply::error(id, &refusal));
                    self.link.end(CloseCode::TOO_MANY_CONNECTIONS, true);
                }
            },
            Err(refusal) => self.link.end(ErrorCode::from(&refusal).close, false),
        }
    }

    async fn resolve(&self, token: &str, agent: Option<&str>) -> Result<Arc<Principal>, Refusal> {
        self.app.authenticator.any(token, agent, self.origin).await
    }

    /// Goes on as this principal, whose credential was looked up at `since` or later.
    fn accept(&mut self, id: Option<&FrameId>, principal: &Arc<Principal>, since: std::time::Instant) {
        self.session.authenticated();
        self.expires_at = principal.expires_at();
        self.link.reply(&reply::hello(id, principal, self.link.id(), self.timing().heartbeat));
        self.link.set_principal(Arc::clone(principal));
        // A revocation between the look-up and this found nobody to send away.
        if self.app.hub.is_revoked_since(principal, since) {
            self.link.revoke();
        }
    }

    async fn carry_out(&mut self, id: &FrameId, frame: ClientFrame) -> Result<(), Refusal> {
        let principal = self.link.principal().ok_or(Refusal::Internal)?;
        match frame {
            // The state machine handles these two itself.
            ClientFrame::Auth { .. } | ClientFrame::Ping => Err(Refusal::Internal),
            ClientFrame::Refresh { token } => {
                // A key goes on acting as the agent that the socket is for, if it can.
                let agent = matches!(&*principal, Principal::Agent(_)).then(|| principal.id().0.to_string());
                let somebody_else = || Refusal::Forbidden("The token is somebody else's".to_owned());
                let since = std::time::Instant::now();
                let fresh = match self.resolve(&token, agent.as_deref()).await {
                    Err(Refusal::NotFound(_)) => return Err(somebody_else()),
                    resolved => resolved?,
                };
                if fresh.id() != principal.id() {
                    return Err(somebody_else());
                }
                let permit = self.app.connections.hold_instead(&self.permit, &fresh)?;
                // Before the new credential counts: if this fails, the old one goes on as it was.
                if fresh.scope() != principal.scope() {
                    self.narrow(&principal, &fresh).await?;
                }
                if let Some(permit) = permit {
                    self.permit = permit;
                }
                self.expires_at = fresh.expires_at();
                self.link.set_principal(Arc::clone(&fresh));
                if self.app.hub.is_revoked_since(&fresh, since) {
                    self.link.revoke();
                }
                self.link.reply(&reply::refreshed(id, self.expires_at));
                Ok(())
            }
            ClientFrame::Subscribe { session, after } => self.subscribe(id, session, after, &principal).await,
            ClientFrame::SubscribeFeed => {
                if self.link.prepare_feed() {
                    let followed = self.app.hub.subscribe_feed(principal.scope(), self.link.clone()).await;
                    if followed.is_err() {
                        self.link.forget_feed();
                    }
                    followed?;
                }
                self.link.open_feed(&reply::subscribed_feed(id));
                Ok(())
            }
            ClientFrame::Unsubscribe { session } => {
                if self.link.forget(session) {
                    self.leave(session).await;
                }
                self.link.reply(&reply::unsubscribed(id, session));
                Ok(())
            }
            ClientFrame::UnsubscribeFeed => {
                if self.link.forget_feed() {
                    self.app.hub.unsubscribe_feed(principal.scope(), self.link.id());
                }
                self.link.reply(&reply::unsubscribed_feed(id));
                Ok(())
            }
            ClientFrame::Send { session, draft, key, digest } => {
                let key = key.map(|key| Idempotency::check_key(&key)).transpose()?;
                let idempotency = key.map(|key| {
                    // A key may speak for several agents: what one has sent is no other's.
                    let request = Sha256::new().chain_update(digest).chain_update(principal.id().0).finalize();
                    Idempotency::new(Idempotency::credential_of(&principal), "send", key, request.into())
                });
                let posted = messages::post(&self.app, &principal, session, *draft, idempotency).await?;
                self.link.reply(&reply::sent(id, &posted.json));
                Ok(())
            }
            ClientFrame::Typing { session, typing } => {
                if self.link.is_subscribed(session) {
                    self.app.hub.note_typing(session, principal.id(), principal.actor(), typing);
                    Ok(())
                } else {
                    participants::set_typing(&self.app, &principal, session, typing).await
                }
            }
            ClientFrame::Read { session, seq } => participants::mark_read(&self.app, &principal, session, seq).await,
        }
    }

    /// After a refresh by a credential that sees other sessions: ends what it may not see.
    async fn narrow(&mut self, before: &Principal, now: &Principal) -> Result<(), Refusal> {
        for session in self.link.subscriptions() {
            if self.app.store.head(now.scope(), session).await?.is_none() {
                self.link.evict(session, EndReason::Removed);
            }
        }
        if self.link.has_feed() {
            self.app.hub.subscribe_feed(now.scope(), self.link.clone()).await?;
            self.app.hub.unsubscribe_feed(before.scope(), self.link.id());
        }
        Ok(())
    }

    /// Listens first, then looks where the timeline stands, then answers and opens: nothing falls between.
    async fn subscribe(
        &mut self,
        id: &FrameId,
        session: SessionId,
        after: Option<i64>,
        principal: &Principal,
    ) -> Result<(), Refusal> {
        let earlier = match self.link.prepare(session, MAX_SUBSCRIPTIONS) {
            Prepared::Again(earlier) => Some(earlier),
            Prepared::New => {
                self.app.hub.join(session, self.link.clone()).await;
                None
            }
            Prepared::Evicted => {
                self.leave(session).await;
                self.app.hub.join(session, self.link.clone()).await;
                None
            }
            Prepared::Refused => {
                let text = format!("A socket may subscribe to {MAX_SUBSCRIPTIONS} sessions; follow the feed instead");
                return Err(Refusal::Conflict(text));
            }
        };
        let standing = self.app.store.standing(principal.scope(), session, principal.id()).await;
        let standing = match (standing, earlier) {
            (Ok(Some(standing)), _) => standing,
            // The client has a subscription: it goes on as it was, or its end is told.
            (Err(error), Some(earlier)) => {
                self.link.restore(session, earlier);
                return Err(error.into());
            }
            (Ok(None), Some(_)) => {
                self.link.evict(session, EndReason::Removed);
                return Err(Refusal::NotFound("Session"));
            }
            (other, None) => {
                self.link.forget(session);
                self.leave(session).await;
                return Err(other.map_or_else(Refusal::from, |_| Refusal::NotFound("Session")));
            }
        };
        let head = standing.head;
        let reset = after.is_some_and(|after| after > head.last_seq);
        let at = match after {
            None => head.last_seq,
            Some(_) if reset => head.first_seq - 1,
            Some(after) => after.max(head.first_seq - 1),
        };
        let replay = head.last_seq - at;
        if after.is_some() {
            self.app.metrics.replay_events.observe(replay as f64);
        }
        self.app.hub.observe(session, &head);
        self.app.hub.note_crowd(session, standing.is_crowd);
        if reset {
            self.app.hub.look_later(session);
        }
        let subscribed = reply::subscribed(id, session, head.last_seq, replay, head.first_seq, reset);
        // It may have been ended between the look-up and this.
        self.link.open(session, at, head.last_seq, &subscribed).map_err(|ended| match ended {
            EndReason::Removed | EndReason::Retired => Refusal::NotFound("Session"),
            // What was looked up no longer holds, and looking again helps.
            EndReason::Reset => Refusal::Unavailable,
        })?;
        if let Some(participant) = standing.participant
            && self.present.insert(session)
        {
            self.app.hub.enter(session, principal.id(), participant);
        }
        Ok(())
    }

    /// Ends what `subscribe` began on the hub's side.
    async fn leave(&mut self, session: SessionId) {
        self.app.hub.leave(session, self.link.id()).await;
        if self.present.remove(&session)
            && let Some(principal) = self.link.principal()
        {
            self.app.hub.exit(session, principal.id());
        }
    }

    async fn leave_everything(&mut self) {
        let mut sessions: HashSet<SessionId> = self.link.subscriptions().into_iter().collect();
        sessions.extend(self.link.take_evicted());
        for session in sessions {
            self.link.forget(session);
            self.leave(session).await;
        }
        if self.link.forget_feed()
            && let Some(principal) = self.link.principal()
        {
            self.app.hub.unsubscribe_feed(principal.scope(), self.link.id());
        }
    }

    /// Reads one page of what was dropped, or never came by, and hands on as much of it as there is room for.
    async fn read_back(&mut self, behind: Behind) {
        let Some(principal) = self.link.principal() else { return };
        let (Behind::Session(session, at, _) | Behind::Feed(session, at)) = behind;
        self.last_replayed = Some(session);
        let page = self.app.store.events_after(principal.scope(), session, at, REPLAY_PAGE, REPLAY_BYTES).await;
        match (page, behind) {
            (Err(error), _) => {
                self.app.metrics.store_failed(During::Replay, &error, "a socket waits for the store");
                tokio::time::sleep(READ_AGAIN_AFTER).await;
            }
            (Ok(None), Behind::Session(..)) => self.link.evict(session, EndReason::Removed),
            (Ok(None), Behind::Feed(..)) => self.link.feed_caught_up(session, true),
            (Ok(Some(page)), Behind::Session(..)) if page.head.last_seq < at => {
                // The store went back. The topic may not have noticed yet.
                self.app.hub.look_later(session);
                self.link.evict(session, EndReason::Reset);
            }
            (Ok(Some(page)), Behind::Session(_, _, known)) => {
                self.link.skip_to(session, page.head.first_seq);
                if page.events.is_empty() {
                    // It was told of events that the store does not have.
                    self.link.retract(session, known);
                }
                let replay = page.events.iter().map(|event| self.link.replay(session, event.seq, event_frame(event)));
                let handed_on = replay.map_while(|outcome| outcome).filter(|went_out| *went_out).count();
                self.app.metrics.delivered_replay.inc_by(handed_on as u64);
            }
            (Ok(Some(page)), Behind::Feed(..)) => {
                for event in &page.events {
                    if !self.link.replay_feed(session, event.seq, feed_frame(&event.into())) {
                        break;
                    }
                }
                self.link.feed_caught_up(session, page.events.is_empty());
            }
        }
    }

    fn timing(&self) -> SocketTiming {
        self.app.config.sockets
    }

    /// When `tick` must look again.
    fn next_deadline(&self) -> Instant {
        let heartbeat = match self.pinged {
            Some(at) => at + self.timing().pong_within,
            None => self.last_frame + self.timing().heartbeat,
        };
        let auth = (!self.session.is_authenticated()).then(|| self.opened + self.timing().auth_within);
        let expiry = self.expires_at.map(|at| {
            let left = at.millis_since(self.app.clock.now()).clamp(0, 24 * 60 * 60 * 1000);
            Instant::now() + Duration::from_millis(left.unsigned_abs())
        });
        [auth, expiry].into_iter().flatten().fold(heartbeat, Instant::min)
    }

    fn tick(&mut self) {
        let now = Instant::now();
        if !self.session.is_authenticated() && now >= self.opened + self.timing().auth_within {
            return self.link.end(CloseCode::AUTH_TIMEOUT, false);
        }
        if self.expires_at.is_some_and(|at| at <= self.app.clock.now()) {
            return self.link.end(CloseCode::TOKEN_EXPIRED, false);
        }
        let written = self.link.written();
        if written != self.progress.0 || !self.link.has_backlog() {
            self.progress = (written, now);
        }
        match self.pinged {
            None if now >= self.last_frame + self.timing().heartbeat => {
                self.link.send_frame(ping_frame());
                self.pinged = Some(now);
            }
            Some(at) if now >= at + self.timing().pong_within => {
                if !self.link.has_backlog() || now >= self.progress.1 + STALLED_AFTER {
                    return self.link.end(CloseCode::HEARTBEAT_MISSED, false);
                }
                // The ping has not even gone out: a slow reader is no dead one.
                self.pinged = Some(now);
            }
            _ => {}
        }
    }
}
