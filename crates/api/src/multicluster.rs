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
        /// What goes along with the Service.
        #[serde(skip_serializing_if = "is_default")]
        spec: ServiceExportSpec,
        /// What became of it.
        #[serde(skip_serializing_if = "is_default")]
        status: ServiceExportStatus,
    }
}

kind! {
    /// A service of the cluster set, as this cluster uses it.
    ServiceImport, "multicluster.x-k8s.io", "v1beta1", "serviceimports", Namespaced {
        /// What the service is like.
        #[serde(skip_serializing_if = "is_default")]
        spec: ServiceImportSpec,
        /// Where it comes from.
        #[serde(skip_serializing_if = "is_default")]
        status: ServiceImportStatus,
    }
}

/// What goes along with an exported Service.
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

/// What became of an export.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceExportStatus {
    /// Valid, Ready and Conflict.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// What an imported service is like.
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
    /// Whether it has an address.
    #[serde(rename = "type")]
    pub kind: ServiceImportType,
    /// ClientIP keeps a client with one endpoint.
    #[serde(skip_serializing_if = "is_default")]
    pub session_affinity: String,
    /// For how long.
    #[serde(skip_serializing_if = "is_default")]
    pub session_affinity_config: Option<SessionAffinityConfig>,
    /// Local keeps traffic on the node.
    #[serde(skip_serializing_if = "is_default")]
    pub internal_traffic_policy: Option<String>,
    /// Which endpoints are preferred.
    #[serde(skip_serializing_if = "is_default")]
    pub traffic_distribution: Option<String>,
}

/// Whether an imported service has an address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ServiceImportType {
    /// It has one.
    #[default]
    ClusterSetIP,
    /// Its endpoints are found by name.
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
    /// What is spoken.
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

/// Where an imported service comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceImportStatus {
    /// The clusters that export it.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["cluster"]))]
    pub clusters: Vec<ClusterStatus>,
    /// Whether it can be used.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// Whether there are imported EndpointSlices to read.
    #[serde(skip_serializing_if = "is_default")]
    pub endpoint_slice_objects: Option<EndpointSliceObjects>,
}

/// A cluster that exports a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterStatus {
    /// Its id.
    pub cluster: String,
}

/// Whether there are imported EndpointSlices to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum EndpointSliceObjects {
    /// There are.
    Present,
    /// There are none.
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
