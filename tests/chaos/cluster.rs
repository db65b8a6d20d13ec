//! Three nodes of the built program over their own PostgreSQL and Redis, and the faults that are injected.

use super::history::History;
use crate::support::process::{Process, hiloop};
use crate::support::{Client, Port, Postgres, Redis};
use rand::seq::SliceRandom;
use rand::{Rng, rngs::StdRng};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::task::{JoinHandle, block_in_place, spawn_blocking};
use tokio::time::{sleep, sleep_until};

pub const NODES: usize = 3;
/// How long a supervisor waits before it starts a node again, and how long it may take until the node runs.
const AGAIN: Duration = Duration::from_millis(200);
const START_WITHIN: Duration = Duration::from_secs(30);

pub struct Cluster {
    nodes: Vec<Node>,
    /// The addresses of the nodes.
    ports: Vec<Port>,
    postgres: Postgres,
    redis: Redis,
    url: String,
    folder: TempDir,
}

enum Node {
    Runs(Process),
    /// Its supervisor restarts it until it runs.
    Starts(JoinHandle<Process>),
    Killed,
}

/// A fault of one component, and its repair.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// SIGKILL of a node, and its start.
    Kill(usize),
    /// SIGSTOP of a node.
    Stop(usize),
    KillRedis,
    PauseRedis,
    CutRedis(&'static str),
    EndPostgres {
        crash: bool,
    },
}

/// A fault with its start and duration.
struct Planned {
    at: Duration,
    hold: Duration,
    fault: Fault,
}

/// The faults of one round. The components are independent: a node may start while Redis or PostgreSQL is
/// away.
fn plan(random: &mut StdRng) -> Vec<Planned> {
    let mut faults = Vec::new();
    let mut nodes: Vec<usize> = (0..NODES).collect();
    nodes.shuffle(random);
    let hit = match random.gen_range(0..10) {
        0..=3 => 1,
        4..=6 => 2,
        _ => 0,
    };
    for node in nodes.into_iter().take(hit) {
        if random.gen_range(0..3) == 0 {
            // Long enough for the others to detect that it does not respond.
            faults.push((Fault::Stop(node), 5_000));
        } else {
            faults.push((Fault::Kill(node), random.gen_range(100..2_500)));
        }
    }
    let hold = random.gen_range(100..3_000);
    match random.gen_range(0..8) {
        0..=1 => faults.push((Fault::KillRedis, hold)),
        2 => faults.push((Fault::PauseRedis, hold)),
        3 => faults.push((Fault::CutRedis("pubsub"), 0)),
        4 => faults.push((Fault::CutRedis("normal"), 0)),
        _ => {}
    }
    let crash = random.gen_bool(0.5);
    match random.gen_range(0..8) {
        // As quickly as it restarts.
        0 => faults.push((Fault::EndPostgres { crash }, 0)),
        1 => faults.push((Fault::EndPostgres { crash }, random.gen_range(1_000..4_000))),
        _ => {}
    }
    let planned = faults.into_iter().map(|(fault, hold)| Planned {
        at: Duration::from_millis(random.gen_range(0..800)),
        hold: Duration::from_millis(hold),
        fault,
    });
    planned.collect()
}

impl Cluster {
    pub async fn start() -> Self {
        let (postgres, redis) = (Postgres::start(), Redis::start().await);
        let url = postgres.new_database();
        let folder = tempfile::tempdir().expect("a folder");
        let ports = std::iter::repeat_with(Port::reserve).take(NODES).collect();
        let mut cluster = Self { nodes: Vec::new(), ports, postgres, redis, url, folder };
        for node in 0..NODES {
            let process = Process::spawn(&mut cluster.command(node));
            cluster.nodes.push(Node::Runs(process));
        }
        cluster
    }

    fn command(&self, node: usize) -> Command {
        let log = self.folder.path().join(format!("node-{node}.log"));
        let log = std::fs::File::options().create(true).append(true).open(log).expect("a log file");
        let mut command = hiloop(self.folder.path());
        command.env("DATABASE_URL", &self.url).env("REDIS_URL", self.redis.url());
        command.env("HILOOP_LISTEN", self.ports[node].address()).stderr(Stdio::from(log));
        command
    }

    /// The owner key that the very first start printed.
    pub fn owner(&self) -> Client {
        let Node::Runs(process) = &self.nodes[0] else { panic!("it runs") };
        process.owner()
    }

    /// The base URL of every node; they keep their addresses.
    pub fn bases(&self) -> Vec<String> {
        self.ports.iter().map(|port| format!("http://{}", port.address())).collect()
    }

    /// Injects a fault, and repairs it.
    pub async fn suffer(&mut self, random: &mut StdRng, history: &History) {
        let mut steps = Vec::new();
        for Planned { at, hold, fault } in plan(random) {
            steps.push((at, fault, true));
            steps.push((at + hold, fault, false));
        }
        steps.sort_by_key(|(at, _, _)| *at);
        let began = tokio::time::Instant::now();
        for (at, fault, begins) in steps {
            sleep_until(began + at).await;
            if begins {
                self.strike(fault, history).await;
            } else {
                self.mend(fault).await;
            }
        }
        for node in 0..NODES {
            if let Node::Starts(start) = &mut self.nodes[node] {
                let process = tokio::time::timeout(START_WITHIN, start).await.expect("the node starts in time");
                self.nodes[node] = Node::Runs(process.expect("its supervisor"));
            }
        }
        history.calm();
    }

    async fn strike(&mut self, fault: Fault, history: &History) {
        history.fault(&format!("{fault:?}"));
        match fault {
            Fault::Kill(node) => self.nodes[node] = Node::Killed,
            Fault::Stop(node) => self.signal(node, "-STOP"),
            Fault::KillRedis => self.redis.kill(),
            Fault::PauseRedis => self.redis.pause(),
            Fault::CutRedis(kind) => drop(self.redis.try_command(&["CLIENT", "KILL", "TYPE", kind]).await),
            Fault::EndPostgres { crash: true } => block_in_place(|| self.postgres.crash()),
            Fault::EndPostgres { crash: false } => block_in_place(|| self.postgres.stop()),
        }
        history.note("", format!("{fault:?} is there"));
    }

    async fn mend(&mut self, fault: Fault) {
        match fault {
            Fault::Kill(node) => {
                let mut command = self.command(node);
                self.nodes[node] = Node::Starts(spawn_blocking(move || supervise(&mut command)));
            }
            Fault::Stop(node) => self.signal(node, "-CONT"),
            Fault::KillRedis => self.redis.revive().await,
            Fault::PauseRedis => self.redis.resume(),
            Fault::CutRedis(_) => {}
            Fault::EndPostgres { .. } => block_in_place(|| self.postgres.revive()),
        }
    }

    /// Some time without faults.
    pub async fn rest(&self, random: &mut StdRng, is_long: bool) {
        let millis = if is_long { random.gen_range(6_500..7_500) } else { random.gen_range(0..1_500) };
        sleep(Duration::from_millis(millis)).await;
    }

    fn signal(&self, node: usize, signal: &str) {
        let Node::Runs(process) = &self.nodes[node] else { panic!("it runs") };
        let sent = Command::new("kill").args([signal, &process.pid().to_string()]).status().expect("kill runs");
        assert!(sent.success());
    }

    /// The logs of the nodes.
    pub fn logs(&self) -> String {
        let read = |node| std::fs::read_to_string(self.folder.path().join(format!("node-{node}.log")));
        (0..NODES).map(|node| read(node).unwrap_or_default()).collect()
    }
}

/// Restarts a node until it runs: it exits while PostgreSQL is unavailable.
fn supervise(command: &mut Command) -> Process {
    let until = Instant::now() + START_WITHIN;
    loop {
        match Process::try_spawn(command) {
            Ok(process) => return process,
            Err(output) => assert!(Instant::now() < until, "the node starts, not {output:?}"),
        }
        std::thread::sleep(AGAIN);
    }
}
