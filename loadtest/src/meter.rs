//! CPU time of the hub and the tester between two points of a run.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use crate::{
    live::Live,
    proc_stat::Processes,
    report::{Report, Section},
};

/// Below this much CPU time, the kernel's ticks of 10 ms are too coarse for a figure to count.
const ENOUGH_CPU: Duration = Duration::from_secs(2);

/// Started at the first point.
pub(crate) struct Meter {
    server: Option<(Processes, Duration)>,
    own: Duration,
    live: Arc<Live>,
    start: Instant,
}

/// Read at the second point.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) wall: Duration,
    /// CPU of the hub, if `--pid` is given.
    pub(crate) server: Option<Duration>,
    /// CPU of the tester, its workers included.
    pub(crate) own: Duration,
}

impl Meter {
    pub(crate) fn start(server: Option<&Processes>, live: &Arc<Live>) -> Result<Self> {
        let server = match server {
            Some(processes) => Some((processes.clone(), processes.cpu().context("the hub's CPU")?)),
            None => None,
        };
        Ok(Self { server, own: live.tester_cpu()?, live: Arc::clone(live), start: Instant::now() })
    }

    pub(crate) fn stop(&self) -> Result<Usage> {
        let server = match &self.server {
            Some((processes, before)) => {
                let now = processes.cpu().context("the hub's CPU")?;
                Some(now.saturating_sub(*before))
            }
            None => None,
        };
        let own = self.live.tester_cpu()?.saturating_sub(self.own);
        Ok(Usage { wall: self.start.elapsed(), server, own })
    }
}

impl Usage {
    /// Adds CPU seconds and shares of a core; warns if they are too few to be precise.
    pub(crate) fn report(self, report: &mut Report) {
        let wall = self.wall.as_secs_f64();
        report.figure(Section::Tester, "wallSeconds", "measured for", wall, "s");
        report.figure(Section::Tester, "testerCpuSeconds", "CPU", self.own.as_secs_f64(), "s");
        if let Some(server) = self.server {
            let seconds = server.as_secs_f64();
            report.figure(Section::Server, "serverCpuSeconds", "CPU", seconds, "s");
            let share = seconds / wall * 100.0;
            report.figure(Section::Server, "serverCpuPercent", "share of one core", share, "%");
        }
    }

    /// Adds the hub's CPU per item.
    pub(crate) fn report_per(self, report: &mut Report, key: &'static str, label: &'static str, count: u64) {
        if let (Some(server), 1..) = (self.server, count) {
            let micros = server.as_secs_f64() * 1e6 / count as f64;
            report.figure(Section::Server, key, label, micros, "µs");
        }
    }

    pub(crate) fn warn_if_short(self, report: &mut Report) {
        if let Some(server) = self.server.filter(|server| *server < ENOUGH_CPU) {
            report.warn(format!(
                "only {:.2} CPU-seconds of the hub: values below {} are imprecise, run longer",
                server.as_secs_f64(),
                ENOUGH_CPU.as_secs(),
            ));
        }
    }
}
