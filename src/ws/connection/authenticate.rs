//! Authentication by a first frame, and its refresh.

use super::Connection;
use crate::domain::{Principal, Refusal};
use crate::hub::subscriber::{EndReason, Endpoint as _, Subscriber as _};
use crate::protocol::close::CloseCode;
use crate::protocol::error::ErrorCode;
use crate::protocol::frame::FrameId;
use crate::protocol::frame::hub::reply;
use std::sync::Arc;

impl Connection {
    pub(super) async fn authenticate(&mut self, id: &FrameId, token: &str, agent: Option<&str>) {
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
        self.app.authenticator.any(token, agent, self.network).await
    }

    /// Goes on as this principal, whose credential was looked up at `since` or later.
    pub(super) fn accept(&mut self, id: Option<&FrameId>, principal: &Arc<Principal>, since: std::time::Instant) {
        self.session.authenticated();
        self.expires_at = principal.expires_at();
        self.link.reply(&reply::hello(id, principal, self.link.id(), self.timing().heartbeat));
        self.link.set_principal(Arc::clone(principal));
        // A revocation between the look-up and this found nobody to send away.
        if self.app.hub.is_revoked_since(principal, since) {
            self.link.revoke();
        }
    }

    /// Goes on with another credential of the same principal.
    pub(super) async fn refresh(&mut self, id: &FrameId, token: &str, principal: &Principal) -> Result<(), Refusal> {
        // A key goes on acting as the agent that the socket is for, if it can.
        let agent = matches!(principal, Principal::Agent(_)).then(|| principal.id().0.to_string());
        let somebody_else = || Refusal::Forbidden("The token is somebody else's".to_owned());
        let since = std::time::Instant::now();
        let fresh = match self.resolve(token, agent.as_deref()).await {
            Err(Refusal::NotFound(_)) => return Err(somebody_else()),
            resolved => resolved?,
        };
        if fresh.id() != principal.id() {
            return Err(somebody_else());
        }
        let permit = self.app.connections.hold_instead(&self.permit, &fresh)?;
        // Before the new credential counts: if this fails, the old one goes on as it was.
        if fresh.scope() != principal.scope() {
            self.narrow(principal, &fresh).await?;
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
}
