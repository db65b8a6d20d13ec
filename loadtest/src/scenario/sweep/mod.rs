//! `sweep`: how each cost grows with sockets, sessions, history, long-polls, people and nodes, one dimension after the
//! other.

mod pages;
mod probe;
mod stage;
mod stored;

use std::{fs, sync::Arc, time::Instant};

use serde_json::json;

use self::{
    probe::{Probed, probe},
    stage::{Stage, Stages},
};
use super::{
    Context,
    sender::{LATE_MS, report_lateness},
};
use crate::{
    cli::{Dimension, SweepArgs, SweepPlan},
    client::Target,
    latency::Summary,
    problems::Kind,
    report::{Growth, GrowthStep, Report, Section},
    stop::Stop,
};

/// Descriptors that are left for everything but connections of a step.
const SPARE: usize = 100;

pub(super) async fn run(context: &Context, arguments: &SweepArgs) -> Result<Report, Stop> {
    let nodes = nodes(context);
    let plan = arguments.plan(nodes.len()).map_err(Stop::Usage)?;
    check_descriptors(plan.connections(), descriptor_limit())?;
    let mut totals = Totals::default();
    let mut all = Vec::new();
    for (dimension, steps) in &plan.dimensions {
        let growth = sweep(context, &plan, &nodes, *dimension, steps, &mut totals).await?;
        all.push(growth);
        if context.problems.total() > 0 {
            break;
        }
    }
    let taken: usize = all.iter().map(|growth| growth.steps.len()).sum();
    let planned: usize = plan.dimensions.iter().map(|(_, steps)| steps.len()).sum();

    let mut report = Report::new("sweep", &context.options.url, json!(plan));
    report.count(Section::Load, "steps", "steps", taken as u64);
    report.count(Section::Load, "stepsPlanned", "steps planned", planned as u64);
    report.count(Section::Load, "messagesAcknowledged", "messages acknowledged", totals.messages);
    report.count(Section::Load, "deliveriesExpected", "deliveries expected", totals.expected);
    report.count(Section::Load, "deliveries", "deliveries", totals.deliveries);
    if let Some(delivery) = totals.delivery {
        report.latency("delivery", "scheduled to socket, all steps", delivery);
    }
    if let Some(reply) = totals.reply {
        report.latency("reply", "scheduled to 201, all steps", reply);
    }
    report_lateness(&mut report, totals.lateness.unwrap_or_else(Summary::none));
    if context.server.is_none() {
        report.warn("without --pid neither CPU nor memory of the hub is measured".to_owned());
    }
    report.growth(all);
    Ok(report)
}

/// The sums over all steps.
#[derive(Default)]
struct Totals {
    messages: u64,
    expected: u64,
    deliveries: u64,
    delivery: Option<Summary>,
    reply: Option<Summary>,
    lateness: Option<Summary>,
}

impl Totals {
    fn add(&mut self, probed: &Probed) {
        self.messages += probed.messages;
        self.expected += probed.expected;
        self.deliveries += probed.deliveries;
        for (all, one) in [
            (&mut self.delivery, &probed.delivery),
            (&mut self.reply, &probed.reply),
            (&mut self.lateness, &probed.lateness),
        ] {
            match all {
                Some(all) => all.merge(one),
                None => *all = Some(one.clone()),
            }
        }
    }
}

/// Takes the steps of one dimension, up to the first with a problem, after which others would measure its consequences.
async fn sweep(
    context: &Context,
    plan: &SweepPlan,
    nodes: &[Arc<Target>],
    dimension: Dimension,
    steps: &[usize],
    totals: &mut Totals,
) -> Result<Growth, Stop> {
    let mut growth = outline(dimension);
    let mut stages = Stages::new(context, plan, nodes, dimension);
    for value in steps {
        match step(&mut stages, *value, growth.steps.first(), totals).await {
            Ok(step) => growth.steps.push(step),
            // What was measured before is reported all the same, and the run is void.
            Err(stop @ Stop::Hub(_)) => {
                context.problems.add(Kind::StepFailed, 1, || format!("{} {value}: {stop:#}", dimension.name()));
            }
            Err(stop) => return Err(stop),
        }
        if context.problems.total() > 0 {
            if let Some(last) = growth.steps.last_mut().filter(|last| last.value == *value) {
                last.note = "void";
            }
            break;
        }
    }
    Ok(growth)
}

async fn step(
    stages: &mut Stages<'_>,
    value: usize,
    first: Option<&GrowthStep>,
    totals: &mut Totals,
) -> Result<GrowthStep, Stop> {
    let start = Instant::now();
    let Stage { sessions, seats, rate } = stages.prepare(value).await?;
    let prepared = start.elapsed();
    let probed = probe(stages.context, stages.plan, &sessions, seats, rate).await?;
    totals.add(&probed);
    let other = match probed.deliveries < probed.expected {
        // Nothing more is to be learned from a void step.
        true => None,
        false => stages.other(value).await?,
    };
    let percentiles = |summary: &Summary| [50.0, 99.0].map(|percentile| summary.percentile_ms(percentile));
    let micros = |count: u64| {
        let server = probed.usage.server.filter(|_| count > 0)?;
        Some(server.as_secs_f64() * 1e6 / count as f64)
    };
    let memory_mib = probed.memory.map(|bytes| bytes as f64 / 1_048_576.0);
    let kib_each = first.filter(|_| stages.dimension != Dimension::Nodes).and_then(|first| {
        let further = value.checked_sub(first.value).filter(|further| *further > 0)?;
        Some((memory_mib? - first.memory_mib?) * 1024.0 / further as f64)
    });
    Ok(GrowthStep {
        value,
        prepared_seconds: (prepared + probed.opened_in).as_secs_f64(),
        messages: probed.messages,
        deliveries: probed.deliveries,
        delivery_ms: percentiles(&probed.delivery),
        reply_ms: percentiles(&probed.reply),
        other_ms: other.as_ref().map(percentiles),
        memory_mib,
        kib_each,
        us_per_message: micros(probed.messages),
        us_per_delivery: micros(probed.deliveries),
        idle_cpu_percent: probed.idle_percent,
        note: if probed.lateness.percentile_ms(99.0) > LATE_MS { "tester late" } else { "" },
    })
}

fn outline(dimension: Dimension) -> Growth {
    let (label, item, other) = match dimension {
        Dimension::Sockets => ("open sockets", "socket", None),
        Dimension::Sessions => ("sessions in the store", "session", Some("list of sessions")),
        Dimension::History => ("events in the store", "event", Some("page of a timeline")),
        Dimension::Waiters => ("waiting long-polls", "long-poll", Some("answer to long-poll")),
        Dimension::People => ("people in one session", "person", None),
        Dimension::Nodes => ("nodes with sockets", "node", None),
    };
    Growth { name: dimension.name(), label, item, other, steps: Vec::new() }
}

/// That of `--url`, and the others.
fn nodes(context: &Context) -> Vec<Arc<Target>> {
    let others = context.others.iter().filter(|other| !Arc::ptr_eq(other, &context.target));
    [&context.target].into_iter().chain(others).cloned().collect()
}

fn check_descriptors(connections: usize, limit: Option<usize>) -> Result<(), Stop> {
    match limit {
        Some(limit) if connections + SPARE > limit => Err(Stop::Usage(format!(
            "the largest step needs {connections} connections, but `ulimit -n` is {limit}: raise it, or take smaller steps"
        ))),
        _ => Ok(()),
    }
}

/// How many descriptors this process may hold; none if it is unlimited or unknown.
fn descriptor_limit() -> Option<usize> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_that_need_too_many_descriptors_are_refused() {
        assert!(check_descriptors(900, Some(1024)).is_ok() && check_descriptors(900, None).is_ok());
        let error = check_descriptors(950, Some(1024)).expect_err("refused");
        assert!(matches!(&error, Stop::Usage(text) if text.contains("950") && text.contains("1024")), "{error:#}");
        assert!(descriptor_limit().expect("a limit") > 0);
    }
}
