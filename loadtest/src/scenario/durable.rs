//! The durable floor beside a scenario that stores messages.

use std::env;

use super::Context;
use crate::{
    cli::DurableFloorArgs,
    durable_floor::{self, DurableFloor, DurablePlan},
    meter::Usage,
    progress::Phase,
    report::{Report, Section},
    stop::Stop,
};

/// What the scenario does, to be done without a hub.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows {
    pub(super) sessions: usize,
    pub(super) size: usize,
    pub(super) load: Load,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Load {
    /// So many messages a second, one after the other.
    Rate(f64),
    /// So many writers at once, whose messages can share a commit.
    Writers(usize),
}

/// The floor at one time.
pub(super) struct Floors {
    single: DurableFloor,
    /// As many rows a commit as messages can wait for one.
    group: Option<(usize, DurableFloor)>,
    /// One row a commit, at the rate of the scenario.
    paced: Option<DurableFloor>,
}

/// Measures if `--floor` is given.
pub(super) async fn measure(
    context: &Context,
    arguments: &DurableFloorArgs,
    rows: Rows,
) -> Result<Option<Floors>, Stop> {
    if !arguments.floor {
        return Ok(None);
    }
    let _phase = Phase::start("durable floor", 1);
    let most = context.options.in_flight;
    let directory = arguments.floor_dir.clone().unwrap_or_else(env::temp_dir);
    let Rows { sessions, size, load } = rows;
    let plan = DurablePlan { sessions, size, rows_per_commit: 1, rate: None, time: arguments.floor_time, directory };
    let measured = tokio::task::spawn_blocking(move || {
        let single = durable_floor::measure(&plan)?;
        let (group, rate) = match load {
            Load::Writers(writers) => (writers.min(most), None),
            Load::Rate(rate) => ((rate / single.rows_per_second()).floor() as usize, Some(rate)),
        };
        let group = match group {
            0 | 1 => None,
            group => Some((group, durable_floor::measure(&DurablePlan { rows_per_commit: group, ..plan.clone() })?)),
        };
        let paced = match rate {
            Some(_) => Some(durable_floor::measure(&DurablePlan { rate, ..plan })?),
            None => None,
        };
        anyhow::Ok(Floors { single, group, paced })
    });
    let floors = measured.await.map_err(|error| Stop::Tool(error.into()))?.map_err(Stop::Tool)?;
    Ok(Some(floors))
}

/// Adds the mean of what was measured before and after, and the ratio of the hub's CPU for each of `messages` to it.
pub(super) fn report(report: &mut Report, floors: [Option<Floors>; 2], usage: Usage, messages: u64) {
    let [Some(before), Some(after)] = floors else { return };
    let mean = |value: &dyn Fn(&Floors) -> f64| f64::midpoint(value(&before), value(&after));
    let single = mean(&|floors| floors.single.micros_per_row());
    report.figure(Section::Floor, "durableUs", "CPU per row, one a commit", single, "µs");
    let rate = mean(&|floors| floors.single.rows_per_second());
    report.figure(Section::Floor, "durableRowsPerSecond", "rows a second, one a commit", rate, "/s");
    let mut floor = single;
    if let (Some((rows, first)), Some((_, second))) = (before.group, after.group) {
        report.count(Section::Floor, "durableGroup", "rows a commit in groups", rows as u64);
        floor = f64::midpoint(first.micros_per_row(), second.micros_per_row());
        report.figure(Section::Floor, "durableGroupUs", "CPU per row in groups", floor, "µs");
        let rate = f64::midpoint(first.rows_per_second(), second.rows_per_second());
        report.figure(Section::Floor, "durableGroupRowsPerSecond", "rows a second in groups", rate, "/s");
    }
    if let (Some(first), Some(second)) = (before.paced, after.paced) {
        floor = f64::midpoint(first.micros_per_row(), second.micros_per_row());
        report.figure(Section::Floor, "durablePacedUs", "CPU per row at the scenario's rate", floor, "µs");
    }
    if let (Some(server), 1..) = (usage.server, messages) {
        let per_message = server.as_secs_f64() * 1e6 / messages as f64;
        report.figure(Section::Floor, "ratioToDurableFloor", "ratio to durable floor", per_message / floor, "×");
    }
}
