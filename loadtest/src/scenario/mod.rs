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
mod ramp;
mod returns;
mod sender;
mod slow;
mod storm;
mod sweep;
mod trend;

use std::{ops::Range, sync::Arc};

use futures::{StreamExt as _, TryStreamExt as _};

use crate::{
    cli::{Cli, Options, Scenario},
    client::{Api, Session, SocketOptions, Target},
    fleet::{self, Division, Fleet, FleetPlan, Group, LinkKind, Seat},
    live::Live,
    meter::Meter,
    problems::Problems,
    proc_stat::Processes,
    progress::{self, Phase},
    report::Report,
    series::Sampler,
    simulate,
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
    server: Option<Processes>,
}

/// Runs the scenario that the command line names.
pub(crate) async fn run(cli: Cli) -> Result<Report, Stop> {
    if cli.options.processes > 1 && !cli.scenario.divides() {
        return Err(Stop::Usage(format!("--processes is not for `{}`", cli.scenario.name())));
    }
    if let Scenario::Simulate(arguments) = &cli.scenario {
        return Ok(simulate::run(arguments));
    }
    let context = Context::new(cli.options)?;
    let warmup = match &cli.scenario {
        Scenario::Mixed(arguments) => Some(arguments.warmup),
        _ => None,
    };
    let sampler = Sampler::start(&context.live, &context.problems, context.server.clone());
    let sampler = sampler.map_err(|error| Stop::Tool(error.into()))?;
    let ended = match cli.scenario {
        Scenario::Idle(arguments) => idle::run(&context, arguments).await,
        Scenario::Fanout(arguments) => fanout::run(&context, &arguments).await,
        Scenario::Chat(arguments) => chat::run(&context, &arguments).await,
        Scenario::Storm(arguments) => storm::run(&context, &arguments).await,
        Scenario::Slow(arguments) => slow::run(&context, &arguments).await,
        Scenario::Mixed(arguments) => mixed::run(&context, &arguments).await,
        Scenario::Await(arguments) => awaiting::run(&context, arguments).await,
        Scenario::Ingest(arguments) => ingest::run(&context, arguments).await,
        Scenario::Simulate(arguments) => Ok(simulate::run(&arguments)),
        Scenario::Sweep(arguments) => sweep::run(&context, &arguments).await,
    };
    let series = sampler.stop();
    progress::clear();
    let mut report = ended?;
    returns::report_peaks(&mut report, &series);
    if let Some(warmup) = warmup {
        trend::report_trend(&mut report, &series, mixed::PHASE, warmup);
    }
    report.series(series);
    report.judge(&context.problems);
    Ok(report)
}

/// Opens sockets for another process, and does what it says.
pub(crate) async fn work(options: Options) -> Result<(), Stop> {
    let context = Context::new(options)?;
    let open = |sessions: Arc<[Session]>, groups: Vec<(Range<usize>, Group)>, subscribe| {
        let context = &context;
        async move { context.open_fleet(&sessions, &groups, subscribe).await }
    };
    fleet::run_worker(&context.problems, open).await
}

impl Context {
    fn new(options: Options) -> Result<Self, Stop> {
        let target = Arc::new(Target::new(&options)?);
        let mut others: Vec<Arc<Target>> = Target::others(&options)?.into_iter().map(Arc::new).collect();
        if others.is_empty() {
            others.push(Arc::clone(&target));
        }
        let live = Arc::new(Live::default());
        Ok(Self {
            api: Arc::new(Api::new(Arc::clone(&target), options.in_flight, &live)),
            problems: Arc::new(Problems::default()),
            live,
            server: Processes::new(&options.pid).map_err(Stop::Tool)?,
            target,
            others,
            options,
        })
    }

    async fn create_sessions(&self, count: usize) -> Result<Arc<[Session]>, Stop> {
        self.create_sessions_by(CREATING, count).await
    }

    /// The same with so many requests at one time.
    async fn create_sessions_by(&self, writers: usize, count: usize) -> Result<Arc<[Session]>, Stop> {
        let phase = Phase::start("sessions", count as u64);
        let sessions: Vec<Session> = futures::stream::iter(0..count)
            .map(|_| self.api.create_session())
            .buffer_unordered(writers)
            .inspect(|_| phase.advance(1))
            .try_collect()
            .await
            .map_err(|error| Stop::Hub(error.context("creating the sessions")))?;
        Ok(sessions.into())
    }

    /// Sockets of the key, on the nodes and the sessions in turn: those of them that this process opens.
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
        let (part, processes) = (self.options.worker_part.unwrap_or_default(), self.options.processes);
        numbers.filter(|number| number % processes == part).map(seat).collect()
    }

    /// Opens sockets of the key, in this process and its workers.
    async fn open_fleet(
        &self,
        sessions: &Arc<[Session]>,
        groups: &[(Range<usize>, Group)],
        subscribe: bool,
    ) -> Result<Fleet, Stop> {
        let seats = groups.iter().flat_map(|(numbers, group)| self.seats(sessions, numbers.clone(), *group)).collect();
        let processes = self.options.processes;
        let division = (processes > 1 && self.options.worker_part.is_none())
            .then(|| Division { processes, groups: groups.to_vec() });
        let sockets = groups.iter().map(|(numbers, _)| numbers.len()).sum();
        self.open(sessions, seats, sockets, subscribe, division).await
    }

    /// Opens any sockets, in this process.
    async fn open_seats(&self, sessions: &Arc<[Session]>, seats: Vec<Seat>, subscribe: bool) -> Result<Fleet, Stop> {
        let sockets = seats.len();
        self.open(sessions, seats, sockets, subscribe, None).await
    }

    async fn open(
        &self,
        sessions: &Arc<[Session]>,
        seats: Vec<Seat>,
        sockets: usize,
        subscribe: bool,
        division: Option<Division>,
    ) -> Result<Fleet, Stop> {
        let phase = Phase::start("sockets", sockets as u64);
        let plan = FleetPlan {
            sessions: Arc::clone(sessions),
            seats,
            subscribe,
            connecting: self.options.connecting,
            live: Arc::clone(&self.live),
            division,
        };
        Fleet::open(plan, &self.problems, &phase).await
    }

    fn socket_options(&self) -> SocketOptions {
        SocketOptions { read_buffer: self.options.read_buffer, receive_buffer: None }
    }

    fn meter(&self) -> Result<Meter, Stop> {
        Meter::start(self.server.as_ref(), &self.live).map_err(Stop::Hub)
    }

    /// Memory of the hub in bytes, if `--pid` is given.
    fn server_memory(&self) -> Result<Option<u64>, Stop> {
        let memory = self.server.as_ref().map(Processes::pss).transpose();
        memory.map_err(|error| Stop::Hub(error.context("the hub's memory")))
    }
}
