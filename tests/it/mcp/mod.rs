//! `hiloop mcp` as a client of the protocol runs it: the real program over its standard streams, a real hub, and a
//! person who answers.

mod asking;
mod client;
mod failures;
mod install;
mod life_cycles;
mod restarts;
mod sessions;

use crate::cli::printed;
use crate::support::process::{Process, hiloop};
use client::McpClient;
use hiloop_sdk::testing::Person;
use std::path::Path;
use std::process::Command;
use tempfile::{TempDir, tempdir};

const EMAIL: &str = "owner@hiloop.local";

/// A machine with an agent, a hub, and a person of its space.
struct Scene {
    folder: TempDir,
    hub: Process,
    key: String,
    person: Person,
}

impl Scene {
    async fn start() -> Self {
        Self::start_at("127.0.0.1:0").await
    }

    async fn start_at(listen: &str) -> Self {
        let folder = tempdir().expect("a folder");
        let hub = Process::start(folder.path(), listen);
        let person = Person::sign_in(&hub.base, EMAIL, printed(&hub, "password")).await.expect("a person");
        let key = printed(&hub, "API key").to_owned();
        Self { folder, hub, key, person }
    }

    fn command(&self) -> Command {
        let mut command = mcp(self.folder.path(), &[]);
        command.env("HILOOP_API_KEY", &self.key).env("HILOOP_BASE_URL", &self.hub.base);
        command
    }

    /// A client that has greeted its server.
    async fn client(&self) -> McpClient {
        let mut client = McpClient::start(&mut self.command());
        client.initialize("2025-11-25").await;
        client
    }
}

/// The program with a home of its own.
fn mcp(folder: &Path, args: &[&str]) -> Command {
    let mut command = hiloop(folder);
    command.env("HOME", folder).env("PATH", "/usr/bin:/bin").arg("mcp").args(args);
    command
}
