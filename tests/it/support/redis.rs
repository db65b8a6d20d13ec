//! A throw-away Redis on a free port, which a test may kill, pause and start again. It ends with the test process: a
//! shell holds it and waits for its standard input to close.

use super::eventually;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

pub struct Redis {
    port: u16,
    is_cluster: bool,
    /// The shell, and the server in it; none while the server is down.
    running: Option<(Child, u32)>,
    folder: TempDir,
}

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

    /// One that has not been started: nothing listens on its port.
    pub fn down(is_cluster: bool) -> Self {
        // Free now, and so far from what the system gives out that it most likely stays so.
        let port = loop {
            let port = 20_000 + rand::random::<u16>() % 10_000;
            if TcpListener::bind(("127.0.0.1", port)).is_ok() && TcpListener::bind(("127.0.0.1", port + 10_000)).is_ok()
            {
                break port;
            }
        };
        Self { port, is_cluster, running: None, folder: tempfile::tempdir().expect("a folder") }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        let scheme = if self.is_cluster { "redis+cluster" } else { "redis" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// Starts the server again, empty, on the port that it had.
    pub async fn revive(&mut self) {
        assert!(self.running.is_none(), "it runs already");
        let script = "\"$0\" \"$@\" >/dev/null & server=$!; echo $server; cat >/dev/null; kill -9 $server; wait";
        let port = self.port.to_string();
        let cluster = if self.is_cluster { "yes" } else { "no" };
        let mut shell = Command::new("/bin/sh")
            .args(["-c", script, "redis-server", "--port", &port, "--save", "", "--appendonly", "no"])
            .args(["--bind", "127.0.0.1", "--cluster-enabled", cluster, "--dir"])
            .arg(self.folder.path())
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

    pub async fn try_command(&self, words: &[&str]) -> Option<redis::Value> {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).expect("a URL");
        let mut connection = client.get_multiplexed_async_connection().await.ok()?;
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query_async(&mut connection).await.ok()
    }

    pub async fn command(&self, words: &[&str]) -> redis::Value {
        self.try_command(words).await.unwrap_or_else(|| panic!("{words:?} works"))
    }

    /// The channels that somebody listens to, of those that match.
    pub async fn channels(&self, pattern: &str) -> Vec<String> {
        let command = if self.is_cluster { "SHARDCHANNELS" } else { "CHANNELS" };
        redis::from_redis_value(self.command(&["PUBSUB", command, pattern]).await).expect("names")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if self.running.is_some() {
            self.kill();
        }
    }
}
