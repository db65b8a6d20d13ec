//! The shared state of handlers, sockets and jobs, which lives as long as the server.

use crate::audit::Audit;
use crate::auth::{Accounts, Authenticator};
use crate::broker::Broker;
use crate::clock::Clock;
use crate::config::Config;
use crate::hub::Hub;
use crate::limits::{BodyMemory, Connections};
use crate::metrics::Metrics;
use crate::store::Store;
use crate::supervisor::Supervisor;
use crate::timeline::{SpaceBytes, Timeline};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Everything that lives as long as the server.
pub struct Context {
    pub config: Config,
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub hub: Arc<Hub>,
    pub broker: Arc<dyn Broker>,
    pub timeline: Timeline,
    pub space_bytes: SpaceBytes,
    pub authenticator: Arc<Authenticator>,
    pub accounts: Accounts,
    pub audit: Arc<Audit>,
    pub metrics: Arc<Metrics>,
    pub body_memory: BodyMemory,
    pub supervisor: Supervisor,
    pub connections: Arc<Connections>,
    /// Cancelled when the server begins to drain.
    pub draining: CancellationToken,
}

/// The state of every handler and socket.
pub type App = Arc<Context>;
