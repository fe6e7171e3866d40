//! Why the pods of a workload are not ready: the reasons that kubelet and scheduler wrote into their status.

use std::collections::BTreeMap;

use portolan_api::kubernetes::{ContainerStatus, Pod, View, read_value};
use portolan_api::resources;
use portolan_object::Object;

/// The reasons of those objects that are pods and not ready, each with the number of pods; most frequent first.
pub(super) fn troubles(objects: &[Object]) -> Vec<String> {
    let pods: Vec<&Object> = objects.iter().filter(|object| resources::POD.is_kind_of(object)).collect();
    let mut counted: BTreeMap<String, usize> = BTreeMap::new();
    for reason in pods.iter().filter_map(|pod| trouble(pod)) {
        *counted.entry(reason).or_default() += 1;
    }
    let mut counted: Vec<(String, usize)> = counted.into_iter().collect();
    counted.sort_by(|one, other| other.1.cmp(&one.1).then(one.0.cmp(&other.0)));
    counted.into_iter().map(|(reason, count)| format!("{count} of {} pods: {reason}", pods.len())).collect()
}

/// Why a pod is not ready; `None` if it is, or is finished.
fn trouble(object: &Object) -> Option<String> {
    let pod = match Pod::read(object) {
        Ok(pod) => pod,
        Err(error) => return Some(error.to_string()),
    };
    if pod.status.is_ready() || pod.status.phase == "Succeeded" || object.is_deleting() {
        return None;
    }
    if let Some(stuck) = stuck_container(object) {
        return Some(stuck);
    }
    let unscheduled = pod.status.conditions.iter().find(|one| one.kind == "PodScheduled" && !one.is_true());
    if let Some(condition) = unscheduled {
        return Some(format!("{}: {}", condition.reason, condition.message));
    }
    Some(format!("{}, not ready", pod.status.phase))
}

/// The first container that kubelet cannot start.
pub(super) fn stuck_container(pod: &Object) -> Option<String> {
    let statuses = ["initContainerStatuses", "containerStatuses"]
        .into_iter()
        .filter_map(|field| read_value::<Vec<ContainerStatus<'_>>>(pod.at(&["status", field])?).ok());
    let mut waiting =
        statuses.flatten().filter_map(|container| Some((container.name, container.state.waiting?)));
    let (container, waiting) = waiting
        .find(|(_, waiting)| !["", "PodInitializing", "ContainerCreating"].contains(&waiting.reason))?;
    let message = match waiting.message {
        "" => String::new(),
        message => format!(": {message}"),
    };
    Some(format!("container {container}: {}{message}", waiting.reason))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn reasons_are_counted() {
        let pod = |status: Value| {
            Object(
                json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "p" }, "status": status }),
            )
        };
        let pull = json!({ "phase": "Pending", "containerStatuses": [{ "name": "web",
            "state": { "waiting": { "reason": "ImagePullBackOff", "message": "no such image" } } }] });
        let pods = [
            pod(json!({ "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] })),
            pod(pull.clone()),
            pod(pull),
            pod(json!({ "phase": "Pending", "conditions": [{ "type": "PodScheduled", "status": "False",
                "reason": "Unschedulable", "message": "0/1 nodes are available" }] })),
            pod(json!({ "phase": "Running" })),
            pod(json!({ "phase": "Succeeded" })),
        ];
        assert_eq!(
            troubles(&pods),
            [
                "2 of 6 pods: container web: ImagePullBackOff: no such image",
                "1 of 6 pods: Running, not ready",
                "1 of 6 pods: Unschedulable: 0/1 nodes are available",
            ]
        );
    }
}
