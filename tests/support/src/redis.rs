//! A throw-away Redis on a port of its own, which a test may kill, pause and start again. It ends with the test process: a
//! shell holds it and waits for its standard input to close.

use super::{PATIENCE, Port, eventually};
use redis::AsyncConnectionConfig;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

pub struct Redis {
    port: Port,
    /// Where the servers of a cluster talk with each other, which is so far above the port.
    _bus: Option<Port>,
    is_cluster: bool,
    /// The shell, and the server in it; none while the server is down.
    running: Option<(Child, u32)>,
    /// The other servers of its cluster.
    peers: Vec<Redis>,
    /// Another port, with TLS.
    tls: Option<Port>,
    folder: TempDir,
}

const SLOTS: u64 = 16384;
const BUS: u16 = 10_000;

impl Redis {
    pub async fn start() -> Self {
        let mut redis = Self::down(false);
        redis.revive().await;
        redis
    }

    /// A cluster of one server that owns every slot.
    pub async fn start_cluster() -> Self {
        let mut redis = Self::down(true);
        redis.revive().await;
        redis.command(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]).await;
        eventually("the cluster is up", async || {
            let info = redis.try_command(&["CLUSTER", "INFO"]).await?;
            format!("{info:?}").contains("cluster_state:ok").then_some(())
        })
        .await;
        redis
    }

    /// A cluster of three servers that share the slots.
    pub async fn start_cluster_of_three() -> Self {
        let mut redis = Self::down(true);
        redis.peers = vec![Self::down(true), Self::down(true)];
        redis.revive().await;
        for peer in &mut redis.peers {
            peer.revive().await;
        }
        let all = redis.servers();
        for (number, server) in (0u64..).zip(&all) {
            let (first, end) = (SLOTS * number / 3, SLOTS * (number + 1) / 3);
            server.command(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &(end - 1).to_string()]).await;
            redis.command(&["CLUSTER", "MEET", "127.0.0.1", &server.port.number.to_string()]).await;
        }
        for server in &all {
            eventually("the cluster is up", async || {
                let info = format!("{:?}", server.try_command(&["CLUSTER", "INFO"]).await?);
                (info.contains("cluster_state:ok") && info.contains("cluster_size:3")).then_some(())
            })
            .await;
        }
        redis
    }

    fn servers(&self) -> Vec<&Self> {
        std::iter::once(self).chain(&self.peers).collect()
    }

    /// Moves the slot of a key or channel to the next server, as an operator does who spreads the load.
    pub async fn move_slot(&self, name: &str) {
        let servers = self.servers();
        let slot: u64 = redis::from_redis_value(self.command(&["CLUSTER", "KEYSLOT", name]).await).expect("a slot");
        let mut owner = None;
        for (number, server) in servers.iter().enumerate() {
            let nodes = text(server.command(&["CLUSTER", "NODES"]).await);
            let own = nodes.lines().find(|line| line.contains("myself")).expect("itself").to_owned();
            let holds = own.split_whitespace().skip(8).filter_map(|range| {
                let (first, last) = range.split_once('-').unwrap_or((range, range));
                Some(first.parse::<u64>().ok()?..=last.parse().ok()?)
            });
            if holds.into_iter().any(|range| range.contains(&slot)) {
                owner = Some(number);
            }
        }
        let owner = owner.expect("an owner of the slot");
        let (from, to) = (servers[owner], servers[(owner + 1) % servers.len()]);
        let slot = slot.to_string();
        let (from_id, to_id) =
            (text(from.command(&["CLUSTER", "MYID"]).await), text(to.command(&["CLUSTER", "MYID"]).await));
        to.command(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from_id]).await;
        from.command(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to_id]).await;
        let keys: Vec<String> =
            redis::from_redis_value(from.command(&["CLUSTER", "GETKEYSINSLOT", &slot, "100"]).await).expect("keys");
        for key in keys {
            from.command(&["MIGRATE", "127.0.0.1", &to.port.number.to_string(), &key, "0", "5000"]).await;
        }
        for server in [to, from].into_iter().chain(servers.iter().copied()) {
            server.command(&["CLUSTER", "SETSLOT", &slot, "NODE", &to_id]).await;
        }
    }

    /// A server with TLS and a self-signed certificate; returns the URL and the certificate's file.
    pub async fn start_with_tls() -> (Self, String, PathBuf) {
        let mut redis = Self::down(false);
        let file = |name: &str| redis.folder.path().join(name).display().to_string();
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"])
            .args(["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"])
            .args(["-keyout", &file("key.pem"), "-out", &file("cert.pem")])
            .stderr(Stdio::null())
            .status()
            .expect("openssl is installed (scripts/setup.sh test)");
        assert!(made.success(), "openssl makes a certificate");
        let certificate = redis.folder.path().join("cert.pem");
        let port = Port::reserve();
        let url = format!("rediss://{}", port.address());
        redis.tls = Some(port);
        redis.revive().await;
        (redis, url, certificate)
    }

    /// A server that is not started: its port is closed.
    pub fn down(is_cluster: bool) -> Self {
        let (port, bus) = if is_cluster {
            let (port, bus) = Port::reserve_pair(BUS);
            (port, Some(bus))
        } else {
            (Port::reserve(), None)
        };
        Self {
            port,
            _bus: bus,
            is_cluster,
            running: None,
            peers: Vec::new(),
            tls: None,
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    pub fn port(&self) -> u16 {
        self.port.number
    }

    pub fn url(&self) -> String {
        let scheme = if self.is_cluster { "redis+cluster" } else { "redis" };
        let places: Vec<String> = self.servers().iter().map(|server| server.port.address()).collect();
        format!("{scheme}://{}", places.join(","))
    }

    /// Starts the server again, empty, on the port that it had.
    pub async fn revive(&mut self) {
        assert!(self.running.is_none(), "it runs already");
        let script = "\"$0\" \"$@\" >/dev/null & server=$!; echo $server; cat >/dev/null; kill -9 $server; wait";
        let port = self.port.number.to_string();
        let cluster = if self.is_cluster { "yes" } else { "no" };
        let tls = self.tls.as_ref().map_or(Vec::new(), |port| {
            let file = |name: &str| self.folder.path().join(name).display().to_string();
            let (certificate, key) = (file("cert.pem"), file("key.pem"));
            ["--tls-port", &port.number.to_string(), "--tls-cert-file", &certificate, "--tls-key-file", &key]
                .into_iter()
                .chain(["--tls-ca-cert-file", &certificate, "--tls-auth-clients", "no"])
                .map(str::to_owned)
                .collect()
        });
        let mut shell = Command::new("/bin/sh")
            .args(["-c", script, "redis-server", "--port", &port, "--save", "", "--appendonly", "no"])
            .args(["--bind", "127.0.0.1", "--cluster-enabled", cluster, "--dir"])
            .arg(self.folder.path())
            .args(tls)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server is installed (scripts/setup.sh test)");
        let mut line = String::new();
        BufReader::new(shell.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
        self.running = Some((shell, line.trim().parse().expect("a process id")));
        eventually("Redis answers", async || self.try_command(&["PING"]).await).await;
    }

    /// SIGKILL; nothing listens on the port any more.
    pub fn kill(&mut self) {
        let (mut shell, _) = self.running.take().expect("it runs");
        // The shell kills the server when its input ends, and waits for it.
        drop(shell.stdin.take());
        shell.wait().expect("the shell ends");
    }

    /// It still accepts connections, but does not answer.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.pid().to_string()]).status().expect("kill runs");
        assert!(sent.success());
    }

    pub fn pid(&self) -> u32 {
        self.running.as_ref().expect("it runs").1
    }

    /// The answer of a server that may be away, or not answer.
    pub async fn try_command(&self, words: &[&str]) -> Option<redis::Value> {
        self.ask(words, AsyncConnectionConfig::new()).await
    }

    /// The answer of a server that runs, however long a busy machine takes for it.
    pub async fn command(&self, words: &[&str]) -> redis::Value {
        let patient = AsyncConnectionConfig::new().set_connection_timeout(Some(PATIENCE));
        let answer = self.ask(words, patient.set_response_timeout(Some(PATIENCE))).await;
        answer.unwrap_or_else(|| panic!("{words:?} works"))
    }

    async fn ask(&self, words: &[&str], config: AsyncConnectionConfig) -> Option<redis::Value> {
        let client = redis::Client::open(format!("redis://{}", self.port.address())).expect("a URL");
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await.ok()?;
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query_async(&mut connection).await.ok()
    }

    /// The matching channels with a subscriber.
    pub async fn channels(&self, pattern: &str) -> Vec<String> {
        let command = if self.is_cluster { "SHARDCHANNELS" } else { "CHANNELS" };
        let mut names = Vec::new();
        for server in self.servers() {
            let some = server.command(&["PUBSUB", command, pattern]).await;
            names.extend(redis::from_redis_value::<Vec<String>>(some).expect("names"));
        }
        names
    }
}

fn text(value: redis::Value) -> String {
    redis::from_redis_value(value).expect("text")
}

impl Drop for Redis {
    fn drop(&mut self) {
        if self.running.is_some() {
            self.kill();
        }
    }
}
