//! Processes of this machine and the namespaces that they are in, for tests that nothing is left behind.
//!
//! The kernel gives the numbers of ended processes and namespaces to new ones at once, and other tests run beside: a
//! process is identified by its number and its start, and only processes that are older than the end of the program
//! under test can have been left behind by it.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// A process that cannot be confused with a later one of the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// The number.
    pub id: u32,
    /// Parent's number at the time when it was read.
    parent: u32,
    /// When it started, in hundredths of a second since the machine did.
    started: u64,
}

impl Process {
    /// Reads `/proc/ID/stat`. Nothing for a process that has ended, also when its parent did not wait for it yet.
    fn read(id: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The second field is the program's name in parentheses, which may itself contain both.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let state = fields.next()?;
        let parent = fields.next()?.parse().ok()?;
        let started = fields.nth(17)?.parse().ok()?;
        (!matches!(state, "Z" | "X")).then_some(Self { id, parent, started })
    }

    /// Whether it still runs.
    #[must_use]
    pub fn runs(&self) -> bool {
        Self::read(self.id).is_some_and(|now| now.started == self.started)
    }
}

/// Time since the start of the machine, in the unit of [`Process::started`].
///
/// # Panics
/// When `/proc` is not there.
#[must_use]
pub fn now() -> u64 {
    let uptime = fs::read_to_string("/proc/uptime").expect("the kernel tells its uptime");
    let seconds: String = uptime.split_whitespace().next().unwrap_or_default().replace('.', "");
    seconds.parse().expect("seconds with two decimal places")
}

/// Every process of this machine.
///
/// # Panics
/// When `/proc` is not there.
fn all_processes() -> Vec<Process> {
    let entries = fs::read_dir("/proc").expect("the kernel lists its processes").flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter_map(Process::read).collect()
}

/// Running processes that had started by then.
#[must_use]
pub fn started_until(time: u64) -> Vec<Process> {
    all_processes().into_iter().filter(|process| process.started <= time).collect()
}

/// All descendants of a process.
#[must_use]
pub fn descendants(of: u32) -> Vec<Process> {
    let all = all_processes();
    let mut family: Vec<Process> = all.iter().filter(|process| process.parent == of).copied().collect();
    let mut at = 0;
    while let Some(elder) = family.get(at).copied() {
        family.extend(all.iter().filter(|process| process.parent == elder.id));
        at += 1;
    }
    family
}

/// The namespaces that some processes are in, apart from those of this machine.
#[must_use]
pub fn namespaces_of(processes: &[Process]) -> BTreeSet<PathBuf> {
    let kinds = ["net", "pid", "mnt", "uts", "ipc", "user"];
    let own = |kind: &str| fs::read_link(format!("/proc/self/ns/{kind}")).ok();
    let found = processes.iter().flat_map(|process| {
        kinds.iter().filter_map(move |kind| {
            let namespace = fs::read_link(format!("/proc/{}/ns/{kind}", process.id)).ok()?;
            (Some(&namespace) != own(kind).as_ref()).then_some(namespace)
        })
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_runs_and_is_no_other_of_its_number() {
        let own = Process::read(std::process::id()).expect("this process");
        assert!(own.runs());
        assert!(!Process { started: own.started + 1, ..own }.runs());
        assert!(started_until(now()).contains(&own));
        assert!(!started_until(own.started - 1).contains(&own));
    }
}
