//! Authentication by the first frame, and refresh of the credential.

use super::ConnectionTask;
use crate::domain::{Principal, Refusal};
use crate::hub::subscriber::{Connection as _, EndReason, Subscriber as _};
use crate::protocol::close::CloseCode;
use crate::protocol::error::ErrorCode;
use crate::protocol::frame::FrameId;
use crate::protocol::frame::hub::reply;
use std::sync::Arc;

impl ConnectionTask {
    pub(super) async fn authenticate(&mut self, id: &FrameId, token: &str, agent: Option<&str>) {
        let since = std::time::Instant::now();
        match self.resolve(token, agent).await {
            Ok(principal) => match self.app.connections.hold(&principal) {
                Ok(permit) => {
                    self.permit = permit;
                    self.accept(Some(id).filter(|id| !id.is_null()), &principal, since);
                }
                Err(refusal) => {
                    self.handle.reply(&reply::error(id, &refusal));
                    self.handle.end(CloseCode::TOO_MANY_CONNECTIONS, true);
                }
            },
            Err(refusal) => self.handle.end(ErrorCode::from(&refusal).close, false),
        }
    }

    async fn resolve(&self, token: &str, agent: Option<&str>) -> Result<Arc<Principal>, Refusal> {
        self.app.authenticator.any(token, agent, self.network).await
    }

    /// Continues as this principal, whose credential was looked up at `since` or later.
    pub(super) fn accept(&mut self, id: Option<&FrameId>, principal: &Arc<Principal>, since: std::time::Instant) {
        self.state.authenticated();
        self.expires_at = principal.expires_at();
        self.handle.reply(&reply::hello(id, principal, self.handle.id(), self.timing().heartbeat));
        self.handle.set_principal(Arc::clone(principal));
        // A revocation since then did not find this connection under the principal.
        if self.app.hub.is_revoked_since(principal, since) {
            self.handle.revoke();
        }
    }

    /// Continues with another credential of the same principal.
    pub(super) async fn refresh(&mut self, id: &FrameId, token: &str, principal: &Principal) -> Result<(), Refusal> {
        // An API key must act as the agent of the connection.
        let agent = matches!(principal, Principal::Agent(_)).then(|| principal.id().0.to_string());
        let other_principal = || Refusal::Forbidden("The token belongs to another principal".to_owned());
        let since = std::time::Instant::now();
        let fresh = match self.resolve(token, agent.as_deref()).await {
            Err(Refusal::NotFound(_)) => return Err(other_principal()),
            resolved => resolved?,
        };
        if fresh.id() != principal.id() {
            return Err(other_principal());
        }
        let permit = self.app.connections.hold_instead(&self.permit, &fresh)?;
        // Before the new credential is set: if this fails, the old one remains.
        if fresh.scope() != principal.scope() {
            self.narrow(principal, &fresh).await?;
        }
        if let Some(permit) = permit {
            self.permit = permit;
        }
        self.expires_at = fresh.expires_at();
        self.handle.set_principal(Arc::clone(&fresh));
        if self.app.hub.is_revoked_since(&fresh, since) {
            self.handle.revoke();
        }
        self.handle.reply(&reply::refreshed(id, self.expires_at));
        Ok(())
    }

    /// Ends the subscriptions that are out of the new credential's scope, and moves the feed to it.
    async fn narrow(&mut self, before: &Principal, now: &Principal) -> Result<(), Refusal> {
        for session in self.handle.subscriptions() {
            if self.app.store.head(now.scope(), session).await?.is_none() {
                self.handle.evict(session, EndReason::Removed);
            }
        }
        if self.handle.has_feed() {
            self.app.hub.subscribe_feed(now.scope(), self.handle.clone()).await?;
            self.app.hub.unsubscribe_feed(before.scope(), self.handle.id());
        }
        Ok(())
    }
}
