//! The scenarios and their shared code.

mod awaiting;
mod chat;
mod durable;
mod fanout;
mod idle;
mod ingest;
mod memory;
mod mixed;
mod paced;
mod returns;
mod sender;
mod slow;
mod storm;
mod trend;

use std::{ops::Range, sync::Arc};

use futures::{StreamExt as _, TryStreamExt as _};

use crate::{
    cli::{Cli, Options, Scenario},
    client::{Api, Session, SocketOptions, Target},
    fleet::{Fleet, FleetPlan, Group, LinkKind, Seat},
    live::Live,
    meter::Meter,
    problems::Problems,
    proc_stat::Process,
    progress::{self, Phase},
    report::Report,
    series::Sampler,
    stop::Stop,
};

/// Sessions created at one time.
const CREATING: usize = 16;

/// The shared state of every scenario.
struct Context {
    options: Options,
    target: Arc<Target>,
    /// The nodes for sockets: the same again unless others are named.
    others: Vec<Arc<Target>>,
    api: Arc<Api>,
    problems: Arc<Problems>,
    live: Arc<Live>,
    server: Option<Process>,
}

/// Runs the scenario that the command line names.
pub(crate) async fn run(cli: Cli) -> Result<Report, Stop> {
    let target = Arc::new(Target::new(&cli.options)?);
    let mut others: Vec<Arc<Target>> = Target::others(&cli.options)?.into_iter().map(Arc::new).collect();
    if others.is_empty() {
        others.push(Arc::clone(&target));
    }
    let live = Arc::new(Live::default());
    let context = Context {
        api: Arc::new(Api::new(Arc::clone(&target), cli.options.in_flight, &live)),
        problems: Arc::new(Problems::default()),
        live,
        server: cli.options.pid.map(Process::new).transpose().map_err(Stop::Tool)?,
        target,
        others,
        options: cli.options,
    };
    let warmup = match &cli.scenario {
        Scenario::Mixed(arguments) => Some(arguments.warmup),
        _ => None,
    };
    let sampler = Sampler::start(&context.live, &context.problems, context.server);
    let sampler = sampler.map_err(|error| Stop::Tool(error.into()))?;
    let mut report = match cli.scenario {
        Scenario::Idle(arguments) => idle::run(&context, arguments).await,
        Scenario::Fanout(arguments) => fanout::run(&context, &arguments).await,
        Scenario::Chat(arguments) => chat::run(&context, &arguments).await,
        Scenario::Storm(arguments) => storm::run(&context, &arguments).await,
        Scenario::Slow(arguments) => slow::run(&context, &arguments).await,
        Scenario::Mixed(arguments) => mixed::run(&context, &arguments).await,
        Scenario::Await(arguments) => awaiting::run(&context, arguments).await,
        Scenario::Ingest(arguments) => ingest::run(&context, arguments).await,
    }?;
    let series = sampler.stop();
    returns::report_peaks(&mut report, &series);
    if let Some(warmup) = warmup {
        trend::report_trend(&mut report, &series, mixed::PHASE, warmup);
    }
    report.series(series);
    progress::clear();
    report.judge(&context.problems);
    Ok(report)
}

impl Context {
    async fn create_sessions(&self, count: usize) -> Result<Arc<[Session]>, Stop> {
        let phase = Phase::start("sessions", count as u64);
        let sessions: Vec<Session> = futures::stream::iter(0..count)
            .map(|_| self.api.create_session())
            .buffer_unordered(CREATING)
            .inspect(|_| phase.advance(1))
            .try_collect()
            .await
            .map_err(|error| Stop::Hub(error.context("creating the sessions")))?;
        Ok(sessions.into())
    }

    /// Sockets of the key, on the nodes and the sessions in turn.
    fn seats(&self, sessions: &[Session], numbers: Range<usize>, group: Group) -> Vec<Seat> {
        let seat = |number: usize| {
            let target = &self.others[number % self.others.len()];
            Seat {
                number,
                session: number % sessions.len().max(1),
                group,
                target: Arc::clone(target),
                credential: target.credential().clone(),
                socket: self.socket_options(),
                link: LinkKind::Socket,
                habits: None,
            }
        };
        numbers.map(seat).collect()
    }

    async fn open_fleet(&self, sessions: &Arc<[Session]>, seats: Vec<Seat>, subscribe: bool) -> Result<Fleet, Stop> {
        let phase = Phase::start("sockets", seats.len() as u64);
        let plan = FleetPlan {
            sessions: Arc::clone(sessions),
            seats,
            subscribe,
            connecting: self.options.connecting,
            live: Arc::clone(&self.live),
        };
        Fleet::open(plan, &self.problems, &phase).await
    }

    fn socket_options(&self) -> SocketOptions {
        SocketOptions { read_buffer: self.options.read_buffer, receive_buffer: None }
    }

    fn meter(&self) -> Result<Meter, Stop> {
        Meter::start(self.server).map_err(Stop::Hub)
    }

    /// Memory of the hub in bytes, if `--pid` is given.
    fn server_memory(&self) -> Result<Option<u64>, Stop> {
        let memory = self.server.map(Process::pss).transpose();
        memory.map_err(|error| Stop::Hub(error.context("the hub's memory")))
    }
}
