//! The configuration of KubeFed (kubefed pkg/apis/core/v1beta1/kubefedconfig_types.go).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::kind::kind;
use crate::schema::{is_default, opaque_object};

kind! {
    /// The configuration of KubeFed. Only the object `kubefed` in the namespace `kube-federation-system` counts.
    KubeFedConfig, "core.kubefed.io", "v1beta1", "kubefedconfigs", Namespaced {
        /// The settings.
        spec: KubeFedConfigSpec,
    }
}

/// Namespace of KubeFed's own objects.
pub const SYSTEM_NAMESPACE: &str = "kube-federation-system";
/// Name of the one KubeFedConfig that counts.
pub const CONFIG_NAME: &str = "kubefed";

/// The settings of KubeFed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct KubeFedConfigSpec {
    /// `Cluster`: federated objects of all namespaces, if their namespace has a FederatedNamespace.
    pub scope: Scope,
    /// Has no effect: members are judged by the settings of the server.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(transform = opaque_object)]
    pub controller_duration: Option<Value>,
    /// Has no effect: one server runs.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(transform = opaque_object)]
    pub leader_elect: Option<Value>,
    /// Parts of KubeFed that are switched on or off.
    #[serde(skip_serializing_if = "is_default")]
    pub feature_gates: Vec<FeatureGate>,
    /// Has no effect: members are probed by the settings of the server.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(transform = opaque_object)]
    pub cluster_health_check: Option<Value>,
    /// How federated objects are propagated.
    #[serde(skip_serializing_if = "is_default")]
    pub sync_controller: Option<SyncController>,
    /// Has no effect: the number of workers is fixed.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(transform = opaque_object)]
    pub status_controller: Option<Value>,
}

/// Which namespaces a control plane or a kind is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Scope {
    /// All namespaces; of a kind: none.
    Cluster,
    /// One namespace; of a kind: each object is in one.
    #[default]
    Namespaced,
}

/// A part of KubeFed that is switched on or off.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FeatureGate {
    /// `SchedulerPreferences` (ReplicaSchedulingPreferences; on by default), `PushReconciler` (propagation; on by default) or
    /// `RawResourceStatusCollection` (`remoteStatus` of federated objects; off by default).
    pub name: String,
    /// Whether it is on.
    pub configuration: Switch,
}

/// On or off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Switch {
    /// On.
    #[default]
    Enabled,
    /// Off.
    Disabled,
}

/// How federated objects are propagated.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SyncController {
    /// Has no effect: the number of workers is fixed.
    #[serde(skip_serializing_if = "is_default")]
    pub max_concurrent_reconciles: Option<i64>,
    /// Whether objects that exist in a member are taken over; `Enabled` if absent.
    #[serde(skip_serializing_if = "is_default")]
    pub adopt_resources: Option<Switch>,
}
