//! Carries out the frames of an authenticated client.

use super::Connection;
use crate::domain::Refusal;
use crate::hub::subscriber::Endpoint as _;
use crate::protocol::frame::FrameId;
use crate::protocol::frame::client::ClientFrame;
use crate::protocol::frame::hub::reply;
use crate::service::{messages, participants};
use crate::timeline::Idempotency;
use sha2::{Digest as _, Sha256};

impl Connection {
    pub(super) async fn carry_out(&mut self, id: &FrameId, frame: ClientFrame) -> Result<(), Refusal> {
        let principal = self.link.principal().ok_or(Refusal::Internal)?;
        match frame {
            // The state machine handles these two itself.
            ClientFrame::Auth { .. } | ClientFrame::Ping => Err(Refusal::Internal),
            ClientFrame::Refresh { token } => self.refresh(id, &token, &principal).await,
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
}
