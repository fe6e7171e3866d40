//! The checks of the level `baseline`.

use serde_json::Value;

use super::Violation;
use super::offenders::{Setters, containers, containers_where, named, plural, quoted, sorted, uses};
use crate::tree;

const APP_ARMOR_ANNOTATION: &str = "container.apparmor.security.beta.kubernetes.io/";
const SECCOMP_ANNOTATION: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_CONTAINER_ANNOTATION: &str = "container.seccomp.security.alpha.kubernetes.io/";

/// Capabilities that runtimes give by default.
const CAPABILITIES: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// Safe sysctls, and the version from which they are allowed.
const SYSCTLS: [(&str, u32); 12] = [
    ("kernel.shm_rmid_forced", 0),
    ("net.ipv4.ip_local_port_range", 0),
    ("net.ipv4.tcp_syncookies", 0),
    ("net.ipv4.ping_group_range", 0),
    ("net.ipv4.ip_unprivileged_port_start", 0),
    ("net.ipv4.ip_local_reserved_ports", 27),
    ("net.ipv4.tcp_keepalive_time", 29),
    ("net.ipv4.tcp_fin_timeout", 29),
    ("net.ipv4.tcp_keepalive_intvl", 29),
    ("net.ipv4.tcp_keepalive_probes", 29),
    ("net.ipv4.tcp_rmem", 32),
    ("net.ipv4.tcp_wmem", 32),
];

/// Whether a profile of seccomp or `AppArmor` is one that confines.
pub(super) fn confines(kind: &Value) -> bool {
    matches!(kind.as_str(), Some("RuntimeDefault" | "Localhost"))
}

pub(super) fn app_armor_profile(pod: &Value, _: u32) -> Option<Violation> {
    let setters = Setters::of(pod, "/appArmorProfile", |profile| !confines(&profile["type"]));
    let types = setters.values.iter().map(|profile| tree::str_at(profile, "/type").to_owned());
    let mut values = sorted(types);
    // As upstream, the annotations come last.
    let annotations: Vec<String> = tree::entries(pod, "/metadata/annotations")
        .filter(|(name, _)| name.starts_with(APP_ARMOR_ANNOTATION))
        .map(|(name, value)| (name, value.as_str().unwrap_or_default()))
        .filter(|(_, profile)| {
            !(profile.is_empty() || *profile == "runtime/default" || profile.starts_with("localhost/"))
        })
        .map(|(name, profile)| format!("{name}={profile:?}"))
        .collect();
    let annotated = (!annotations.is_empty()).then(|| format!("annotation{}", plural(annotations.len())));
    let who: Vec<String> = setters.named().into_iter().chain(annotated).collect();
    values.extend(annotations);
    if who.is_empty() {
        return None;
    }
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let reason = match values.len() {
        1 => "forbidden AppArmor profile",
        _ => "forbidden AppArmor profiles",
    };
    let who = who.join(" and ");
    let detail = format!("{who} must not set AppArmor profile type to {}", quoted(&values));
    Some(Violation { reason, detail })
}

pub(super) fn capabilities(pod: &Value, _: u32) -> Option<Violation> {
    let added = |container| {
        tree::strings_at(container, "/securityContext/capabilities/add")
            .filter(|capability| !CAPABILITIES.contains(capability))
    };
    let bad = containers_where(pod, |container| added(container).next().is_some());
    let capabilities = sorted(containers(pod).flat_map(added));
    (!bad.is_empty()).then(|| Violation {
        reason: "non-default capabilities",
        detail: format!(
            "{} must not include {} in securityContext.capabilities.add",
            named("container", &bad),
            quoted(&capabilities)
        ),
    })
}

pub(super) fn host_namespaces(pod: &Value, _: u32) -> Option<Violation> {
    let shared: Vec<String> = ["hostNetwork", "hostPID", "hostIPC"]
        .into_iter()
        .filter(|field| tree::is_true(pod, &format!("/spec/{field}")))
        .map(|field| format!("{field}=true"))
        .collect();
    (!shared.is_empty()).then(|| Violation { reason: "host namespaces", detail: shared.join(", ") })
}

pub(super) fn host_path_volumes(pod: &Value, _: u32) -> Option<Violation> {
    let volumes = tree::list(pod, "/spec/volumes").iter();
    let bad: Vec<&str> = volumes
        .filter(|volume| tree::present(volume, "/hostPath").is_some())
        .map(|volume| tree::str_at(volume, "/name"))
        .collect();
    (!bad.is_empty()).then(|| Violation { reason: "hostPath volumes", detail: named("volume", &bad) })
}

pub(super) fn host_ports(pod: &Value, _: u32) -> Option<Violation> {
    let of = |container| {
        let ports = tree::list(container, "/ports").iter();
        ports.filter_map(|port| tree::integer(port, "/hostPort")).filter(|port| *port != 0)
    };
    let bad = containers_where(pod, |container| of(container).next().is_some());
    // As texts, as upstream.
    let ports = sorted(containers(pod).flat_map(of).map(|port| port.to_string()));
    (!bad.is_empty()).then(|| Violation {
        reason: "hostPort",
        detail: format!(
            "{} {} hostPort{} {}",
            named("container", &bad),
            uses(bad.len()),
            plural(ports.len()),
            ports.join(", ")
        ),
    })
}

pub(super) fn host_of_probes(pod: &Value, _: u32) -> Option<Violation> {
    let of = |container| {
        ["/livenessProbe", "/readinessProbe", "/startupProbe", "/lifecycle/postStart", "/lifecycle/preStop"]
            .into_iter()
            .flat_map(move |handler| {
                ["/httpGet/host", "/tcpSocket/host"].map(|host| format!("{handler}{host}"))
            })
            .map(move |pointer| tree::str_at(container, &pointer))
            .filter(|host| !host.is_empty())
    };
    let bad = sorted(containers_where(pod, |container| of(container).next().is_some()));
    let hosts = sorted(containers(pod).flat_map(of));
    (!bad.is_empty()).then(|| Violation {
        reason: "probe or lifecycle host",
        detail: format!(
            "{} {} {}",
            named("container", &bad),
            uses(bad.len()),
            named("probe or lifecycle host", &hosts)
        ),
    })
}

pub(super) fn privileged(pod: &Value, _: u32) -> Option<Violation> {
    let bad = containers_where(pod, |container| tree::is_true(container, "/securityContext/privileged"));
    (!bad.is_empty()).then(|| Violation {
        reason: "privileged",
        detail: format!("{} must not set securityContext.privileged=true", named("container", &bad)),
    })
}

/// Whether the pod has users of its own, so that root in it is not root on the node.
pub(super) fn has_own_users(pod: &Value) -> bool {
    tree::at(pod, "/spec/hostUsers").and_then(Value::as_bool) == Some(false)
}

pub(super) fn proc_mount(pod: &Value, minor: u32) -> Option<Violation> {
    if minor >= 35 && has_own_users(pod) {
        return None;
    }
    let setters = Setters::of_containers(pod, "/procMount", |mount| mount != "Default");
    let who = setters.named()?;
    let detail = format!("{who} must not set securityContext.procMount to {}", setters.quoted_values());
    Some(Violation { reason: "procMount", detail })
}

pub(super) fn se_linux_options(pod: &Value, minor: u32) -> Option<Violation> {
    let is_bad_type = |kind: &str| match kind {
        "" | "container_t" | "container_init_t" | "container_kvm_t" => false,
        "container_engine_t" => minor < 31,
        _ => true,
    };
    let is_set = |options: &Value, field: &str| !tree::str_at(options, field).is_empty();
    let setters = Setters::of(pod, "/seLinuxOptions", |options| {
        is_bad_type(tree::str_at(options, "/type")) || is_set(options, "/user") || is_set(options, "/role")
    });
    let who = setters.named()?;
    let types = sorted(setters.values.iter().map(|options| tree::str_at(options, "/type")));
    let types: Vec<&str> = types.into_iter().filter(|kind| is_bad_type(kind)).collect();
    let mut bad = Vec::new();
    if !types.is_empty() {
        bad.push(named("type", &types));
    }
    for (field, text) in [("/user", "user may not be set"), ("/role", "role may not be set")] {
        if setters.values.iter().any(|options| is_set(options, field)) {
            bad.push(text.to_owned());
        }
    }
    let detail = format!("{who} set forbidden securityContext.seLinuxOptions: {}", bad.join("; "));
    Some(Violation { reason: "seLinuxOptions", detail })
}

pub(super) fn seccomp_profile(pod: &Value, minor: u32) -> Option<Violation> {
    if minor < 19 {
        return seccomp_annotations(pod);
    }
    let setters = Setters::of(pod, "/seccompProfile", |profile| !confines(&profile["type"]));
    let who = setters.named()?;
    let types = sorted(setters.values.iter().map(|profile| tree::str_at(profile, "/type")));
    let detail = format!("{who} must not set securityContext.seccompProfile.type to {}", quoted(&types));
    Some(Violation { reason: "seccompProfile", detail })
}

fn seccomp_annotations(pod: &Value) -> Option<Violation> {
    let of_containers = containers(pod)
        .map(|container| format!("{SECCOMP_CONTAINER_ANNOTATION}{}", tree::str_at(container, "/name")));
    let names: Vec<String> = std::iter::once(SECCOMP_ANNOTATION.to_owned()).chain(of_containers).collect();
    let annotations = tree::map(pod, "/metadata/annotations")?;
    let bad = names.iter().filter_map(|name| {
        let profile = annotations.get(name)?.as_str()?;
        let confines =
            matches!(profile, "runtime/default" | "docker/default") || profile.starts_with("localhost/");
        (!confines).then(|| format!("{name}={profile:?}"))
    });
    let bad = sorted(bad);
    (!bad.is_empty()).then(|| Violation {
        reason: "seccompProfile",
        detail: format!("forbidden annotation{} {}", plural(bad.len()), bad.join(", ")),
    })
}

pub(super) fn sysctls(pod: &Value, minor: u32) -> Option<Violation> {
    let is_allowed = |name: &str| SYSCTLS.iter().any(|(known, since)| *known == name && minor >= *since);
    let names = tree::list(pod, "/spec/securityContext/sysctls").iter();
    let bad: Vec<&str> =
        names.map(|sysctl| tree::str_at(sysctl, "/name")).filter(|name| !is_allowed(name)).collect();
    (!bad.is_empty()).then(|| Violation { reason: "forbidden sysctls", detail: bad.join(", ") })
}

pub(super) fn windows_host_process(pod: &Value, _: u32) -> Option<Violation> {
    let setters = Setters::of(pod, "/windowsOptions/hostProcess", |set| set == &Value::Bool(true));
    let who = setters.named()?;
    let detail = format!("{who} must not set securityContext.windowsOptions.hostProcess=true");
    Some(Violation { reason: "hostProcess", detail })
}
