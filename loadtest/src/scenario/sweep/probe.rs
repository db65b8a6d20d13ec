//! The measurement of one step: sockets that listen, messages at a fixed rate, and an audit of every delivery.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    cli::SweepPlan,
    client::Session,
    fleet::{Group, Seat},
    latency::Summary,
    meter::Usage,
    progress::Phase,
    scenario::{Context, sender::Sender},
    schedule::{LEAD, Schedule},
    stop::Stop,
};

/// One in so many messages, the first ones, has no latency.
const WARM_UP: u64 = 10;

pub(super) struct Probed {
    /// Until all sockets were open.
    pub(super) opened_in: Duration,
    pub(super) messages: u64,
    pub(super) expected: u64,
    pub(super) deliveries: u64,
    pub(super) delivery: Summary,
    pub(super) reply: Summary,
    pub(super) lateness: Summary,
    /// Of the hub in bytes, with all sockets open and before the messages.
    pub(super) memory: Option<u64>,
    /// CPU of the hub without messages, in per cent of a core.
    pub(super) idle_percent: Option<f64>,
    /// While the messages were sent.
    pub(super) usage: Usage,
}

/// Opens the sockets, holds them, sends, and closes them.
pub(super) async fn probe(
    context: &Context,
    plan: &SweepPlan,
    sessions: &Arc<[Session]>,
    seats: Vec<Seat>,
    rate: f64,
) -> Result<Probed, Stop> {
    let opening = Instant::now();
    let fleet = context.open_seats(sessions, seats, true).await?;
    let opened_in = opening.elapsed();
    let sender = Sender::new(context, sessions, plan.size, 1).await?;
    Phase::hold("rest", plan.rest).await;
    let memory = context.server_memory()?;
    let idle = context.meter()?;
    Phase::hold("hold", plan.hold).await;
    let idle = idle.stop().map_err(Stop::Hub)?;

    let meter = context.meter()?;
    let schedule = Schedule::new(Instant::now() + LEAD, rate, plan.duration, 1);
    let schedule = schedule.with_warmup(schedule.count() / WARM_UP);
    fleet.follow(schedule).await?;
    let phase = Phase::start("deliveries", fleet.expected(&schedule.spread(sessions.len())));
    let following = phase.follow(fleet.counter());
    sender.run(schedule).await?;
    let expected = fleet.expected(&sender.messages());
    fleet.wait_for(expected, context.options.drain).await;
    let usage = meter.stop().map_err(Stop::Hub)?;
    drop(following);
    tokio::time::sleep(context.options.settle).await;

    let (reply, lateness) = sender.take_latencies();
    let share = |server: Duration| server.as_secs_f64() / idle.wall.as_secs_f64().max(f64::MIN_POSITIVE) * 100.0;
    let probed = Probed {
        opened_in,
        messages: sender.acknowledged(),
        expected,
        deliveries: fleet.delivered(),
        delivery: fleet.latency(Group::Steady),
        reply,
        lateness,
        memory,
        idle_percent: idle.server.filter(|_| !plan.hold.is_zero()).map(share),
        usage,
    };
    let mut ledgers = sender.take_ledgers();
    fleet.finish(&mut ledgers).await?;
    Ok(probed)
}
