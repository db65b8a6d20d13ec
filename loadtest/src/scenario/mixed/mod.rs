//! `mixed`: many principals with sockets, event streams and long-polls, who write, ask, answer, type, read, leave and
//! return.

mod cast;
mod questions;
mod traffic;
mod visits;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;

use self::{cast::Cast, traffic::Traffic};
use super::{Context, returns::report_causes, sender::report_lateness};
use crate::{
    cli::MixedArgs,
    fleet::{Fleet, Group},
    progress::Phase,
    report::{Report, Section},
    schedule::{LEAD, Schedule},
    stop::Stop,
};

/// The phase whose samples make the trend.
pub(super) const PHASE: &str = "mixed";

pub(super) async fn run(context: &Context, arguments: &MixedArgs) -> Result<Report, Stop> {
    let scaled = arguments.scaled();
    let cast = Arc::new(Cast::create(context, &scaled).await?);
    let outcome = play(context, arguments, &scaled, &cast).await;
    let left = cast.retire(context).await;
    let mut report = outcome?;
    if left > 0 {
        report.warn(format!("{left} agents or people of the run could not be deactivated"));
    }
    Ok(report)
}

async fn play(context: &Context, arguments: &MixedArgs, scaled: &MixedArgs, cast: &Arc<Cast>) -> Result<Report, Stop> {
    let fleet = context.open_seats(&cast.sessions, cast.seats(context, scaled), true).await?;
    let traffic = Traffic::new(context, scaled, cast).await?;
    let schedules = schedules(scaled);
    fleet.follow_here(schedules.iter().take(2).copied().flatten().collect());
    let renewing =
        tokio::spawn(Arc::clone(cast).renew(Arc::clone(&context.api), scaled.renew, Arc::clone(&context.problems)));
    let meter = context.meter()?;
    let start = Instant::now();
    let phase = Phase::start(PHASE, scaled.duration.as_secs());
    let following = phase.follow(move || start.elapsed().as_secs());
    let sent = traffic.run(schedules).await;
    renewing.abort();
    sent?;
    let usage = meter.stop().map_err(Stop::Hub)?;
    drop(following);
    fleet.quiet();
    let _draining = Phase::start("drain", 1);
    let expected = fleet.expected(&traffic.messages());
    // The last ones to leave may be away that long.
    fleet.wait_for(expected, context.options.drain + scaled.away).await;
    tokio::time::sleep(context.options.settle).await;

    let mut report = Report::new("mixed", &context.options.url, json!(arguments));
    report.count(Section::Load, "sessions", "sessions", cast.sessions.len() as u64);
    report.count(Section::Load, "principals", "principals", cast.principals() as u64);
    report.count(Section::Load, "sockets", "sockets and event streams", fleet.len() as u64);
    traffic.report(&mut report);
    report.count(Section::Load, "deliveriesExpected", "deliveries expected", expected);
    report_fleet(&mut report, &fleet);
    report_lateness(&mut report, traffic.lateness.summary());
    usage.report(&mut report);
    usage.report_per(&mut report, "usPerDelivery", "CPU per delivery", fleet.delivered());
    let mut ledgers = traffic.final_ledgers(context).await?;
    fleet.finish(&mut ledgers).await?;
    Ok(report)
}

fn report_fleet(report: &mut Report, fleet: &Fleet) {
    report.count(Section::Load, "deliveries", "deliveries", fleet.delivered());
    report.count(Section::Load, "deliveriesReplayed", "of them missed and replayed", fleet.replayed());
    report.count(Section::Load, "returns", "returns of sockets and event streams", fleet.back().count());
    report_causes(report, &fleet.causes());
    report.latency("delivery", "scheduled to socket or stream", fleet.latency(Group::Steady));
    report.latency("typing", "typing to others' sockets", fleet.typing());
    report.latency("receipt", "read mark to sockets", fleet.receipts());
    report.latency("back", "return to replay complete", fleet.back());
    report.latency("open", "connect to subscribed", fleet.opening());
}

/// Those of the messages, the questions and the visits; none for a rate of 0.
fn schedules(arguments: &MixedArgs) -> [Option<Schedule>; 3] {
    let start = Instant::now() + LEAD;
    let schedule = |rate: f64| (rate > 0.0).then(|| Schedule::new(start, rate, arguments.duration, 1));
    [
        schedule(arguments.messages).map(|schedule| schedule.with_indexes(traffic::MESSAGE, traffic::KINDS)),
        schedule(arguments.questions).map(|schedule| schedule.with_indexes(traffic::QUESTION, traffic::KINDS)),
        schedule(arguments.visits),
    ]
}

/// The mean time between two acts of one of so many, at this rate of all.
fn every(number: usize, rate: f64) -> Option<Duration> {
    (rate > 0.0 && number > 0).then(|| Duration::from_secs_f64(number as f64 / rate))
}
