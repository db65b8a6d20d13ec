//! Three nodes of the built program over a PostgreSQL and a Redis of their own, and what can happen to them.

use super::history::History;
use crate::support::process::{Process, hiloop};
use crate::support::{Client, Postgres, Redis};
use rand::seq::SliceRandom;
use rand::{Rng, rngs::StdRng};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

pub const NODES: usize = 3;

pub struct Cluster {
    nodes: Vec<Option<Process>>,
    addresses: Vec<String>,
    postgres: Postgres,
    redis: Redis,
    url: String,
    folder: TempDir,
}

/// What may happen at one time; the parts are independent of each other.
struct Plan {
    node: Option<NodeFault>,
    redis: Option<RedisFault>,
    restart_postgres: bool,
    hold: Duration,
}

enum NodeFault {
    Kill(usize),
    Stop(usize),
}

enum RedisFault {
    Kill,
    Pause,
    Cut(&'static str),
}

impl Plan {
    fn new(random: &mut StdRng) -> Self {
        let node = random.gen_range(0..NODES);
        let kind = random.gen_range(0..10);
        Self {
            node: match kind {
                0..=3 => Some(NodeFault::Kill(node)),
                4..=5 => Some(NodeFault::Stop(node)),
                _ => None,
            },
            redis: match random.gen_range(0..8) {
                0..=1 => Some(RedisFault::Kill),
                2 => Some(RedisFault::Pause),
                3 => Some(RedisFault::Cut("pubsub")),
                4 => Some(RedisFault::Cut("normal")),
                _ => None,
            },
            restart_postgres: random.gen_range(0..6) == 0,
            hold: match kind {
                // Long enough for the others to notice that it does not answer.
                4..=5 => Duration::from_secs(5),
                _ => Duration::from_millis(random.gen_range(100..2500)),
            },
        }
    }
}

impl Cluster {
    pub async fn start() -> Self {
        let (postgres, redis) = (Postgres::start(), Redis::start().await);
        let url = postgres.new_database();
        let folder = tempfile::tempdir().expect("a folder");
        let mut cluster = Self { nodes: Vec::new(), addresses: Vec::new(), postgres, redis, url, folder };
        for node in 0..NODES {
            let process = cluster.spawn(node, "127.0.0.1:0");
            cluster.addresses.push(process.address().to_owned());
            cluster.nodes.push(Some(process));
        }
        cluster
    }

    fn spawn(&self, node: usize, listen: &str) -> Process {
        let log = Path::new(self.folder.path()).join(format!("node-{node}.log"));
        let log = std::fs::File::options().create(true).append(true).open(log).expect("a log file");
        let mut command = hiloop(self.folder.path());
        command.env("DATABASE_URL", &self.url).env("REDIS_URL", self.redis.url());
        Process::spawn(command.env("HILOOP_LISTEN", listen).stderr(Stdio::from(log)))
    }

    /// The owner key that the very first start printed.
    pub fn owner(&self) -> Client {
        self.nodes[0].as_ref().expect("it runs").owner()
    }

    /// The base URL of every node; they keep their addresses.
    pub fn bases(&self) -> Vec<String> {
        self.addresses.iter().map(|address| format!("http://{address}")).collect()
    }

    /// Lets something happen, and mends it.
    pub async fn suffer(&mut self, random: &mut StdRng, history: &History) {
        let plan = Plan::new(random);
        let mut order = [0, 1, 2];
        order.shuffle(random);
        for part in order {
            match part {
                0 => match &plan.node {
                    Some(NodeFault::Kill(node)) => {
                        history.fault(format!("SIGKILL of node {node}"));
                        self.nodes[*node] = None;
                    }
                    Some(NodeFault::Stop(node)) => {
                        history.fault(format!("SIGSTOP of node {node}"));
                        self.signal(*node, "-STOP");
                    }
                    None => {}
                },
                1 => match &plan.redis {
                    Some(RedisFault::Kill) => {
                        history.fault("SIGKILL of Redis".to_owned());
                        self.redis.kill();
                    }
                    Some(RedisFault::Pause) => {
                        history.fault("Redis stands still".to_owned());
                        self.redis.pause();
                    }
                    Some(RedisFault::Cut(kind)) => {
                        history.fault(format!("Redis cuts its {kind} connections"));
                        self.redis.try_command(&["CLIENT", "KILL", "TYPE", kind]).await;
                    }
                    None => {}
                },
                _ if plan.restart_postgres => {
                    history.fault("PostgreSQL restarts".to_owned());
                    let crash = random.gen_bool(0.5);
                    tokio::task::block_in_place(|| {
                        if crash {
                            self.postgres.crash();
                        } else {
                            self.postgres.stop();
                        }
                        self.postgres.revive();
                    });
                }
                _ => {}
            }
        }
        tokio::time::sleep(plan.hold).await;
        match plan.redis {
            Some(RedisFault::Kill) => self.redis.revive().await,
            Some(RedisFault::Pause) => self.redis.resume(),
            Some(RedisFault::Cut(_)) | None => {}
        }
        match plan.node {
            Some(NodeFault::Kill(node)) => {
                let process = tokio::task::block_in_place(|| self.spawn(node, &self.addresses[node]));
                self.nodes[node] = Some(process);
            }
            Some(NodeFault::Stop(node)) => self.signal(node, "-CONT"),
            None => {}
        }
        history.fault("all is well".to_owned());
        tokio::time::sleep(Duration::from_millis(random.gen_range(0..1500))).await;
    }

    fn signal(&self, node: usize, signal: &str) {
        let pid = self.nodes[node].as_ref().expect("it runs").pid();
        let sent = Command::new("kill").args([signal, &pid.to_string()]).status().expect("kill runs");
        assert!(sent.success());
    }

    /// What the nodes logged.
    pub fn logs(&self) -> String {
        let read = |node| std::fs::read_to_string(self.folder.path().join(format!("node-{node}.log")));
        (0..NODES).map(|node| read(node).unwrap_or_default()).collect()
    }
}
