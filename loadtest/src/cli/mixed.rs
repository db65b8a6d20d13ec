//! Options of `mixed`.

use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::{Share, seconds, size};

/// Rates and numbers are those at `--scale 1`.
#[derive(Debug, Clone, Args, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MixedArgs {
    /// Seconds of traffic
    #[arg(long, default_value = "60", value_parser = seconds)]
    pub(crate) duration: Duration,
    /// Seconds of it before growth of memory, descriptors and latency is measured
    #[arg(long, default_value = "10", value_parser = seconds)]
    pub(crate) warmup: Duration,
    /// Factor for all rates and numbers below
    #[arg(long, default_value_t = 1.0, value_parser = amount)]
    pub(crate) scale: f64,
    /// Sessions
    #[arg(long, default_value_t = 100)]
    pub(crate) sessions: usize,
    /// Agents to create, each with a key of its own; 0: the key of --key acts itself
    #[arg(long, default_value_t = 25)]
    pub(crate) agents: usize,
    /// People to create, two in each session: one with a socket, one with an event stream
    #[arg(long, default_value_t = 50)]
    pub(crate) people: usize,
    /// Guests, each with a link to a session of its own
    #[arg(long, default_value_t = 50)]
    pub(crate) guests: usize,
    /// Messages per second, of agents, people and guests in turn
    #[arg(long, default_value_t = 40.0, value_parser = amount)]
    pub(crate) messages: f64,
    /// Questions per second; the agent waits for the answer by long-poll
    #[arg(long, default_value_t = 10.0, value_parser = amount)]
    pub(crate) questions: f64,
    /// Seconds until an answer, on average
    #[arg(long, default_value = "2", value_parser = seconds)]
    pub(crate) think: Duration,
    /// Share of the questions that two answer at once
    #[arg(long, default_value = "10%", value_parser = Share::parse)]
    pub(crate) races: Share,
    /// Typing frames per second
    #[arg(long, default_value_t = 20.0, value_parser = amount)]
    pub(crate) typing: f64,
    /// Read marks per second
    #[arg(long, default_value_t = 20.0, value_parser = amount)]
    pub(crate) reads: f64,
    /// Sockets and event streams per second that leave, and return after what they have read
    #[arg(long, default_value_t = 5.0, value_parser = amount)]
    pub(crate) leaves: f64,
    /// Seconds that they are away at most
    #[arg(long, default_value = "5", value_parser = seconds)]
    pub(crate) away: Duration,
    /// Further guests per second, who come, stay, and have their token revoked
    #[arg(long, default_value_t = 1.0, value_parser = amount)]
    pub(crate) visits: f64,
    /// Seconds that they stay, on average
    #[arg(long, default_value = "3", value_parser = seconds)]
    pub(crate) stay: Duration,
    /// Seconds after which people renew their JWT
    #[arg(long, default_value = "600", value_parser = seconds)]
    pub(crate) renew: Duration,
    /// JWT of a further person, valid for the whole run
    #[arg(long, env = "HILOOP_TOKEN", hide_env_values = true)]
    #[serde(skip)]
    pub(crate) token: Option<String>,
    /// Length of each message's ciphertext, in bytes
    #[arg(long, default_value_t = 400, value_parser = size)]
    pub(crate) size: usize,
}

impl MixedArgs {
    /// All rates and numbers multiplied by the scale.
    pub(crate) fn scaled(&self) -> Self {
        let number = |number: usize| match number {
            0 => 0,
            _ => ((number as f64 * self.scale).round() as usize).max(1),
        };
        Self {
            sessions: number(self.sessions).max(1),
            agents: number(self.agents),
            people: number(self.people),
            guests: number(self.guests),
            messages: self.messages * self.scale,
            questions: self.questions * self.scale,
            typing: self.typing * self.scale,
            reads: self.reads * self.scale,
            leaves: self.leaves * self.scale,
            visits: self.visits * self.scale,
            ..self.clone()
        }
    }
}

fn amount(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if (0.0..=1_000_000.0).contains(&number) => Ok(number),
        _ => Err("a number from 0 to 1000000".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::cli::{Cli, Scenario};

    #[test]
    fn a_scale_keeps_at_least_one_of_each_and_none_of_none() {
        let line = ["loadtest", "mixed", "--scale", "0.01", "--people", "0", "--questions", "50"];
        let Ok(Scenario::Mixed(arguments)) = Cli::try_parse_from(line).map(|cli| cli.scenario) else {
            panic!("not parsed");
        };
        let scaled = arguments.scaled();
        assert_eq!((scaled.sessions, scaled.agents, scaled.people), (1, 1, 0));
        assert!((scaled.questions - 0.5).abs() < 1e-9);
    }
}
