use serde_json::{Value, json};

use super::levels::{LevelVersion, Version};
use super::*;

/// A pod that the level `restricted` allows, changed by a merge patch.
fn pod(change: &Value) -> Value {
    let mut pod = json!({ "metadata": { "name": "web" }, "spec": {
        "securityContext": { "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } },
        "containers": [{ "name": "a", "image": "nginx", "securityContext": {
            "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } } }] } });
    portolan_object::patch::merge_patch(&mut pod, change).unwrap();
    pod
}

/// The same with one container that has this security context beside what `restricted` wants.
fn container(context: &Value) -> Value {
    container_with(&json!({ "securityContext": context }))
}

fn container_with(change: &Value) -> Value {
    let mut container = pod(&json!({}))["spec"]["containers"][0].clone();
    portolan_object::patch::merge_patch(&mut container, change).unwrap();
    pod(&json!({ "spec": { "containers": [container] } }))
}

fn broken(pod: &Value, level: Level, version: Version) -> String {
    described(&violations(pod, LevelVersion { level, version }), true)
}

fn level(text: &str) -> (Policy, Vec<LabelError>) {
    let labels: Vec<(&str, &str)> =
        text.split_whitespace().filter_map(|label| label.split_once('=')).collect();
    Policy::of(|name| {
        let short = name.strip_prefix("pod-security.kubernetes.io/")?;
        labels.iter().find(|(label, _)| *label == short).map(|(_, value)| *value)
    })
}

#[test]
fn labels_name_a_level_and_a_version() {
    let rows = [
        ("", "privileged:latest privileged:latest privileged:latest", 0),
        ("enforce=baseline", "baseline:latest privileged:latest baseline:latest", 0),
        (
            "enforce=restricted enforce-version=v1.24",
            "restricted:v1.24 privileged:latest restricted:v1.24",
            0,
        ),
        ("enforce=restricted warn=privileged", "restricted:latest privileged:latest privileged:latest", 0),
        ("enforce=baseline warn-version=v1.30", "baseline:latest privileged:latest baseline:v1.30", 0),
        ("audit=restricted warn=baseline", "privileged:latest restricted:latest baseline:latest", 0),
        ("enforce=strict", "restricted:latest privileged:latest privileged:latest", 1),
        ("audit=strict warn=strict", "privileged:latest privileged:latest privileged:latest", 2),
        (
            "enforce-version=1.24 audit-version=v1.024 warn-version=v2.1",
            "privileged:latest privileged:latest privileged:latest",
            3,
        ),
    ];
    for (labels, want, errors) in rows {
        let (Policy { enforce, audit, warn }, found) = level(labels);
        assert_eq!((format!("{enforce} {audit} {warn}"), found.len()), (want.to_owned(), errors), "{labels}");
    }
}

#[test]
fn a_wrong_label_is_named() {
    let (_, errors) = level("enforce=strict enforce-version=1.24");
    let error = |label, value: &str, detail| LabelError { label, value: value.to_owned(), detail };
    assert_eq!(
        errors,
        [
            error(
                "pod-security.kubernetes.io/enforce",
                "strict",
                "must be one of privileged, baseline, restricted"
            ),
            error("pod-security.kubernetes.io/enforce-version", "1.24", r#"must be "latest" or "v1.x""#),
        ]
    );
}

#[test]
fn baseline_refuses_what_reaches_the_node() {
    let rows = [
        (pod(&json!({})), ""),
        (
            pod(&json!({ "spec": { "hostNetwork": true, "hostPID": true, "hostIPC": false } })),
            "host namespaces (hostNetwork=true, hostPID=true)",
        ),
        (
            pod(&json!({ "spec": { "volumes": [{ "name": "x", "hostPath": { "path": "/" } },
            { "name": "y", "emptyDir": {} }] } })),
            "hostPath volumes (volume \"x\")",
        ),
        (
            container_with(
                &json!({ "ports": [{ "containerPort": 1, "hostPort": 9090 }, { "hostPort": 8080 }, {}] }),
            ),
            "hostPort (container \"a\" uses hostPorts 8080, 9090)",
        ),
        (
            container_with(&json!({ "livenessProbe": { "httpGet": { "host": "10.0.0.1" } },
            "lifecycle": { "preStop": { "tcpSocket": { "host": "db" } } } })),
            "probe or lifecycle host (container \"a\" uses probe or lifecycle hosts \"10.0.0.1\", \"db\")",
        ),
        (
            container(&json!({ "privileged": true })),
            "privileged (container \"a\" must not set securityContext.privileged=true)",
        ),
        (
            container(&json!({ "capabilities": { "add": ["SYS_ADMIN", "CHOWN", "NET_RAW"] } })),
            "non-default capabilities (container \"a\" must not include \"NET_RAW\", \"SYS_ADMIN\" in \
             securityContext.capabilities.add)",
        ),
        (
            container(&json!({ "procMount": "Unmasked" })),
            "procMount (container \"a\" must not set securityContext.procMount to \"Unmasked\")",
        ),
        (
            container(&json!({ "seLinuxOptions": { "type": "spc_t", "user": "u", "role": "r" } })),
            "seLinuxOptions (container \"a\" set forbidden securityContext.seLinuxOptions: type \"spc_t\"; user may not \
             be set; role may not be set)",
        ),
        (
            pod(
                &json!({ "spec": { "securityContext": { "seLinuxOptions": { "type": "container_engine_t" } } } }),
            ),
            "",
        ),
        (
            container(&json!({ "seccompProfile": { "type": "Unconfined" } })),
            "seccompProfile (container \"a\" must not set securityContext.seccompProfile.type to \"Unconfined\")",
        ),
        (
            pod(&json!({ "spec": { "securityContext": { "sysctls": [{ "name": "net.ipv4.tcp_rmem" },
            { "name": "kernel.msgmax" }] } } })),
            "forbidden sysctls (kernel.msgmax)",
        ),
        (
            pod(&json!({ "spec": { "securityContext": { "windowsOptions": { "hostProcess": true } } } })),
            "hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)",
        ),
        (
            pod(&json!({ "spec": { "securityContext": { "appArmorProfile": { "type": "Unconfined" } } } })),
            "forbidden AppArmor profile (pod must not set AppArmor profile type to \"Unconfined\")",
        ),
        (
            pod(&json!({ "metadata": { "annotations": {
            "container.apparmor.security.beta.kubernetes.io/a": "unconfined" } } })),
            "forbidden AppArmor profile (annotation must not set AppArmor profile type to \
             \"container.apparmor.security.beta.kubernetes.io/a=\"unconfined\"\")",
        ),
    ];
    for (pod, want) in rows {
        assert_eq!(broken(&pod, Level::Baseline, Version::Latest), want);
        assert_eq!(broken(&pod, Level::Privileged, Version::Latest), "");
    }
}

#[test]
fn restricted_wants_hardened_pods() {
    let bare = json!({ "spec": { "initContainers": [{ "name": "i" }], "containers": [{ "name": "a" }] } });
    let rows = [
        (pod(&json!({})), ""),
        (
            bare,
            "allowPrivilegeEscalation != false (containers \"i\", \"a\" must set \
            securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (containers \"i\", \"a\" must set \
            securityContext.capabilities.drop=[\"ALL\"]), runAsNonRoot != true (pod or containers \"i\", \"a\" must set \
            securityContext.runAsNonRoot=true), seccompProfile (pod or containers \"i\", \"a\" must set \
            securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")",
        ),
        (
            container(&json!({ "capabilities": { "drop": ["NET_RAW"], "add": ["CHOWN"] } })),
            "unrestricted capabilities (container \"a\" must set securityContext.capabilities.drop=[\"ALL\"]; container \
             \"a\" must not include \"CHOWN\" in securityContext.capabilities.add)",
        ),
        (container(&json!({ "capabilities": { "add": ["NET_BIND_SERVICE"] } })), ""),
        (
            pod(&json!({ "spec": { "volumes": [{ "name": "n", "nfs": {} }, { "name": "h", "hostPath": {} },
            { "name": "c", "configMap": {} }] } })),
            "restricted volume types (volumes \"n\", \"h\" use restricted volume types \"hostPath\", \"nfs\")",
        ),
        (
            pod(&json!({ "spec": { "securityContext": { "runAsNonRoot": false } } })),
            "runAsNonRoot != true (pod must not set securityContext.runAsNonRoot=false)",
        ),
        (container(&json!({ "runAsUser": 0 })), "runAsUser=0 (container \"a\" must not set runAsUser=0)"),
        (
            pod(
                &json!({ "spec": { "hostUsers": false, "securityContext": { "runAsUser": 0, "runAsNonRoot": null } } }),
            ),
            "",
        ),
        (
            pod(
                &json!({ "spec": { "os": { "name": "windows" }, "securityContext": { "seccompProfile": null } } }),
            ),
            "",
        ),
        (
            container(&json!({ "seccompProfile": { "type": "Unconfined" } })),
            "seccompProfile (container \"a\" must not set securityContext.seccompProfile.type to \"Unconfined\")",
        ),
    ];
    for (pod, want) in rows {
        assert_eq!(broken(&pod, Level::Restricted, Version::Latest), want);
    }
}

#[test]
fn older_versions_have_their_own_rules() {
    let probe = container_with(&json!({ "readinessProbe": { "httpGet": { "host": "h" } } }));
    let sysctl =
        pod(&json!({ "spec": { "securityContext": { "sysctls": [{ "name": "net.ipv4.tcp_rmem" }] } } }));
    let windows = pod(
        &json!({ "spec": { "os": { "name": "windows" }, "securityContext": { "seccompProfile": null } } }),
    );
    let annotated = pod(&json!({ "metadata": { "annotations": {
        "seccomp.security.alpha.kubernetes.io/pod": "unconfined" } } }));
    let added = container(&json!({ "capabilities": { "add": ["SYS_ADMIN"] } }));
    let rows = [
        (&probe, Level::Baseline, 33, false),
        (&probe, Level::Baseline, 34, true),
        (&probe, Level::Baseline, 99, true),
        (&sysctl, Level::Baseline, 31, true),
        (&sysctl, Level::Baseline, 32, false),
        (&windows, Level::Restricted, 24, true),
        (&windows, Level::Restricted, 25, false),
        (&annotated, Level::Baseline, 18, true),
        (&annotated, Level::Baseline, 19, false),
        (&added, Level::Restricted, 21, true),
        (&added, Level::Restricted, 22, true),
    ];
    for (pod, level, minor, is_broken) in rows {
        let found = broken(pod, level, Version::Minor(minor));
        assert_eq!(!found.is_empty(), is_broken, "{level:?} v1.{minor}: {found}");
        // A rule that another one replaces is not told twice.
        assert!(found.matches("SYS_ADMIN").count() <= 1, "{found}");
    }
}

#[test]
fn existing_pods_are_counted_by_what_they_break() {
    let named = |name: &str, host: bool| {
        pod(&json!({ "metadata": { "name": name }, "spec": { "hostNetwork": host } }))
    };
    let pods = [named("c", true), named("b", true), named("fine", false)];
    let enforce = LevelVersion { level: Level::Baseline, version: Version::Latest };
    assert_eq!(
        warnings("shop", &pods, 3, enforce),
        [
            r#"existing pods in namespace "shop" violate the new PodSecurity enforce level "baseline:latest""#,
            "b (and 1 other pod): host namespaces",
        ]
    );
    assert_eq!(
        warnings("shop", &pods[2..], 7, enforce),
        ["new PodSecurity enforce level only checked against the first 1 of 7 existing pods",]
    );
}

#[test]
fn only_images_and_added_containers_are_checked_again() {
    let old = pod(&json!({}));
    let labelled = pod(&json!({ "metadata": { "labels": { "a": "b" } } }));
    let image = container_with(&json!({ "image": "redis" }));
    let debugged = pod(&json!({ "spec": { "ephemeralContainers": [{ "name": "d", "image": "busybox" }] } }));
    assert!(!is_significant(&labelled, &old));
    assert!(is_significant(&image, &old));
    assert!(is_significant(&debugged, &old));
    assert!(!is_significant(&debugged, &debugged));
}
