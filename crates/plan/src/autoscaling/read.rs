//! Reads pods and their metrics as members send them.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use portolan_api::kubernetes::{AutoscaledPod, View, ViewError};
use portolan_object::Object;
use portolan_object::quantity::Quantity;
use serde_json::Value;

use super::sample::{ContainerRequests, PodId, PodSample, Usage};

/// Window of metrics that name none, or none that can be read.
const DEFAULT_WINDOW: SignedDuration = SignedDuration::from_mins(1);

fn id(cluster: &str, object: &Object) -> PodId {
    PodId { cluster: cluster.to_owned(), name: object.name().to_owned() }
}

/// Reads a pod of a member.
///
/// # Errors
/// When a field has another type.
pub fn pod(cluster: &str, object: &Object) -> Result<PodSample, ViewError> {
    let view = AutoscaledPod::read(object)?;
    let ready = view.status.conditions.iter().find(|condition| condition.kind == "Ready");
    let ready = ready.and_then(|one| Some((one.is_true(), one.last_transition_time.parse().ok()?)));
    let containers = view.spec.containers.iter().map(|container| ContainerRequests {
        name: container.name.to_owned(),
        requests: amounts(container.resources.requests.iter().map(|(name, value)| (*name, value))),
    });
    Ok(PodSample {
        id: id(cluster, object),
        phase: view.status.phase.to_owned(),
        is_deleting: object.is_deleting(),
        started: view.status.start_time.parse().ok(),
        ready,
        containers: containers.collect(),
    })
}

/// Reads the metrics of a pod (metrics.k8s.io/v1beta1 PodMetrics); `None` if they have no time.
pub fn usage(cluster: &str, object: &Object) -> Option<(PodId, Usage)> {
    let time: Timestamp = object.str_at(&["timestamp"]).parse().ok()?;
    let window = object.str_at(&["window"]).parse().unwrap_or(DEFAULT_WINDOW);
    let listed = object.at(&["containers"]).and_then(Value::as_array).into_iter().flatten();
    let used = |container: &Value| {
        let name = container["name"].as_str()?.to_owned();
        let usage = container["usage"].as_object().into_iter().flatten();
        Some((name, amounts(usage.map(|(name, value)| (name.as_str(), value)))))
    };
    let containers = listed.filter_map(used).collect();
    Some((id(cluster, object), Usage { time, window, containers }))
}

/// Thousandths of units by name; what is no quantity is left out.
fn amounts<'a>(values: impl Iterator<Item = (&'a str, &'a Value)>) -> BTreeMap<String, i64> {
    let amount = |(name, value): (&'a str, &'a Value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Some((name.to_owned(), Quantity::parse(&text).ok()?.milli()))
    };
    values.filter_map(amount).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pods_and_metrics_are_read() {
        let object = Object(json!({ "apiVersion": "v1", "kind": "Pod",
            "metadata": { "namespace": "shop", "name": "web-1" },
            "spec": { "containers": [{ "name": "web", "resources": { "requests": { "cpu": "250m", "memory": "1Ki" } } },
                { "name": "side" }] },
            "status": { "phase": "Running", "startTime": "2026-01-01T00:00:00Z",
                "conditions": [{ "type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:01:00Z" }] } }));
        let pod = pod("eu", &object).expect("readable");
        assert_eq!(
            (pod.id.cluster.as_str(), pod.id.name.as_str(), pod.phase.as_str()),
            ("eu", "web-1", "Running")
        );
        assert_eq!(pod.containers[0].requests["cpu"], 250);
        assert_eq!(pod.containers[0].requests["memory"], 1_024_000);
        assert!(pod.containers[1].requests.is_empty());
        assert_eq!(pod.ready, Some((true, "2026-01-01T00:01:00Z".parse().expect("a time"))));

        let metrics = Object(json!({ "apiVersion": "metrics.k8s.io/v1beta1", "kind": "PodMetrics",
            "metadata": { "namespace": "shop", "name": "web-1" },
            "timestamp": "2026-01-01T00:02:00Z", "window": "1m30s",
            "containers": [{ "name": "web", "usage": { "cpu": "1500000000n", "memory": 7 } }] }));
        let (id, usage) = usage("eu", &metrics).expect("metrics");
        assert_eq!(id, pod.id);
        assert_eq!(usage.window, SignedDuration::from_secs(90));
        assert_eq!(usage.containers["web"]["cpu"], 1500);
        assert_eq!(usage.containers["web"]["memory"], 7000);
    }
}
