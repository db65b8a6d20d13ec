//! What a member reads: a WebSocket or an event stream.

use anyhow::Result;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::{seat::Seat, shared::Shared};
use crate::client::{EventStream, Frame, Side, Socket};

/// How a member is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkKind {
    Socket,
    EventStream(Side),
}

pub(super) enum Link {
    Socket(Box<Socket>),
    Stream(Box<EventStream>),
}

impl Link {
    /// Connects and subscribes after `after`, or from now on; returns the session's last `seq` before the live events,
    /// where the hub names it.
    pub(super) async fn open(seat: &Seat, shared: &Shared, after: Option<u64>) -> Result<(Self, Option<u64>)> {
        let session = shared.sessions.get(seat.session).filter(|_| shared.subscribe);
        if let (LinkKind::EventStream(side), Some(session)) = (seat.link, session) {
            let stream = EventStream::open(&seat.target, &seat.credential, side.name(), &session.id, after).await?;
            return Ok((Self::Stream(Box::new(stream)), None));
        }
        let mut socket = Socket::open(&seat.target, &seat.credential, seat.socket).await?;
        let head = match session {
            Some(session) => Some(socket.subscribe(&seat.target, &session.id, after).await?),
            None => Some(0),
        };
        Ok((Self::Socket(Box::new(socket)), head))
    }

    /// The next frame or event. Cancel safe.
    pub(super) async fn next_text(&mut self) -> Result<Utf8Bytes> {
        match self {
            Self::Socket(socket) => socket.next_text().await,
            Self::Stream(stream) => stream.next_data().await,
        }
    }

    pub(super) fn parse<'a>(&self, text: &'a str) -> Result<Frame<'a>, serde_json::Error> {
        match self {
            Self::Socket(_) => Frame::parse(text),
            Self::Stream(_) => Frame::parse_event(text),
        }
    }

    /// Sends a frame; a stream has none.
    pub(super) async fn send(&mut self, text: String) -> Result<()> {
        match self {
            Self::Socket(socket) => socket.send(text).await,
            Self::Stream(_) => Ok(()),
        }
    }

    /// Requests a pong; false where there is none to come.
    pub(super) async fn ping(&mut self) -> Result<bool> {
        match self {
            Self::Socket(socket) => socket.ping().await.map(|()| true),
            Self::Stream(_) => Ok(false),
        }
    }

    pub(super) async fn close(self) {
        if let Self::Socket(socket) = self {
            socket.close().await;
        }
    }

    pub(super) fn reset(self) {
        if let Self::Socket(socket) = self {
            socket.reset();
        }
    }
}
