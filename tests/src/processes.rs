//! Processes of this machine and the namespaces that they are in, for tests that nothing is left behind.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// Whether a process is in one of those namespaces, and not another one that has taken its number.
pub fn is_same(process: u32, namespaces: &BTreeSet<PathBuf>) -> bool {
    !namespaces_of(&[process]).is_disjoint(namespaces)
}

/// Every process of this machine.
///
/// # Panics
/// When `/proc` is not there.
pub fn all_processes() -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("the kernel lists its processes").flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// All descendants of a process.
pub fn descendants(of: u32) -> Vec<u32> {
    let parent = |process: u32| -> Option<u32> {
        let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
    };
    let all: Vec<(u32, u32)> =
        all_processes().into_iter().filter_map(|process| Some((process, parent(process)?))).collect();
    let mut family = vec![of];
    let mut at = 0;
    while let Some(elder) = family.get(at).copied() {
        family.extend(all.iter().filter(|(_, parent)| *parent == elder).map(|(process, _)| *process));
        at += 1;
    }
    family.split_off(1)
}

/// The namespaces that some processes are in, apart from those of this machine.
pub fn namespaces_of(processes: &[u32]) -> BTreeSet<PathBuf> {
    let kinds = ["net", "pid", "mnt", "uts", "ipc", "user"];
    let own = |kind: &str| fs::read_link(format!("/proc/self/ns/{kind}")).ok();
    let found = processes.iter().flat_map(|process| {
        kinds.iter().filter_map(move |kind| {
            let namespace = fs::read_link(format!("/proc/{process}/ns/{kind}")).ok()?;
            (Some(&namespace) != own(kind).as_ref()).then_some(namespace)
        })
    });
    found.collect()
}
