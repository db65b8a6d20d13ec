//! The machine that the tester runs on, for reports that are compared later.

use std::{fs, thread};

use serde::Serialize;

/// What `/proc` says of it; "unknown" where it says nothing.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
    #[serde(rename = "memoryMiB")]
    pub(crate) memory_mib: Option<u64>,
}

impl Machine {
    pub(crate) fn read() -> Self {
        let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        Self {
            cpu: cpu_model(&cpus).unwrap_or("unknown").to_owned(),
            cores: thread::available_parallelism().map_or(0, usize::from),
            kernel: if kernel.is_empty() { "unknown".to_owned() } else { format!("Linux {}", kernel.trim()) },
            memory_mib: total_mib(&memory),
        }
    }
}

/// ARM kernels name no model, but some name the board.
fn cpu_model(cpuinfo: &str) -> Option<&str> {
    let field = |name: &str| {
        let values = cpuinfo.lines().filter_map(|line| line.split_once(':'));
        values.filter(|(key, _)| key.trim() == name).map(|(_, value)| value.trim()).find(|value| !value.is_empty())
    };
    ["model name", "Model", "Hardware", "CPU part"].into_iter().find_map(field)
}

fn total_mib(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_that_of_the_first_processor() {
        let text = "processor\t: 0\nmodel\t\t: 85\nmodel name\t: A CPU @ 2.5GHz\n\nprocessor : 1\nmodel name : B\n";
        assert_eq!(cpu_model(text), Some("A CPU @ 2.5GHz"));
        assert_eq!(cpu_model("processor : 0\nCPU part : 0xd0c\nModel : A board\n"), Some("A board"));
        assert_eq!(cpu_model("model name :\n"), None);
    }

    #[test]
    fn memory_is_the_total() {
        assert_eq!(total_mib("MemTotal:       8152345 kB\nMemFree: 1 kB\n"), Some(7961));
        assert_eq!(total_mib("MemFree: 1 kB\n"), None);
    }
}
