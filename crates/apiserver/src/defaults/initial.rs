//! What the server itself says about a new object: its first status, its generated selector, its finalizers.

use portolan_object::GroupVersionKind;
use serde_json::{Map, Value, json};

use crate::quantity::Quantity;
use crate::tree;
use crate::tree::{child, default};

/// Completes a new object of a built-in kind, after its name and identity are set and its status is dropped.
pub fn on_create(kind: &GroupVersionKind, object: &mut Value) {
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "Pod") => pod(object),
        ("", "Namespace") => namespace(object),
        ("batch", "Job") => job_selector(object),
        ("", "Service") | ("networking.k8s.io", "Ingress") => empty_status(object, "loadBalancer"),
        ("", "PersistentVolumeClaim" | "PersistentVolume") => phase(object, "Pending"),
        ("apps" | "batch" | "policy" | "autoscaling", kind) if kind != "ControllerRevision" => {
            if let Some(object) = object.as_object_mut() {
                child(object, "status");
            }
        }
        _ => {}
    }
}

fn phase(object: &mut Value, phase: &str) {
    let Some(object) = object.as_object_mut() else { return };
    if let Some(status) = child(object, "status") {
        status.insert("phase".to_owned(), json!(phase));
    }
}

fn empty_status(object: &mut Value, part: &str) {
    let Some(object) = object.as_object_mut() else { return };
    if let Some(status) = child(object, "status") {
        child(status, part);
    }
}

fn namespace(object: &mut Value) {
    let Some(object) = object.as_object_mut() else { return };
    if let Some(spec) = child(object, "spec") {
        let finalizers = spec.entry("finalizers").or_insert_with(|| json!([]));
        if let Some(finalizers) = finalizers.as_array_mut()
            && !finalizers.contains(&json!("kubernetes"))
        {
            finalizers.push(json!("kubernetes"));
        }
    }
    if let Some(status) = child(object, "status") {
        status.insert("phase".to_owned(), json!("Active"));
    }
}

/// A pod waits at first. Taints that come and go within minutes do not drive it away, and the rest of what
/// scheduling needs is settled.
fn pod(object: &mut Value) {
    let class = quality_of_service(object);
    phase(object, "Pending");
    object["status"]["qosClass"] = json!(class);
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else { return };
    default(spec, "priority", 0);
    default(spec, "preemptionPolicy", "PreemptLowerPriority");
    tolerate(spec, "node.kubernetes.io/not-ready");
    tolerate(spec, "node.kubernetes.io/unreachable");
}

fn tolerate(spec: &mut Map<String, Value>, taint: &str) {
    let tolerations = spec.entry("tolerations").or_insert_with(|| json!([]));
    if tolerations.is_null() {
        *tolerations = json!([]);
    }
    let Some(tolerations) = tolerations.as_array_mut() else { return };
    let covers = |toleration: &Value| {
        let (key, effect) = (tree::text(toleration, "/key"), tree::text(toleration, "/effect"));
        (key == taint || key.is_empty()) && (effect == "NoExecute" || effect.is_empty())
    };
    if !tolerations.iter().any(covers) {
        tolerations.push(json!({
            "key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300
        }));
    }
}

/// How well the pod is kept when its node runs short.
///
/// # Source
/// Kubernetes documentation, "Pod Quality of Service Classes".
fn quality_of_service(pod: &Value) -> &'static str {
    let containers = ["/spec/initContainers", "/spec/containers"];
    let containers: Vec<&Value> =
        containers.into_iter().flat_map(|pointer| tree::list(pod, pointer)).collect();
    let amount = |container: &Value, kind: &str, resource: &str| {
        let text = tree::text(container, &format!("/resources/{kind}/{resource}"));
        Quantity::parse(text).ok().filter(|amount| !amount.is_zero())
    };
    let has_any = containers.iter().any(|container| {
        let mut pairs = ["requests", "limits"].into_iter().flat_map(|kind| [(kind, "cpu"), (kind, "memory")]);
        pairs.any(|(kind, resource)| amount(container, kind, resource).is_some())
    });
    let is_guaranteed = containers.iter().all(|container| {
        ["cpu", "memory"].into_iter().all(|resource| {
            let limit = amount(container, "limits", resource);
            let request = amount(container, "requests", resource);
            limit.is_some() && (request.is_none() || request == limit)
        })
    });
    match (has_any, is_guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

/// The labels by which a job finds its pods, made from its identity so that no other job finds them.
fn job_selector(job: &mut Value) {
    if let Some(object) = job.as_object_mut() {
        child(object, "status");
    }
    if tree::is_true(job, "/spec/manualSelector") {
        return;
    }
    let name = tree::text(job, "/metadata/name").to_owned();
    let uid = tree::text(job, "/metadata/uid").to_owned();
    let Some(spec) = job.get_mut("spec").and_then(Value::as_object_mut) else { return };
    let labels = child(spec, "template")
        .and_then(|template| child(template, "metadata"))
        .and_then(|metadata| child(metadata, "labels"));
    if let Some(labels) = labels {
        for (key, value) in [
            ("job-name", &name),
            ("batch.kubernetes.io/job-name", &name),
            ("controller-uid", &uid),
            ("batch.kubernetes.io/controller-uid", &uid),
        ] {
            labels.entry(key).or_insert_with(|| json!(value));
        }
    }
    let selector = child(spec, "selector").and_then(|selector| child(selector, "matchLabels"));
    if let Some(selector) = selector {
        selector.entry("batch.kubernetes.io/controller-uid").or_insert_with(|| json!(uid));
    }
}
