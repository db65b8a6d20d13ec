//! Options of `simulate`.

use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::{Share, count, seconds};

/// Which node a person's socket is opened on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Placement {
    /// Any node, as a load balancer without knowledge does
    Random,
    /// All people of a space on one node, as a proxy does that hashes the space
    Space,
}

/// People, each with one socket, and what they do; the defaults are a million people in spaces of a hundred.
#[derive(Debug, Clone, Args, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SimulateArgs {
    /// Nodes of the hub
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) nodes: u16,
    /// Shards of Redis; 1 is a server without a cluster
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) shards: u16,
    /// People with an open socket
    #[arg(long, default_value_t = 1_000_000, value_parser = people)]
    pub(crate) people: u32,
    /// People in each space
    #[arg(long, default_value_t = 100, value_parser = count)]
    pub(crate) space_people: usize,
    /// Sessions in each space, of which each person watches one
    #[arg(long, default_value_t = 50, value_parser = count)]
    pub(crate) space_sessions: usize,
    /// Where sockets are opened
    #[arg(long, value_enum, default_value = "random")]
    pub(crate) placement: Placement,
    /// Share of the people who follow the feed of their space
    #[arg(long, default_value = "100%", value_parser = Share::parse)]
    pub(crate) feeds: Share,
    /// Seconds that a socket stays open, on average; its person returns at once
    #[arg(long, default_value = "1800", value_parser = interval)]
    pub(crate) stay: Duration,
    /// Seconds that a person watches one session, on average
    #[arg(long, default_value = "120", value_parser = interval)]
    pub(crate) view: Duration,
    /// Seconds from one message of a person to the next, on average
    #[arg(long, default_value = "300", value_parser = interval)]
    pub(crate) write: Duration,
    /// Typing frames for each message
    #[arg(long, default_value_t = 3)]
    pub(crate) typing: u32,
    /// Seconds that the hub's presence task needs to write and read once, as long as which it takes changes together
    #[arg(long, default_value = "0.01", value_parser = seconds)]
    pub(crate) round: Duration,
    /// Seconds to simulate
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) seconds: u32,
    /// Of the random numbers
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

fn people(text: &str) -> Result<u32, String> {
    match text.parse::<u32>() {
        Ok(number @ 1..=10_000_000) => Ok(number),
        _ => Err("a whole number from 1 to 10000000".to_owned()),
    }
}

fn interval(text: &str) -> Result<Duration, String> {
    match seconds(text) {
        Ok(time) if time >= Duration::from_secs(1) => Ok(time),
        _ => Err("seconds from 1 to 86400".to_owned()),
    }
}
