//! The previous release of the hub, for tests of upgrades.

use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

/// Where its program is, built from the repository's history if it is not there yet.
static PROGRAM: LazyLock<String> = LazyLock::new(|| {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/previous.sh");
    let output = Command::new(script).output().expect("the script runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("a path").trim().to_owned()
});

/// A command of that program over the store at `url`, on any free port and with nothing of the test's own environment.
pub fn previous(folder: &Path, url: &str) -> Command {
    let mut command = Command::new(&*PROGRAM);
    command
        .env_clear()
        .env("DATABASE_URL", url)
        .env("HILOOP_LISTEN", "127.0.0.1:0")
        .env("HILOOP_RATE_LIMIT", "off")
        .env("HILOOP_LOG", "warn")
        .current_dir(folder);
    command
}
