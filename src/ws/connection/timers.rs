//! The deadlines of a connection: heartbeat, authentication, expiry of the credential.

use super::ConnectionTask;
use crate::config::SocketTiming;
use crate::protocol::close::CloseCode;
use crate::protocol::rfc6455::encode::ping_frame;
use std::time::Duration;
use tokio::time::Instant;

/// How long a socket may accept no bytes before the connection is closed.
const STALLED_AFTER: Duration = Duration::from_secs(300);

impl ConnectionTask {
    pub(super) fn timing(&self) -> SocketTiming {
        self.app.config.sockets
    }

    /// When `tick` must be called next.
    pub(super) fn next_deadline(&self) -> Instant {
        let heartbeat = match self.pinged {
            Some(at) => at + self.timing().pong_within,
            None => self.last_frame + self.timing().heartbeat,
        };
        let auth = (!self.state.is_authenticated()).then(|| self.opened + self.timing().auth_within);
        let expiry = self.expires_at.map(|at| {
            let left = at.millis_since(self.app.clock.now()).clamp(0, 24 * 60 * 60 * 1000);
            Instant::now() + Duration::from_millis(left.unsigned_abs())
        });
        [auth, expiry].into_iter().flatten().fold(heartbeat, Instant::min)
    }

    pub(super) fn tick(&mut self) {
        let now = Instant::now();
        if !self.state.is_authenticated() && now >= self.opened + self.timing().auth_within {
            return self.handle.end(CloseCode::AUTH_TIMEOUT, false);
        }
        if self.expires_at.is_some_and(|at| at <= self.app.clock.now()) {
            return self.handle.end(CloseCode::TOKEN_EXPIRED, false);
        }
        let written = self.handle.written();
        if written != self.progress.0 || !self.handle.has_backlog() {
            self.progress = (written, now);
        }
        match self.pinged {
            None if now >= self.last_frame + self.timing().heartbeat => {
                self.handle.send_frame(ping_frame());
                self.pinged = Some(now);
            }
            Some(at) if now >= at + self.timing().pong_within => {
                if !self.handle.has_backlog() || now >= self.progress.1 + STALLED_AFTER {
                    return self.handle.end(CloseCode::HEARTBEAT_MISSED, false);
                }
                // The ping is still in the outbox: the client reads slowly and may still be connected.
                self.pinged = Some(now);
            }
            _ => {}
        }
    }
}
