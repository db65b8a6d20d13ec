//! Open-loop sending at a fixed rate to listening sockets, for `fanout` and `chat`.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    Context,
    ramp::{self, Measured, Ramp, RampLoad},
    sender::Sender,
};
use crate::{
    cli::RampArgs,
    client::Session,
    fleet::{Fleet, Group},
    meter::Usage,
    progress::Phase,
    report::{Report, Section},
    schedule::{LEAD, Schedule},
    stop::Stop,
};

/// The messages to send, and the sockets.
pub(super) struct Load {
    pub(super) name: &'static str,
    pub(super) parameters: Value,
    pub(super) sockets_per_session: usize,
    /// Ticks a second.
    pub(super) rate: f64,
    /// Messages on each tick.
    pub(super) burst: usize,
    pub(super) duration: Duration,
    pub(super) size: usize,
    pub(super) ramp: RampArgs,
}

/// The report, and values from which a caller computes more.
pub(super) struct Outcome {
    pub(super) report: Report,
    pub(super) usage: Usage,
    pub(super) acknowledged: u64,
    pub(super) delivered: u64,
}

pub(super) async fn run(context: &Context, load: Load, sessions: Arc<[Session]>) -> Result<Outcome, Stop> {
    let target = load.ramp.target.clone();
    ramp::check(target.as_ref(), Sending::MAIN)?;
    let sockets = sessions.len() * load.sockets_per_session;
    let memory_before = context.server_memory()?;
    let fleet = context.open_fleet(&sessions, &[(0..sockets, Group::Steady)], true).await?;
    let sender = Sender::new(context, &sessions, load.size, load.burst).await?;
    let memory_open = context.server_memory()?;

    let meter = context.meter()?;
    let (scheduled, ramp) = match &target {
        Some(target) => {
            let _phase = Phase::start("ramp", 1);
            let mut sending = Sending { context, load: &load, fleet: &fleet, sender: &sender, scheduled: 0 };
            let (ramp, best) = Ramp::run(&load.ramp, target, load.rate, &mut sending).await?;
            if let Some(best) = best {
                fleet.put_latency(Group::Steady, &best.main);
                sender.put_latencies(&best.replies, &best.lateness);
            }
            (sending.scheduled, Some(ramp))
        }
        None => (steady(&load, &fleet, &sender).await?, None),
    };
    let acknowledged = sender.acknowledged();
    let expected = fleet.expected(&sender.messages());
    fleet.wait_for(expected, context.options.drain).await;
    let usage = meter.stop().map_err(Stop::Hub)?;
    tokio::time::sleep(context.options.settle).await;

    fleet.collect().await?;
    let delivered = fleet.delivered();
    let mut report = Report::new(load.name, &context.options.url, load.parameters.clone());
    report.count(Section::Load, "sessions", "sessions", sessions.len() as u64);
    report.count(Section::Load, "sockets", "sockets", fleet.len() as u64);
    report.count(Section::Load, "messagesScheduled", "messages scheduled", scheduled);
    report.count(Section::Load, "messagesAcknowledged", "messages acknowledged", acknowledged);
    report.count(Section::Load, "deliveriesExpected", "deliveries expected", expected);
    report.count(Section::Load, "deliveries", "deliveries", delivered);
    if let Some(bytes) = fleet.bytes().checked_div(delivered) {
        report.count(Section::Load, "frameBytes", "bytes in a frame", bytes);
    }
    if let Some(ramp) = ramp {
        ramp.report(&mut report);
    }
    report.latency("delivery", "scheduled to socket", fleet.latency(Group::Steady));
    sender.report(&mut report);
    usage.report(&mut report);
    usage.report_per(&mut report, "usPerDelivery", "CPU per delivery", delivered);
    usage.report_per(&mut report, "usPerPublish", "CPU per publish", acknowledged);
    usage.warn_if_short(&mut report);
    report_memory(&mut report, [memory_before, memory_open, context.server_memory()?]);

    let mut ledgers = sender.take_ledgers();
    fleet.finish(&mut ledgers).await?;
    Ok(Outcome { report, usage, acknowledged, delivered })
}

/// The load at rates that are searched.
struct Sending<'a> {
    context: &'a Context,
    load: &'a Load,
    fleet: &'a Fleet,
    sender: &'a Arc<Sender>,
    /// Messages of all steps.
    scheduled: u64,
}

impl RampLoad for Sending<'_> {
    const MAIN: &'static str = "delivery";

    fn burst(&self) -> usize {
        self.load.burst
    }

    fn most(&self) -> (f64, String) {
        (ramp::MOST, "the tester searches no further".to_owned())
    }

    async fn step(&mut self, rate: f64) -> Result<Measured, Stop> {
        let Self { context, load, fleet, sender, scheduled } = self;
        let schedule = ramp::schedule_of(&load.ramp, rate, load.burst, *scheduled);
        *scheduled += schedule.count();
        fleet.follow(schedule).await?;
        sender.run(schedule).await?;
        let expected = fleet.expected(&sender.messages());
        fleet.wait_for(expected, context.options.drain).await;
        fleet.collect().await?;
        let (replies, lateness) = sender.take_latencies();
        let complete = fleet.delivered() >= expected;
        Ok(Measured { main: fleet.take_latency(Group::Steady), replies, lateness, complete })
    }
}

/// Sends at one rate; returns the number of messages.
async fn steady(load: &Load, fleet: &Fleet, sender: &Arc<Sender>) -> Result<u64, Stop> {
    let schedule = Schedule::new(Instant::now() + LEAD, load.rate, load.duration, load.burst);
    fleet.follow(schedule).await?;
    let phase = Phase::start("deliveries", schedule.count() * load.sockets_per_session as u64);
    let _following = phase.follow(fleet.counter());
    sender.run(schedule).await?;
    Ok(schedule.count())
}

fn report_memory(report: &mut Report, [before, open, after]: [Option<u64>; 3]) {
    for (key, label, bytes) in [
        ("memoryBeforeMiB", "memory before the sockets", before),
        ("memoryOpenMiB", "memory with the sockets", open),
        ("memoryAfterMiB", "memory after the messages", after),
    ] {
        if let Some(bytes) = bytes {
            report.figure(Section::Server, key, label, bytes as f64 / 1_048_576.0, "MiB");
        }
    }
}
