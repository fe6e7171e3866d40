//! FederatedServiceStatus: the status of a federated Service in each cluster (kubefed
//! pkg/apis/core/v1alpha1/federatedservicestatus_types.go).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::api_resource::ApiResource;
use crate::kind::{Kind, kind};
use crate::schema::{is_default, opaque_object};

kind! {
    /// The status of a federated Service in each cluster. It has the namespace and name of the FederatedService, and exists if
    /// the FederatedTypeConfig `services` collects it.
    FederatedServiceStatus, "core.kubefed.io", "v1alpha1", "federatedservicestatuses", Namespaced {
        /// One entry for each ready cluster, sorted by name.
        #[serde(skip_serializing_if = "is_default")]
        cluster_status: Vec<ServiceClusterStatus>,
    }
}

/// The status of a Service in one cluster.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceClusterStatus {
    /// Name of the cluster.
    pub cluster_name: String,
    /// `status` of the Service there; absent if the cluster does not have it.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(transform = opaque_object)]
    pub status: Option<Value>,
}

impl FederatedServiceStatus {
    /// Whether a `statusType` names this kind.
    pub fn is_named_by(resource: &ApiResource) -> bool {
        resource.group == Self::GROUP && resource.kind == Self::KIND
    }
}
