//! Group `networking.karmada.io`: services that are reached from other clusters under their own name (karmada
//! pkg/apis/networking/v1alpha1/service_types.go).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kind::kind;
use crate::meta::Condition;
use crate::schema::is_default;

kind! {
    /// A Service that clients in other clusters reach under its own name. The Service of the same name is in the control plane.
    MultiClusterService, "networking.karmada.io", "v1alpha1", "multiclusterservices", Namespaced {
        /// Clusters and ports.
        spec: MultiClusterServiceSpec,
        /// Observed state.
        #[serde(skip_serializing_if = "is_default")]
        status: MultiClusterServiceStatus,
    }
}

/// Clusters and ports of a MultiClusterService.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MultiClusterServiceSpec {
    /// How the service is exposed: one type.
    pub types: Vec<ExposureType>,
    /// Ports that clients in other clusters reach; all when empty.
    #[serde(skip_serializing_if = "is_default")]
    pub ports: Vec<ExposurePort>,
    /// Clusters with endpoints and clients, where the fields for each are empty. Deprecated.
    #[serde(skip_serializing_if = "is_default")]
    pub range: ExposureRange,
    /// Clusters with endpoints, where providerClusters is empty. Deprecated.
    #[serde(skip_serializing_if = "is_default")]
    pub service_provision_clusters: Vec<String>,
    /// Clusters with clients, where consumerClusters is empty. Deprecated.
    #[serde(skip_serializing_if = "is_default")]
    pub service_consumption_clusters: Vec<String>,
    /// Clusters with endpoints; all when empty.
    #[serde(skip_serializing_if = "is_default")]
    pub provider_clusters: Vec<ClusterSelector>,
    /// Clusters with clients; all when empty.
    #[serde(skip_serializing_if = "is_default")]
    pub consumer_clusters: Vec<ClusterSelector>,
}

/// How a service is exposed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ExposureType {
    /// Clients in other clusters reach it.
    #[default]
    CrossCluster,
    /// Clients outside of the clusters reach it by a load balancer.
    LoadBalancer,
}

/// A port of the Service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ExposurePort {
    /// Name of the port in the Service.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// Its number in the Service.
    pub port: i32,
}

/// Clusters by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ExposureRange {
    /// Names of the clusters.
    #[serde(skip_serializing_if = "is_default")]
    pub cluster_names: Vec<String>,
}

/// A cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterSelector {
    /// Name of the Cluster.
    pub name: String,
}

/// Observed state of a MultiClusterService.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MultiClusterServiceStatus {
    /// ServiceApplied and EndpointSliceDispatched.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

impl MultiClusterService {
    /// Whether clients in other clusters reach the service: the type is CrossCluster, and it is not being deleted.
    pub fn is_cross_cluster(&self) -> bool {
        self.spec.types.contains(&ExposureType::CrossCluster) && !self.metadata.is_deleting()
    }
}
