//! Warnings about parts of pods that nodes of the playground do not play, for those who create them.

use portolan_apiserver::Admission;
use portolan_apiserver::admission::{AdmissionFuture, Attributes, Operation};
use serde_json::Value;

/// Where an object has a pod: in itself, or as a template.
const PODS: [&str; 3] = ["/spec", "/spec/template/spec", "/spec/jobTemplate/spec/template/spec"];
/// Kinds with pods.
const KINDS: [&str; 8] = [
    "pods",
    "replicationcontrollers",
    "replicasets",
    "deployments",
    "statefulsets",
    "daemonsets",
    "jobs",
    "cronjobs",
];

/// Warns, and changes nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct NotPlayed;

impl Admission for NotPlayed {
    fn admit<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: &'a mut Value,
        _old: Option<&'a Value>,
    ) -> AdmissionFuture<'a> {
        let has_pods = KINDS.contains(&&*attributes.resource.plural)
            && matches!(attributes.resource.kind.group.as_str(), "" | "apps" | "batch");
        let warnings = match attributes.subresource {
            _ if !has_pods || attributes.operation == Operation::Delete => Vec::new(),
            "ephemeralcontainers" => ephemeral(object),
            "" => unplayed(object),
            _ => Vec::new(),
        };
        Box::pin(std::future::ready(Ok(warnings)))
    }
}

fn list<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    value[field].as_array().into_iter().flatten()
}

/// What a debug container meets.
fn ephemeral(pod: &Value) -> Vec<String> {
    let names = list(&pod["spec"], "ephemeralContainers").filter_map(|container| container["name"].as_str());
    let warn = |name: &str| {
        format!(
            "ephemeral containers are not played in this cluster: {name} will not start; `kubectl debug --copy-to` makes a \
             pod with the container"
        )
    };
    names.map(warn).collect()
}

/// What the containers of an object ask for in vain.
fn unplayed(object: &Value) -> Vec<String> {
    let mut warnings = Vec::new();
    for (pointer, pod) in PODS.iter().filter_map(|pointer| Some((pointer, object.pointer(pointer)?))) {
        let path = pointer.trim_start_matches('/').replace('/', ".");
        for (index, container) in list(pod, "containers").enumerate() {
            if container["lifecycle"].as_object().is_some_and(|hooks| !hooks.is_empty()) {
                warnings.push(format!(
                    "{path}.containers[{index}].lifecycle: hooks are not played in this cluster"
                ));
            }
            if list(container, "ports").any(|port| port["hostPort"].as_u64().is_some_and(|port| port > 0)) {
                warnings.push(format!(
                    "{path}.containers[{index}].ports: host ports are not played in this cluster"
                ));
            }
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_played_is_named() {
        let container = json!({ "name": "a", "lifecycle": { "preStop": { "sleep": { "seconds": 1 } } },
            "ports": [{ "containerPort": 80, "hostPort": 8080 }] });
        let plain = json!({ "name": "b", "lifecycle": {}, "ports": [{ "containerPort": 80 }] });
        assert_eq!(unplayed(&json!({ "spec": { "containers": [plain] } })), Vec::<String>::new());
        let pod = json!({ "spec": { "containers": [plain, container] } });
        assert_eq!(
            unplayed(&pod),
            [
                "spec.containers[1].lifecycle: hooks are not played in this cluster",
                "spec.containers[1].ports: host ports are not played in this cluster"
            ]
        );
        let job = json!({ "spec": { "jobTemplate": { "spec": { "template": { "spec": { "containers": [container] } } } } } });
        let warnings = unplayed(&job);
        assert!(
            warnings[0].starts_with("spec.jobTemplate.spec.template.spec.containers[0].lifecycle"),
            "{warnings:?}"
        );
        let debugged = json!({ "spec": { "ephemeralContainers": [{ "name": "debugger" }] } });
        assert!(ephemeral(&debugged)[0].contains("debugger will not start"));
    }
}
