//! What a member does by its habits.

use std::{sync::atomic::Ordering, time::Duration};

use anyhow::Result;
use serde_json::json;
use tokio::time::Instant;

use super::{
    habits::Act,
    member::{LEAVING_PATIENCE, Member, Returning},
    shared::Shared,
};

impl Member {
    /// Does one of its habits.
    pub(super) async fn act(&mut self, due: Instant, act: Act, shared: &Shared) -> Result<()> {
        let Some(habits) = self.seat.habits.clone() else { return Ok(()) };
        if shared.quiet.load(Ordering::Relaxed) || self.returning.is_some() {
            return Ok(());
        }
        let (session, last) = (self.seat.session, self.ledger.last());
        let id = shared.sessions.get(session).map_or("", |session| &session.id);
        let frame = match act {
            Act::Leave => return self.leave(habits.away, shared).await,
            Act::Type => {
                self.typing = !self.typing;
                shared.marks.set(session, &habits.principal, u64::from(self.typing), due);
                json!({"type": "typing", "sessionId": id, "typing": self.typing})
            }
            Act::Read => {
                shared.marks.set(session, &habits.participant, last, due);
                json!({"type": "read", "sessionId": id, "seq": last})
            }
        };
        self.send(frame.to_string(), shared).await
    }

    async fn send(&mut self, text: String, shared: &Shared) -> Result<()> {
        let renewed = self.renewal();
        let Some(link) = &mut self.link else { return Ok(()) };
        if let Some(renewed) = renewed
            && let Err(error) = link.send(renewed).await
        {
            return self.lost(error, shared).await;
        }
        match link.send(text).await {
            Ok(()) => Ok(()),
            Err(error) => self.lost(error, shared).await,
        }
    }

    /// The frame with a new token, if there is one since the last time.
    fn renewal(&mut self) -> Option<String> {
        if self.version == self.seat.credential.version() {
            return None;
        }
        let (version, token) = self.seat.credential.token();
        self.version = version;
        token.map(|token| json!({"type": "refresh", "id": 3, "token": token}).to_string())
    }

    /// Disconnects, returns after a while.
    async fn leave(&mut self, away: Duration, shared: &Shared) -> Result<()> {
        self.disconnect(fastrand::bool()).await;
        tokio::time::sleep(away.mul_f64(fastrand::f64())).await;
        let since = Instant::now();
        self.returning = Some(Returning { since, give_up: since + LEAVING_PATIENCE, until: u64::MAX, pong: false });
        self.connect_again(shared).await
    }
}
