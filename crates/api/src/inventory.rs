//! Group `multicluster.x-k8s.io`: the inventory of clusters for other programs (KEP-4322, sigs.k8s.io/cluster-inventory-api).

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::kind::kind;
use crate::meta::Condition;
use crate::schema::is_default;

/// Label of a ClusterProfile with the name of its cluster manager.
pub const MANAGER_LABEL: &str = "x-k8s.io/cluster-manager";
/// Label of a ClusterProfile that is the same for every profile of one cluster.
pub const MEMBER_ID_LABEL: &str = "multicluster.x-k8s.io/inventory-member-id";
/// Labels of a namespace that say which ClusterSet its ClusterProfiles belong to: that of the API, and that of the KEP.
pub const SET_LABELS: [&str; 2] = ["multicluster.x-k8s.io/clusterset", "clusterset.multicluster.x-k8s.io"];
/// Maximum length of a property's value.
pub const MAX_PROPERTY_VALUE: usize = 1024;

kind! {
    /// One cluster of an inventory.
    ClusterProfile, "multicluster.x-k8s.io", "v1alpha1", "clusterprofiles", Namespaced {
        /// Who keeps the profile.
        spec: ClusterProfileSpec,
        /// What is known of the cluster.
        #[serde(skip_serializing_if = "is_default")]
        status: ClusterProfileStatus,
    }
}

/// Who keeps a ClusterProfile.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterProfileSpec {
    /// Name of the cluster for people.
    #[serde(skip_serializing_if = "is_default")]
    pub display_name: String,
    /// The cluster manager that keeps the profile.
    pub cluster_manager: ClusterManager,
}

/// A cluster manager.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(transform = keep)]
pub struct ClusterManager {
    /// Its name.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
}

/// The manager of a profile does not change.
fn keep(schema: &mut Schema) {
    schema.insert(
        "x-kubernetes-validations".to_owned(),
        json!([{ "rule": "self == oldSelf", "message": "ClusterManager is immutable" }]),
    );
}

/// What is known of a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterProfileStatus {
    /// `ControlPlaneHealthy` and `Joined`.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// Versions of its components.
    #[serde(skip_serializing_if = "is_default")]
    pub version: ClusterVersion,
    /// Its properties, those of KEP-2149 among them.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub properties: Vec<ClusterProfileProperty>,
}

/// Versions of the components of a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterVersion {
    /// Version of its API server.
    #[serde(skip_serializing_if = "is_default")]
    pub kubernetes: String,
}

/// One property of a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterProfileProperty {
    /// Name of the property.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its value.
    #[schemars(length(min = 1, max = 1024))]
    pub value: String,
}
