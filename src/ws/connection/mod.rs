//! The one task of a connection: reads frames, writes the outbox, reads missed events from the store, keeps the
//! heartbeat.

mod authenticate;
mod buffer;
mod catch_up;
mod closing;
mod execute;
mod stop;
mod subscribe;
mod timers;

use super::frame_rate::FrameRate;
use super::handle::SocketHandle;
use super::state::{Effect, ProtocolState};
use crate::context::App;
use crate::domain::{ClientNetwork, Principal, SessionId, Timestamp};
use crate::hub::subscriber::Connection as _;
use crate::limits::connections::{Descriptor, Permit};
use crate::metrics::GaugeGuard;
use crate::protocol::close::CloseCode;
use crate::protocol::frame::hub::reply;
use crate::protocol::rfc6455::decode::{Decoder, Incoming};
use crate::protocol::rfc6455::encode::pong_frame;
use buffer::BUFFER;
use closing::close;
use futures::FutureExt as _;
use std::collections::HashSet;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use stop::Stop;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

struct ConnectionTask {
    app: App,
    handle: Arc<SocketHandle>,
    state: ProtocolState,
    decoder: Decoder,
    network: ClientNetwork,
    frame_rate: FrameRate,
    expires_at: Option<Timestamp>,
    /// Counts the connection for its credential, or for its address before authentication.
    permit: Permit,
    /// Sessions in which this connection counts for presence.
    present: HashSet<SessionId>,
    last_caught_up: Option<SessionId>,
    opened: Instant,
    last_frame: Instant,
    /// When a ping was sent that the client has not answered.
    pinged: Option<Instant>,
    /// How many bytes were written at the last check, and when that number last changed.
    progress: (u64, Instant),
}

/// Serves one connection until it ends. `early` are bytes that arrived with the request. `principal` comes with a time
/// before its credential was looked up.
pub(super) async fn serve(
    app: App,
    stream: TcpStream,
    early: Vec<u8>,
    principal: Option<(Arc<Principal>, std::time::Instant)>,
    network: ClientNetwork,
    (permit, _descriptor): (Permit, Descriptor),
) {
    let handle = Arc::new(SocketHandle::new(stream));
    let _open = GaugeGuard::new(&app.metrics.sockets);
    let now = Instant::now();
    let mut task = ConnectionTask {
        app: Arc::clone(&app),
        handle: Arc::clone(&handle),
        state: ProtocolState::default(),
        decoder: Decoder::default(),
        network,
        frame_rate: FrameRate::new(app.config.rate_limit, now),
        expires_at: None,
        permit,
        present: HashSet::new(),
        last_caught_up: None,
        opened: now,
        last_frame: now,
        pinged: None,
        progress: (0, now),
    };
    app.hub.register(handle.clone());
    if app.draining.is_cancelled() {
        handle.go_away();
    }
    if let Some((principal, since)) = principal {
        task.accept(None, &principal, since);
    }
    let served = AssertUnwindSafe(task.serve(&early)).catch_unwind().await;
    let stop = served.unwrap_or_else(|panic| {
        // The hub must not go on delivering to this connection.
        app.supervisor.panicked("socket", &*panic);
        handle.end(CloseCode::INTERNAL, false);
        Stop::Lost
    });
    task.leave_everything().await;
    // After the close frame is written: a draining server waits for the connections that are registered.
    close(&handle, &stop).await;
    app.hub.unregister(handle.id());
}

impl ConnectionTask {
    /// Handles the bytes that arrived with the request, then serves the connection until the end.
    async fn serve(&mut self, early: &[u8]) -> Stop {
        match self.read_early(early).await {
            Ok(()) => self.run().await,
            Err(stop) => stop,
        }
    }

    async fn run(&mut self) -> Stop {
        let handle = Arc::clone(&self.handle);
        let timer = sleep_until(self.next_deadline());
        tokio::pin!(timer);
        loop {
            if handle.ending().is_some() {
                return Stop::Lost;
            }
            // Authentication and a refresh change the deadline.
            let due = self.next_deadline();
            if due < timer.deadline() {
                timer.as_mut().reset(due);
            }
            // Checked here too: a socket that always has bytes to read must not delay the timer.
            if due <= Instant::now() {
                self.tick();
                timer.as_mut().reset(self.next_deadline());
            }
            let backlog = handle.has_backlog();
            let low = !backlog || handle.is_low();
            let missing = if low { handle.missing(self.last_caught_up) } else { None };
            let outcome = tokio::select! {
                // The hub's requests (an end, an eviction) come first. Writing comes before reading, so that there is
                // room for replies. Missed events are read from the store when nothing else is ready.
                biased;
                () = handle.wake.notified() => self.evict().await,
                ready = handle.stream.writable(), if backlog => ready.and_then(|()| handle.flush()).map_err(|_| Stop::Lost),
                ready = handle.stream.readable(), if low => match ready {
                    Ok(()) => self.read().await,
                    Err(_) => Err(Stop::Lost),
                },
                () = &mut timer => {
                    self.tick();
                    timer.as_mut().reset(self.next_deadline());
                    Ok(())
                }
                () = std::future::ready(()), if missing.is_some() => {
                    if let Some(missing) = missing {
                        self.catch_up(missing).await;
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
        let fed = BUFFER.with_borrow_mut(|buffer| match self.handle.stream.try_read(buffer) {
            Ok(0) => Err(Stop::Lost),
            Ok(read) => Ok(self.decoder.feed(&buffer[..read], &mut messages)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Ok(())),
            Err(_) => Err(Stop::Lost),
        })?;
        self.handle_messages(messages, fed).await
    }

    /// Counts fragments against the frame rate, so that a message of many small or empty fragments costs as much as
    /// messages would.
    fn is_too_fast(&mut self) -> bool {
        let now = Instant::now();
        (0..self.decoder.take_fragments()).any(|_| !self.frame_rate.allows(now))
    }

    /// Handles bytes that arrived with the request.
    async fn read_early(&mut self, early: &[u8]) -> Result<(), Stop> {
        let mut messages = Vec::new();
        let fed = self.decoder.feed(early, &mut messages);
        self.handle_messages(messages, fed).await
    }

    async fn handle_messages(&mut self, messages: Vec<Incoming>, fed: Result<(), CloseCode>) -> Result<(), Stop> {
        if self.is_too_fast() {
            self.handle.end(CloseCode::TOO_MANY_FRAMES, false);
            return Ok(());
        }
        for message in messages {
            self.last_frame = Instant::now();
            self.pinged = None;
            if !self.frame_rate.allows(self.last_frame) {
                self.handle.end(CloseCode::TOO_MANY_FRAMES, false);
                return Ok(());
            }
            let effect = match message {
                Incoming::Text(text) => self.state.on_text(&text),
                Incoming::Binary => self.state.on_binary(),
                Incoming::Ping(payload) => {
                    self.handle.send_frame(pong_frame(&payload));
                    continue;
                }
                Incoming::Pong => continue,
                Incoming::Close(code) => return Err(Stop::Closed(code)),
            };
            self.perform(effect).await;
            if self.handle.ending().is_some() {
                return Ok(());
            }
        }
        if let Err(code) = fed {
            self.handle.end(code, false);
        }
        Ok(())
    }

    async fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Reply(text) => self.handle.reply(&text),
            Effect::ReplyAndClose(text, code) => {
                self.handle.reply(&text);
                self.handle.end(code, true);
            }
            Effect::Authenticate { id, token, agent } => self.authenticate(&id, &token, agent.as_deref()).await,
            Effect::Do(id, frame) => {
                if let Err(refusal) = self.execute(&id, frame).await {
                    self.handle.reply(&reply::error(&id, &refusal));
                }
            }
        }
    }
}
