//! The fields of federated objects (kubefed pkg/kubefedctl/enable/schema.go, pkg/controller/sync/status/status.go).

use portolan_object::Object;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::PROPAGATION;
use crate::meta::{ConditionStatus, LabelSelector};
use crate::schema::{is_default, opaque_object};

/// What a federated object asks for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FederatedSpec {
    /// The object that members get, without name and namespace, which are those of the federated object.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(transform = opaque_object)]
    pub template: Option<Value>,
    /// The clusters that get it; without it, none.
    #[serde(skip_serializing_if = "is_default")]
    pub placement: Option<Placement>,
    /// Changes for single clusters.
    #[serde(skip_serializing_if = "is_default")]
    pub overrides: Vec<ClusterOverrides>,
    /// Whether members keep the replicas that they have.
    #[serde(skip_serializing_if = "is_default")]
    pub retain_replicas: bool,
}

/// Which clusters get an object.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Placement {
    /// The clusters by name. If the list is there, also empty, `clusterSelector` does not count.
    #[serde(skip_serializing_if = "is_default")]
    pub clusters: Option<Vec<ClusterReference>>,
    /// The clusters by their labels; an empty selector selects every cluster.
    #[serde(skip_serializing_if = "is_default")]
    pub cluster_selector: Option<LabelSelector>,
}

/// A cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterReference {
    /// Its name.
    pub name: String,
}

/// The changes for one cluster.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterOverrides {
    /// Name of the cluster.
    #[serde(skip_serializing_if = "is_default")]
    pub cluster_name: String,
    /// The changes, in the order in which they are made.
    #[serde(skip_serializing_if = "is_default")]
    pub cluster_overrides: Vec<ClusterOverride>,
}

/// One change, in the manner of a JSON patch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterOverride {
    /// What is done; `replace` if absent.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(regex(pattern = r"^(add|remove|replace)?$"))]
    pub op: String,
    /// JSON pointer to the field, with a leading slash.
    pub path: String,
    /// The value for `add` and `replace`.
    #[serde(skip_serializing_if = "is_default")]
    pub value: Option<Value>,
}

/// The operation of an override.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverrideOperation {
    /// Adds a field, or inserts an element.
    Add,
    /// Removes a field or an element.
    Remove,
    /// Sets a field or an element.
    Replace,
}

impl ClusterOverride {
    /// The operation; `None` for one that does not exist.
    pub fn operation(&self) -> Option<OverrideOperation> {
        match self.op.as_str() {
            "add" => Some(OverrideOperation::Add),
            "remove" => Some(OverrideOperation::Remove),
            "" | "replace" => Some(OverrideOperation::Replace),
            _ => None,
        }
    }
}

/// Observed state of a federated object.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FederatedStatus {
    /// Generation of the federated object that the status is about.
    #[serde(skip_serializing_if = "is_default")]
    pub observed_generation: i64,
    /// The condition `Propagation`.
    #[serde(skip_serializing_if = "is_default")]
    pub conditions: Vec<PropagationCondition>,
    /// The clusters, by name.
    #[serde(skip_serializing_if = "is_default")]
    pub clusters: Vec<MemberStatus>,
}

impl FederatedStatus {
    /// Why a federated object is not in its clusters, in one line; `None` if it is.
    pub fn problem(federated: &Object) -> Option<String> {
        let status = federated.at(&["status"]).cloned().unwrap_or_default();
        let status: Self = serde_json::from_value(status).unwrap_or_default();
        let known = status.conditions.iter().find(|condition| condition.kind == PROPAGATION);
        let Some(known) = known.filter(|_| status.observed_generation == federated.generation()) else {
            return Some("the control plane has not reported on it yet".to_owned());
        };
        if known.status == ConditionStatus::True {
            return None;
        }
        let clusters = status.clusters.iter().filter(|cluster| !cluster.status.is_empty());
        let clusters: Vec<String> =
            clusters.map(|cluster| format!("{} {}", cluster.name, cluster.status)).collect();
        Some(format!("{} {} {}", known.reason, known.message, clusters.join(", ")).trim_end().to_owned())
    }
}

/// Whether all clusters have what the federated object asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PropagationCondition {
    /// `Propagation`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `True` or `False`.
    pub status: ConditionStatus,
    /// Why it is `False`: `CheckClusters`, `ComputePlacementFailed`, `NamespaceNotFederated`.
    #[serde(skip_serializing_if = "is_default")]
    pub reason: String,
    /// Message for people.
    #[serde(skip_serializing_if = "is_default")]
    pub message: String,
    /// Time of the last change in a member, or of the condition.
    #[serde(skip_serializing_if = "is_default")]
    pub last_update_time: String,
    /// Time of the last change of status or reason.
    #[serde(skip_serializing_if = "is_default")]
    pub last_transition_time: String,
}

/// The object in one cluster.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MemberStatus {
    /// Name of the cluster.
    pub name: String,
    /// Empty if the cluster has the object as it is asked for, else what is wrong in one word.
    #[serde(skip_serializing_if = "is_default")]
    pub status: String,
    /// What is wrong and what to do, for people.
    #[serde(skip_serializing_if = "is_default")]
    pub message: String,
    /// Status of the object in the cluster, if it is collected.
    #[serde(skip_serializing_if = "is_default")]
    pub remote_status: Option<Value>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wrong_with_a_federated_object_is_said_in_one_line() {
        let object = |generation: i64, status: &str| {
            Object(json!({ "metadata": { "generation": 2 }, "status": { "observedGeneration": generation,
                "conditions": [{ "type": "Propagation", "status": status, "reason": "CheckClusters", "message": "" }],
                "clusters": [{ "name": "eu" }, { "name": "us", "status": "ClusterNotReady" }] } }))
        };
        assert_eq!(FederatedStatus::problem(&object(2, "True")), None);
        assert_eq!(
            FederatedStatus::problem(&object(2, "False")).as_deref(),
            Some("CheckClusters  us ClusterNotReady")
        );
        assert!(
            FederatedStatus::problem(&object(1, "True")).is_some_and(|text| text.contains("not reported"))
        );
    }
}
