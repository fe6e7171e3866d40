//! KubeFed: federated objects, the types that are federated, and what KubeFed keeps about them (kubefed pkg/apis).
//!
//! A federated object, such as a FederatedDeployment, holds the template of a Deployment, the clusters that get it, and
//! the changes for single clusters.

mod api_resource;
mod cluster;
mod config;
mod dns;
mod object;
mod preferences;
mod service_status;
mod type_config;
mod types;

pub use api_resource::ApiResource;
pub use cluster::{
    CLUSTER_FINALIZER, CLUSTER_UID, COMMON_LABELS, ClusterSecret, KubeFedCluster, KubeFedClusterCondition,
    KubeFedClusterSpec, KubeFedClusterStatus, TlsValidation,
};
pub use config::{
    CONFIG_NAME, FeatureGate, KubeFedConfig, KubeFedConfigSpec, SYSTEM_NAMESPACE, Scope, Switch,
    SyncController,
};
pub use dns::{
    ClusterDns, DnsRecordStatus, Domain, IngressDNSRecord, IngressDnsRecordSpec, ServiceDNSRecord,
    ServiceDnsRecordSpec,
};
pub use object::{
    ClusterOverride, ClusterOverrides, ClusterReference, FederatedSpec, FederatedStatus, MemberStatus,
    OverrideOperation, Placement, PropagationCondition,
};
pub use preferences::{
    ClusterPreferences, EVERY_CLUSTER, ReplicaSchedulingPreference, ReplicaSchedulingPreferenceSpec,
    ReplicaSchedulingPreferenceStatus, SCHEDULED,
};
pub use service_status::{FederatedServiceStatus, ServiceClusterStatus};
pub use type_config::{
    ControllerStatus, FederatedTypeConfig, FederatedTypeConfigSpec, FederatedTypeConfigStatus,
    TYPE_CONFIG_FINALIZER,
};
pub use types::{BUILT_IN, BuiltIn, FederatedType, TypeName, plural};

use portolan_object::GroupVersionKind;

/// The group of federated objects.
pub const TYPES_GROUP: &str = "types.kubefed.io";
/// The version of federated objects.
pub const TYPES_VERSION: &str = "v1beta1";
/// The finalizer of federated objects, until their objects in members are gone.
pub const FINALIZER: &str = "kubefed.io/sync-controller";
/// Annotation of a federated object; with `true` its deletion leaves the objects in members.
pub const ORPHAN: &str = "kubefed.io/orphan";
/// Label of objects in members: `true` on those of federated objects. An object with `false` is never changed.
pub const MANAGED: &str = "kubefed.io/managed";
/// The type of the one condition of federated objects.
pub const PROPAGATION: &str = "Propagation";

/// Whether objects of a kind are federated objects, also of a type that is not known any more.
pub fn is_federated(kind: &GroupVersionKind) -> bool {
    kind.group == TYPES_GROUP
}
