//! The server: wires store, broker, live side and listeners together, serves, and drains.

mod accept;
mod backend;
mod error;
mod port;

use crate::broker::redis::Target;
use crate::broker::{Broker, LocalBroker, RedisBroker};
use crate::clock::{Clock, CorrectedClock};
use crate::config::Config;
use crate::context::Context;
use crate::domain::CommittedEvent;
use crate::http;
use crate::hub::Hub;
use crate::jobs::{self, StoreClock};
use crate::limits::connections::descriptors;
use crate::limits::{BodyMemory, Connections};
use crate::metrics::Metrics;
use crate::net::web_origin::AllowedOrigins;
use crate::store::Store;
use crate::supervisor::Supervisor;
use crate::timeline::{SpaceBytes, Timeline};
use accept::Accept;
pub use backend::Backend;
pub use error::StartError;
use port::Port;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// A running hub.
pub struct Server {
    pub address: SocketAddr,
    /// The address of `/metrics`, if it has a port of its own.
    pub metrics_address: Option<SocketAddr>,
    pub context: Arc<Context>,
    stopped: TaskTracker,
    /// Cancelled when the hub has stopped; ends the listener of `/metrics`.
    gone: CancellationToken,
}

/// Starts a hub; returns once it accepts connections.
pub async fn start(config: Config) -> Result<Server, StartError> {
    start_at(config, Arc::<CorrectedClock>::default()).await
}

/// Starts a hub with the caller's clock.
pub async fn start_at(config: Config, clock: Arc<dyn Clock>) -> Result<Server, StartError> {
    launch(config, clock, None).await
}

/// Starts a hub with the caller's clock and broker.
pub async fn start_with(config: Config, clock: Arc<dyn Clock>, broker: Arc<dyn Broker>) -> Result<Server, StartError> {
    launch(config, clock, Some(broker)).await
}

/// The broker for the settings. If Redis is unavailable, the hub starts without it and connects later.
async fn broker(
    redis: Option<Target>,
    store: &dyn Store,
    supervisor: &Supervisor,
) -> Result<Arc<dyn Broker>, StartError> {
    let Some(target) = redis else { return Ok(Arc::new(LocalBroker)) };
    let id = store.setting_or("store_id", &Uuid::now_v7().to_string()).await?;
    let broker = RedisBroker::new(target, &id, supervisor.clone());
    broker.check().await.map_err(StartError::Redis)?;
    Ok(Arc::new(broker))
}

async fn launch(
    mut config: Config,
    clock: Arc<dyn Clock>,
    broker_given: Option<Arc<dyn Broker>>,
) -> Result<Server, StartError> {
    let redis = config.redis_url.as_deref().map(Target::parse).transpose().map_err(StartError::Redis)?;
    let port = Port::bind(config.listen, |address, source| StartError::Listen { address, source })?;
    let address = port.address;
    config.allowed_origins = AllowedOrigins::new(config.public_url.as_deref(), &config.cors_origins, address);
    config.public_url.get_or_insert_with(|| format!("http://{address}"));
    let metrics_port = config
        .metrics_listen
        .map(|address| Port::bind(address, |address, source| StartError::MetricsListen { address, source }));
    let metrics_port = metrics_port.transpose()?;
    let metrics = Arc::new(Metrics::new()?);
    let supervisor = Supervisor::new(Arc::clone(&metrics));

    let backend = Backend::open(&config.database, &config.jwt, config.sign_in_limit, config.quotas, clock).await?;
    let broker = match broker_given {
        Some(broker) => broker,
        None => broker(redis, &*backend.store, &supervisor).await?,
    };
    // Before anything uses the clock.
    let clock_comparison = StoreClock::compare(&*backend.store, &*backend.clock, &metrics).await;
    let (limit, in_use) = descriptors();
    // Database connections are opened on demand.
    let in_use = in_use + config.database.connections as usize;
    let connections = Connections::new(config.connection_limit, limit, in_use);
    let hub = Hub::start(
        &backend.store,
        Arc::clone(&broker),
        Arc::clone(&backend.clock),
        Arc::clone(&metrics),
        Arc::clone(&connections),
        Arc::clone(backend.authenticator.revoked()),
        &supervisor,
    );
    let revoker = Arc::clone(&hub);
    backend.accounts.on_revocation(move |ids| revoker.revoke(ids));
    let publisher = Arc::clone(&hub);
    let space_bytes = SpaceBytes::start(config.quotas.space_bytes, &backend.store, &supervisor);
    let counter = space_bytes.clone();
    let on_commit = Arc::new(move |events: &[CommittedEvent]| {
        counter.added(events);
        publisher.publish(events);
    });
    let doubtful = Arc::clone(&hub);
    let on_doubt = Arc::new(move || doubtful.note_in_doubt());
    let (store, clock) = (Arc::clone(&backend.store), Arc::clone(&backend.clock));
    let timeline = Timeline::start(store, clock, Arc::clone(&metrics), on_commit, on_doubt, &supervisor);
    let context = Arc::new(Context {
        body_memory: BodyMemory::new(config.max_body_bytes),
        config,
        store: backend.store,
        clock: backend.clock,
        hub,
        broker,
        timeline,
        space_bytes,
        authenticator: backend.authenticator,
        accounts: backend.accounts,
        audit: backend.audit,
        metrics,
        supervisor: supervisor.clone(),
        connections,
        draining: CancellationToken::new(),
    });
    let listener = port.listen()?;
    let metrics_listener = metrics_port.map(|port| Ok::<_, StartError>((port.address, port.listen()?))).transpose()?;
    jobs::start(&context, clock_comparison);
    let stopped = TaskTracker::new();
    let router = http::router(Arc::clone(&context));
    let connections = Arc::clone(&context.connections);
    let (draining, tasks, stalled_after) = (context.draining.clone(), stopped.clone(), context.config.stalled_after);
    let accept = Accept { listener, router, draining, tasks, connections, stalled_after };
    stopped.spawn(supervisor.clone().watch("accept", accept, |accept| Box::pin(accept.run())));
    let gone = CancellationToken::new();
    let metrics_address = metrics_listener.map(|(address, listener)| {
        tracing::info!(%address, "serving /metrics");
        let router = http::ops_router(Arc::clone(&context));
        // With a tracker of its own: monitoring connections do not delay a shutdown, and are served to its end.
        let (draining, tasks, connections) = (gone.clone(), TaskTracker::new(), Arc::clone(&context.connections));
        let accept = Accept { listener, router, draining, tasks, connections, stalled_after };
        supervisor.spawn("metrics listener", accept, |accept| Box::pin(accept.run()));
        address
    });
    Ok(Server { address, metrics_address, context, stopped, gone })
}

impl Server {
    /// Drains and stops: accepts no new connections, answers long-polls, closes sockets with the code for a restart, and
    /// finishes requests, all within the graceful shutdown timeout.
    pub async fn stop(self) {
        self.context.draining.cancel();
        self.context.hub.drain();
        self.stopped.close();
        let ended = async {
            self.stopped.wait().await;
            let mut check = tokio::time::interval(Duration::from_millis(20));
            while self.context.hub.connection_count() > 0 {
                check.tick().await;
            }
        };
        if tokio::time::timeout(self.context.config.grace, ended).await.is_err() {
            tracing::warn!("some connections did not end within the graceful shutdown timeout");
        }
        self.context.broker.close().await;
        self.context.store.close().await;
        self.gone.cancel();
    }
}
