//! Rights to create namespaces: as root, or in a user namespace.
//!
//! In a user namespace an ordinary user is root towards the namespaces created there. Towards the host the process keeps its
//! user, and it stays in the host network. Only a single-threaded process can enter one, so the binary calls [`obtain`]
//! before it starts a thread.
//!
//! This room uses no other room; `sandbox`, `federation` and the binary use it.

use std::{fs, io};

use nix::sched::{CloneFlags, unshare};
use rustix::process::{getegid, geteuid};
use rustix::thread::{CapabilitySet, capabilities};

/// Capabilities that namespaces mode needs.
const NEEDED_CAPABILITIES: CapabilitySet = CapabilitySet::SYS_ADMIN.union(CapabilitySet::NET_ADMIN);

/// Settings of Linux that forbid user namespaces: name, forbidding value, allowing value.
const SETTINGS: &[Setting] = &[
    ("kernel.unprivileged_userns_clone", "0", "1"),
    ("user.max_user_namespaces", "0", "10000"),
    ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
];

/// Why this process may not create namespaces.
#[derive(Debug, thiserror::Error)]
#[error(
    "network mode `namespaces` needs root or a user namespace, and this machine refuses one ({source}{}): {}",
    setting.map(|(name, value, _)| format!("; {name} is {value}")).unwrap_or_default(),
    advice(*setting)
)]
pub struct Denied {
    /// Error of the kernel.
    source: io::Error,
    /// The setting that is the likely cause.
    setting: Option<Setting>,
}

type Setting = (&'static str, &'static str, &'static str);

/// Enters a user namespace unless this process may create namespaces.
///
/// # Errors
/// [`Denied`] when the machine forbids it.
pub fn obtain() -> Result<(), Denied> {
    if capabilities(None).is_ok_and(|own| own.effective.contains(NEEDED_CAPABILITIES)) {
        return Ok(());
    }
    enter().map_err(|source| Denied { source, setting: forbidding_setting(setting) })
}

/// Whether root is the only mapped user, as in the namespace that [`obtain`] enters.
pub(crate) fn has_one_user() -> bool {
    fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| maps_one(&map))
}

fn enter() -> io::Result<()> {
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    unshare(CloneFlags::CLONE_NEWUSER)?;
    // Required before writing gid_map (user_namespaces(7)).
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {user} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {group} 1"))
}

/// Value of a setting.
fn setting(name: &str) -> Option<String> {
    fs::read_to_string(format!("/proc/sys/{}", name.replace('.', "/"))).ok()
}

/// The first setting that forbids user namespaces.
fn forbidding_setting(setting: impl Fn(&str) -> Option<String>) -> Option<Setting> {
    let is_off =
        |(name, refusing, _): &&Setting| setting(name).is_some_and(|value| value.trim() == *refusing);
    SETTINGS.iter().find(is_off).copied()
}

fn advice(setting: Option<Setting>) -> String {
    let allow = setting.map(|(name, _, allowing)| format!("have root run `sysctl -w {name}={allowing}`, "));
    format!("{}run as root, or use --network loopback", allow.unwrap_or_default())
}

/// Whether a uid_map has a single user.
fn maps_one(map: &str) -> bool {
    let mut lines = map.lines();
    let is_one = lines.next().is_some_and(|line| line.split_whitespace().nth(2) == Some("1"));
    is_one && lines.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denials_name_the_setting_and_the_cure() {
        let denied = |settings: &[(&str, &str)]| {
            let setting = |name: &str| {
                let found = settings.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| format!("{value}\n"))
            };
            let source = io::Error::from_raw_os_error(1);
            Denied { source, setting: forbidding_setting(setting) }.to_string()
        };
        let start = "network mode `namespaces` needs root or a user namespace, and this machine refuses one \
                     (Operation not permitted (os error 1)";
        assert_eq!(
            denied(&[("user.max_user_namespaces", "96365")]),
            format!("{start}): run as root, or use --network loopback")
        );
        assert_eq!(
            denied(&[
                ("user.max_user_namespaces", "96365"),
                ("kernel.apparmor_restrict_unprivileged_userns", "1")
            ]),
            format!(
                "{start}; kernel.apparmor_restrict_unprivileged_userns is 1): have root run `sysctl -w \
                 kernel.apparmor_restrict_unprivileged_userns=0`, run as root, or use --network loopback"
            )
        );
    }

    #[test]
    fn uid_maps() {
        let cases = [
            ("this machine's own", "         0          0 4294967295\n", false),
            ("one user", "         0       1000          1\n", true),
            ("one user and a range", "0 1000 1\n1 100000 65536\n", false),
            ("not mapped yet", "", false),
        ];
        for (name, map, want) in cases {
            assert_eq!(maps_one(map), want, "{name}");
        }
    }
}
