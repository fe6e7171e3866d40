//! What the server itself says about a new object: its first status, its generated selector, its finalizers.

use serde_json::{Map, Value, json};

use crate::quantity::Quantity;
use crate::tree;
use crate::tree::{child, default};

/// `status: {}`.
pub(crate) fn empty_status(object: &mut Value) {
    counts(object, &[]);
}

/// A status without replicas.
pub(crate) fn replicas(object: &mut Value) {
    counts(object, &["replicas"]);
}

/// A stateful set without replicas.
pub(crate) fn stateful_set(object: &mut Value) {
    counts(object, &["replicas", "availableReplicas"]);
}

/// A daemon set on no node.
pub(crate) fn daemon_set(object: &mut Value) {
    let names = ["currentNumberScheduled", "desiredNumberScheduled", "numberMisscheduled", "numberReady"];
    counts(object, &names);
}

/// A disruption budget of no pods.
pub(crate) fn disruption_budget(object: &mut Value) {
    counts(object, &["currentHealthy", "desiredHealthy", "disruptionsAllowed", "expectedPods"]);
}

/// A Service or an ingress without addresses of a load balancer.
pub(crate) fn load_balancer(object: &mut Value) {
    let Some(object) = object.as_object_mut() else { return };
    if let Some(status) = child(object, "status") {
        child(status, "loadBalancer");
    }
}

/// A volume or a claim that is not bound.
pub(crate) fn pending(object: &mut Value) {
    phase(object, "Pending");
}

/// A status in which the counts that clients expect are zero.
fn counts(object: &mut Value, names: &[&str]) {
    let Some(object) = object.as_object_mut() else { return };
    if let Some(status) = child(object, "status") {
        status.extend(names.iter().map(|&name| (name.to_owned(), json!(0))));
    }
}

pub(crate) fn autoscaler(object: &mut Value) {
    if tree::text(object, "/apiVersion") == "autoscaling/v1" {
        counts(object, &["currentReplicas", "desiredReplicas"]);
    } else {
        counts(object, &["desiredReplicas"]);
    }
}

fn phase(object: &mut Value, phase: &str) {
    let Some(object) = object.as_object_mut() else { return };
    if let Some(status) = child(object, "status") {
        status.insert("phase".to_owned(), json!(phase));
    }
}

pub(crate) fn namespace(object: &mut Value) {
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

/// A pod waits at first, and what scheduling needs is settled.
pub(crate) fn pod(object: &mut Value) {
    let class = quality_of_service(object);
    phase(object, "Pending");
    object["status"]["qosClass"] = json!(class);
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else { return };
    default(spec, "priority", 0);
    default(spec, "preemptionPolicy", "PreemptLowerPriority");
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
pub(crate) fn job_selector(job: &mut Value) {
    if let Some(object) = job.as_object_mut() {
        child(object, "status");
    }
    if tree::is_true(job, "/spec/manualSelector") {
        return;
    }
    let name = tree::text(job, "/metadata/name").to_owned();
    let uid = tree::text(job, "/metadata/uid").to_owned();
    let Some(spec) = job.get_mut("spec").and_then(Value::as_object_mut) else { return };
    let mut own = Map::new();
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
        own = labels.clone();
    }
    let selector = child(spec, "selector").and_then(|selector| child(selector, "matchLabels"));
    if let Some(selector) = selector {
        selector.entry("batch.kubernetes.io/controller-uid").or_insert_with(|| json!(uid));
    }
    // A job without labels takes those of its pods, as the other workloads do.
    let labels = job.get_mut("metadata").and_then(Value::as_object_mut);
    if let Some(labels) =
        labels.and_then(|metadata| child(metadata, "labels")).filter(|labels| labels.is_empty())
    {
        *labels = own;
    }
}
