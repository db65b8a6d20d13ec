//! The one task of a socket: reads frames, drains what waits, reads back what was dropped, keeps the heartbeat.

mod authenticate;
mod catch_up;
mod closing;
mod execute;
mod subscribe;
mod timers;

use super::link::Link;
use super::pace::Pace;
use super::session::{Effect, Session};
use crate::context::App;
use crate::domain::{ClientNetwork, Principal, SessionId, Timestamp};
use crate::hub::subscriber::Endpoint as _;
use crate::limits::connections::{Descriptor, Permit};
use crate::metrics::Held;
use crate::protocol::close::CloseCode;
use crate::protocol::frame::hub::reply;
use crate::protocol::rfc6455::decode::{Decoder, Incoming};
use crate::protocol::rfc6455::encode::pong_frame;
use closing::close;
use futures::FutureExt as _;
use std::cell::RefCell;
use std::collections::HashSet;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

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
    network: ClientNetwork,
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
    network: ClientNetwork,
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
        network,
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
}
