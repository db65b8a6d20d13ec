//! `idle`: the cost of many idle sockets, and the memory after they are closed.

use std::{sync::Arc, time::Instant};

use serde_json::json;

use super::{
    Context,
    memory::{report_memory, report_memory_each},
};
use crate::{
    cli::IdleArgs,
    client::Session,
    fleet::{Fleet, Group},
    ledger::SessionLedger,
    payload::Payload,
    problems::Kind,
    progress::Phase,
    report::{Report, Section},
    stop::Stop,
};

pub(super) async fn run(context: &Context, arguments: IdleArgs) -> Result<Report, Stop> {
    let mut report = Report::new("idle", &context.options.url, json!(arguments));
    let wanted = arguments.sessions.unwrap_or(arguments.sockets / 10).max(1);
    let sessions = match arguments.subscribe {
        true => context.create_sessions(wanted).await?,
        false => Arc::from([]),
    };
    let before = context.server_memory()?;

    let opening = Instant::now();
    let groups = [(0..arguments.sockets, Group::Steady)];
    let fleet = context.open_fleet(&sessions, &groups, arguments.subscribe).await?;
    let opened_in = opening.elapsed().as_secs_f64();
    Phase::hold("rest", arguments.rest).await;
    let open = context.server_memory()?;

    let meter = context.meter()?;
    Phase::hold("hold", arguments.hold).await;
    let usage = meter.stop().map_err(Stop::Hub)?;
    let held = context.server_memory()?;

    let sockets = fleet.len() as u64;
    report.count(Section::Load, "sessions", "sessions", sessions.len() as u64);
    report.count(Section::Load, "sockets", "sockets", sockets);
    report.figure(Section::Load, "openSeconds", "opened in", opened_in, "s");
    report.latency("open", "connect to subscribed", fleet.opening());
    usage.report(&mut report);

    let mut ledgers: Vec<SessionLedger> = Vec::new();
    ledgers.resize_with(sessions.len(), SessionLedger::default);
    if arguments.broadcast > 0 && arguments.subscribe {
        broadcast(context, &fleet, &sessions, &mut ledgers, arguments.broadcast).await;
        Phase::hold("rest", arguments.rest).await;
    }
    let sent = context.server_memory()?;
    fleet.collect().await?;
    report.count(Section::Load, "deliveries", "deliveries", fleet.delivered());
    fleet.finish(&mut ledgers).await?;
    Phase::hold("rest", arguments.rest).await;
    let left = context.server_memory()?;

    report_memory(&mut report, "memoryBeforeMiB", "memory before", before);
    report_memory(&mut report, "memoryOpenMiB", "memory with all open", open);
    report_memory(&mut report, "memoryHeldMiB", "memory after the hold", held);
    if arguments.broadcast > 0 {
        report_memory(&mut report, "memoryBroadcastMiB", "memory after the broadcast", sent);
    }
    report_memory(&mut report, "memoryLeftMiB", "memory when all have left", left);
    report_memory_each(&mut report, "kibPerSocket", "memory per socket", before, open, sockets);
    if arguments.broadcast > 0 {
        let label = "per socket after the broadcast";
        report_memory_each(&mut report, "kibPerSocketBroadcast", label, before, sent, sockets);
    }
    Ok(report)
}

/// Posts one message to every session; waits until all sockets have received it.
async fn broadcast(context: &Context, fleet: &Fleet, sessions: &[Session], ledgers: &mut [SessionLedger], size: usize) {
    let payload = Payload::new(size);
    let phase = Phase::start("broadcast", sessions.len() as u64);
    for (index, (session, ledger)) in (0..).zip(sessions.iter().zip(ledgers)) {
        let path = context.api.messages_path(&session.id);
        match context.api.post_message(&path, payload.body(index)).await {
            Ok(seq) => ledger.acknowledge(seq, index),
            Err(error) => context.problems.add(Kind::PostFailed, 1, || format!("{error:#}")),
        }
        phase.advance(1);
    }
    // Each socket listens to one session, so that every socket gets one message.
    fleet.wait_for(fleet.len() as u64, context.options.drain).await;
}
