//! The hub as a separate process, which a test may kill.

use super::client::Client;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

pub struct Process {
    child: Child,
    pub base: String,
    /// What it printed before it was ready, and the lines after that as far as they have been read.
    pub output: String,
}

/// The program that was built with the tests. They are in `deps/`, in the folder where the program is.
fn program() -> PathBuf {
    let test = std::env::current_exe().expect("the path of the test");
    let folder = test.parent().and_then(Path::parent).expect("the folder of the build");
    folder.join("hiloop")
}

/// A command of the built program with nothing of the test's own environment.
pub fn hiloop(folder: &Path) -> Command {
    let mut command = Command::new(program());
    command
        .env_clear()
        .env("DATABASE_URL", format!("sqlite://{}/hub.db", folder.display()))
        .env("HILOOP_RATE_LIMIT", "off")
        .env("HILOOP_CONNECTION_LIMIT", "off")
        .env("HILOOP_LOG", "warn")
        .current_dir(folder);
    command
}

impl Process {
    /// Starts `hiloop serve` on `listen` (port 0: any free one) and waits until it listens.
    pub fn start(folder: &Path, listen: &str) -> Self {
        Self::spawn(hiloop(folder).env("HILOOP_LISTEN", listen))
    }

    /// Starts a prepared command and waits until it listens.
    pub fn spawn(command: &mut Command) -> Self {
        Self::try_spawn(command).unwrap_or_else(|output| panic!("the hub says where it listens, not {output:?}"))
    }

    /// The same of a hub that may end instead, as one does that finds no database; what it printed then.
    pub fn try_spawn(command: &mut Command) -> Result<Self, String> {
        let mut child = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().expect("the hub starts");
        let stdout = child.stdout.take().expect("its output");
        let mut lines = BufReader::new(stdout).lines();
        let mut output = String::new();
        let mut base = None;
        // On a new store the secrets follow the line with the address; both end with a line of their own.
        for line in lines.by_ref() {
            let line = line.expect("text");
            output.push_str(&line);
            output.push('\n');
            if let Some(at) = line.find("http://")
                && line.contains("listening on")
            {
                base = Some(line[at..].trim().to_owned());
            }
            if base.is_some() && (line.starts_with("chat at ") || line.trim_start().starts_with("API key")) {
                break;
            }
        }
        // Someone must read on, or the hub would stop at a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        match base {
            Some(base) => Ok(Self { child, base, output }),
            None => {
                let _ = child.kill();
                let _ = child.wait();
                Err(output)
            }
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The address without the scheme.
    pub fn address(&self) -> &str {
        self.base.trim_start_matches("http://")
    }

    /// Where its figures are open, with `HILOOP_METRICS_LISTEN`.
    pub fn metrics(&self) -> &str {
        let line = self.output.lines().find_map(|line| line.strip_prefix("metrics at "));
        line.expect("a line").trim_end_matches("/metrics")
    }

    /// The owner key that a first start prints.
    pub fn owner(&self) -> Client {
        let line = self.output.lines().find(|line| line.trim_start().starts_with("API key")).expect("a key");
        let key = line.split_whitespace().last().expect("a key");
        Client::anonymous(&self.base).with("x-api-key", key)
    }

    /// SIGKILL: no chance to tidy up.
    pub fn kill(&mut self) {
        self.child.kill().expect("the hub is killed");
        self.child.wait().expect("the hub has ended");
    }

    /// SIGTERM; the exit code.
    pub fn terminate(&mut self) -> Option<i32> {
        let sent = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status().expect("kill runs");
        assert!(sent.success());
        self.child.wait().expect("the hub has ended").code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
