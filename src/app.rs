//! The one place that puts the rooms together: picks a store and a broker, serves, drains.

use crate::audit::Audit;
use crate::auth::{Accounts, Attempts, Authenticator, Jwks, JwtConfig, JwtSecrets, Jwts, Secret};
use crate::broker::redis::Target;
use crate::broker::{Broker, LocalBroker, RedisBroker};
use crate::clock::{Clock, CorrectedClock};
use crate::config::{Config, Database, JwtSettings, Quotas, SignInLimit};
use crate::connections::{Connections, Descriptor, descriptors};
use crate::context::Context;
use crate::domain::CommittedEvent;
use crate::http;
use crate::hub::Hub;
use crate::jobs::{self, StoreClock};
use crate::metrics::Metrics;
use crate::net::web_origin::{AllowedOrigins, LocalAddress};
use crate::net::{ClientStream, Cutoff, HeadTimer};
use crate::room::Room;
use crate::space_bytes::SpaceBytes;
use crate::store::open::{OpenError, open};
use crate::store::{Store, StoreError};
use crate::supervisor::Supervisor;
use crate::timeline::Timeline;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;
use uuid::Uuid;

/// How long a connection may wait for a request: longer than the 60 seconds after which load balancers give up an idle
/// one, or they would send requests into connections that are being closed.
const IDLE_WITHIN: Duration = Duration::from_secs(90);
/// Largest head of a request, in bytes.
const MAX_HEAD: usize = 16 * 1024;

#[derive(Debug, Error)]
pub enum StartError {
    #[error("HILOOP_LISTEN: cannot listen on {address}: {source}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("cannot read the store: {0}")]
    Store(#[from] StoreError),
    #[error("HILOOP_JWKS_URL: {0}")]
    Jwks(reqwest::Error),
    #[error("HILOOP_METRICS_LISTEN: cannot listen on {address}: {source}")]
    MetricsListen { address: SocketAddr, source: io::Error },
    #[error("cannot set up the metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    #[error("REDIS_URL: {0}")]
    Redis(String),
}

/// A hub that serves.
pub struct Server {
    pub address: SocketAddr,
    /// Where `/metrics` is open, if it has a port of its own.
    pub metrics_address: Option<SocketAddr>,
    pub context: Arc<Context>,
    stopped: TaskTracker,
    /// Cancelled when there is nothing left to say about this hub.
    gone: CancellationToken,
}

/// Connections that may wait to be taken.
const BACKLOG: u32 = 1024;

/// A port that is this hub's and that nobody can connect to yet. It is bound before anything else happens, so that one
/// that is taken is noticed first; and it listens only when there is somebody to answer, so that a proxy goes elsewhere
/// until then.
struct Port {
    socket: TcpSocket,
    wanted: SocketAddr,
    address: SocketAddr,
    failed: fn(SocketAddr, io::Error) -> StartError,
}

impl Port {
    fn bind(wanted: SocketAddr, failed: fn(SocketAddr, io::Error) -> StartError) -> Result<Self, StartError> {
        let bind = || {
            let socket = if wanted.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
            socket.set_reuseaddr(true)?;
            socket.bind(wanted)?;
            let address = socket.local_addr()?;
            Ok((socket, address))
        };
        let (socket, address) = bind().map_err(|error| failed(wanted, error))?;
        Ok(Self { socket, wanted, address, failed })
    }

    fn listen(self) -> Result<TcpListener, StartError> {
        self.socket.listen(BACKLOG).map_err(|error| (self.failed)(self.wanted, error))
    }
}

/// The store, the authenticator and the accounts: what commands need that do not serve.
pub struct Rooms {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub authenticator: Arc<Authenticator>,
    pub accounts: Accounts,
    pub audit: Arc<Audit>,
}

/// Opens the store and what stands on it.
pub async fn rooms(
    database: &Database,
    jwt: &JwtSettings,
    sign_in_limit: Option<SignInLimit>,
    quotas: Quotas,
    clock: Arc<dyn Clock>,
) -> Result<Rooms, StartError> {
    let store = open(database).await?;
    // What fetches an issuer's keys needs one. Only fails if one is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let kept = store.setting_or("jwt_secret", Secret::generate("").as_str()).await?;
    let secrets = JwtSecrets::new(&kept, jwt.jwt_secret.as_deref());
    let jwks = jwt.jwks_url.clone().map(Jwks::new).transpose().map_err(StartError::Jwks)?;
    let config = JwtConfig { issuer: jwt.jwt_issuer.clone(), audience: jwt.jwt_audience.clone() };
    let jwts = Jwts::new(secrets, config, jwks);
    let attempts = Arc::new(Attempts::new(sign_in_limit, Arc::clone(&clock)));
    let authenticator = Arc::new(Authenticator::new(
        Arc::clone(&store),
        Arc::clone(&clock),
        jwts,
        jwt.jwt_space.clone(),
        Arc::clone(&attempts),
        quotas,
    ));
    let audit = Arc::new(Audit::new(Arc::clone(&store), Arc::clone(&clock)));
    let accounts =
        Accounts::new(Arc::clone(&store), Arc::clone(&clock), Arc::clone(&authenticator), attempts, Arc::clone(&audit));
    Ok(Rooms { store, clock, authenticator, accounts, audit })
}

/// Starts a hub as its settings say.
pub async fn start(config: Config) -> Result<Server, StartError> {
    start_at(config, Arc::<CorrectedClock>::default()).await
}

/// Starts a hub as its settings say, with a clock of the caller's.
pub async fn start_at(config: Config, clock: Arc<dyn Clock>) -> Result<Server, StartError> {
    launch(config, clock, None).await
}

/// Starts a hub with a clock and a broker of the caller's; returns once it accepts connections.
pub async fn start_with(config: Config, clock: Arc<dyn Clock>, broker: Arc<dyn Broker>) -> Result<Server, StartError> {
    launch(config, clock, Some(broker)).await
}

/// The broker that the settings ask for. Redis may be away: then the hub starts without it, and connects later.
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
    let for_metrics = config
        .metrics_listen
        .map(|address| Port::bind(address, |address, source| StartError::MetricsListen { address, source }));
    let for_metrics = for_metrics.transpose()?;
    let metrics = Arc::new(Metrics::new()?);
    let supervisor = Supervisor::new(Arc::clone(&metrics));

    let rooms = rooms(&config.database, &config.jwt, config.sign_in_limit, config.quotas, clock).await?;
    let broker = match broker_given {
        Some(broker) => broker,
        None => broker(redis, &*rooms.store, &supervisor).await?,
    };
    // Before anything goes by it.
    let clock_comparison = StoreClock::compare(&*rooms.store, &*rooms.clock, &metrics).await;
    let (most, in_use) = descriptors();
    // Those of the store are opened as they are needed.
    let in_use = in_use + config.database.connections as usize;
    let connections = Connections::new(config.connection_limit, most, in_use);
    let hub = Hub::start(
        &rooms.store,
        Arc::clone(&broker),
        Arc::clone(&rooms.clock),
        Arc::clone(&metrics),
        Arc::clone(&connections),
        Arc::clone(rooms.authenticator.revoked()),
        &supervisor,
    );
    let revoker = Arc::clone(&hub);
    rooms.accounts.on_revocation(move |ids| revoker.revoke(ids));
    let publisher = Arc::clone(&hub);
    let space_bytes = SpaceBytes::start(config.quotas.space_bytes, &rooms.store, &supervisor);
    let counter = space_bytes.clone();
    let on_commit = Arc::new(move |events: &[CommittedEvent]| {
        counter.added(events);
        publisher.publish(events);
    });
    let doubtful = Arc::clone(&hub);
    let on_doubt = Arc::new(move || doubtful.note_in_doubt());
    let (store, clock) = (Arc::clone(&rooms.store), Arc::clone(&rooms.clock));
    let timeline = Timeline::start(store, clock, Arc::clone(&metrics), on_commit, on_doubt, &supervisor);
    let context = Arc::new(Context {
        room: Room::new(config.max_body_bytes),
        config,
        store: rooms.store,
        clock: rooms.clock,
        hub,
        broker,
        timeline,
        space_bytes,
        authenticator: rooms.authenticator,
        accounts: rooms.accounts,
        audit: rooms.audit,
        metrics,
        supervisor: supervisor.clone(),
        connections,
        draining: CancellationToken::new(),
    });
    let listener = port.listen()?;
    let for_metrics = for_metrics.map(|port| Ok::<_, StartError>((port.address, port.listen()?))).transpose()?;
    jobs::start(&context, clock_comparison);
    let stopped = TaskTracker::new();
    let router = http::router(Arc::clone(&context));
    let connections = Arc::clone(&context.connections);
    let (ending, tasks, stalled_after) = (context.draining.clone(), stopped.clone(), context.config.stalled_after);
    let accept = Accept { listener, router, ending, tasks, connections, stalled_after };
    stopped.spawn(supervisor.clone().watch("accept", accept, |accept| Box::pin(accept.run())));
    let gone = CancellationToken::new();
    let metrics_address = for_metrics.map(|(address, listener)| {
        tracing::info!(%address, "metrics are open");
        let router = http::ops_router(Arc::clone(&context));
        // Apart from the others: whoever watches is no reason to wait, and may watch to the end.
        let (ending, tasks, connections) = (gone.clone(), TaskTracker::new(), Arc::clone(&context.connections));
        let accept = Accept { listener, router, ending, tasks, connections, stalled_after };
        supervisor.spawn("metrics listener", accept, |accept| Box::pin(accept.run()));
        address
    });
    Ok(Server { address, metrics_address, context, stopped, gone })
}

impl Server {
    /// Drains: no new connections, long-polls answered, sockets told to go elsewhere, what is under way finished;
    /// all within the grace time.
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
            tracing::warn!("some connections did not end within the grace time");
        }
        self.context.broker.close().await;
        self.context.store.close().await;
        self.gone.cancel();
    }
}

/// Takes connections until `ending`, which also has those that are there finish what they do.
struct Accept {
    listener: TcpListener,
    router: axum::Router,
    ending: CancellationToken,
    tasks: TaskTracker,
    connections: Arc<Connections>,
    /// How long a client may take nothing of a reply.
    stalled_after: Duration,
}

impl Accept {
    async fn run(&mut self) {
        loop {
            let (stream, peer) = tokio::select! {
                () = self.ending.cancelled() => return,
                accepted = self.listener.accept() => match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        // Out of descriptors, most likely: wait for some to come back.
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                },
            };
            // Small frames go out at once.
            let _ = stream.set_nodelay(true);
            let descriptor = self.connections.accepted();
            let (router, ending, stalled_after) = (self.router.clone(), self.ending.clone(), self.stalled_after);
            self.tasks.spawn(serve(stream, peer, router, ending, stalled_after, descriptor));
        }
    }
}

async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    router: axum::Router,
    ending: CancellationToken,
    stalled_after: Duration,
    _descriptor: Descriptor,
) {
    let cutoff = Cutoff::default();
    let of_requests = cutoff.clone();
    let reached = stream.local_addr().ok().map(LocalAddress);
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        // That of the reply before is none of this one's.
        of_requests.clear();
        request.extensions_mut().insert(of_requests.clone());
        request.extensions_mut().insert(ConnectInfo(peer));
        if let Some(reached) = reached {
            request.extensions_mut().insert(reached);
        }
        router.clone().oneshot(request.map(axum::body::Body::new))
    });
    let head_timer = HeadTimer::default();
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(head_timer.clone())
        .header_read_timeout(IDLE_WITHIN)
        .max_buf_size(MAX_HEAD)
        // That a client has gone while its request is at work is noticed by `ClientStream`.
        .half_close(true)
        .serve_connection(TokioIo::new(ClientStream::new(stream, head_timer, stalled_after, cutoff)), service)
        .with_upgrades();
    tokio::pin!(connection);
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = ending.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "a connection ended badly");
    }
}
