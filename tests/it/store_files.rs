//! The files of a SQLite store: their permissions, since they hold the signing secret of tokens, and what is left
//! after shutdown.

use crate::support::process::{Process, hiloop};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use tempfile::tempdir;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).permissions().mode() & 0o777
}

/// A hub on the store of that folder, started with a umask of 0.
fn serve_with_no_umask(folder: &Path, url: &str) -> Process {
    let hub = hiloop(folder);
    let mut shell = std::process::Command::new("/bin/sh");
    shell.args(["-c", "umask 0; exec \"$0\" serve"]).arg(hub.get_program()).env_clear().current_dir(folder);
    shell.env("DATABASE_URL", url).env("HILOOP_LISTEN", "127.0.0.1:0").env("HILOOP_LOG", "info");
    let log = fs::File::create(folder.join("log")).expect("a file");
    Process::spawn(shell.stderr(Stdio::from(log)))
}

fn is_private(database: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let file = format!("{}{suffix}", database.display());
        assert_eq!(mode(Path::new(&file)), 0o600, "{file}");
    }
}

#[test]
fn a_new_store_is_readable_by_its_owner_only() {
    let folder = tempdir().expect("a folder");
    let _hub = serve_with_no_umask(folder.path(), "sqlite://deep/hiloop-data/hiloop.db");
    assert_eq!(mode(&folder.path().join("deep/hiloop-data")), 0o700);
    is_private(&folder.path().join("deep/hiloop-data/hiloop.db"));
}

#[test]
fn a_store_readable_by_others_is_restricted_with_a_warning() {
    let folder = tempdir().expect("a folder");
    let data = folder.path().join("data");
    let database = data.join("hiloop.db");
    let mut first = serve_with_no_umask(folder.path(), "sqlite://data/hiloop.db");
    // As an earlier release created them; killed, so that the write-ahead log still exists.
    first.kill();
    fs::set_permissions(&data, Permissions::from_mode(0o755)).expect("the folder is ours");
    for suffix in ["", "-wal", "-shm"] {
        let file = format!("{}{suffix}", database.display());
        fs::set_permissions(file, Permissions::from_mode(0o644)).expect("the file is ours");
    }
    let _second = serve_with_no_umask(folder.path(), "sqlite://data/hiloop.db");
    is_private(&database);
    // The folder may have other files, for other users.
    assert_eq!(mode(&data), 0o755);
    let log = fs::read_to_string(folder.path().join("log")).expect("text");
    let named: Vec<_> = log.lines().filter(|line| line.contains("chmod 700")).collect();
    assert!(named.len() == 1 && named[0].contains("data, the folder of the database (mode 755)"), "{log}");
    assert!(log.contains("removed access of other users to data/hiloop.db"), "{log}");
}

/// So that a copy of that file, made while no hub runs, is a backup.
#[test]
fn after_shutdown_the_store_is_one_file() {
    let folder = tempdir().expect("a folder");
    let mut hub = Process::start(folder.path(), "127.0.0.1:0");
    assert!(folder.path().join("hub.db-wal").exists(), "it has a log of writes");
    assert_eq!(hub.terminate(), Some(0));
    assert!(!folder.path().join("hub.db-wal").exists(), "the log is merged");
    assert!(fs::metadata(folder.path().join("hub.db")).expect("the store").len() > 100_000, "it holds the schema");
}
