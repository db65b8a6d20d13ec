//! The command line.

mod awaiting;
mod disruptions;
mod mixed;
mod ramp;
mod simulate;
mod sweep;

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{ArgAction, Args, CommandFactory as _, Parser, Subcommand, error::ErrorKind};
use serde::Serialize;

pub(crate) use self::{
    awaiting::AwaitArgs,
    disruptions::{Share, SlowArgs, StormArgs},
    mixed::MixedArgs,
    ramp::RampArgs,
    simulate::{Placement, SimulateArgs},
    sweep::{Dimension, SweepArgs, SweepPlan},
};
use crate::threshold::Threshold;

const EXIT_CODES: &str = "\
Exit codes:
  0   everything was delivered exactly once and in order
  1   the tester itself could not do its work (a report not written, /proc not readable)
  2   a delivery was lost, doubled or misordered, or the hub refused or dropped something
  3   everything was delivered, but an expectation of --expect was not met,
      or with --fail-on-regression a value is worse than that of the baseline
  64  the command line cannot be carried out, or --expect names a value that the run does not have";

/// A black-box load tester for Hiloop hubs that counts every delivery.
#[derive(Debug, Parser)]
#[command(name = "loadtest", version, after_help = EXIT_CODES, args_override_self = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) options: Options,
    #[command(subcommand)]
    pub(crate) scenario: Scenario,
}

impl Cli {
    /// Refuses options that may be repeated both before and after the scenario, as clap would drop the former.
    pub(crate) fn from_line(line: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let line: Vec<OsString> = line.into_iter().collect();
        let given = |option: &str| {
            let is_option =
                |word: &str| word.strip_prefix(option).is_some_and(|rest| rest.is_empty() || rest.starts_with('='));
            line.iter().filter(|word| word.to_str().is_some_and(is_option)).count()
        };
        let given = [given("--expect"), given("--other-url"), given("--pid")];
        let cli = Self::try_parse_from(line)?;
        let kept = [cli.options.expect.len(), cli.options.other_url.len(), cli.options.pid.len()];
        let repeated = ["--expect", "--other-url", "--pid"].into_iter().zip(given.into_iter().zip(kept));
        match repeated.into_iter().find(|(_, (given, kept))| given != kept) {
            None => Ok(cli),
            Some((option, _)) => Err(Self::command().error(
                ErrorKind::ArgumentConflict,
                format!("{option} must stand either before the scenario or after it, each time"),
            )),
        }
    }
}

/// Options of every scenario.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Base URL of the hub; `https://` or `wss://` for one behind TLS
    #[arg(long, global = true, default_value = "http://127.0.0.1:8080")]
    pub(crate) url: String,
    /// Another node of the same hub, where sockets are opened instead, and one of the writers of `ingest` in turn; may be
    /// repeated
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) other_url: Vec<String>,
    /// Certificates of the authorities to trust with TLS, in PEM [default: those of the system]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// API key (`hlp_…`)
    #[arg(long, global = true, env = "HILOOP_KEY", hide_env_values = true)]
    pub(crate) key: Option<String>,
    /// Process id of the hub: its CPU, memory and descriptors are measured; may be repeated for several nodes, whose sum is
    /// taken
    #[arg(long, global = true)]
    pub(crate) pid: Vec<u32>,
    /// Client addresses to spread the connections over: 127.0.0.1 … 127.0.0.N
    #[arg(long, global = true, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=254))]
    pub(crate) sources: u8,
    /// Write the report as JSON to this file as well
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write the report as one self-contained HTML file as well
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Compare with an earlier run of the same scenario: its JSON report
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,
    /// Mark values that differ from the baseline by more than this
    #[arg(long, global = true, value_name = "PERCENT", default_value = "10%", value_parser = percent)]
    pub(crate) tolerance: f64,
    /// Let a value that is worse than that of the baseline by more than the tolerance fail the run
    #[arg(long, global = true)]
    pub(crate) fail_on_regression: bool,
    /// Require a value of the report, such as 'delivery.p99<5ms', 'p99<5ms' (of the scenario's main latency) or
    /// 'messagesPerSecond>=9000'; may be repeated
    #[arg(long, global = true, value_name = "EXPRESSION", value_parser = Threshold::parse)]
    pub(crate) expect: Vec<Threshold>,
    /// Processes to divide the sockets of `idle`, `fanout`, `chat` and `storm` between, for more than one may hold
    #[arg(long, global = true, default_value_t = 1, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=64))]
    pub(crate) processes: usize,
    /// Which of these this one is, if it is a worker
    #[arg(long, global = true, hide = true)]
    pub(crate) worker_part: Option<usize>,
    /// Accept a target that is not a loopback address
    #[arg(long, global = true)]
    pub(crate) allow_remote: bool,
    /// Worker threads of the tester
    #[arg(long, global = true, default_value_t = 1, value_parser = count)]
    pub(crate) threads: usize,
    /// Maximum connections being opened at one time
    #[arg(long, global = true, default_value_t = 64, value_parser = count)]
    pub(crate) connecting: usize,
    /// Maximum concurrent POSTs; further ones wait, which counts as latency
    #[arg(long, global = true, default_value_t = 2048, value_parser = count)]
    pub(crate) in_flight: usize,
    /// Seconds that one connect, subscribe or POST may take
    #[arg(long, global = true, default_value = "30", value_parser = seconds)]
    pub(crate) timeout: Duration,
    /// Seconds to wait for outstanding deliveries after the last reply
    #[arg(long, global = true, default_value = "10", value_parser = seconds)]
    pub(crate) drain: Duration,
    /// Seconds to continue listening for duplicates after all deliveries
    #[arg(long, global = true, default_value = "0.25", value_parser = seconds)]
    pub(crate) settle: Duration,
    /// Read buffer of each socket, in bytes
    #[arg(long, global = true, default_value_t = 4096, value_parser = count)]
    pub(crate) read_buffer: usize,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Scenario {
    /// Many idle sockets: memory per socket, CPU while idle
    Idle(IdleArgs),
    /// One session, many sockets
    Fanout(FanoutArgs),
    /// Many sessions, few sockets each
    Chat(ChatArgs),
    /// All sockets lose their connection at one moment and return at once
    Storm(StormArgs),
    /// A share of the readers stops reading
    Slow(SlowArgs),
    /// Many principals with sockets, event streams and long-polls, who write, ask, answer, type, read and leave
    Mixed(MixedArgs),
    /// Durable messages as fast as the hub acknowledges them
    Ingest(IngestArgs),
    /// Many long-polls: memory per long-poll, CPU while waiting, time from an answer to its reply
    Await(AwaitArgs),
    /// How each cost grows with sockets, sessions, history, long-polls, people and nodes
    Sweep(SweepArgs),
    /// Without a hub: the traffic between very many nodes over Redis, by the hub's subscription scheme
    Simulate(SimulateArgs),
}

impl Scenario {
    /// Whether `--processes` applies.
    pub(crate) fn divides(&self) -> bool {
        matches!(self, Self::Idle(_) | Self::Fanout(_) | Self::Chat(_) | Self::Storm(_))
    }

    /// Where to write tables in Markdown.
    pub(crate) fn markdown(&self) -> Option<&Path> {
        match self {
            Self::Sweep(arguments) => arguments.markdown.as_deref(),
            _ => None,
        }
    }

    /// As in the command line and in reports.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Idle(_) => "idle",
            Self::Fanout(_) => "fanout",
            Self::Chat(_) => "chat",
            Self::Ingest(_) => "ingest",
            Self::Await(_) => "await",
            Self::Storm(_) => "storm",
            Self::Slow(_) => "slow",
            Self::Mixed(_) => "mixed",
            Self::Sweep(_) => "sweep",
            Self::Simulate(_) => "simulate",
        }
    }
}

#[derive(Debug, Clone, Args, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IdleArgs {
    /// Sockets to open
    #[arg(long, default_value_t = 10_000, value_parser = count)]
    pub(crate) sockets: usize,
    /// Sessions to spread them over [default: a tenth of the sockets]
    #[arg(long, value_parser = count)]
    pub(crate) sessions: Option<usize>,
    /// Subscribe each socket to a session
    #[arg(long, default_value_t = true, action = ArgAction::Set)]
    pub(crate) subscribe: bool,
    /// Seconds to hold them open
    #[arg(long, default_value = "10", value_parser = seconds)]
    pub(crate) hold: Duration,
    /// After the hold, send one message of this size to every session (0: none)
    #[arg(long, default_value_t = 0, value_name = "BYTES", value_parser = size)]
    pub(crate) broadcast: usize,
    /// Seconds given to the hub before its memory is read
    #[arg(long, default_value = "2", value_parser = seconds)]
    pub(crate) rest: Duration,
}

#[derive(Debug, Clone, Args, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FanoutArgs {
    /// Sockets subscribed to the session
    #[arg(long, default_value_t = 1000, value_parser = count)]
    pub(crate) sockets: usize,
    /// Ticks per second
    #[arg(long, default_value_t = 20.0, value_parser = rate)]
    pub(crate) rate: f64,
    /// Messages sent at once on each tick
    #[arg(long, default_value_t = 1, value_parser = count)]
    pub(crate) burst: usize,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) ramp: RampArgs,
    #[command(flatten)]
    pub(crate) load: LoadArgs,
    /// Also measure the floor: one plain blocking write for each delivery
    #[arg(long)]
    pub(crate) floor: bool,
    /// Seconds of each of the two floor measurements
    #[arg(long, default_value = "4", value_parser = seconds)]
    pub(crate) floor_time: Duration,
}

#[derive(Debug, Clone, Args, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChatArgs {
    /// Sessions, each written to in turn
    #[arg(long, default_value_t = 1000, value_parser = count)]
    pub(crate) sessions: usize,
    /// Sockets subscribed to each session
    #[arg(long, default_value_t = 2, value_parser = count)]
    pub(crate) sockets_per_session: usize,
    /// Messages per second over all sessions
    #[arg(long, default_value_t = 400.0, value_parser = rate)]
    pub(crate) rate: f64,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) ramp: RampArgs,
    #[command(flatten)]
    pub(crate) load: LoadArgs,
    #[command(flatten)]
    pub(crate) floor: DurableFloorArgs,
}

/// The durable floor.
#[derive(Debug, Clone, Args, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DurableFloorArgs {
    /// Also measure the durable floor: the same rows committed to SQLite by a bare loop
    #[arg(long)]
    pub(crate) floor: bool,
    /// Seconds of each of the floor's measurements
    #[arg(long, default_value = "2", value_parser = seconds)]
    pub(crate) floor_time: Duration,
    /// Folder for the floor's database, on the disk of the hub's [default: that for temporary files]
    #[arg(long, value_name = "FOLDER")]
    #[serde(skip)]
    pub(crate) floor_dir: Option<PathBuf>,
}

/// Duration and size.
#[derive(Debug, Clone, Copy, Args, Serialize)]
pub(crate) struct LoadArgs {
    /// Seconds of sending
    #[arg(long, default_value = "10", value_parser = seconds)]
    pub(crate) duration: Duration,
    /// Length of each message's ciphertext, in bytes
    #[arg(long, default_value_t = 400, value_parser = size)]
    pub(crate) size: usize,
}

#[derive(Debug, Clone, Args, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IngestArgs {
    /// Concurrent writers, each with one POST at a time
    #[arg(long, default_value_t = 64, value_parser = count)]
    pub(crate) writers: usize,
    /// Seconds of writing
    #[arg(long, default_value = "5", value_parser = seconds)]
    pub(crate) duration: Duration,
    /// Sessions that the writers are spread over
    #[arg(long, default_value_t = 64, value_parser = count)]
    pub(crate) sessions: usize,
    /// All writers into one session
    #[arg(long)]
    pub(crate) one_session: bool,
    /// Length of each message's ciphertext, in bytes
    #[arg(long, default_value_t = 400, value_parser = size)]
    pub(crate) size: usize,
    #[command(flatten)]
    pub(crate) floor: DurableFloorArgs,
}

fn count(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(number @ 1..=1_000_000) => Ok(number),
        _ => Err("a whole number from 1 to 1000000".to_owned()),
    }
}

fn size(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(number @ 0..=1_048_576) => Ok(number),
        _ => Err("a whole number of bytes from 0 to 1048576".to_owned()),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if (0.01..=1_000_000.0).contains(&number) => Ok(number),
        _ => Err("a number from 0.01 to 1000000".to_owned()),
    }
}

fn percent(text: &str) -> Result<f64, String> {
    match text.strip_suffix('%').unwrap_or(text).trim().parse::<f64>() {
        Ok(number) if (0.0..=1000.0).contains(&number) => Ok(number),
        _ => Err("per cent from 0 to 1000, such as 10%".to_owned()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(number) if (0.0..=86_400.0).contains(&number) => Ok(Duration::from_secs_f64(number)),
        _ => Err("seconds from 0 to 86400".to_owned()),
    }
}

#[cfg(test)]
mod tests;
