//! Group `multicluster.x-k8s.io`: services exported from clusters and imported into others (KEP-1645).
//!
//! Versions v1alpha1 and v1beta1 have one schema; these types speak both.

mod view;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kind::kind;
use crate::meta::Condition;
use crate::schema::is_default;

pub use view::{ClusterStatusView, ServiceImportSpecView, ServiceImportStatusView, ServiceImportView};

kind! {
    /// Exports the Service of the same name.
    ServiceExport, "multicluster.x-k8s.io", "v1beta1", "serviceexports", Namespaced {
        /// Labels and annotations to export.
        #[serde(skip_serializing_if = "is_default")]
        spec: ServiceExportSpec,
        /// Observed state.
        #[serde(skip_serializing_if = "is_default")]
        status: ServiceExportStatus,
    }
}

kind! {
    /// A service of the cluster set, as this cluster uses it.
    ServiceImport, "multicluster.x-k8s.io", "v1beta1", "serviceimports", Namespaced {
        /// Properties of the service.
        #[serde(skip_serializing_if = "is_default")]
        spec: ServiceImportSpec,
        /// Exporting clusters and conditions.
        #[serde(skip_serializing_if = "is_default")]
        status: ServiceImportStatus,
    }
}

/// Labels and annotations to export.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceExportSpec {
    /// Labels of the imports.
    #[serde(skip_serializing_if = "is_default")]
    pub exported_labels: BTreeMap<String, String>,
    /// Annotations of the imports.
    #[serde(skip_serializing_if = "is_default")]
    pub exported_annotations: BTreeMap<String, String>,
}

/// Observed state of an export.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceExportStatus {
    /// Valid, Ready and Conflict.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// Properties of an imported service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceImportSpec {
    /// Ports of all exporters together.
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub ports: Vec<ServicePort>,
    /// Addresses of the cluster set; empty for headless services.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 2))]
    pub ips: Vec<String>,
    /// Families of the addresses.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 2))]
    pub ip_families: Vec<String>,
    /// Whether the service has an address.
    #[serde(rename = "type")]
    pub kind: ServiceImportType,
    /// ClientIP keeps a client with one endpoint.
    #[serde(skip_serializing_if = "is_default")]
    pub session_affinity: String,
    /// Duration of the session affinity.
    #[serde(skip_serializing_if = "is_default")]
    pub session_affinity_config: Option<SessionAffinityConfig>,
    /// Local keeps traffic on the node.
    #[serde(skip_serializing_if = "is_default")]
    pub internal_traffic_policy: Option<String>,
    /// Preference for near endpoints.
    #[serde(skip_serializing_if = "is_default")]
    pub traffic_distribution: Option<String>,
}

/// Whether an imported service has an address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ServiceImportType {
    /// The service has addresses.
    #[default]
    ClusterSetIP,
    /// Headless: endpoints are found by DNS name.
    Headless,
}

/// A port of an imported service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ServicePort {
    /// Name, unique in the service.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// TCP, UDP or SCTP.
    #[serde(skip_serializing_if = "is_default")]
    pub protocol: String,
    /// Application protocol, such as http.
    #[serde(skip_serializing_if = "is_default")]
    pub app_protocol: Option<String>,
    /// Number.
    pub port: i32,
}

/// Settings of session affinity.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SessionAffinityConfig {
    /// Settings of ClientIP.
    #[serde(skip_serializing_if = "is_default", rename = "clientIP")]
    pub client_ip: Option<ClientIpConfig>,
}

/// Settings of affinity by client address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClientIpConfig {
    /// Seconds for which a client stays with its endpoint.
    #[serde(skip_serializing_if = "is_default")]
    pub timeout_seconds: Option<i32>,
}

/// Exporting clusters and conditions of an imported service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceImportStatus {
    /// The clusters that export it.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["cluster"]))]
    pub clusters: Vec<ClusterStatus>,
    /// Conditions.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// Whether imported EndpointSlices exist.
    #[serde(skip_serializing_if = "is_default")]
    pub endpoint_slice_objects: Option<EndpointSliceObjects>,
}

/// A cluster that exports a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterStatus {
    /// Id of the cluster.
    pub cluster: String,
}

/// Whether imported EndpointSlices exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum EndpointSliceObjects {
    /// They exist.
    Present,
    /// They do not exist.
    Absent,
}

impl ServiceImportType {
    /// The type as in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClusterSetIP => "ClusterSetIP",
            Self::Headless => "Headless",
        }
    }
}
