//! `simulate`: what the nodes of a hub would send each other over Redis, without a hub.

mod traffic;
mod world;

use serde_json::json;

use self::{
    traffic::{Command, Node, Shard},
    world::World,
};
use crate::{
    cli::SimulateArgs,
    report::{Report, Section},
};

/// The kinds of commands, with the key and label of each.
const KINDS: [(Command, &str, &str); traffic::COMMANDS] = [
    (Command::Event, "shardEventsPerSecond", "events to sessions"),
    (Command::Hint, "shardHintsPerSecond", "hints to feeds of spaces"),
    (Command::Ephemeral, "shardEphemeralPerSecond", "typing and read marks"),
    (Command::Presence, "shardPresencePerSecond", "presence, published"),
    (Command::Write, "shardWritesPerSecond", "presence, written"),
    (Command::Read, "shardReadsPerSecond", "presence, hashes read"),
    (Command::Lease, "shardLeasesPerSecond", "leases renewed and read"),
    (Command::Subscribe, "shardSubscribesPerSecond", "channels joined and left"),
    (Command::Ping, "shardPingsPerSecond", "pings"),
];

pub(crate) fn run(arguments: &SimulateArgs) -> Report {
    let mut world = World::new(arguments);
    world.run();
    let mut report = Report::new("simulate", "no hub", json!(arguments));
    let seconds = f64::from(arguments.seconds);
    let nodes = f64::from(arguments.nodes);
    let each_node = |of: fn(&Node) -> u64| world.traffic.nodes.iter().map(of).sum::<u64>() as f64 / seconds / nodes;
    let each_shard = |of: &dyn Fn(&Shard) -> u64| {
        world.traffic.shards.iter().map(of).sum::<u64>() as f64 / seconds / f64::from(arguments.shards)
    };
    let busiest_node = world.traffic.nodes.iter().map(|node| node.received).max().unwrap_or_default() as f64 / seconds;
    let busiest_shard = world.traffic.shards.iter().map(|shard| shard.all_commands() + shard.pushes).max();

    let load = Section::Load;
    report.figure(load, "messagesPerSecond", "messages", world.messages as f64 / seconds, "/s");
    report.figure(load, "watchesPerSecond", "sessions opened by people", world.moves as f64 / seconds, "/s");
    let channels = world.session_channels() as f64 / nodes;
    report.figure(load, "sessionChannels", "session channels of a node", channels, "");
    report.figure(load, "spaceChannels", "space channels of a node", world.space_channels() as f64 / nodes, "");

    let node = Section::Node;
    report.figure(node, "nodeReceivedPerSecond", "messages received", each_node(|node| node.received), "/s");
    report.figure(node, "nodeOwnPerSecond", "of them its own, dropped", each_node(|node| node.own), "/s");
    report.figure(node, "nodeHintsPerSecond", "of them for feeds", each_node(|node| node.hints), "/s");
    report.figure(node, "nodeReceivedBusiest", "received by the busiest node", busiest_node, "/s");
    let peak = world.traffic.nodes.iter().map(|node| node.busiest_second).max().unwrap_or_default() as f64;
    report.figure(node, "nodeReceivedPeak", "received in the busiest second", peak, "/s");
    report.figure(node, "nodeCommandsPerSecond", "commands sent", each_node(|node| node.commands), "/s");

    let database = Section::Database;
    let channels = (world.session_channels() as f64, world.space_channels() as f64);
    // Each node compares all its sessions and spaces with the store once a second, each in one query.
    report.figure(database, "headLookupsPerSecond", "sessions compared", channels.0, "/s");
    report.figure(database, "spaceLookupsPerSecond", "spaces compared", channels.1, "/s");
    let reads = world.participant_reads as f64 / seconds;
    report.figure(database, "participantReadsPerSecond", "participants read by feeds", reads, "/s");
    let opened = world.moves as f64 / seconds;
    report.figure(database, "subscribeReadsPerSecond", "subscriptions read", opened, "/s");

    let shard = Section::Shard;
    for (command, key, label) in KINDS {
        report.figure(shard, key, label, each_shard(&|shard| shard.commands[command as usize]), "/s");
    }
    report.figure(shard, "shardCommandsPerSecond", "all commands", each_shard(&Shard::all_commands), "/s");
    report.figure(shard, "shardPushesPerSecond", "messages to nodes", each_shard(&|shard| shard.pushes), "/s");
    let busiest = busiest_shard.unwrap_or_default() as f64 / seconds;
    report.figure(shard, "shardBusiest", "both, of the busiest shard", busiest, "/s");
    let peak = world.traffic.shards.iter().map(|shard| shard.busiest_second).max().unwrap_or_default() as f64;
    report.figure(shard, "shardPeak", "both, in the busiest second", peak, "/s");
    report
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Scenario};

    fn simulate(line: &[&str]) -> serde_json::Value {
        let line = ["loadtest", "simulate", "--seconds", "60"].iter().chain(line);
        let Ok(Scenario::Simulate(arguments)) = Cli::try_parse_from(line).map(|cli| cli.scenario) else {
            panic!("not parsed");
        };
        run(&arguments).json()["figures"].take()
    }

    /// A figure, summed over all shards or nodes by `factor`.
    fn total(figures: &serde_json::Value, key: &str, factor: f64) -> f64 {
        figures[key].as_f64().unwrap_or_else(|| panic!("no {key}: {figures}")) * factor
    }

    fn near(value: f64, expected: f64) -> bool {
        (value / expected - 1.0).abs() < 0.05
    }

    #[test]
    fn one_node_sends_hints_and_events_that_only_it_receives() {
        let figures =
            simulate(&["--nodes", "1", "--shards", "1", "--people", "3000", "--write", "30", "--typing", "0"]);
        assert!(near(total(&figures, "messagesPerSecond", 1.0), 100.0), "{figures}");
        assert!(near(total(&figures, "shardEventsPerSecond", 1.0), 100.0), "{figures}");
        assert!(near(total(&figures, "shardHintsPerSecond", 1.0), 100.0), "{figures}");
        assert_eq!(figures["nodeReceivedPerSecond"], figures["nodeOwnPerSecond"]);
        // There is no other node with a lease, and it renews its own every 2 s.
        assert!((total(&figures, "shardLeasesPerSecond", 1.0) - 0.5).abs() < 0.1, "{figures}");
    }

    #[test]
    fn a_hint_goes_to_every_node_with_a_feed_of_the_space() {
        // A hundred people of each space are on all of ten nodes.
        let line = ["--nodes", "10", "--shards", "2", "--people", "2000", "--write", "20"];
        let figures = simulate(&line);
        let hints = total(&figures, "shardHintsPerSecond", 2.0);
        assert!(near(hints, 100.0) && near(total(&figures, "nodeHintsPerSecond", 10.0), hints * 10.0), "{figures}");
        // On one node there is one copy, and nobody else gets anything.
        let together = simulate(&[&line[..], &["--placement", "space"]].concat());
        assert!(near(total(&together, "nodeHintsPerSecond", 10.0), hints), "{together}");
        assert_eq!(together["nodeReceivedPerSecond"], together["nodeOwnPerSecond"]);
        // Nobody knows another node, so that each renews its own lease alone.
        assert!((total(&together, "shardLeasesPerSecond", 2.0) - 5.0).abs() < 0.5, "{together}");
        // Participants are read at all ten, unless they have been within a minute.
        let reads = total(&figures, "participantReadsPerSecond", 1.0);
        assert!(reads > hints && reads < hints * 10.0, "{figures}");
        let none = simulate(&[&line[..], &["--feeds", "0%"]].concat());
        assert_eq!([&none["nodeHintsPerSecond"], &none["spaceChannels"]].map(|value| value.as_f64()), [Some(0.0); 2]);
    }

    #[test]
    fn presence_is_written_with_each_change_and_the_leases_read_with_each_new_session() {
        // Everybody is alone in a session of a space of 5,000, and looks at another one every minute.
        let line = ["--nodes", "10", "--people", "6000", "--space-people", "6000", "--space-sessions", "100000"];
        let figures = simulate(&[&line[..], &["--view", "60", "--stay", "86400", "--round", "0"]].concat());
        let moves = total(&figures, "watchesPerSecond", 1.0);
        assert!(near(moves, 100.0), "{figures}");
        let reads = total(&figures, "shardReadsPerSecond", 10.0);
        // Besides, all nodes write and read everything again about every 225 s.
        assert!(reads >= moves * 0.9 && reads < moves * 1.6, "{figures}");
        let ticks = 10.0 * (1.0 + 9.0) / 2.0;
        let leases = total(&figures, "shardLeasesPerSecond", 10.0) - ticks;
        assert!(leases > moves * 0.8 * 9.0 && leases < moves * 1.2 * 9.0, "{figures}");
        assert!(total(&figures, "shardWritesPerSecond", 10.0) >= moves * 3.0 * 0.95, "{figures}");
    }

    #[test]
    fn a_slower_round_reads_leases_less_often() {
        let line = ["--nodes", "10", "--people", "20000", "--view", "10"];
        let leases = |round| total(&simulate(&[&line[..], &["--round", round]].concat()), "shardLeasesPerSecond", 1.0);
        assert!(leases("0.1") < leases("0") * 0.5);
    }

    #[test]
    fn one_seed_is_one_result() {
        let line = ["--people", "5000", "--nodes", "5"];
        assert_eq!(simulate(&line), simulate(&line));
        assert_ne!(simulate(&line), simulate(&[&line[..], &["--seed", "2"]].concat()));
    }
}
