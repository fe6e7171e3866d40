//! Types and reasons of conditions (karmada-api 4.1), and the taints that follow from them.

/// On bindings.
pub mod binding {
    /// Whether clusters were chosen.
    pub const SCHEDULED: &str = "Scheduled";
    /// `Scheduled` is true.
    pub const SUCCESS: &str = "Success";
    /// `Scheduled` is false: no cluster fits the placement.
    pub const NO_CLUSTER_FIT: &str = "NoClusterFit";
    /// `Scheduled` is false: the clusters that fit lack capacity.
    pub const UNSCHEDULABLE: &str = "Unschedulable";
    /// `Scheduled` is false: a FederatedResourceQuota does not allow it.
    pub const QUOTA_EXCEEDED: &str = "QuotaExceeded";
    /// `Scheduled` is false for any other reason.
    pub const SCHEDULER_ERROR: &str = "SchedulerError";
    /// Whether the object is applied in every cluster where it should be.
    pub const FULLY_APPLIED: &str = "FullyApplied";
    /// `FullyApplied` is true.
    pub const FULLY_APPLIED_SUCCESS: &str = "FullyAppliedSuccess";
    /// `FullyApplied` is false.
    pub const FULLY_APPLIED_FAILED: &str = "FullyAppliedFailed";
}

/// On works.
pub mod work {
    /// Whether the member holds the object as it should be.
    pub const APPLIED: &str = "Applied";
    /// `Applied` is true.
    pub const APPLIED_SUCCESSFUL: &str = "AppliedSuccessful";
    /// `Applied` is false.
    pub const APPLIED_FAILED: &str = "AppliedFailed";
    /// Whether the work may reach the member.
    pub const DISPATCHING: &str = "Dispatching";
    /// `Dispatching` is false.
    pub const SUSPEND_DISPATCHING: &str = "SuspendDispatching";
}

/// On clusters.
pub mod cluster {
    /// Whether the cluster can be used.
    pub const READY: &str = "Ready";
    /// `Ready` is true.
    pub const CLUSTER_READY: &str = "ClusterReady";
    /// `Ready` is false: it answers that it is not healthy.
    pub const CLUSTER_NOT_READY: &str = "ClusterNotReady";
    /// `Ready` is false: it does not answer.
    pub const CLUSTER_NOT_REACHABLE: &str = "ClusterNotReachable";
    /// `Ready` is false: no connection could even be tried.
    pub const STATUS_COLLECTION_FAILED: &str = "StatusCollectionFailed";
    /// `Ready` is unknown: its agent never reported.
    pub const STATUS_NEVER_UPDATED: &str = "ClusterStatusNeverUpdated";
    /// `Ready` is unknown: its agent stopped reporting.
    pub const STATUS_UNKNOWN: &str = "ClusterStatusUnknown";
    /// Whether all its APIs are known.
    pub const COMPLETE_API_ENABLEMENTS: &str = "CompleteAPIEnablements";
    /// `CompleteAPIEnablements` is true.
    pub const COMPLETE: &str = "Complete";
    /// `CompleteAPIEnablements` is false: some groups could not be read.
    pub const PARTIAL: &str = "Partial";
    /// `CompleteAPIEnablements` is false: nothing could be read.
    pub const EMPTY: &str = "Empty";
    /// Whether names of Services resolve inside the member.
    pub const DNS_READY: &str = "ServiceDomainNameResolutionReady";
    /// `ServiceDomainNameResolutionReady` is false.
    pub const DNS_FAILED: &str = "ServiceDomainNameResolutionFailed";
    /// Taint of a cluster whose `Ready` is false or missing.
    pub const TAINT_NOT_READY: &str = "cluster.karmada.io/not-ready";
    /// Taint of a cluster whose `Ready` is unknown.
    pub const TAINT_UNREACHABLE: &str = "cluster.karmada.io/unreachable";
    /// Taint of a cordoned cluster.
    pub const TAINT_UNSCHEDULABLE: &str = "cluster.karmada.io/unschedulable";
}

/// On MultiClusterServices.
pub mod multi_cluster_service {
    /// Whether the Service reached the clusters.
    pub const SERVICE_APPLIED: &str = "ServiceApplied";
    /// `ServiceApplied` is true.
    pub const SERVICE_APPLIED_SUCCEED: &str = "ServiceAppliedSucceed";
    /// `ServiceApplied` is false.
    pub const SERVICE_APPLIED_FAILED: &str = "ServiceAppliedFailed";
    /// Whether the endpoints reached the consumers.
    pub const ENDPOINT_SLICE_DISPATCHED: &str = "EndpointSliceDispatched";
    /// `EndpointSliceDispatched` is true.
    pub const ENDPOINT_SLICE_DISPATCHED_SUCCEED: &str = "EndpointSliceDispatchedSucceed";
    /// `EndpointSliceDispatched` is false.
    pub const ENDPOINT_SLICE_DISPATCHED_FAILED: &str = "EndpointSliceDispatchedFailed";
}

/// On ServiceExports and ServiceImports (KEP-1645 and the standard reasons of the Multi-Cluster Services API).
pub mod multicluster {
    /// Whether the exporting cluster has a Service that can be exported.
    pub const VALID: &str = "Valid";
    /// `Valid` is false: there is no such Service.
    pub const NO_SERVICE: &str = "NoService";
    /// `Valid` is false: the type of the Service, such as ExternalName, cannot be exported.
    pub const INVALID_SERVICE_TYPE: &str = "InvalidServiceType";
    /// `Valid` is false: this Service is the cluster's own, such as `default/kubernetes`.
    pub const SERVICE_NOT_EXPORTABLE: &str = "ServiceNotExportable";
    /// `Valid` is false: a label or annotation to export is none.
    pub const INVALID_EXPORTED_METADATA: &str = "InvalidExportedMetadata";
    /// Whether the export is available to others, or the import is usable here.
    pub const READY: &str = "Ready";
    /// `Ready` is true on an export.
    pub const EXPORTED: &str = "Exported";
    /// `Ready` is false: not yet.
    pub const PENDING: &str = "Pending";
    /// `Ready` is false: it did not work.
    pub const FAILED: &str = "Failed";
    /// `Ready` is false on an import whose address families this cluster does not have.
    pub const IP_FAMILY_NOT_SUPPORTED: &str = "IPFamilyNotSupported";
    /// Whether exports of one name disagree.
    pub const CONFLICT: &str = "Conflict";
    /// `Conflict` is false.
    pub const NO_CONFLICTS: &str = "NoConflicts";
    /// `Conflict` is true: the ports differ.
    pub const PORT_CONFLICT: &str = "PortConflict";
    /// `Conflict` is true: one has an address, another is headless.
    pub const TYPE_CONFLICT: &str = "TypeConflict";
    /// `Conflict` is true: session affinity differs.
    pub const SESSION_AFFINITY_CONFLICT: &str = "SessionAffinityConflict";
    /// `Conflict` is true: the time that session affinity lasts differs.
    pub const SESSION_AFFINITY_CONFIG_CONFLICT: &str = "SessionAffinityConfigConflict";
    /// `Conflict` is true: the labels to export differ.
    pub const LABELS_CONFLICT: &str = "LabelsConflict";
    /// `Conflict` is true: the annotations to export differ.
    pub const ANNOTATIONS_CONFLICT: &str = "AnnotationsConflict";
    /// `Conflict` is true: one keeps traffic on the node, another does not.
    pub const INTERNAL_TRAFFIC_POLICY_CONFLICT: &str = "InternalTrafficPolicyConflict";
    /// `Conflict` is true: which endpoints are preferred differs.
    pub const TRAFFIC_DISTRIBUTION_CONFLICT: &str = "TrafficDistributionConflict";
    /// `Conflict` is true: clients of one address family reach only a part of the endpoints.
    pub const IP_FAMILY_CONFLICT: &str = "IPFamilyConflict";
}
