//! Options of `await`.

use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::{RampArgs, count, rate, seconds, size};

#[derive(Debug, Clone, Args, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AwaitArgs {
    /// Long-polls, each on its own connection and message
    #[arg(long, default_value_t = 10_000, value_parser = count)]
    pub(crate) waiters: usize,
    /// Sessions that their messages are spread over
    #[arg(long, default_value_t = 10, value_parser = count)]
    pub(crate) sessions: usize,
    /// Timeout of each poll, in seconds; a pending reply is polled again
    #[arg(long, default_value_t = 55, value_parser = clap::value_parser!(u8).range(1..=55))]
    pub(crate) wait: u8,
    /// Seconds to hold them all before the first answer
    #[arg(long, default_value = "10", value_parser = seconds)]
    pub(crate) hold: Duration,
    /// Seconds given to the hub before its memory is read
    #[arg(long, default_value = "2", value_parser = seconds)]
    pub(crate) rest: Duration,
    /// Answers per second
    #[arg(long, default_value_t = 500.0, value_parser = rate)]
    pub(crate) rate: f64,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) ramp: RampArgs,
    /// Length of each message's and each answer's ciphertext, in bytes
    #[arg(long, default_value_t = 400, value_parser = size)]
    pub(crate) size: usize,
    /// JWT of a member of the space, who answers [default: a new guest of each session]
    #[arg(long, env = "HILOOP_TOKEN", hide_env_values = true)]
    #[serde(skip)]
    pub(crate) token: Option<String>,
}
