//! A pod of a member, with the fields that capacity depends on.

use serde::{Deserialize, Serialize};

use super::amounts::Amounts;
use super::pod_resources::PodResources;

/// A pod of a member. It is read from the whole Pod, and written, to estimate its size, as what is kept of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Source")]
pub struct MemberPod {
    /// Its node; empty until it is scheduled.
    pub node: Box<str>,
    /// Whether all its containers have ended for good, so that it uses nothing.
    pub is_finished: bool,
    /// What it asks for, with its place as `pods`.
    pub request: Amounts,
    /// Since when no node of the cluster can run it, RFC 3339.
    pub unschedulable_since: Option<Box<str>>,
    /// When it was created, RFC 3339.
    pub created: Box<str>,
    /// The workload that made it.
    pub workload: Option<Workload>,
}

/// The workload of a pod, in the namespace of the pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    /// Kind, such as `Deployment`.
    pub kind: Box<str>,
    /// Name.
    pub name: Box<str>,
    /// The revision of its pod template: the hash in the names of the ReplicaSets of a Deployment. Empty for other kinds.
    pub revision: Box<str>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Source {
    metadata: SourceMetadata,
    spec: PodResources,
    status: SourceStatus,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct SourceMetadata {
    labels: SourceLabels,
    creation_timestamp: String,
    owner_references: Vec<SourceOwner>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct SourceLabels {
    #[serde(rename = "pod-template-hash")]
    pod_template_hash: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct SourceOwner {
    kind: String,
    name: String,
    controller: bool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct SourceStatus {
    phase: String,
    conditions: Vec<SourceCondition>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct SourceCondition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    reason: String,
    last_transition_time: String,
}

impl From<Source> for MemberPod {
    fn from(source: Source) -> Self {
        let Source { metadata, spec, status } = source;
        let unschedulable = status.conditions.into_iter().find(|condition| {
            condition.kind == "PodScheduled"
                && condition.status == "False"
                && condition.reason == "Unschedulable"
        });
        Self {
            request: spec.request_with_pod(),
            node: spec.node_name.into(),
            is_finished: matches!(status.phase.as_str(), "Succeeded" | "Failed"),
            unschedulable_since: unschedulable.map(|condition| condition.last_transition_time.into()),
            created: metadata.creation_timestamp.as_str().into(),
            workload: workload(metadata),
        }
    }
}

/// The controller of the pod; for one of a Deployment the Deployment, which names its ReplicaSets `NAME-HASH`.
fn workload(metadata: SourceMetadata) -> Option<Workload> {
    let owner = metadata.owner_references.into_iter().find(|owner| owner.controller)?;
    let hash = metadata.labels.pod_template_hash;
    let suffix = format!("-{hash}");
    let (kind, name, revision) = match owner.name.strip_suffix(&suffix) {
        Some(deployment) if owner.kind == "ReplicaSet" && suffix.len() > 1 => {
            ("Deployment", deployment, hash.as_str())
        }
        _ => (owner.kind.as_str(), owner.name.as_str(), ""),
    };
    Some(Workload { kind: kind.into(), name: name.into(), revision: revision.into() })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(value: Value) -> MemberPod {
        serde_json::from_value(value).expect("a pod")
    }

    #[test]
    fn a_pod_of_a_deployment_that_cannot_be_scheduled() {
        let read = pod(json!({
            "metadata": { "name": "web-5d8f-x", "labels": { "pod-template-hash": "5d8f", "app": "web" },
                "ownerReferences": [{ "kind": "ReplicaSet", "name": "web-5d8f", "controller": true }] },
            "spec": { "containers": [{ "name": "web", "resources": { "requests": { "cpu": "1" } } }] },
            "status": { "phase": "Pending", "conditions": [{ "type": "PodScheduled", "status": "False",
                "reason": "Unschedulable", "lastTransitionTime": "2026-01-01T00:00:00Z" }] }
        }));
        let workload = Workload { kind: "Deployment".into(), name: "web".into(), revision: "5d8f".into() };
        assert_eq!(read.workload, Some(workload));
        assert_eq!(read.unschedulable_since.as_deref(), Some("2026-01-01T00:00:00Z"));
        assert!(read.node.is_empty() && !read.is_finished);
    }

    #[test]
    fn a_heartbeat_changes_nothing_that_is_kept() {
        let at = |time: &str| {
            pod(json!({ "spec": { "nodeName": "n1" }, "status": { "phase": "Running", "conditions": [
                { "type": "Ready", "status": "True", "lastProbeTime": time }] } }))
        };
        assert_eq!(at("t1"), at("t2"));
        assert_eq!(&*at("t1").node, "n1");
    }
}
