//! KubeFedCluster: a cluster as KubeFed registers it (kubefed pkg/apis/core/v1beta1/kubefedcluster_types.go).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kind::kind;
use crate::meta::ConditionStatus;
use crate::schema::is_default;

kind! {
    /// A cluster as KubeFed registers it, in the namespace `kube-federation-system`. It stands for the Cluster of the same
    /// name: each is made from the other.
    KubeFedCluster, "core.kubefed.io", "v1beta1", "kubefedclusters", Namespaced {
        /// How the cluster is reached.
        spec: KubeFedClusterSpec,
        /// Observed state.
        #[serde(skip_serializing_if = "is_default")]
        status: KubeFedClusterStatus,
    }
}

/// Finalizer of KubeFedClusters, until their Clusters are gone.
pub const CLUSTER_FINALIZER: &str = "core.kubefed.io/kubefed-cluster";
/// Annotation of a KubeFedCluster: uid of the Cluster that it stands for.
pub const CLUSTER_UID: &str = "portolan.dev/cluster-uid";
/// Annotation of a KubeFedCluster: a JSON object of the labels that it and its Cluster had when they were last made equal.
pub const COMMON_LABELS: &str = "portolan.dev/common-labels";

/// How a cluster is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct KubeFedClusterSpec {
    /// Address of the API server: a host, a host with a port, or a URL.
    #[schemars(length(max = 300))]
    pub api_endpoint: String,
    /// Certificates of its certificate authority, PEM in base64.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 256_000))]
    pub ca_bundle: String,
    /// Secret in the namespace of the object with a `token` for the cluster. It is used once, to join; of a cluster that
    /// joined in another way it names the Secret in the namespace `karmada-cluster`.
    pub secret_ref: ClusterSecret,
    /// `*` switches off the verification of the certificate. The others of KubeFed, `SubjectName` and `ValidityPeriod`, are
    /// refused.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 3))]
    #[serde(rename = "disabledTLSValidations")]
    pub disabled_tls_validations: Vec<TlsValidation>,
    /// Proxy for connections to the API server. Refused (`ConfigMalformed`): a cluster behind a proxy joins in pull mode.
    #[serde(skip_serializing_if = "is_default", rename = "proxyURL")]
    #[schemars(length(max = 300))]
    pub proxy_url: String,
}

/// A part of the verification of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TlsValidation {
    /// All of it.
    #[serde(rename = "*")]
    All,
    /// That the certificate is for the name of the server.
    SubjectName,
    /// That the certificate has not expired.
    ValidityPeriod,
}

/// A Secret in the namespace of the object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterSecret {
    /// Its name.
    #[schemars(length(max = 253))]
    pub name: String,
}

/// Observed state of a KubeFedCluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct KubeFedClusterStatus {
    /// `Ready`, `Offline` and `ConfigMalformed`, of which KubeFed writes those that hold.
    #[serde(skip_serializing_if = "is_default")]
    pub conditions: Vec<KubeFedClusterCondition>,
    /// Zones of the nodes.
    #[serde(skip_serializing_if = "is_default")]
    pub zones: Vec<String>,
    /// Region.
    #[serde(skip_serializing_if = "is_default")]
    pub region: String,
    /// Version of the API server.
    #[serde(skip_serializing_if = "is_default")]
    pub kubernetes_version: String,
}

/// One condition of a KubeFedCluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct KubeFedClusterCondition {
    /// `Ready`, `Offline` or `ConfigMalformed`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Time of the last change: single probes are not recorded.
    pub last_probe_time: String,
    /// Time of the last change.
    #[serde(skip_serializing_if = "is_default")]
    pub last_transition_time: String,
    /// Why, in one word.
    #[serde(skip_serializing_if = "is_default")]
    pub reason: String,
    /// Why, for people.
    #[serde(skip_serializing_if = "is_default")]
    pub message: String,
}
