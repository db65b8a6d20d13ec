//! Throw-away PostgreSQL servers, reached by a Unix socket: one for the whole test run with a database of its own for
//! each test, and others for tests that stop theirs. They end with the test process: a shell holds each and waits for
//! its standard input to close.

use super::Stopwatch;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

static SHARED: OnceLock<Postgres> = OnceLock::new();
static NAMES: AtomicU32 = AtomicU32::new(0);

/// The server of the whole test run.
pub fn shared() -> &'static Postgres {
    SHARED.get_or_init(Postgres::start)
}

/// The URL of a new, empty database.
pub fn new_database() -> String {
    shared().new_database()
}

/// Where PostgreSQL's programs are: the newest version that Debian's packages put there.
fn programs() -> PathBuf {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.flatten().map(|entry| entry.path().join("bin")).collect())
        .unwrap_or_default();
    versions.retain(|bin| bin.join("initdb").exists());
    versions.sort();
    versions.pop().expect("PostgreSQL is installed (scripts/setup.sh test)")
}

/// PostgreSQL refuses to run as root, so root runs it as `nobody`.
pub fn unprivileged(program: &Path) -> Command {
    if is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "nobody", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    }
}

pub fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id runs");
    id.stdout.trim_ascii() == b"0"
}

/// One server with its data folder.
pub struct Postgres {
    folder: PathBuf,
    /// The shell that holds it; none while it is down.
    running: Option<Child>,
}

impl Postgres {
    pub fn start() -> Self {
        let number = NAMES.fetch_add(1, Ordering::SeqCst);
        let folder = std::env::temp_dir().join(format!("hiloop-pg-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for PostgreSQL");
        if is_root() {
            let owned = Command::new("chown").arg("nobody").arg(&folder).status().expect("chown runs");
            assert!(owned.success(), "chown to the user nobody succeeds");
        }
        let made = unprivileged(&programs().join("initdb"))
            .args(["--username=hub", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync", "-D"])
            .arg(folder.join("data"))
            .current_dir(&folder)
            .stdout(Stdio::null())
            .status()
            .expect("initdb runs");
        assert!(made.success(), "initdb works");
        let mut postgres = Self { folder, running: None };
        postgres.revive();
        postgres
    }

    /// Starts the server (again) on what it has stored; returns once it accepts connections.
    pub fn revive(&mut self) {
        assert!(self.running.is_none(), "it runs already");
        // The shell outlives a killed test process just long enough to stop the server and sweep up. A server that is
        // stopped on purpose leaves its folder.
        let script = "\"$0\" \"$@\" & server=$!; \
                      if read -r word; then kill -\"$word\" $server; wait $server; exit; fi; \
                      kill -INT $server; wait $server; rm -rf \"$FOLDER\"";
        let shell = unprivileged(Path::new("/bin/sh"))
            .arg("-c")
            .arg(script)
            .arg(programs().join("postgres"))
            .arg("-D")
            .arg(self.folder.join("data"))
            .arg("-k")
            .arg(&self.folder)
            .args(["-c", "listen_addresses=", "-c", "max_connections=2000", "-c", "fsync=off"])
            .args(["-c", "shared_buffers=64MB", "-c", "log_min_messages=fatal"])
            // It would look into one of the many small databases after another, all the time.
            .args(["-c", "autovacuum=off"])
            .env("FOLDER", &self.folder)
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("PostgreSQL starts");
        self.running = Some(shell);
        let starting = Stopwatch::start();
        while !self.psql("postgres", "SELECT 1") {
            assert!(!starting.is_past(Duration::from_secs(60)), "PostgreSQL accepts connections");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends it as an operator does who restarts it: open transactions are rolled back, connections cut.
    pub fn stop(&mut self) {
        self.end("INT");
    }

    /// Ends it as a crash does; the next start recovers from its log.
    pub fn crash(&mut self) {
        self.end("QUIT");
    }

    fn end(&mut self, signal: &str) {
        let mut shell = self.running.take().expect("it runs");
        let mut input = shell.stdin.take().expect("its input");
        writeln!(input, "{signal}").expect("the shell listens");
        shell.wait().expect("the shell ends");
    }

    pub fn new_database(&self) -> String {
        self.create(None).1
    }

    /// A new database, empty or a copy of another one: its name and its URL.
    pub fn create(&self, template: Option<&String>) -> (String, String) {
        let name = format!("hub{}", NAMES.fetch_add(1, Ordering::SeqCst));
        let template = template.map_or("template1", String::as_str);
        let copy = format!("CREATE DATABASE {name} TEMPLATE {template}");
        // Copying files costs half of what logging each of their pages does, which is the default since version 15.
        let made = self.psql("postgres", &format!("{copy} STRATEGY FILE_COPY")) || self.psql("postgres", &copy);
        assert!(made, "{copy} works");
        let url = format!("postgres://hub@localhost/{name}?host={}", self.folder.display());
        (name, url)
    }

    fn psql(&self, database: &str, sql: &str) -> bool {
        let status = Command::new(programs().join("psql"))
            .args(["-q", "-U", "hub", "-d", database, "-c", sql, "-h"])
            .arg(&self.folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        status.expect("psql runs").success()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(mut shell) = self.running.take() {
            drop(shell.stdin.take());
            let _ = shell.wait();
        }
    }
}
