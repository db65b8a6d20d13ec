//! The frames of a socket, for as long as the hub gives signs of life.

use crate::error::Error;
use futures::StreamExt as _;
use reqwest::Upgraded;
use std::time::Duration;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

/// Time after a missed heartbeat of the hub before a connection counts as dead.
const GRACE: Duration = Duration::from_secs(15);
/// The longest time between heartbeats that the hub can ask for.
const LONGEST: u64 = 300;

pub(super) struct Heartbeat(Duration);

impl Default for Heartbeat {
    fn default() -> Self {
        Self(GRACE)
    }
}

impl Heartbeat {
    /// The hub says how often it gives one.
    pub(super) fn every(&mut self, seconds: u64) {
        self.0 = Duration::from_secs(seconds.min(LONGEST)) + GRACE;
    }

    /// The next frame of text; an error where the hub closed the socket for good, none where it is lost. Cancel safe.
    pub(super) async fn next(&self, socket: &mut WebSocketStream<Upgraded>) -> Result<Utf8Bytes, Option<Error>> {
        loop {
            match tokio::time::timeout(self.0, socket.next()).await {
                Ok(Some(Ok(Message::Text(text)))) => return Ok(text),
                Ok(Some(Ok(Message::Close(Some(close))))) if (4400..=4499).contains(&u16::from(close.code)) => {
                    let problem = format!("{} {}", u16::from(close.code), close.reason);
                    return Err(Some(Error::local("the live connection", Error::DISCONNECTED, problem)));
                }
                Ok(Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_)))) => {}
                _ => return Err(None),
            }
        }
    }
}
