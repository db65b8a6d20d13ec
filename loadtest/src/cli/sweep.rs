//! Options of `sweep`.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::{count, rate, seconds, size};

/// What grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Dimension {
    /// Open sockets, ten in each session
    Sockets,
    /// Sessions in the store
    Sessions,
    /// Events in the store
    History,
    /// Waiting long-polls
    Waiters,
    /// People with a socket in one session
    People,
    /// Nodes with sockets
    Nodes,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct SweepArgs {
    /// What grows, one after the other [default: all; nodes only with --other-url]
    #[arg(value_enum, value_name = "DIMENSION")]
    pub(crate) dimensions: Vec<Dimension>,
    /// Few, small and short steps, for a trial or a busy machine
    #[arg(long)]
    pub(crate) quick: bool,
    /// Steps of `sockets` [default: 100,1000,5000,10000,19000; quick: 10,50,100]
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = count)]
    pub(crate) sockets: Vec<usize>,
    /// Steps of `sessions` [default: 10,100,1000,10000,100000; quick: 10,100]
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = count)]
    pub(crate) sessions: Vec<usize>,
    /// Steps of `history` [default: 0,1000,10000,100000,1000000; quick: 0,200,1000]
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = events)]
    pub(crate) history: Vec<usize>,
    /// Steps of `waiters` [default: 0,100,1000,5000,10000; quick: 0,20,50]
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = events)]
    pub(crate) waiters: Vec<usize>,
    /// Steps of `people` [default: 2,10,100,1000,5000; quick: 2,10,50]
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = count)]
    pub(crate) people: Vec<usize>,
    /// Steps of `nodes`: of --url and each --other-url, in this order [default: 1 to all of them]
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = count)]
    pub(crate) nodes: Vec<usize>,
    /// Messages per second in each step, over all sessions with sockets
    #[arg(long, default_value_t = 50.0, value_parser = rate)]
    pub(crate) rate: f64,
    /// The same for `people`, where each message goes to all of them
    #[arg(long, default_value_t = 10.0, value_parser = rate)]
    pub(crate) people_rate: f64,
    /// Seconds of messages in each step [default: 10; quick: 1]
    #[arg(long, value_parser = seconds)]
    pub(crate) duration: Option<Duration>,
    /// Seconds without messages before them, in which idle CPU is measured [default: 5; quick: 0.2]
    #[arg(long, value_parser = seconds)]
    pub(crate) hold: Option<Duration>,
    /// Seconds given to the hub before its memory is read [default: 2; quick: 0.1]
    #[arg(long, value_parser = seconds)]
    pub(crate) rest: Option<Duration>,
    /// Sockets that measure the latency where it is not sockets or people that grow, ten in each session
    #[arg(long, default_value_t = 100, value_parser = count)]
    pub(crate) probes: usize,
    /// Concurrent requests that create sessions, events and people
    #[arg(long, default_value_t = 64, value_parser = count)]
    pub(crate) writers: usize,
    /// Sessions that the events of `history` are spread over
    #[arg(long, default_value_t = 100, value_parser = count)]
    pub(crate) history_sessions: usize,
    /// Length of each message's ciphertext, in bytes
    #[arg(long, default_value_t = 400, value_parser = size)]
    pub(crate) size: usize,
    /// Write the steps as Markdown tables to this file as well
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
}

/// The sweep with all its defaults.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SweepPlan {
    pub(crate) dimensions: Vec<(Dimension, Vec<usize>)>,
    pub(crate) quick: bool,
    pub(crate) rate: f64,
    pub(crate) people_rate: f64,
    pub(crate) duration: Duration,
    pub(crate) hold: Duration,
    pub(crate) rest: Duration,
    pub(crate) probes: usize,
    pub(crate) writers: usize,
    pub(crate) history_sessions: usize,
    pub(crate) size: usize,
}

impl SweepArgs {
    /// The plan for a hub of so many nodes; an error that names the option.
    pub(crate) fn plan(&self, nodes: usize) -> Result<SweepPlan, String> {
        let all = [
            Dimension::Sockets,
            Dimension::Sessions,
            Dimension::History,
            Dimension::Waiters,
            Dimension::People,
            Dimension::Nodes,
        ];
        let mut wanted = self.dimensions.clone();
        if wanted.is_empty() {
            wanted.extend(all.into_iter().filter(|dimension| *dimension != Dimension::Nodes || nodes > 1));
        }
        let mut dimensions: Vec<(Dimension, Vec<usize>)> = Vec::new();
        for dimension in wanted {
            if dimensions.iter().any(|(known, _)| *known == dimension) {
                return Err(format!("{} is named twice", dimension.name()));
            }
            dimensions.push((dimension, self.steps(dimension, nodes)?));
        }
        let seconds = |given: Option<Duration>, long: f64, quick: f64| {
            given.unwrap_or(Duration::from_secs_f64(if self.quick { quick } else { long }))
        };
        Ok(SweepPlan {
            dimensions,
            quick: self.quick,
            rate: self.rate,
            people_rate: self.people_rate,
            duration: seconds(self.duration, 10.0, 1.0),
            hold: seconds(self.hold, 5.0, 0.2),
            rest: seconds(self.rest, 2.0, 0.1),
            probes: self.probes,
            writers: self.writers,
            history_sessions: self.history_sessions,
            size: self.size,
        })
    }

    fn steps(&self, dimension: Dimension, nodes: usize) -> Result<Vec<usize>, String> {
        let every: Vec<usize> = (1..=nodes).collect();
        let (given, long, quick): (_, &[usize], &[usize]) = match dimension {
            Dimension::Sockets => (&self.sockets, &[100, 1000, 5000, 10_000, 19_000], &[10, 50, 100]),
            Dimension::Sessions => (&self.sessions, &[10, 100, 1000, 10_000, 100_000], &[10, 100]),
            Dimension::History => (&self.history, &[0, 1000, 10_000, 100_000, 1_000_000], &[0, 200, 1000]),
            Dimension::Waiters => (&self.waiters, &[0, 100, 1000, 5000, 10_000], &[0, 20, 50]),
            Dimension::People => (&self.people, &[2, 10, 100, 1000, 5000], &[2, 10, 50]),
            Dimension::Nodes => (&self.nodes, &every, &every),
        };
        let steps = match given.is_empty() {
            true if self.quick => quick.to_vec(),
            true => long.to_vec(),
            false => given.clone(),
        };
        let name = dimension.name();
        if !steps.is_sorted_by(|one, next| one < next) {
            return Err(format!("--{name}: each step must be larger than the one before"));
        }
        match dimension {
            Dimension::Nodes if steps.iter().any(|step| *step > nodes) => {
                Err(format!("--{name}: only {nodes} nodes are named by --url and --other-url"))
            }
            _ => Ok(steps),
        }
    }
}

impl SweepPlan {
    /// The most connections that a step needs.
    pub(crate) fn connections(&self) -> usize {
        let needed = self.dimensions.iter().map(|(dimension, steps)| {
            let most = steps.last().copied().unwrap_or_default();
            match dimension {
                Dimension::Sockets | Dimension::People => most,
                Dimension::Waiters => most + self.probes,
                Dimension::Sessions | Dimension::History | Dimension::Nodes => self.probes,
            }
        });
        needed.max().unwrap_or_default() + self.writers
    }
}

impl Dimension {
    /// As in the command line and in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sockets => "sockets",
            Self::Sessions => "sessions",
            Self::History => "history",
            Self::Waiters => "waiters",
            Self::People => "people",
            Self::Nodes => "nodes",
        }
    }
}

fn events(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(number @ 0..=100_000_000) => Ok(number),
        _ => Err("a whole number from 0 to 100000000".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Scenario};

    fn plan(line: &[&str], nodes: usize) -> Result<SweepPlan, String> {
        let line = ["loadtest", "sweep"].iter().chain(line);
        match Cli::try_parse_from(line).map_err(|error| error.to_string())?.scenario {
            Scenario::Sweep(arguments) => arguments.plan(nodes),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn everything_grows_unless_named_and_nodes_only_where_there_are_some() {
        let names = |line: &[&str], nodes| -> Vec<&str> {
            plan(line, nodes).expect("valid").dimensions.iter().map(|(dimension, _)| dimension.name()).collect()
        };
        assert_eq!(names(&[], 1), ["sockets", "sessions", "history", "waiters", "people"]);
        assert_eq!(names(&[], 2).last(), Some(&"nodes"));
        assert_eq!(names(&["history", "people"], 4), ["history", "people"]);
    }

    #[test]
    fn steps_are_given_quick_or_those_of_the_dimension() {
        let steps = |line: &[&str], nodes| plan(line, nodes).expect("valid").dimensions.remove(0).1;
        assert_eq!(steps(&["sockets"], 1).last(), Some(&19_000));
        assert_eq!(steps(&["sockets", "--quick"], 1), [10, 50, 100]);
        assert_eq!(steps(&["history", "--history", "0,7"], 1), [0, 7]);
        assert_eq!(steps(&["nodes"], 3), [1, 2, 3]);
    }

    #[test]
    fn what_cannot_be_swept_is_refused_by_name() {
        for (line, nodes, part) in [
            (&["sockets", "--sockets", "10,10"][..], 1, "--sockets: each step"),
            (&["nodes", "--nodes", "1,3"], 2, "--nodes: only 2"),
            (&["people", "people"], 1, "people is named twice"),
            (&["everything"], 1, "everything"),
            (&["people", "--people", "0"], 1, "--people"),
        ] {
            let error = plan(line, nodes).expect_err("refused");
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn the_default_stays_below_twenty_thousand_connections() {
        assert!(plan(&[], 4).expect("valid").connections() < 19_900);
    }
}
