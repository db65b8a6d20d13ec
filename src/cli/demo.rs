//! `hiloop demo`: a scripted agent that talks to people in the chat. It is an ordinary client of the hub.
#![allow(clippy::disallowed_methods)] // a client: its tasks end with it

mod conversation;
mod hub;
mod key;
mod lines;
mod progress;
mod script;
mod shortened;
mod words;

use self::conversation::{Conversation, Ending};
use self::hub::{failed, first_contact, patient};
use self::key::OwnKey;
use super::CliError;
use crate::config::DatabaseSettings;
use clap::Args;
use hiloop_sdk::{Client, Encryption};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Shortest pause between two conversations.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Args)]
pub(super) struct Demo {
    /// URL of the hub
    #[arg(long, env = "HILOOP_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// API key; without one, the demo creates a temporary key in the hub's store
    #[arg(long, env = "HILOOP_KEY", hide_env_values = true)]
    key: Option<String>,
    /// End after one conversation
    #[arg(long)]
    once: bool,
    /// Time that the agent types before it posts a message, in seconds
    #[arg(long, default_value = "1.5", value_parser = seconds)]
    pace: Duration,
    /// `off`, which needs no keys of people, or `required`
    #[arg(long, default_value = "off", value_parser = encryption)]
    encryption: Encryption,
    #[command(flatten)]
    database: DatabaseSettings,
}

impl Demo {
    pub(super) async fn run(self) -> Result<(), CliError> {
        let stop = CancellationToken::new();
        stop_on_signal(stop.clone())?;
        let Some(reached) = stop.run_until_cancelled(first_contact(&self.url, self.key.as_deref())).await else {
            return Ok(());
        };
        reached?;
        if let Some(key) = &self.key {
            return self.converse(&patient(&self.url, key, self.encryption)?, &stop).await;
        }
        let own = OwnKey::create(&self.database).await?;
        let outcome = match patient(&self.url, own.secret(), self.encryption) {
            Ok(client) => self.converse(&client, &stop).await,
            Err(error) => Err(error),
        };
        own.revoke().await;
        outcome
    }

    /// Holds one conversation after the other.
    async fn converse(&self, client: &Client, stop: &CancellationToken) -> Result<(), CliError> {
        let failed = |error| failed(&self.url, &error);
        loop {
            let Some(opened) = stop.run_until_cancelled(Conversation::open(client, self.pace)).await else {
                return Ok(());
            };
            let ending = opened.map_err(failed)?.run(stop).await.map_err(failed)?;
            if self.once || ending == Ending::Stopped {
                return Ok(());
            }
            if stop.run_until_cancelled(tokio::time::sleep(self.pace.max(PAUSE))).await.is_none() {
                return Ok(());
            }
        }
    }
}

/// Cancels `stop` at Ctrl-C or SIGTERM, so that the open conversation can be closed.
fn stop_on_signal(stop: CancellationToken) -> Result<(), CliError> {
    let failed = |error: std::io::Error| CliError::Other(format!("cannot listen for signals: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        stop.cancel();
    });
    Ok(())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.0..=60.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "must be a number from 0 to 60".to_owned())
}

fn encryption(text: &str) -> Result<Encryption, String> {
    text.parse().map_err(|_| "must be 'off' or 'required'".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encryption_is_off_or_required() {
        assert_eq!(encryption("off"), Ok(Encryption::Off));
        assert_eq!(encryption("required"), Ok(Encryption::Required));
        assert!(encryption("on").is_err());
    }

    #[test]
    fn the_pace_is_a_few_seconds() {
        assert_eq!(seconds("0"), Ok(Duration::ZERO));
        assert_eq!(seconds("1.5"), Ok(Duration::from_millis(1500)));
        for bad in ["-1", "61", "NaN", "inf", "fast", ""] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
