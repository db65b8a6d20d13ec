//! The broker of a hub that is a single node: there is nobody else to tell.

use super::{Broker, Signal};
use crate::domain::{SessionId, SpaceId};

#[derive(Debug, Default)]
pub struct LocalBroker;

impl Broker for LocalBroker {
    fn publish(&self, _signal: Signal) {}

    fn set_interest(&self, _session: SessionId, _interested: bool) {}

    fn set_space_interest(&self, _space: SpaceId, _interested: bool) {}

    fn is_lossless(&self) -> bool {
        true
    }
}
