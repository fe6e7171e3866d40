//! Group `work.karmada.io`: what goes where (bindings), and what a cluster is to hold (works).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::kind::kind;
use crate::meta::{Condition, NodeSelector, Toleration};
use crate::policy::{ConflictResolution, Failover, Placement, PurgeMode, ResourceList, SuspendClusters};
use crate::schema::{defaulted, is_default, opaque_object};

kind! {
    /// Binding of a namespaced resource to its target clusters.
    ResourceBinding, "work.karmada.io", "v1alpha2", "resourcebindings", Namespaced {
        /// Resource, placement and target clusters.
        spec: ResourceBindingSpec,
        /// Observed state.
        #[serde(skip_serializing_if = "is_default")]
        status: ResourceBindingStatus,
    }
}

kind! {
    /// Binding of a cluster-scoped resource to its target clusters.
    ClusterResourceBinding, "work.karmada.io", "v1alpha2", "clusterresourcebindings", Cluster {
        /// Resource, placement and target clusters.
        spec: ResourceBindingSpec,
        /// Observed state.
        #[serde(skip_serializing_if = "is_default")]
        status: ResourceBindingStatus,
    }
}

kind! {
    /// Manifests for one cluster.
    Work, "work.karmada.io", "v1alpha1", "works", Namespaced {
        /// The manifests.
        spec: WorkSpec,
        /// Observed state.
        #[serde(skip_serializing_if = "is_default")]
        status: WorkStatus,
    }
}

/// Resource, placement and target clusters.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceBindingSpec {
    /// The resource.
    pub resource: ObjectReference,
    /// Whether the resources that it refers to are propagated as well.
    #[serde(skip_serializing_if = "is_default")]
    pub propagate_deps: bool,
    /// Requirements of one replica.
    #[serde(skip_serializing_if = "is_default")]
    pub replica_requirements: Option<ReplicaRequirements>,
    /// Desired replicas.
    #[serde(skip_serializing_if = "is_default")]
    pub replicas: i32,
    /// Components of a workload with several pod templates.
    #[serde(skip_serializing_if = "is_default")]
    pub components: Vec<Component>,
    /// Target clusters, chosen by the scheduler.
    #[serde(skip_serializing_if = "is_default")]
    pub clusters: Vec<TargetCluster>,
    /// Placement rules; absent on bindings of dependencies.
    #[serde(skip_serializing_if = "is_default")]
    pub placement: Option<Placement>,
    /// Evictions from clusters.
    #[serde(skip_serializing_if = "is_default")]
    pub graceful_eviction_tasks: Vec<GracefulEvictionTask>,
    /// Bindings that depend on it.
    #[serde(skip_serializing_if = "is_default")]
    pub required_by: Vec<BindingSnapshot>,
    /// Name of the scheduler.
    #[serde(skip_serializing_if = "is_default")]
    pub scheduler_name: String,
    /// Failover when the workload or its cluster fails.
    #[serde(skip_serializing_if = "is_default")]
    pub failover: Option<Failover>,
    /// Resolution of conflicts with an object that the cluster already has.
    #[schemars(transform = defaulted)]
    pub conflict_resolution: ConflictResolution,
    /// Time of the last request to schedule again.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(extend("format" = "date-time"))]
    pub reschedule_triggered_at: Option<String>,
    /// Suspended operations.
    #[serde(skip_serializing_if = "is_default")]
    pub suspension: Option<BindingSuspension>,
    /// Whether the objects in members stay when the resource is deleted on the control plane.
    #[serde(skip_serializing_if = "is_default")]
    pub preserve_resources_on_deletion: Option<bool>,
    /// Priority of scheduling.
    #[serde(skip_serializing_if = "is_default")]
    pub schedule_priority: Option<BindingPriority>,
    /// Affinity groups of the workload.
    #[serde(skip_serializing_if = "is_default")]
    pub workload_affinity_groups: Option<WorkloadAffinityGroups>,
}

/// Reference to a resource in the control plane.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectReference {
    /// API version.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Namespace; empty for cluster-scoped resources.
    #[serde(skip_serializing_if = "is_default")]
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Identity.
    #[serde(skip_serializing_if = "is_default")]
    pub uid: String,
    /// Version.
    #[serde(skip_serializing_if = "is_default")]
    pub resource_version: String,
}

/// Requirements of one replica.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ReplicaRequirements {
    /// Requirements on nodes.
    #[serde(skip_serializing_if = "is_default")]
    pub node_claim: Option<NodeClaim>,
    /// Quantities by resource name.
    #[serde(skip_serializing_if = "is_default")]
    pub resource_request: ResourceList,
    /// Namespace, for quotas.
    #[serde(skip_serializing_if = "is_default")]
    pub namespace: String,
    /// Priority class, for quotas.
    #[serde(skip_serializing_if = "is_default")]
    pub priority_class_name: String,
}

/// Requirements of one replica of a component.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ComponentReplicaRequirements {
    /// Requirements on nodes.
    #[serde(skip_serializing_if = "is_default")]
    pub node_claim: Option<NodeClaim>,
    /// Quantities by resource name.
    #[serde(skip_serializing_if = "is_default")]
    pub resource_request: ResourceList,
    /// Priority class, for quotas.
    #[serde(skip_serializing_if = "is_default")]
    pub priority_class_name: String,
}

/// Requirements on nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeClaim {
    /// Node affinity that must hold.
    #[serde(skip_serializing_if = "is_default")]
    pub hard_node_affinity: Option<NodeSelector>,
    /// Node labels that are required.
    #[serde(skip_serializing_if = "is_default")]
    pub node_selector: BTreeMap<String, String>,
    /// Node taints that are tolerated.
    #[serde(skip_serializing_if = "is_default")]
    pub tolerations: Vec<Toleration>,
}

/// A component of a workload with several pod templates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Component {
    /// Name of the component.
    #[schemars(length(max = 32))]
    pub name: String,
    /// Its replicas.
    pub replicas: i32,
    /// Requirements of one replica.
    #[serde(skip_serializing_if = "is_default")]
    pub replica_requirements: Option<ComponentReplicaRequirements>,
}

/// A target cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TargetCluster {
    /// Name of the cluster.
    pub name: String,
    /// Replicas in the cluster; 0 for resources without replicas.
    #[serde(skip_serializing_if = "is_default")]
    pub replicas: i32,
    /// Replicas of the components in the cluster.
    #[serde(skip_serializing_if = "is_default")]
    pub components: Vec<TargetComponent>,
}

/// Replicas of a component in a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TargetComponent {
    /// Name of the component.
    pub name: String,
    /// Replicas in the cluster.
    pub replicas: i32,
}

/// An eviction from a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct GracefulEvictionTask {
    /// The cluster.
    pub from_cluster: String,
    /// Order of deletion and creation.
    #[serde(skip_serializing_if = "is_default")]
    pub purge_mode: Option<PurgeMode>,
    /// Replicas in the cluster before the eviction.
    #[serde(skip_serializing_if = "is_default")]
    pub replicas: Option<i32>,
    /// Reason, as one word for programs.
    #[schemars(length(min = 1, max = 32), regex(pattern = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"))]
    pub reason: String,
    /// Message for people.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 1024))]
    pub message: String,
    /// Component that requested the eviction.
    pub producer: String,
    /// Seconds after which the eviction is completed in any case.
    #[serde(skip_serializing_if = "is_default")]
    pub grace_period_seconds: Option<i32>,
    /// Whether the object stays in the cluster until the field is changed.
    #[serde(skip_serializing_if = "is_default")]
    pub suppress_deletion: Option<bool>,
    /// Fields of the old status that the new object gets as labels.
    #[serde(skip_serializing_if = "is_default")]
    pub preserved_label_state: BTreeMap<String, String>,
    /// Time of creation of the task.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(extend("format" = "date-time"))]
    pub creation_timestamp: Option<String>,
    /// Target clusters before the eviction.
    #[serde(skip_serializing_if = "is_default")]
    pub clusters_before_failover: Vec<String>,
}

/// A binding with dependencies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BindingSnapshot {
    /// Namespace of the binding.
    #[serde(skip_serializing_if = "is_default")]
    pub namespace: String,
    /// Name of the binding.
    pub name: String,
    /// Target clusters.
    #[serde(skip_serializing_if = "is_default")]
    pub clusters: Vec<TargetCluster>,
}

/// Suspended operations.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BindingSuspension {
    /// No cluster gets changes.
    #[serde(skip_serializing_if = "is_default")]
    pub dispatching: Option<bool>,
    /// These clusters get no changes.
    #[serde(skip_serializing_if = "is_default")]
    pub dispatching_on_clusters: Option<SuspendClusters>,
    /// The binding is not scheduled.
    #[serde(skip_serializing_if = "is_default")]
    pub scheduling: Option<bool>,
}

/// Priority of scheduling.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BindingPriority {
    /// Higher values are scheduled earlier.
    #[schemars(extend("x-portolan-default" = 0))]
    pub priority: i32,
}

/// Affinity groups of a binding, as `key=value`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkloadAffinityGroups {
    /// Workloads of this group run in the same clusters.
    #[serde(skip_serializing_if = "is_default")]
    pub affinity_group: String,
    /// Workloads of this group run in different clusters.
    #[serde(skip_serializing_if = "is_default")]
    pub anti_affinity_group: String,
}

/// Observed state of a binding.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceBindingStatus {
    /// Generation that was scheduled last.
    #[serde(skip_serializing_if = "is_default")]
    pub scheduler_observed_generation: i64,
    /// Name of the cluster affinity in use.
    #[serde(skip_serializing_if = "is_default", rename = "schedulerObservingAffinityName")]
    pub scheduler_observed_affinity_name: String,
    /// Time of the last scheduling.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(extend("format" = "date-time"))]
    pub last_scheduled_time: Option<String>,
    /// Conditions.
    #[serde(skip_serializing_if = "is_default")]
    pub conditions: Vec<Condition>,
    /// Status in each cluster.
    #[serde(skip_serializing_if = "is_default")]
    pub aggregated_status: Vec<AggregatedStatusItem>,
}

/// Status in one cluster.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AggregatedStatusItem {
    /// The cluster.
    pub cluster_name: String,
    /// Status of the resource in the cluster.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(transform = opaque_object)]
    pub status: Option<Value>,
    /// Whether the resource was applied.
    #[serde(skip_serializing_if = "is_default")]
    pub applied: bool,
    /// Message if it was not applied.
    #[serde(skip_serializing_if = "is_default")]
    pub applied_message: String,
    /// Health.
    #[serde(skip_serializing_if = "is_default")]
    pub health: Option<ResourceHealth>,
}

/// Health of a resource.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ResourceHealth {
    /// Yes.
    Healthy,
    /// No.
    Unhealthy,
    /// `Unknown`.
    #[default]
    Unknown,
}

/// Manifests for a cluster.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkSpec {
    /// The manifests.
    #[serde(skip_serializing_if = "is_default")]
    pub workload: WorkloadTemplate,
    /// Whether the manifests are not applied.
    #[serde(skip_serializing_if = "is_default")]
    pub suspend_dispatching: Option<bool>,
    /// Whether the objects stay in the cluster when the work is deleted.
    #[serde(skip_serializing_if = "is_default")]
    pub preserve_resources_on_deletion: Option<bool>,
}

/// Manifests.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkloadTemplate {
    /// Complete objects.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(extend("items" = {"type": "object", "x-kubernetes-preserve-unknown-fields": true}))]
    pub manifests: Vec<Value>,
}

/// Observed state of the manifests.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkStatus {
    /// Conditions.
    #[serde(skip_serializing_if = "is_default")]
    pub conditions: Vec<Condition>,
    /// Status of each manifest.
    #[serde(skip_serializing_if = "is_default")]
    pub manifest_statuses: Vec<ManifestStatus>,
}

/// Status of a manifest.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ManifestStatus {
    /// Identity of the manifest.
    pub identifier: ResourceIdentifier,
    /// Status of the resource in the cluster.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(transform = opaque_object)]
    pub status: Option<Value>,
    /// Health.
    #[serde(skip_serializing_if = "is_default")]
    pub health: Option<ResourceHealth>,
}

/// A manifest of a work.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceIdentifier {
    /// Index in the list of manifests.
    pub ordinal: i32,
    /// Group.
    #[serde(skip_serializing_if = "is_default")]
    pub group: String,
    /// Version.
    pub version: String,
    /// Kind.
    pub kind: String,
    /// Plural; not set by controllers.
    pub resource: String,
    /// Namespace.
    #[serde(skip_serializing_if = "is_default")]
    pub namespace: String,
    /// Name.
    pub name: String,
}
