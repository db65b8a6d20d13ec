//! How sockets returned, in a report.

use crate::{
    client::Causes,
    latency::Summary,
    report::{Report, Section},
    series::Series,
};

/// The slowest first, half, 99 % and all of several returns, in seconds.
#[derive(Default)]
pub(super) struct Slowest([f64; 4]);

impl Slowest {
    pub(super) fn add(&mut self, back: &Summary) {
        let times = [back.min_ms(), back.percentile_ms(50.0), back.percentile_ms(99.0), back.max_ms()];
        for (slowest, time) in self.0.iter_mut().zip(times) {
            *slowest = slowest.max(time / 1000.0);
        }
    }

    pub(super) fn report(&self, report: &mut Report) {
        for ((key, label), value) in [
            ("backFirstSeconds", "first back after"),
            ("backHalfSeconds", "half back after"),
            ("back99Seconds", "99 % back after"),
            ("backAllSeconds", "all back after"),
        ]
        .into_iter()
        .zip(self.0)
        {
            report.figure(Section::Load, key, label, value, "s");
        }
    }
}

/// Adds how often connections ended or were refused while their sockets were returning, by cause.
pub(super) fn report_causes(report: &mut Report, causes: &Causes) {
    report.count(Section::Load, "endedTotal", "further attempts needed", causes.values().sum());
    for (cause, count) in causes {
        let (key, label) = cause.names();
        report.count(Section::Load, key, label, *count);
    }
}

/// Adds the highest memory and the most open descriptors of the hub.
pub(super) fn report_peaks(report: &mut Report, series: &Series) {
    let memory = series.samples.iter().filter_map(|sample| sample.server_memory).reduce(f64::max);
    if let Some(memory) = memory {
        report.figure(Section::Server, "memoryPeakMiB", "memory at its peak", memory, "MiB");
    }
    if let Some(descriptors) = series.samples.iter().filter_map(|sample| sample.server_descriptors).max() {
        report.count(Section::Server, "descriptorsPeak", "open descriptors at their peak", descriptors);
    }
}
