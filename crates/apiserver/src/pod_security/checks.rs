//! The checks of each level, and the versions in which they count.

use serde_json::Value;

use super::levels::{Level, LevelVersion, Version};
use super::{Violation, baseline, restricted};

/// The last version in which a check changed; later ones have its rules.
const NEWEST: u32 = 35;

/// A check; the number is the minor version with the rules that count.
type Check = fn(&Value, u32) -> Option<Violation>;

/// A check, and the versions that have it.
struct Row {
    check: Check,
    since: u32,
    /// The version from which a check of `restricted` takes its place in that level.
    replaced_since: Option<u32>,
}

const fn row(check: Check, since: u32) -> Row {
    Row { check, since, replaced_since: None }
}

const fn replaced(check: Check, since: u32, replaced_since: u32) -> Row {
    Row { check, since, replaced_since: Some(replaced_since) }
}

/// In upstream's order, which is that of the messages.
const BASELINE: [Row; 12] = [
    row(baseline::app_armor_profile, 0),
    replaced(baseline::capabilities, 0, 22),
    row(baseline::host_namespaces, 0),
    replaced(baseline::host_path_volumes, 0, 0),
    row(baseline::host_ports, 0),
    row(baseline::host_of_probes, 34),
    row(baseline::privileged, 0),
    replaced(baseline::proc_mount, 0, 35),
    row(baseline::se_linux_options, 0),
    replaced(baseline::seccomp_profile, 0, 19),
    row(baseline::sysctls, 0),
    row(baseline::windows_host_process, 0),
];
const RESTRICTED: [Row; 7] = [
    row(restricted::allow_privilege_escalation, 8),
    row(restricted::capabilities, 22),
    row(restricted::proc_mount, 35),
    row(restricted::volumes, 0),
    row(restricted::run_as_non_root, 0),
    row(restricted::run_as_user, 23),
    row(restricted::seccomp_profile, 19),
];

/// What a pod, or the template of pods, breaks of a level.
pub(crate) fn violations(pod: &Value, asked: LevelVersion) -> Vec<Violation> {
    let minor = match asked.version {
        Version::Minor(minor) => minor.min(NEWEST),
        Version::Latest => NEWEST,
    };
    let is_restricted = match asked.level {
        Level::Privileged => return Vec::new(),
        Level::Baseline => false,
        Level::Restricted => true,
    };
    let baseline = BASELINE.iter().filter(|row| {
        !(is_restricted && row.replaced_since.is_some_and(|replaced_since| minor >= replaced_since))
    });
    let restricted = RESTRICTED.iter().filter(|_| is_restricted);
    let rows = baseline.chain(restricted).filter(|row| minor >= row.since);
    rows.filter_map(|row| (row.check)(pod, minor)).collect()
}
