//! The broker of a single node, which has no other nodes to send to.

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
