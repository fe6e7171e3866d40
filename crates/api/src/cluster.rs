//! Group `cluster.karmada.io/v1alpha1`: the clusters of the federation.

mod models;

use std::collections::BTreeMap;

use portolan_object::dns_label::is_label;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::kind::kind;
use crate::meta::{Condition, Taint};
use crate::policy::ResourceList;
use crate::quantity::Quantity;
use crate::schema::is_default;

pub use models::{default_resource_models, standardize_resource_models};

/// Maximum length of a cluster's name, which becomes a part of names of namespaces, accounts and secrets.
pub const MAX_NAME_LENGTH: usize = 48;

/// Whether a cluster can have the name: a DNS label of at most [`MAX_NAME_LENGTH`] characters.
pub fn is_name(text: &str) -> bool {
    text.len() <= MAX_NAME_LENGTH && is_label(text)
}

kind! {
    /// A cluster of the federation.
    Cluster, "cluster.karmada.io", "v1alpha1", "clusters", Cluster {
        /// Connection, location and taints.
        spec: ClusterSpec,
        /// Observed state.
        #[serde(skip_serializing_if = "is_default")]
        status: ClusterStatus,
    }
}

/// Connection, location and taints of a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterSpec {
    /// Identity of the cluster: the uid of its namespace kube-system.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 128_000))]
    pub id: String,
    /// Direction of the connection.
    pub sync_mode: SyncMode,
    /// URL of the API server.
    #[serde(skip_serializing_if = "is_default")]
    pub api_endpoint: String,
    /// Secret with `token` and `caBundle`.
    #[serde(skip_serializing_if = "is_default")]
    pub secret_ref: Option<LocalSecretReference>,
    /// Secret with the `token` of an account that may impersonate users.
    #[serde(skip_serializing_if = "is_default")]
    pub impersonator_secret_ref: Option<LocalSecretReference>,
    /// Whether the certificate of the API server is not verified.
    #[serde(skip_serializing_if = "is_default", rename = "insecureSkipTLSVerification")]
    pub insecure_skip_tls_verification: bool,
    /// Proxy for connections to the API server.
    #[serde(skip_serializing_if = "is_default", rename = "proxyURL")]
    pub proxy_url: String,
    /// Headers for that proxy; several values are separated by commas.
    #[serde(skip_serializing_if = "is_default")]
    pub proxy_header: BTreeMap<String, String>,
    /// Name of the cloud.
    #[serde(skip_serializing_if = "is_default")]
    pub provider: String,
    /// Name of the region.
    #[serde(skip_serializing_if = "is_default")]
    pub region: String,
    /// Deprecated: use zones.
    #[serde(skip_serializing_if = "is_default")]
    pub zone: String,
    /// Names of the zones.
    #[serde(skip_serializing_if = "is_default")]
    pub zones: Vec<String>,
    /// Taints; a placement must tolerate them.
    #[serde(skip_serializing_if = "is_default")]
    pub taints: Vec<Taint>,
    /// Grades of nodes, for estimates of free capacity.
    #[serde(skip_serializing_if = "is_default")]
    pub resource_models: Vec<ResourceModel>,
}

/// Direction of the connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum SyncMode {
    /// The control plane talks to the cluster's API server.
    #[default]
    Push,
    /// An agent in the cluster talks to the control plane.
    Pull,
}

/// A Secret in the control plane.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct LocalSecretReference {
    /// Namespace of the Secret.
    pub namespace: String,
    /// Name of the Secret.
    pub name: String,
}

/// One grade of nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceModel {
    /// Number of the grade; larger nodes have larger numbers.
    pub grade: u32,
    /// Free capacity of a node of the grade.
    pub ranges: Vec<ResourceModelRange>,
}

/// A range of one resource.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceModelRange {
    /// Name of the resource.
    pub name: String,
    /// Minimum, inclusive.
    pub min: Quantity,
    /// Maximum, exclusive.
    pub max: Quantity,
}

/// Observed state of a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterStatus {
    /// Version of the API server.
    #[serde(skip_serializing_if = "is_default")]
    pub kubernetes_version: String,
    /// APIs that the API server serves.
    #[serde(skip_serializing_if = "is_default")]
    pub api_enablements: Vec<ApiEnablement>,
    /// Conditions; other programs may add theirs, also without a reason.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(transform = any_reason)]
    pub conditions: Vec<Condition>,
    /// Its nodes.
    #[serde(skip_serializing_if = "is_default")]
    pub node_summary: Option<NodeSummary>,
    /// Capacity of the nodes and its use.
    #[serde(skip_serializing_if = "is_default")]
    pub resource_summary: Option<ResourceSummary>,
    /// Remedies in effect.
    #[serde(skip_serializing_if = "is_default")]
    pub remedy_actions: Vec<String>,
}

/// Karmada's API server accepts conditions of clusters with any reason, also an empty one.
fn any_reason(conditions: &mut Schema) {
    if let Some(reason) = conditions.pointer_mut("/items/properties/reason").and_then(Value::as_object_mut) {
        reason.remove("minLength");
        reason.remove("pattern");
    }
}

/// The resources of one group version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ApiEnablement {
    /// The group version.
    pub group_version: String,
    /// Its resources.
    #[serde(skip_serializing_if = "is_default")]
    pub resources: Vec<ApiResource>,
}

/// One resource.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ApiResource {
    /// Its plural.
    pub name: String,
    /// Its kind.
    pub kind: String,
}

/// Nodes of a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeSummary {
    /// Number of nodes.
    #[serde(skip_serializing_if = "is_default")]
    pub total_num: i32,
    /// Number of ready nodes.
    #[serde(skip_serializing_if = "is_default")]
    pub ready_num: i32,
}

/// Capacity of the nodes of a cluster and its use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceSummary {
    /// Allocatable capacity.
    #[serde(skip_serializing_if = "is_default")]
    pub allocatable: ResourceList,
    /// Requests of pods without a node.
    #[serde(skip_serializing_if = "is_default")]
    pub allocating: ResourceList,
    /// Requests of pods on nodes.
    #[serde(skip_serializing_if = "is_default")]
    pub allocated: ResourceList,
    /// Number of nodes of each grade.
    #[serde(skip_serializing_if = "is_default")]
    pub allocatable_modelings: Vec<AllocatableModeling>,
}

/// Number of nodes of a grade.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AllocatableModeling {
    /// The grade.
    pub grade: u32,
    /// The nodes.
    pub count: i32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_clusters() {
        let (longest, too_long) = ("a".repeat(48), "a".repeat(49));
        let cases = [
            ("kind-my-cluster", true),
            ("1", true),
            (longest.as_str(), true),
            (too_long.as_str(), false),
            ("", false),
            ("-a", false),
            ("A", false),
            ("a.b", false),
        ];
        for (name, want) in cases {
            assert_eq!(is_name(name), want, "{name:?}");
        }
    }
}
