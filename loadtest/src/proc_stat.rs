//! CPU time and memory of processes and of this thread, from `/proc`.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result};

/// Kernel ticks a second in `/proc/PID/stat`: 100 on every architecture that Rust supports.
const TICKS_PER_SECOND: u64 = 100;

/// A process whose use of the machine is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process(u32);

impl Process {
    /// Fails at once if it cannot be measured.
    pub(crate) fn new(pid: u32) -> Result<Self> {
        let process = Self(pid);
        process.cpu()?;
        process.pss()?;
        Ok(process)
    }

    /// One that was started by this tester.
    pub(crate) fn of(pid: u32) -> Self {
        Self(pid)
    }

    /// This tester.
    pub(crate) fn own() -> Self {
        Self(std::process::id())
    }

    /// User and system time used so far, by all its threads.
    pub(crate) fn cpu(self) -> Result<Duration> {
        let path = format!("/proc/{}/stat", self.0);
        let text = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
        cpu_of_stat(&text).with_context(|| format!("{path} has an unknown form"))
    }

    /// Open descriptors.
    pub(crate) fn descriptors(self) -> Result<u64> {
        let path = format!("/proc/{}/fd", self.0);
        // Since Linux 6.2 the size of the folder is their number, which saves reading very many names.
        let size = fs::metadata(&path).with_context(|| format!("reading {path}"))?.len();
        if size > 0 {
            return Ok(size);
        }
        let entries = fs::read_dir(&path).with_context(|| format!("reading {path}"))?;
        Ok(entries.count() as u64)
    }

    /// Memory in bytes, pages shared with other processes counted by their share.
    pub(crate) fn pss(self) -> Result<u64> {
        let path = format!("/proc/{}/smaps_rollup", self.0);
        let text = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
        pss_of_rollup(&text).with_context(|| format!("{path} has no Pss line"))
    }
}

/// The processes of a hub: one for each of its nodes on this machine. Values are their sums.
#[derive(Debug, Clone)]
pub(crate) struct Processes(Vec<Process>);

impl Processes {
    /// None without any; fails at once if one of them cannot be measured.
    pub(crate) fn new(pids: &[u32]) -> Result<Option<Self>> {
        let processes: Vec<Process> = pids.iter().map(|pid| Process::new(*pid)).collect::<Result<_>>()?;
        Ok((!processes.is_empty()).then_some(Self(processes)))
    }

    pub(crate) fn cpu(&self) -> Result<Duration> {
        self.0.iter().map(|process| process.cpu()).sum()
    }

    pub(crate) fn descriptors(&self) -> Result<u64> {
        self.0.iter().map(|process| process.descriptors()).sum()
    }

    pub(crate) fn pss(&self) -> Result<u64> {
        self.0.iter().map(|process| process.pss()).sum()
    }
}

/// CPU time of the calling thread, in nanoseconds if the kernel provides them.
pub(crate) fn thread_cpu() -> Result<Duration> {
    if let Ok(text) = fs::read_to_string("/proc/thread-self/schedstat") {
        return cpu_of_schedstat(&text).context("/proc/thread-self/schedstat has an unknown form");
    }
    let text = fs::read_to_string("/proc/thread-self/stat").context("reading the thread's stat")?;
    cpu_of_stat(&text).context("/proc/thread-self/stat has an unknown form")
}

fn cpu_of_stat(text: &str) -> Option<Duration> {
    // The command name may hold spaces and parentheses; fields are counted after its end.
    let (_, fields) = text.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis((user + system) * 1000 / TICKS_PER_SECOND))
}

fn cpu_of_schedstat(text: &str) -> Option<Duration> {
    Some(Duration::from_nanos(text.split_ascii_whitespace().next()?.parse().ok()?))
}

fn pss_of_rollup(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_is_user_and_system_time_whatever_the_name() {
        let text = "42 (a) b (c d) S 1 42 42 0 -1 4194304 101 7 0 0 250 50 9 9 20 0 4 0 812 1 2";
        assert_eq!(cpu_of_stat(text), Some(Duration::from_secs(3)));
        assert_eq!(cpu_of_stat("42 (short) S 1 2"), None);
        assert_eq!(cpu_of_stat(""), None);
    }

    #[test]
    fn schedstat_counts_nanoseconds() {
        assert_eq!(cpu_of_schedstat("217222 0 1\n"), Some(Duration::from_nanos(217_222)));
        assert_eq!(cpu_of_schedstat(""), None);
    }

    #[test]
    fn pss_is_not_one_of_its_parts() {
        let text = "560-7ff ---p 0 0 0 [rollup]\nRss:  1620 kB\nPss:   453 kB\nPss_Dirty: 112 kB\n";
        assert_eq!(pss_of_rollup(text), Some(453 * 1024));
        assert_eq!(pss_of_rollup("Rss: 1 kB\nPss_Dirty: 112 kB\n"), None);
    }

    #[test]
    fn several_processes_are_added_up() {
        let own = std::process::id();
        let memory = |pids: &[u32]| Processes::new(pids).expect("readable").map(|all| all.pss().expect("Pss") as f64);
        let (one, two) = (memory(&[own]).expect("a process"), memory(&[own, own]).expect("processes"));
        assert!(two > one * 1.5 && two < one * 2.5, "{one} {two}");
        assert_eq!(memory(&[]), None);
        assert!(Processes::new(&[own, u32::MAX]).is_err());
    }

    #[test]
    fn this_process_can_be_measured() {
        let own = Process::own();
        assert!(own.pss().expect("Pss") > 0);
        own.cpu().expect("CPU");
        assert!(own.descriptors().expect("descriptors") > 2);
        thread_cpu().expect("CPU of the thread");
    }
}
