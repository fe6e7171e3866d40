//! Defaults of pods and pod templates.

use serde_json::{Map, Value, json};

use crate::kinds::core::persistent_volume_claim;
use crate::kinds::quantities;
use crate::tree::{child, child_if_present, children, default, is_unset};

const CONTAINERS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];
const FILE_MODE: i64 = 0o644;

/// The member `template` of a workload's spec.
pub(crate) fn default_template(parent: &mut Map<String, Value>) {
    let Some(template) = child(parent, "template") else { return };
    child(template, "metadata");
    if let Some(spec) = child(template, "spec") {
        default_pod_spec(spec);
    }
}

pub(crate) fn default_pod_spec(spec: &mut Map<String, Value>) {
    default(spec, "restartPolicy", "Always");
    default(spec, "terminationGracePeriodSeconds", 30);
    default(spec, "dnsPolicy", "ClusterFirst");
    default(spec, "schedulerName", "default-scheduler");
    child(spec, "securityContext");
    service_account(spec);
    for name in CONTAINERS {
        for container in children(spec, name) {
            self::container(container);
        }
    }
    for volume in children(spec, "volumes") {
        self::volume(volume);
    }
    quantities::canonical_map(spec, "overhead");
    if let Some(resources) = child_if_present(spec, "resources") {
        quantities::canonical_requirements(resources);
    }
}

/// The old and the new name of the service account say the same.
fn service_account(spec: &mut Map<String, Value>) {
    let known = ["serviceAccountName", "serviceAccount"]
        .into_iter()
        .find_map(|name| spec.get(name).filter(|value| !is_unset(Some(value))).cloned());
    if let Some(known) = known {
        for name in ["serviceAccountName", "serviceAccount"] {
            spec.insert(name.to_owned(), known.clone());
        }
    }
}

fn container(container: &mut Map<String, Value>) {
    let image = container.get("image").and_then(Value::as_str).unwrap_or_default();
    let pull_policy = pull_policy(image);
    default(container, "imagePullPolicy", pull_policy);
    default(container, "terminationMessagePath", "/dev/termination-log");
    default(container, "terminationMessagePolicy", "File");
    if let Some(resources) = child(container, "resources") {
        quantities::canonical_requirements(resources);
    }
    for port in children(container, "ports") {
        default(port, "protocol", "TCP");
    }
    for variable in children(container, "env") {
        environment(variable);
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = child_if_present(container, name) {
            self::probe(probe);
        }
    }
    if let Some(lifecycle) = child_if_present(container, "lifecycle") {
        for name in ["postStart", "preStop"] {
            if let Some(handler) = child_if_present(lifecycle, name) {
                http_get(handler);
            }
        }
    }
}

/// An image without a tag, or with the tag that moves, is fetched every time.
fn pull_policy(image: &str) -> &'static str {
    if image.contains('@') {
        return "IfNotPresent";
    }
    let last = image.rsplit('/').next().unwrap_or(image);
    match last.split_once(':') {
        Some((_, tag)) if tag != "latest" => "IfNotPresent",
        _ => "Always",
    }
}

fn environment(variable: &mut Map<String, Value>) {
    let Some(source) = child_if_present(variable, "valueFrom") else { return };
    if let Some(field) = child_if_present(source, "fieldRef") {
        default(field, "apiVersion", "v1");
    }
    if let Some(field) = child_if_present(source, "resourceFieldRef") {
        default(field, "divisor", "0");
        quantities::canonical_field(field, "divisor");
    }
}

fn probe(probe: &mut Map<String, Value>) {
    for (name, value) in
        [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)]
    {
        if probe.get(name).and_then(Value::as_i64).unwrap_or_default() == 0 {
            probe.insert(name.to_owned(), json!(value));
        }
    }
    if let Some(grpc) = child_if_present(probe, "grpc")
        && grpc.get("service").is_none_or(Value::is_null)
    {
        grpc.insert("service".to_owned(), json!(""));
    }
    http_get(probe);
}

fn http_get(handler: &mut Map<String, Value>) {
    if let Some(action) = child_if_present(handler, "httpGet") {
        default(action, "path", "/");
        default(action, "scheme", "HTTP");
    }
}

fn volume(volume: &mut Map<String, Value>) {
    let has_source = volume.iter().any(|(name, value)| name != "name" && !value.is_null());
    if !has_source {
        child(volume, "emptyDir");
    }
    for name in ["secret", "configMap", "downwardAPI", "projected"] {
        if let Some(source) = child_if_present(volume, name) {
            default(source, "defaultMode", FILE_MODE);
            downward_items(source);
        }
    }
    if let Some(projected) = child_if_present(volume, "projected") {
        for source in children(projected, "sources") {
            if let Some(token) = child_if_present(source, "serviceAccountToken") {
                default(token, "expirationSeconds", 3600);
            }
            if let Some(downward) = child_if_present(source, "downwardAPI") {
                downward_items(downward);
            }
        }
    }
    if let Some(path) = child_if_present(volume, "hostPath")
        && path.get("type").is_none_or(Value::is_null)
    {
        path.insert("type".to_owned(), json!(""));
    }
    if let Some(directory) = child_if_present(volume, "emptyDir") {
        quantities::canonical_field(directory, "sizeLimit");
    }
    if let Some(template) = child_if_present(volume, "ephemeral")
        .and_then(|source| child_if_present(source, "volumeClaimTemplate"))
        && let Some(spec) = child(template, "spec")
    {
        persistent_volume_claim::default_spec(spec);
    }
}

fn downward_items(source: &mut Map<String, Value>) {
    for item in children(source, "items") {
        if let Some(field) = child_if_present(item, "fieldRef") {
            default(field, "apiVersion", "v1");
        }
        if let Some(field) = child_if_present(item, "resourceFieldRef") {
            default(field, "divisor", "0");
            quantities::canonical_field(field, "divisor");
        }
    }
}
