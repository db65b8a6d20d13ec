//! Memory of the hub in a report.

use crate::report::{Report, Section};

/// Adds a reading in MiB, where there is one.
pub(super) fn report_memory(report: &mut Report, key: &'static str, label: &'static str, bytes: Option<u64>) {
    if let Some(bytes) = bytes {
        report.figure(Section::Server, key, label, bytes as f64 / 1_048_576.0, "MiB");
    }
}

/// Adds the KiB that each of `number` sockets or long-polls added between two readings.
pub(super) fn report_memory_each(
    report: &mut Report,
    key: &'static str,
    label: &'static str,
    before: Option<u64>,
    after: Option<u64>,
    number: u64,
) {
    if let (Some(before), Some(after), 1..) = (before, after, number) {
        let kib = (after as f64 - before as f64) / 1024.0 / number as f64;
        report.figure(Section::Server, key, label, kib, "KiB");
    }
}
