//! The rights to make namespaces: those of root, or of root in a user namespace of this process's own.
//!
//! In a user namespace an ordinary user counts as root towards what is made there: network and mount namespaces, and the
//! processes in them. Towards this machine the process stays that user, and it stays in the machine's own network. Only
//! a process with a single thread can enter, so the binary calls [`obtain`] before it starts anything.

use std::{fs, io};

use nix::sched::{CloneFlags, unshare};
use rustix::process::{getegid, geteuid};
use rustix::thread::{CapabilitySet, capabilities};

/// What the mode `namespaces` cannot do without.
const NEEDED: CapabilitySet = CapabilitySet::SYS_ADMIN.union(CapabilitySet::NET_ADMIN);

/// Settings of Linux by which machines refuse user namespaces: name, refusing value, allowing value.
const SWITCHES: &[Switch] = &[
    ("kernel.unprivileged_userns_clone", "0", "1"),
    ("user.max_user_namespaces", "0", "10000"),
    ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
];

/// Why this process may not make namespaces.
#[derive(Debug, thiserror::Error)]
#[error(
    "network mode `namespaces` needs root or a user namespace, and this machine refuses one ({source}{}): {}",
    setting.map(|(name, value, _)| format!("; {name} is {value}")).unwrap_or_default(),
    advice(*setting)
)]
pub struct Denied {
    /// What the kernel says.
    source: io::Error,
    /// The setting that is the likely cause, with its value and the one that would allow it.
    setting: Option<Switch>,
}

type Switch = (&'static str, &'static str, &'static str);

/// Enters a user namespace unless this process may make namespaces already.
///
/// # Errors
/// [`Denied`] when the machine does not let this user do so; the process should end then.
pub fn obtain() -> Result<(), Denied> {
    if capabilities(None).is_ok_and(|own| own.effective.contains(NEEDED)) {
        return Ok(());
    }
    enter().map_err(|source| Denied { source, setting: switched_off(setting) })
}

/// Whether root is the only user that this process and its pods know, as in the namespace that [`obtain`] enters.
pub(crate) fn has_one_user() -> bool {
    fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| maps_one(&map))
}

fn enter() -> io::Result<()> {
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    unshare(CloneFlags::CLONE_NEWUSER)?;
    // Without this the kernel takes no map of groups: leaving a group can give rights.
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {user} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {group} 1"))
}

/// A setting of this machine.
fn setting(name: &str) -> Option<String> {
    fs::read_to_string(format!("/proc/sys/{}", name.replace('.', "/"))).ok()
}

/// The first switch that is off.
fn switched_off(setting: impl Fn(&str) -> Option<String>) -> Option<Switch> {
    let is_off = |(name, refusing, _): &&Switch| setting(name).is_some_and(|value| value.trim() == *refusing);
    SWITCHES.iter().find(is_off).copied()
}

fn advice(setting: Option<Switch>) -> String {
    let allow = setting.map(|(name, _, allowing)| format!("have root run `sysctl -w {name}={allowing}`, "));
    format!("{}run as root, or use --network loopback", allow.unwrap_or_default())
}

/// Whether a map of users, as the kernel prints it, has a single one.
fn maps_one(map: &str) -> bool {
    let mut lines = map.lines();
    let is_one = lines.next().is_some_and(|line| line.split_whitespace().nth(2) == Some("1"));
    is_one && lines.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_name_the_setting_and_what_to_do() {
        let denied = |settings: &[(&str, &str)]| {
            let setting = |name: &str| {
                let found = settings.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| format!("{value}\n"))
            };
            let source = io::Error::from_raw_os_error(1);
            Denied { source, setting: switched_off(setting) }.to_string()
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
    fn maps_of_users() {
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
