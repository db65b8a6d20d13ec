//! A broker that loses everything.

use hiloop::broker::{Broker, Signal};
use hiloop::domain::{SessionId, SpaceId};

/// Drops every signal, so that only the store shows changes.
pub struct SilentBroker;

impl Broker for SilentBroker {
    fn publish(&self, _: Signal) {}

    fn set_interest(&self, _: SessionId, _: bool) {}

    fn set_space_interest(&self, _: SpaceId, _: bool) {}

    fn is_lossless(&self) -> bool {
        false
    }
}
