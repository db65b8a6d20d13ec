//! The live feed: what happens in all sessions of an agent, without content.

use super::frame::{Frame, subscribe_feed};
use super::heartbeat::Heartbeat;
use super::socket;
use crate::backoff::{Backoff, between};
use crate::bounded::Bounded;
use crate::call::Call;
use crate::client::{Client, PAGE_SIZE, is_last, page_of};
use crate::error::Error;
use crate::types::{FeedEntry, Page, Session, Timestamp};
use futures::{SinkExt as _, Stream};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message as WsMessage;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

/// Entries that may wait for the caller; beyond it the socket is not read.
const QUEUE: usize = 256;
/// Sessions whose newest event is remembered.
const SESSIONS: usize = 10_000;
/// The longest time that the hub can ask to wait before a reconnect.
pub(super) const LONGEST: Duration = Duration::from_secs(60);
const WHAT: &str = "the live connection";

impl Client {
    /// What happens from now on in any session of this agent, sessions yet to come included, without content and without
    /// an end. It resumes after lost connections and restarts of the hub: a session that went on meanwhile gives one
    /// entry. Without a WebSocket the sessions are read over HTTP every few seconds. Dropping the stream ends it.
    ///
    /// The stream ends after an error: the key was revoked.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    #[must_use]
    pub fn feed(&self) -> Feed {
        let (entry_in, entries) = mpsc::channel(QUEUE);
        let follower = FeedFollower {
            client: self.clone(),
            seen: Bounded::new(SESSIONS),
            newest: None,
            backoff: Backoff::new(),
            entries: entry_in,
        };
        Feed { entries, _task: AbortOnDropHandle::new(tokio::spawn(follower.run())) }
    }
}

/// What happens in the sessions of an agent, as a [`Stream`]. It is cancel safe.
pub struct Feed {
    entries: mpsc::Receiver<Result<FeedEntry, Error>>,
    _task: AbortOnDropHandle<()>,
}

impl Stream for Feed {
    type Item = Result<FeedEntry, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.entries.poll_recv(context)
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").finish_non_exhaustive()
    }
}

/// How a connection ended.
enum Disconnect {
    /// The stream was dropped.
    Unused,
    Retry(Option<Duration>),
    Fatal(Error),
}

impl From<Error> for Disconnect {
    fn from(error: Error) -> Self {
        if error.is_transient() { Self::Retry(None) } else { Self::Fatal(error) }
    }
}

struct FeedFollower {
    client: Client,
    /// The newest event of each session that was passed on.
    seen: Bounded<Uuid, i64>,
    /// The time of the newest event; none before the feed has begun.
    newest: Option<Timestamp>,
    backoff: Backoff,
    entries: mpsc::Sender<Result<FeedEntry, Error>>,
}

impl FeedFollower {
    async fn run(mut self) {
        loop {
            let wait = match self.connect().await {
                Ok(()) | Err(Disconnect::Unused) => return,
                Err(Disconnect::Fatal(error)) => {
                    let _ = self.entries.send(Err(error)).await;
                    return;
                }
                Err(Disconnect::Retry(wait)) => wait.unwrap_or_else(|| self.backoff.next()),
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.entries.closed() => return,
            }
        }
    }

    async fn connect(&mut self) -> Result<(), Disconnect> {
        self.client.check_space().await?;
        // From here on nothing is left out, also of what happens before the subscription.
        self.catch_up().await?;
        let mut socket = socket::open(&self.client.inner.http).await?;
        let lost = |_| Disconnect::Retry(None);
        socket.send(WsMessage::text(subscribe_feed())).await.map_err(lost)?;
        let mut heartbeat = Heartbeat::default();
        loop {
            let text = tokio::select! {
                text = heartbeat.next(&mut socket) => text,
                () = self.entries.closed() => return Ok(()),
            };
            let text = text.map_err(|closed| closed.map_or(Disconnect::Retry(None), Disconnect::Fatal))?;
            let frame = serde_json::from_str(&text).map_err(|error| Error::unexpected(WHAT, error))?;
            self.on_frame(frame, &mut heartbeat).await?;
        }
    }

    async fn on_frame(&mut self, frame: Frame, heartbeat: &mut Heartbeat) -> Result<(), Disconnect> {
        match frame {
            Frame::Hello { heartbeat_seconds } => heartbeat.every(heartbeat_seconds),
            Frame::Subscribed { .. } => {
                self.backoff.reset();
                self.catch_up().await?;
            }
            Frame::Feed(entry) => self.pass_on(entry).await?,
            Frame::Goaway { reconnect_after_ms: (least, most) } => {
                let wait = between(Duration::from_millis(least), Duration::from_millis(most)).min(LONGEST);
                return Err(Disconnect::Retry(Some(wait)));
            }
            Frame::Unsubscribed { .. } => return Err(Disconnect::Retry(None)),
            Frame::Error { error } => {
                let text = |key: &str| error[key].as_str().unwrap_or_default();
                return Err(match text("code") {
                    "UNAVAILABLE" | "RATE_LIMITED" | "INTERNAL" => Disconnect::Retry(None),
                    code => Disconnect::Fatal(Error::local(WHAT, code, text("message"))),
                });
            }
            Frame::Event { .. } | Frame::Other => {}
        }
        Ok(())
    }

    /// Reads the sessions with activity since the newest event that was passed on.
    async fn catch_up(&mut self) -> Result<(), Disconnect> {
        let mut moved = Vec::new();
        for page in 1.. {
            let path = page_of("/v1/agent/sessions", page, PAGE_SIZE);
            let sessions: Page<Session> = self.client.call(Call::get(path)).await?;
            let is_last = is_last(page, sessions.data.len())?;
            let Some(since) = self.newest else {
                // The feed begins now.
                let newest = sessions.data.first().map(|session| session.updated_at);
                self.newest = Some(newest.unwrap_or_else(|| std::time::SystemTime::UNIX_EPOCH.into()));
                for session in sessions.data.iter().rev() {
                    self.seen.insert(&session.id, session.last_seq);
                }
                return Ok(());
            };
            let listed = sessions.data.len();
            moved.extend(sessions.data.into_iter().take_while(|session| session.updated_at >= since));
            let is_older = moved.len() < listed + (page as usize - 1) * PAGE_SIZE as usize;
            if is_last || is_older || moved.len() >= SESSIONS {
                break;
            }
        }
        for session in moved.into_iter().rev() {
            let Session { id, last_seq, pending_count, updated_at, .. } = session;
            self.pass_on(FeedEntry { session_id: id, seq: last_seq, event: None, pending_count, at: updated_at })
                .await?;
        }
        Ok(())
    }

    /// Passes an entry on, unless a newer one of its session was.
    async fn pass_on(&mut self, entry: FeedEntry) -> Result<(), Disconnect> {
        let seen = self.seen.get_or_insert_with(&entry.session_id, || 0);
        if entry.seq <= *seen {
            return Ok(());
        }
        *seen = entry.seq;
        self.newest = self.newest.max(Some(entry.at));
        self.entries.send(Ok(entry)).await.map_err(|_| Disconnect::Unused)
    }
}
