//! The checks that the level `restricted` adds.

use serde_json::Value;

use super::Violation;
use super::baseline::{confines, has_own_users};
use super::offenders::{Setters, containers, containers_where, named, plural, quoted, sorted, uses};
use crate::tree;

/// Volumes that a pod may have.
const VOLUMES: [&str; 9] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
];
/// Volumes that the message knows by name.
const OTHER_VOLUMES: [&str; 21] = [
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "gitRepo",
    "nfs",
    "iscsi",
    "glusterfs",
    "rbd",
    "flexVolume",
    "cinder",
    "cephfs",
    "flocker",
    "fc",
    "azureFile",
    "vsphereVolume",
    "quobyte",
    "azureDisk",
    "photonPersistentDisk",
    "portworxVolume",
    "scaleIO",
    "storageos",
];

/// Windows has none of these settings, and pods for it may not set them.
fn is_for_windows(pod: &Value, minor: u32) -> bool {
    minor >= 25 && tree::str_at(pod, "/spec/os/name") == "windows"
}

pub(super) fn allow_privilege_escalation(pod: &Value, minor: u32) -> Option<Violation> {
    if is_for_windows(pod, minor) {
        return None;
    }
    let is_denied = |container: &Value| {
        tree::at(container, "/securityContext/allowPrivilegeEscalation") == Some(&Value::Bool(false))
    };
    let bad = containers_where(pod, |container| !is_denied(container));
    (!bad.is_empty()).then(|| Violation {
        reason: "allowPrivilegeEscalation != false",
        detail: format!(
            "{} must set securityContext.allowPrivilegeEscalation=false",
            named("container", &bad)
        ),
    })
}

pub(super) fn capabilities(pod: &Value, minor: u32) -> Option<Violation> {
    if is_for_windows(pod, minor) {
        return None;
    }
    let drops_all = |container: &Value| {
        tree::strings_at(container, "/securityContext/capabilities/drop").any(|dropped| dropped == "ALL")
    };
    let added = |container| {
        tree::strings_at(container, "/securityContext/capabilities/add")
            .filter(|capability| *capability != "NET_BIND_SERVICE")
    };
    let keeping = containers_where(pod, |container| !drops_all(container));
    let adding = containers_where(pod, |container| added(container).next().is_some());
    let mut details = Vec::new();
    if !keeping.is_empty() {
        details.push(format!(
            r#"{} must set securityContext.capabilities.drop=["ALL"]"#,
            named("container", &keeping)
        ));
    }
    if !adding.is_empty() {
        details.push(format!(
            "{} must not include {} in securityContext.capabilities.add",
            named("container", &adding),
            quoted(&sorted(containers(pod).flat_map(added)))
        ));
    }
    (!details.is_empty())
        .then(|| Violation { reason: "unrestricted capabilities", detail: details.join("; ") })
}

/// That of `baseline` before pods with users of their own were allowed more there.
pub(super) fn proc_mount(pod: &Value, _: u32) -> Option<Violation> {
    super::baseline::proc_mount(pod, 0)
}

pub(super) fn volumes(pod: &Value, _: u32) -> Option<Violation> {
    let has = |volume: &Value, kind: &str| volume.get(kind).is_some_and(|source| !source.is_null());
    let is_bad = |volume: &&Value| !VOLUMES.iter().any(|kind| has(volume, kind));
    let bad: Vec<&Value> = tree::list(pod, "/spec/volumes").iter().filter(is_bad).collect();
    if bad.is_empty() {
        return None;
    }
    let kinds = bad
        .iter()
        .map(|volume| OTHER_VOLUMES.into_iter().find(|kind| has(volume, kind)).unwrap_or("unknown"));
    let kinds = sorted(kinds);
    let names: Vec<&str> = bad.iter().map(|volume| tree::str_at(volume, "/name")).collect();
    Some(Violation {
        reason: "restricted volume types",
        detail: format!(
            "{} {} restricted volume type{} {}",
            named("volume", &names),
            uses(names.len()),
            plural(kinds.len()),
            quoted(&kinds)
        ),
    })
}

pub(super) fn run_as_non_root(pod: &Value, minor: u32) -> Option<Violation> {
    const REASON: &str = "runAsNonRoot != true";
    const POINTER: &str = "/securityContext/runAsNonRoot";
    if minor >= 35 && has_own_users(pod) {
        return None;
    }
    if let Some(who) = Setters::of(pod, "/runAsNonRoot", |set| set == &Value::Bool(false)).named() {
        let detail = format!("{who} must not set securityContext.runAsNonRoot=false");
        return Some(Violation { reason: REASON, detail });
    }
    let is_set_for_all = tree::is_true(pod, "/spec/securityContext/runAsNonRoot");
    let bad =
        containers_where(pod, |container| !is_set_for_all && tree::present(container, POINTER).is_none());
    (!bad.is_empty()).then(|| Violation {
        reason: REASON,
        detail: format!("pod or {} must set securityContext.runAsNonRoot=true", named("container", &bad)),
    })
}

pub(super) fn run_as_user(pod: &Value, minor: u32) -> Option<Violation> {
    if minor >= 35 && has_own_users(pod) {
        return None;
    }
    let who = Setters::of(pod, "/runAsUser", |user| user.as_i64() == Some(0)).named()?;
    Some(Violation { reason: "runAsUser=0", detail: format!("{who} must not set runAsUser=0") })
}

pub(super) fn seccomp_profile(pod: &Value, minor: u32) -> Option<Violation> {
    if is_for_windows(pod, minor) {
        return None;
    }
    if let Some(bad) = super::baseline::seccomp_profile(pod, minor) {
        return Some(bad);
    }
    let of_pod = tree::present(pod, "/spec/securityContext/seccompProfile");
    let is_set_for_all = of_pod.is_some_and(|profile| confines(&profile["type"]));
    let bad = containers_where(pod, |container| {
        !is_set_for_all && tree::present(container, "/securityContext/seccompProfile").is_none()
    });
    (!bad.is_empty()).then(|| Violation {
        reason: "seccompProfile",
        detail: format!(
            r#"pod or {} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost""#,
            named("container", &bad)
        ),
    })
}
