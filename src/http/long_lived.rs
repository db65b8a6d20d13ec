//! Requests that wait, long-polls and event streams: they end with the credential that they came with (contract
//! section 2), at its `expiresAt` or as soon as it is revoked, and when the node drains.

use super::App;
use crate::domain::{Principal, Refusal};
use crate::hub::Attendance;
use futures::FutureExt as _;
use std::sync::Arc;
use std::time::Duration;

/// Longest sleep before the clock is looked at again: it may be set right meanwhile.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(60 * 60);

/// A request that waits. To be made before the store is asked for what is waited for.
pub(super) struct LongLived {
    app: App,
    principal: Arc<Principal>,
    attendance: Attendance,
}

impl LongLived {
    /// Refused if the credential has too many of them already.
    pub(super) fn begin(app: &App, principal: &Arc<Principal>) -> Result<Self, Refusal> {
        let attendance = app.hub.attend(Arc::clone(principal))?;
        Ok(Self { app: Arc::clone(app), principal: Arc::clone(principal), attendance })
    }

    /// Refuses to go on, and to answer, once the credential has ended.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        if self.left().is_zero() {
            return Err(Refusal::Expired("The credential has expired".to_owned()));
        }
        if self.attendance.is_revoked() {
            return Err(Refusal::Unauthorized("The credential is not valid any more".to_owned()));
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
                    left => tokio::time::sleep(left.min(LOOK_AGAIN_AFTER)).await,
                }
            }
        };
        tokio::select! {
            biased;
            () = self.attendance.ended() => {}
            () = expiry, if self.principal.expires_at().is_some() => {}
        }
        self.check()
    }

    /// Whether it must not go on, for whatever reason.
    pub(super) fn has_ended(&self) -> bool {
        self.left().is_zero() || self.attendance.ended().now_or_never().is_some()
    }

    /// How long the credential still holds.
    pub(super) fn left(&self) -> Duration {
        let Some(expires_at) = self.principal.expires_at() else { return Duration::MAX };
        Duration::from_millis(expires_at.millis_since(self.app.clock.now()).max(0).unsigned_abs())
    }
}
