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
    /// Where a namespaced resource goes.
    ResourceBinding, "work.karmada.io", "v1alpha2", "resourcebindings", Namespaced {
        /// What goes where.
        spec: ResourceBindingSpec,
        /// What became of it.
        #[serde(skip_serializing_if = "is_default")]
        status: ResourceBindingStatus,
    }
}

kind! {
    /// Where a cluster-scoped resource goes.
    ClusterResourceBinding, "work.karmada.io", "v1alpha2", "clusterresourcebindings", Cluster {
        /// What goes where.
        spec: ResourceBindingSpec,
        /// What became of it.
        #[serde(skip_serializing_if = "is_default")]
        status: ResourceBindingStatus,
    }
}

kind! {
    /// What one cluster is to hold.
    Work, "work.karmada.io", "v1alpha1", "works", Namespaced {
        /// The manifests.
        spec: WorkSpec,
        /// What became of them.
        #[serde(skip_serializing_if = "is_default")]
        status: WorkStatus,
    }
}

/// What goes where.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceBindingSpec {
    /// The resource.
    pub resource: ObjectReference,
    /// Whether what it refers to goes along.
    #[serde(skip_serializing_if = "is_default")]
    pub propagate_deps: bool,
    /// What one replica needs.
    #[serde(skip_serializing_if = "is_default")]
    pub replica_requirements: Option<ReplicaRequirements>,
    /// How many replicas it asks for.
    #[serde(skip_serializing_if = "is_default")]
    pub replicas: i32,
    /// Parts of a workload with several pod templates.
    #[serde(skip_serializing_if = "is_default")]
    pub components: Vec<Component>,
    /// The clusters, as scheduled.
    #[serde(skip_serializing_if = "is_default")]
    pub clusters: Vec<TargetCluster>,
    /// Where it may go; absent on bindings that follow others.
    #[serde(skip_serializing_if = "is_default")]
    pub placement: Option<Placement>,
    /// Clusters that it is leaving.
    #[serde(skip_serializing_if = "is_default")]
    pub graceful_eviction_tasks: Vec<GracefulEvictionTask>,
    /// Bindings that it follows.
    #[serde(skip_serializing_if = "is_default")]
    pub required_by: Vec<BindingSnapshot>,
    /// The scheduler.
    #[serde(skip_serializing_if = "is_default")]
    pub scheduler_name: String,
    /// What happens when it, or its cluster, fails.
    #[serde(skip_serializing_if = "is_default")]
    pub failover: Option<Failover>,
    /// What happens when a cluster already has it.
    #[schemars(transform = defaulted)]
    pub conflict_resolution: ConflictResolution,
    /// When scheduling afresh was asked for.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(extend("format" = "date-time"))]
    pub reschedule_triggered_at: Option<String>,
    /// What is held back.
    #[serde(skip_serializing_if = "is_default")]
    pub suspension: Option<BindingSuspension>,
    /// Whether it stays in the clusters when it is deleted here.
    #[serde(skip_serializing_if = "is_default")]
    pub preserve_resources_on_deletion: Option<bool>,
    /// How urgent scheduling is.
    #[serde(skip_serializing_if = "is_default")]
    pub schedule_priority: Option<BindingPriority>,
    /// The groups of workloads it belongs to.
    #[serde(skip_serializing_if = "is_default")]
    pub workload_affinity_groups: Option<WorkloadAffinityGroups>,
}

/// A resource in the control plane.
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

/// What one replica needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ReplicaRequirements {
    /// Which nodes will do.
    #[serde(skip_serializing_if = "is_default")]
    pub node_claim: Option<NodeClaim>,
    /// Amounts by resource name.
    #[serde(skip_serializing_if = "is_default")]
    pub resource_request: ResourceList,
    /// Namespace, for quotas.
    #[serde(skip_serializing_if = "is_default")]
    pub namespace: String,
    /// Priority class, for quotas.
    #[serde(skip_serializing_if = "is_default")]
    pub priority_class_name: String,
}

/// What one replica of a component needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ComponentReplicaRequirements {
    /// Which nodes will do.
    #[serde(skip_serializing_if = "is_default")]
    pub node_claim: Option<NodeClaim>,
    /// Amounts by resource name.
    #[serde(skip_serializing_if = "is_default")]
    pub resource_request: ResourceList,
    /// Priority class, for quotas.
    #[serde(skip_serializing_if = "is_default")]
    pub priority_class_name: String,
}

/// Which nodes will do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeClaim {
    /// Node affinity that must hold.
    #[serde(skip_serializing_if = "is_default")]
    pub hard_node_affinity: Option<NodeSelector>,
    /// Node labels that must be there.
    #[serde(skip_serializing_if = "is_default")]
    pub node_selector: BTreeMap<String, String>,
    /// Node taints that are tolerated.
    #[serde(skip_serializing_if = "is_default")]
    pub tolerations: Vec<Toleration>,
}

/// A part of a workload with several pod templates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Component {
    /// Name of the part.
    #[schemars(length(max = 32))]
    pub name: String,
    /// Its replicas.
    pub replicas: i32,
    /// What one of them needs.
    #[serde(skip_serializing_if = "is_default")]
    pub replica_requirements: Option<ComponentReplicaRequirements>,
}

/// A cluster to which something goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TargetCluster {
    /// Name of the cluster.
    pub name: String,
    /// Replicas there; 0 for resources without.
    #[serde(skip_serializing_if = "is_default")]
    pub replicas: i32,
    /// Replicas of the parts there.
    #[serde(skip_serializing_if = "is_default")]
    pub components: Vec<TargetComponent>,
}

/// Replicas of a part in a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TargetComponent {
    /// Name of the part.
    pub name: String,
    /// Its replicas there.
    pub replicas: i32,
}

/// A cluster that a resource is leaving.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct GracefulEvictionTask {
    /// The cluster.
    pub from_cluster: String,
    /// How it leaves.
    #[serde(skip_serializing_if = "is_default")]
    pub purge_mode: Option<PurgeMode>,
    /// Replicas that were there.
    #[serde(skip_serializing_if = "is_default")]
    pub replicas: Option<i32>,
    /// Why, as one word.
    #[schemars(length(min = 1, max = 32), regex(pattern = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"))]
    pub reason: String,
    /// Why, for people.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 1024))]
    pub message: String,
    /// Who said so.
    pub producer: String,
    /// Seconds until it leaves in any case.
    #[serde(skip_serializing_if = "is_default")]
    pub grace_period_seconds: Option<i32>,
    /// Whether it is kept until somebody says otherwise.
    #[serde(skip_serializing_if = "is_default")]
    pub suppress_deletion: Option<bool>,
    /// Parts of the old status that the new copy gets as labels.
    #[serde(skip_serializing_if = "is_default")]
    pub preserved_label_state: BTreeMap<String, String>,
    /// When the task was first seen.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(extend("format" = "date-time"))]
    pub creation_timestamp: Option<String>,
    /// Where it was before.
    #[serde(skip_serializing_if = "is_default")]
    pub clusters_before_failover: Vec<String>,
}

/// A binding that another one follows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BindingSnapshot {
    /// Namespace of the binding.
    #[serde(skip_serializing_if = "is_default")]
    pub namespace: String,
    /// Name of the binding.
    pub name: String,
    /// Where it goes.
    #[serde(skip_serializing_if = "is_default")]
    pub clusters: Vec<TargetCluster>,
}

/// What is held back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BindingSuspension {
    /// Nothing is dispatched to any cluster.
    #[serde(skip_serializing_if = "is_default")]
    pub dispatching: Option<bool>,
    /// Nothing is dispatched to these clusters.
    #[serde(skip_serializing_if = "is_default")]
    pub dispatching_on_clusters: Option<SuspendClusters>,
    /// Nothing is scheduled.
    #[serde(skip_serializing_if = "is_default")]
    pub scheduling: Option<bool>,
}

/// How urgent scheduling is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BindingPriority {
    /// Larger is sooner.
    #[schemars(extend("x-portolan-default" = 0))]
    pub priority: i32,
}

/// The groups of workloads that a binding belongs to, as `key=value`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkloadAffinityGroups {
    /// Goes where the others of this group go.
    #[serde(skip_serializing_if = "is_default")]
    pub affinity_group: String,
    /// Goes where no other of this group goes.
    #[serde(skip_serializing_if = "is_default")]
    pub anti_affinity_group: String,
}

/// What became of a binding.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceBindingStatus {
    /// The generation that was scheduled last.
    #[serde(skip_serializing_if = "is_default")]
    pub scheduler_observed_generation: i64,
    /// The group of clusters in use.
    #[serde(skip_serializing_if = "is_default", rename = "schedulerObservingAffinityName")]
    pub scheduler_observed_affinity_name: String,
    /// When it was scheduled last.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(extend("format" = "date-time"))]
    pub last_scheduled_time: Option<String>,
    /// How it is.
    #[serde(skip_serializing_if = "is_default")]
    pub conditions: Vec<Condition>,
    /// What the clusters say.
    #[serde(skip_serializing_if = "is_default")]
    pub aggregated_status: Vec<AggregatedStatusItem>,
}

/// What one cluster says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AggregatedStatusItem {
    /// The cluster.
    pub cluster_name: String,
    /// Status of the resource there.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(transform = opaque_object)]
    pub status: Option<Value>,
    /// Whether it is there.
    #[serde(skip_serializing_if = "is_default")]
    pub applied: bool,
    /// Why not.
    #[serde(skip_serializing_if = "is_default")]
    pub applied_message: String,
    /// Whether it does its job.
    #[serde(skip_serializing_if = "is_default")]
    pub health: Option<ResourceHealth>,
}

/// Whether a resource does its job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ResourceHealth {
    /// It does.
    Healthy,
    /// It does not.
    Unhealthy,
    /// Nobody can tell.
    #[default]
    Unknown,
}

/// What a cluster is to hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkSpec {
    /// The manifests.
    #[serde(skip_serializing_if = "is_default")]
    pub workload: WorkloadTemplate,
    /// Whether nothing is sent.
    #[serde(skip_serializing_if = "is_default")]
    pub suspend_dispatching: Option<bool>,
    /// Whether resources stay in the cluster when the work is deleted.
    #[serde(skip_serializing_if = "is_default")]
    pub preserve_resources_on_deletion: Option<bool>,
}

/// Manifests.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkloadTemplate {
    /// Whole objects.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(extend("items" = {"type": "object", "x-kubernetes-preserve-unknown-fields": true}))]
    pub manifests: Vec<Value>,
}

/// What became of the manifests.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkStatus {
    /// How they are.
    #[serde(skip_serializing_if = "is_default")]
    pub conditions: Vec<Condition>,
    /// What the cluster says of each.
    #[serde(skip_serializing_if = "is_default")]
    pub manifest_statuses: Vec<ManifestStatus>,
}

/// What the cluster says of a manifest.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ManifestStatus {
    /// Which one.
    pub identifier: ResourceIdentifier,
    /// Status of the resource there.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(transform = opaque_object)]
    pub status: Option<Value>,
    /// Whether it does its job.
    #[serde(skip_serializing_if = "is_default")]
    pub health: Option<ResourceHealth>,
}

/// A manifest of a work.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceIdentifier {
    /// Its place in the list.
    pub ordinal: i32,
    /// Group.
    #[serde(skip_serializing_if = "is_default")]
    pub group: String,
    /// Version.
    pub version: String,
    /// Kind.
    pub kind: String,
    /// Plural; left empty by controllers.
    pub resource: String,
    /// Namespace.
    #[serde(skip_serializing_if = "is_default")]
    pub namespace: String,
    /// Name.
    pub name: String,
}
