//! Options of the scenarios in which connections are lost or not read.

use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::{count, rate, seconds, size};

#[derive(Debug, Clone, Args, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StormArgs {
    /// Sockets that lose their connection
    #[arg(long, default_value_t = 1000, value_parser = count)]
    pub(crate) sockets: usize,
    /// Further sockets that keep theirs, whose latency is measured
    #[arg(long, default_value_t = 20, value_parser = size)]
    pub(crate) witnesses: usize,
    /// Sessions to spread all sockets over [default: a tenth of the sockets]
    #[arg(long, value_parser = count)]
    pub(crate) sessions: Option<usize>,
    /// Messages per second over all sessions
    #[arg(long, default_value_t = 50.0, value_parser = rate)]
    pub(crate) rate: f64,
    /// Length of each message's ciphertext, in bytes
    #[arg(long, default_value_t = 400, value_parser = size)]
    pub(crate) size: usize,
    /// Seconds of messages before the first storm
    #[arg(long, default_value = "5", value_parser = seconds)]
    pub(crate) at: Duration,
    /// Storms
    #[arg(long, default_value_t = 1, value_parser = count)]
    pub(crate) storms: usize,
    /// Seconds from one storm to the next, and from the last one to the end
    #[arg(long, default_value = "15", value_parser = seconds)]
    pub(crate) every: Duration,
    /// Close with a close frame instead of a reset
    #[arg(long)]
    pub(crate) polite: bool,
    /// Seconds over which the first attempts to return are spread
    #[arg(long, default_value = "0", value_parser = seconds)]
    pub(crate) spread: Duration,
    /// Seconds after which a socket that is not back has failed
    #[arg(long, default_value = "60", value_parser = seconds)]
    pub(crate) patience: Duration,
}

#[derive(Debug, Clone, Args, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SlowArgs {
    /// Sockets
    #[arg(long, default_value_t = 1000, value_parser = count)]
    pub(crate) sockets: usize,
    /// Share of them that stops reading, in percent
    #[arg(long, default_value = "10%", value_parser = Share::parse)]
    pub(crate) stalled: Share,
    /// Sessions to spread the sockets over
    #[arg(long, default_value_t = 1, value_parser = count)]
    pub(crate) sessions: usize,
    /// Messages per second over all sessions
    #[arg(long, default_value_t = 50.0, value_parser = rate)]
    pub(crate) rate: f64,
    /// Length of each message's ciphertext, in bytes
    #[arg(long, default_value_t = 4000, value_parser = size)]
    pub(crate) size: usize,
    /// Seconds of messages before the stall
    #[arg(long, default_value = "5", value_parser = seconds)]
    pub(crate) calm: Duration,
    /// Seconds of messages from the beginning of the stall
    #[arg(long, default_value = "30", value_parser = seconds)]
    pub(crate) duration: Duration,
    /// Seconds of the stall [default: until the last message]
    #[arg(long, value_parser = seconds)]
    pub(crate) stall: Option<Duration>,
    /// Receive buffer of a stalled socket in the kernel, in bytes
    #[arg(long, default_value_t = 8192, value_name = "BYTES")]
    pub(crate) receive_buffer: u32,
    /// Seconds in which a stalled socket must catch up once it reads again
    #[arg(long, default_value = "60", value_parser = seconds)]
    pub(crate) patience: Duration,
}

/// A share of something.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Share(f64);

impl Share {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text.trim_end_matches('%').parse::<f64>() {
            Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(Self(percent / 100.0)),
            _ => Err("a percentage from 0 to 100".to_owned()),
        }
    }

    /// Whether the item with this number belongs to the share; they are evenly spread.
    pub(crate) fn includes(self, number: usize) -> bool {
        let before = |number: usize| (number as f64 * self.0).floor();
        before(number + 1) > before(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_spread_evenly() {
        let included = |share: &str| {
            let share = Share::parse(share).expect("a share");
            (0..100).filter(|number| share.includes(*number)).collect::<Vec<_>>()
        };
        assert_eq!(included("10%").len(), 10);
        assert!(included("10").windows(2).all(|pair| pair[1] - pair[0] == 10));
        assert_eq!((included("0").len(), included("100%").len()), (0, 100));
    }
}
