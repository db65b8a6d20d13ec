//! Readings of the hub's process at intervals.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::{
    proc_stat::Process,
    report::{Report, Section},
    stop::Stop,
};

/// One reading.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    /// Since the first one.
    pub(crate) at: Duration,
    pub(crate) memory: u64,
    pub(crate) descriptors: u64,
}

/// Reads until it is told to finish.
pub(crate) struct Watch(Option<(oneshot::Sender<()>, JoinHandle<Result<Vec<Reading>>>)>);

/// All readings; none without a process to read.
#[derive(Debug, Default)]
pub(crate) struct Readings(pub(crate) Vec<Reading>);

impl Watch {
    pub(crate) fn start(server: Option<Process>, every: Duration) -> Self {
        Self(server.map(|process| {
            let (finish, finished) = oneshot::channel();
            (finish, tokio::spawn(read(process, every, finished)))
        }))
    }

    pub(crate) async fn finish(self) -> Result<Readings, Stop> {
        let Some((finish, reading)) = self.0 else { return Ok(Readings::default()) };
        // The task has ended already if the process has.
        let _ = finish.send(());
        let readings = reading.await.map_err(|error| Stop::Tool(error.into()))?;
        readings.map(Readings).map_err(|error| Stop::Hub(error.context("the hub's process")))
    }
}

async fn read(process: Process, every: Duration, mut finished: oneshot::Receiver<()>) -> Result<Vec<Reading>> {
    let start = Instant::now();
    let mut readings = Vec::new();
    let mut interval = tokio::time::interval(every);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let last = tokio::select! {
            _ = interval.tick() => false,
            _ = &mut finished => true,
        };
        // The kernel takes its time to add up the pages of a large process.
        let reading =
            tokio::task::spawn_blocking(move || -> Result<(u64, u64)> { Ok((process.pss()?, process.descriptors()?)) });
        let (memory, descriptors) = reading.await.context("reading /proc")??;
        readings.push(Reading { at: start.elapsed(), memory, descriptors });
        if last {
            return Ok(readings);
        }
    }
}

impl Readings {
    /// Adds the highest values.
    pub(crate) fn report(&self, report: &mut Report) {
        let Some(memory) = self.0.iter().map(|reading| reading.memory).max() else { return };
        let descriptors = self.0.iter().map(|reading| reading.descriptors).max().unwrap_or_default();
        report.figure(Section::Server, "memoryPeakMiB", "memory at its peak", memory as f64 / 1_048_576.0, "MiB");
        report.count(Section::Server, "descriptorsPeak", "open descriptors at their peak", descriptors);
    }
}
