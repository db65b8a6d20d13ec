//! Long-lived requests, which are long-polls and event streams: they end when their credential expires or is revoked
//! (contract section 2), and when the node drains.

use super::App;
use crate::domain::{Principal, Refusal};
use crate::hub::ConnectionGuard;
use futures::FutureExt as _;
use std::sync::Arc;
use std::time::Duration;

/// Longest sleep before the clock is read again: it may be corrected meanwhile.
const MAX_SLEEP: Duration = Duration::from_secs(60 * 60);

/// A long-lived request. It must begin before the first read of the store, so that no revocation is missed.
pub(super) struct LongLived {
    app: App,
    principal: Arc<Principal>,
    connection: ConnectionGuard,
}

impl LongLived {
    /// Refused if the credential has too many of them open.
    pub(super) fn begin(app: &App, principal: &Arc<Principal>) -> Result<Self, Refusal> {
        let connection = app.hub.register_request(Arc::clone(principal))?;
        Ok(Self { app: Arc::clone(app), principal: Arc::clone(principal), connection })
    }

    /// Refuses to continue, and to answer, once the credential has expired or is revoked.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        if self.left().is_zero() {
            return Err(Refusal::Expired("The credential has expired".to_owned()));
        }
        if self.connection.is_revoked() {
            return Err(Refusal::Unauthorized("The credential is no longer valid".to_owned()));
        }
        Ok(())
    }

    /// Returns when the request must not wait any longer: a refusal if its credential has ended, nothing if the node
    /// drains.
    pub(super) async fn ended(&self) -> Result<(), Refusal> {
        let expiry = async {
            loop {
                match self.left() {
                    Duration::ZERO => return,
                    left => tokio::time::sleep(left.min(MAX_SLEEP)).await,
                }
            }
        };
        tokio::select! {
            biased;
            () = self.connection.ended() => {}
            () = expiry, if self.principal.expires_at().is_some() => {}
        }
        self.check()
    }

    /// Whether it must end, for any reason.
    pub(super) fn has_ended(&self) -> bool {
        self.left().is_zero() || self.connection.ended().now_or_never().is_some()
    }

    /// How long the credential is still valid.
    pub(super) fn left(&self) -> Duration {
        let Some(expires_at) = self.principal.expires_at() else { return Duration::MAX };
        Duration::from_millis(expires_at.millis_since(self.app.clock.now()).max(0).unsigned_abs())
    }
}
