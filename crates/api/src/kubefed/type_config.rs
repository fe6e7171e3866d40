//! FederatedTypeConfig: a kind that has a federated form (kubefed pkg/apis/core/v1beta1/federatedtypeconfig_types.go).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::api_resource::ApiResource;
use super::config::{SYSTEM_NAMESPACE, Switch};
use super::types::FederatedType;
use crate::kind::kind;
use crate::meta::ObjectMeta;
use crate::schema::is_default;

kind! {
    /// Gives a kind a federated form, or switches the propagation of a federated kind off. It is in the namespace
    /// `kube-federation-system` and named `PLURAL.GROUP` of the kind.
    FederatedTypeConfig, "core.kubefed.io", "v1beta1", "federatedtypeconfigs", Namespaced {
        /// The kind and its federated form.
        spec: FederatedTypeConfigSpec,
        /// Observed state.
        #[serde(skip_serializing_if = "is_default")]
        status: FederatedTypeConfigStatus,
    }
}

/// Finalizer that KubeFed puts on FederatedTypeConfigs.
pub const TYPE_CONFIG_FINALIZER: &str = "core.kubefed.io/federated-type-config";

impl FederatedTypeConfig {
    /// The FederatedTypeConfig of a type.
    pub fn of(of: &FederatedType, propagation: Switch) -> Self {
        Self {
            metadata: ObjectMeta::namespaced(SYSTEM_NAMESPACE, of.name()),
            spec: FederatedTypeConfigSpec {
                target_type: (&of.target).into(),
                federated_type: (&of.federated).into(),
                propagation,
                ..FederatedTypeConfigSpec::default()
            },
            ..Self::default()
        }
    }
}

/// A kind and its federated form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FederatedTypeConfigSpec {
    /// The kind that members get.
    pub target_type: ApiResource,
    /// Whether objects of the federated kind are propagated.
    pub propagation: Switch,
    /// The kind of the federated objects.
    pub federated_type: ApiResource,
    /// For `services` FederatedServiceStatus, of which every FederatedService gets one if `statusCollection` is on and
    /// `RawResourceStatusCollection` is off. Others have no effect: the status of the objects in members is in the federated
    /// object.
    #[serde(skip_serializing_if = "is_default")]
    pub status_type: Option<ApiResource>,
    /// Whether the status of the objects in members is collected into `remoteStatus`, if the KubeFedConfig enables
    /// `RawResourceStatusCollection`.
    #[serde(skip_serializing_if = "is_default")]
    pub status_collection: Option<Switch>,
}

/// Observed state of a FederatedTypeConfig.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FederatedTypeConfigStatus {
    /// Generation that the status is about.
    pub observed_generation: i64,
    /// Whether objects of the federated kind are propagated: `Running` or `NotRunning`.
    pub propagation_controller: ControllerStatus,
    /// Whether the status of their objects in members is collected.
    #[serde(skip_serializing_if = "is_default")]
    pub status_controller: Option<ControllerStatus>,
    /// Why the propagation does not run, and what to do.
    #[serde(skip_serializing_if = "is_default")]
    pub message: String,
}

/// Whether something runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ControllerStatus {
    /// It runs.
    Running,
    /// It does not.
    #[default]
    NotRunning,
}

impl From<bool> for ControllerStatus {
    fn from(runs: bool) -> Self {
        if runs { Self::Running } else { Self::NotRunning }
    }
}
