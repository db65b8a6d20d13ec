//! Carries out the frames of an authenticated client.

use super::ConnectionTask;
use crate::domain::Refusal;
use crate::hub::subscriber::Connection as _;
use crate::protocol::frame::FrameId;
use crate::protocol::frame::client::ClientFrame;
use crate::protocol::frame::hub::reply;
use crate::service::{messages, participants};
use crate::timeline::Idempotency;
use sha2::{Digest as _, Sha256};

impl ConnectionTask {
    pub(super) async fn execute(&mut self, id: &FrameId, frame: ClientFrame) -> Result<(), Refusal> {
        let principal = self.handle.principal().ok_or(Refusal::Internal)?;
        match frame {
            // The state machine handles these two.
            ClientFrame::Auth { .. } | ClientFrame::Ping => Err(Refusal::Internal),
            ClientFrame::Refresh { token } => self.refresh(id, &token, &principal).await,
            ClientFrame::Subscribe { session, after } => self.subscribe(id, session, after, &principal).await,
            ClientFrame::SubscribeFeed => {
                if self.handle.prepare_feed() {
                    let subscribed = self.app.hub.subscribe_feed(principal.scope(), self.handle.clone()).await;
                    if subscribed.is_err() {
                        self.handle.remove_feed();
                    }
                    subscribed?;
                }
                self.handle.open_feed(&reply::subscribed_feed(id));
                Ok(())
            }
            ClientFrame::Unsubscribe { session } => {
                if self.handle.remove(session) {
                    self.leave(session).await;
                }
                self.handle.reply(&reply::unsubscribed(id, session));
                Ok(())
            }
            ClientFrame::UnsubscribeFeed => {
                if self.handle.remove_feed() {
                    self.app.hub.unsubscribe_feed(principal.scope(), self.handle.id());
                }
                self.handle.reply(&reply::unsubscribed_feed(id));
                Ok(())
            }
            ClientFrame::Send { session, draft, key, digest } => {
                let key = key.map(|key| Idempotency::check_key(&key)).transpose()?;
                let idempotency = key.map(|key| {
                    // One API key may act for several agents, so the agent is part of the request's digest.
                    let request = Sha256::new().chain_update(digest).chain_update(principal.id().0).finalize();
                    Idempotency::new(Idempotency::credential_of(&principal), "send", key, request.into())
                });
                let posted = messages::post(&self.app, &principal, session, *draft, idempotency).await?;
                self.handle.reply(&reply::sent(id, &posted.json));
                Ok(())
            }
            ClientFrame::Typing { session, typing } => {
                if self.handle.is_subscribed(session) {
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
