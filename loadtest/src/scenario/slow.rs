//! `slow`: a share of the readers stops reading, then reads again.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{
    Context,
    memory::report_memory,
    returns::{Slowest, report_causes},
    sender::Sender,
};
use crate::{
    cli::SlowArgs,
    client::SocketOptions,
    fleet::{Fleet, Group},
    latency::Summary,
    progress::Phase,
    report::{Report, Section},
    schedule::{LEAD, Schedule},
    stop::Stop,
};

pub(super) async fn run(context: &Context, arguments: &SlowArgs) -> Result<Report, Stop> {
    let sessions = context.create_sessions(arguments.sessions).await?;
    let before = context.server_memory()?;
    let mut seats = context.seats(&sessions, 0..arguments.sockets, Group::Steady);
    for seat in seats.iter_mut().filter(|seat| arguments.stalled.includes(seat.number)) {
        seat.group = Group::Disturbed;
        seat.socket = SocketOptions { receive_buffer: Some(arguments.receive_buffer), ..seat.socket };
    }
    let stalled = seats.iter().filter(|seat| seat.group == Group::Disturbed).count() as u64;
    let fleet = context.open_seats(&sessions, seats, true).await?;
    let open = context.server_memory()?;
    let sender = Sender::new(context, &sessions, arguments.size, 1).await?;

    let meter = context.meter()?;
    let stall = arguments.stall.unwrap_or(arguments.duration);
    let schedule =
        Schedule::new(Instant::now() + LEAD, arguments.rate, arguments.calm + arguments.duration.max(stall), 1);
    // By when they were due: a delivery that the stall has held up until it was over is a latency of the stall.
    let ends = [Duration::ZERO, arguments.calm, arguments.calm + stall, Duration::MAX];
    let parts: Vec<Schedule> = ends.windows(2).map(|ends| schedule.part(ends[0], ends[1])).collect();
    let latencies = fleet.follow_apart(&parts);
    let phase = Phase::start("deliveries", fleet.expected(&schedule.spread(sessions.len())));
    let following = phase.follow(fleet.counter());
    let stalls = stall_of(arguments, &fleet, &sender, schedule.at(0));
    let (sent, back) = tokio::join!(sender.run(schedule), stalls);
    sent?;
    let expected = fleet.expected(&sender.messages());
    fleet.wait_for(expected, context.options.drain).await;
    let usage = meter.stop().map_err(Stop::Hub)?;
    drop(following);
    tokio::time::sleep(context.options.settle).await;

    let [calm, during, after] = [0, 1, 2].map(|part: usize| latencies[part].summary());
    let mut report = Report::new("slow", &context.options.url, json!(arguments));
    report.count(Section::Load, "sessions", "sessions", sessions.len() as u64);
    report.count(Section::Load, "sockets", "sockets", fleet.len() as u64);
    report.count(Section::Load, "socketsStalled", "of them stalled", stalled);
    report.count(Section::Load, "stalledBack", "stalled ones that caught up", back.count());
    let mut slowest = Slowest::default();
    slowest.add(&back);
    slowest.report(&mut report);
    report_causes(&mut report, &fleet.causes());
    report.count(Section::Load, "messagesAcknowledged", "messages acknowledged", sender.acknowledged());
    report.count(Section::Load, "deliveriesExpected", "deliveries expected", expected);
    report.count(Section::Load, "deliveries", "deliveries", fleet.delivered());
    report.count(Section::Load, "deliveriesReplayed", "of them replayed on a new socket", fleet.replayed());
    if calm.count() > 0 && during.count() > 0 {
        let growth = (during.percentile_ms(99.0) / calm.percentile_ms(99.0).max(0.001) - 1.0) * 100.0;
        report.figure(Section::Load, "p99GrowthPercent", "p99 of the others, growth", growth, "%");
    }
    report.latency("delivery", "others, during the stall", during);
    report.latency("deliveryCalm", "others, before it", calm);
    if after.count() > 0 {
        report.latency("deliveryAfter", "others, after it", after);
    }
    report.latency("back", "reading again to caught up", back);
    sender.report(&mut report);
    usage.report(&mut report);
    report_memory(&mut report, "memoryBeforeMiB", "memory before the sockets", before);
    report_memory(&mut report, "memoryOpenMiB", "memory with the sockets", open);
    report_memory(&mut report, "memoryAfterMiB", "memory after the stall", context.server_memory()?);
    let mut ledgers = sender.take_ledgers();
    fleet.finish(&mut ledgers).await?;
    Ok(report)
}

/// Stalls and resumes; returns how long it took to catch up.
async fn stall_of(arguments: &SlowArgs, fleet: &Fleet, sender: &Sender, start: Instant) -> Summary {
    tokio::time::sleep_until((start + arguments.calm).into()).await;
    fleet.stall();
    let stall = arguments.stall.unwrap_or(arguments.duration);
    tokio::time::sleep_until((start + arguments.calm + stall).into()).await;
    fleet.resume(sender.heads(), arguments.patience).await
}
