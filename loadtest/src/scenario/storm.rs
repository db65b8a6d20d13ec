//! `storm`: all sockets lose their connection at one moment and return at once, each after what it has read.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{
    Context,
    memory::report_memory,
    returns::{Slowest, report_causes},
    sender::Sender,
};
use crate::{
    cli::StormArgs,
    fleet::{Fleet, Group, Storm},
    latency::Latencies,
    progress::Phase,
    report::{Report, Section},
    schedule::{LEAD, Schedule},
    stop::Stop,
};

pub(super) async fn run(context: &Context, arguments: &StormArgs) -> Result<Report, Stop> {
    let sessions = context.create_sessions(arguments.sessions.unwrap_or(arguments.sockets / 10).max(1)).await?;
    let before = context.server_memory()?;
    let witnesses = arguments.sockets..arguments.sockets + arguments.witnesses;
    let groups = [(0..arguments.sockets, Group::Disturbed), (witnesses, Group::Steady)];
    let fleet = context.open_fleet(&sessions, &groups, true).await?;
    let open = context.server_memory()?;
    let sender = Sender::new(context, &sessions, arguments.size, 1).await?;

    let meter = context.meter()?;
    let storms = u32::try_from(arguments.storms).unwrap_or(u32::MAX);
    let schedule = Schedule::new(Instant::now() + LEAD, arguments.rate, arguments.at + arguments.every * storms, 1);
    fleet.follow(schedule).await?;
    let phase = Phase::start("deliveries", fleet.expected(&schedule.spread(sessions.len())));
    let following = phase.follow(fleet.counter());
    let (sent, storms_passed) = tokio::join!(sender.run(schedule), storms_of(arguments, &fleet, schedule.at(0)));
    sent?;
    let (slowest, back) = storms_passed?;
    let expected = fleet.expected(&sender.messages());
    fleet.wait_for(expected, context.options.drain).await;
    let usage = meter.stop().map_err(Stop::Hub)?;
    drop(following);
    tokio::time::sleep(context.options.settle).await;

    fleet.collect().await?;
    let mut report = Report::new("storm", &context.options.url, json!(arguments));
    report.count(Section::Load, "sessions", "sessions", sessions.len() as u64);
    report.count(Section::Load, "sockets", "sockets", fleet.len() as u64);
    report.count(Section::Load, "storms", "storms", u64::from(storms));
    slowest.report(&mut report);
    report_causes(&mut report, &fleet.causes());
    report.count(Section::Load, "messagesAcknowledged", "messages acknowledged", sender.acknowledged());
    report.count(Section::Load, "deliveriesExpected", "deliveries expected", expected);
    report.count(Section::Load, "deliveries", "deliveries", fleet.delivered());
    report.count(Section::Load, "deliveriesReplayed", "of them missed and replayed", fleet.replayed());
    report.latency("delivery", "scheduled to others' sockets", fleet.latency(Group::Steady));
    report.latency("deliveryReturned", "scheduled to returning sockets", fleet.latency(Group::Disturbed));
    report.latency("back", "disconnect to replay complete", back.summary());
    sender.report(&mut report);
    usage.report(&mut report);
    report_memory(&mut report, "memoryBeforeMiB", "memory before the sockets", before);
    report_memory(&mut report, "memoryOpenMiB", "memory with the sockets", open);
    report_memory(&mut report, "memoryAfterMiB", "memory after the storms", context.server_memory()?);
    let mut ledgers = sender.take_ledgers();
    fleet.finish(&mut ledgers).await?;
    Ok(report)
}

/// Lets the storms come; returns the slowest returns and all of them.
async fn storms_of(arguments: &StormArgs, fleet: &Fleet, start: Instant) -> Result<(Slowest, Latencies), Stop> {
    let (mut slowest, all) = (Slowest::default(), Latencies::new());
    for number in 0..arguments.storms {
        let wait = arguments.at + arguments.every * u32::try_from(number).unwrap_or(u32::MAX);
        tokio::time::sleep_until((start + wait).into()).await;
        let storm = Storm {
            number: number as u64 + 1,
            at: Instant::now(),
            polite: arguments.polite,
            spread: arguments.spread,
            patience: arguments.patience.max(Duration::from_millis(1)),
        };
        let back = fleet.storm(storm).await?;
        slowest.add(&back);
        all.add(&back);
    }
    Ok((slowest, all))
}
