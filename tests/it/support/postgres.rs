//! One throw-away PostgreSQL for the whole test run, reached by a Unix socket, and a database of its own for each
//! test. It ends with the test process: a shell holds it and waits for its standard input to close.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

struct Cluster {
    folder: PathBuf,
}

static CLUSTER: OnceLock<Cluster> = OnceLock::new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// The URL of a new, empty database.
pub fn new_database() -> String {
    let cluster = CLUSTER.get_or_init(Cluster::start);
    let name = format!("hub{}", DATABASES.fetch_add(1, Ordering::SeqCst));
    let made = cluster.psql("postgres", &format!("CREATE DATABASE {name}"));
    assert!(made, "CREATE DATABASE {name} works");
    format!("postgres://hub@localhost/{name}?host={}", cluster.folder.display())
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
fn unprivileged(program: &Path) -> Command {
    if is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "nobody", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id runs");
    id.stdout.trim_ascii() == b"0"
}

impl Cluster {
    fn start() -> Self {
        let bin = programs();
        let folder = std::env::temp_dir().join(format!("hiloop-pg-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for PostgreSQL");
        if is_root() {
            let owned = Command::new("chown").arg("nobody").arg(&folder).status().expect("chown runs");
            assert!(owned.success(), "the folder belongs to nobody");
        }
        let data = folder.join("data");
        let made = unprivileged(&bin.join("initdb"))
            .args(["--username=hub", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync", "-D"])
            .arg(&data)
            .current_dir(&folder)
            .stdout(Stdio::null())
            .status()
            .expect("initdb runs");
        assert!(made.success(), "initdb works");

        // The shell outlives a killed test process just long enough to stop the server and sweep up.
        let script = "\"$0\" \"$@\" & server=$!; cat >/dev/null; kill -INT $server; wait $server; rm -rf \"$FOLDER\"";
        let mut shell = unprivileged(Path::new("/bin/sh"));
        let child = shell
            .arg("-c")
            .arg(script)
            .arg(bin.join("postgres"))
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(&folder)
            .args(["-c", "listen_addresses=", "-c", "max_connections=600", "-c", "fsync=off"])
            .args(["-c", "shared_buffers=64MB", "-c", "log_min_messages=fatal"])
            .env("FOLDER", &folder)
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("PostgreSQL starts");
        // Its standard input stays open as long as this process lives.
        std::mem::forget(child);
        let cluster = Self { folder };
        let deadline = Instant::now() + Duration::from_secs(60);
        while !cluster.psql("postgres", "SELECT 1") {
            assert!(Instant::now() < deadline, "PostgreSQL accepts connections");
            std::thread::sleep(Duration::from_millis(50));
        }
        cluster
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
