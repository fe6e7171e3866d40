//! Types and reasons of conditions, and the taints that follow from them (karmada pkg/apis/cluster/v1alpha1/types.go,
//! pkg/apis/work/v1alpha2/binding_types.go).

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
    /// `Scheduled` is false: a FederatedResourceQuota of the namespace does not allow the replicas. Also the reason of the
    /// refusal.
    pub const QUOTA_EXCEEDED: &str = "QuotaExceeded";
    /// `Scheduled` is false for any other reason.
    pub const SCHEDULER_ERROR: &str = "SchedulerError";
    /// Whether the object is applied in every target cluster.
    pub const FULLY_APPLIED: &str = "FullyApplied";
    /// `FullyApplied` is true.
    pub const FULLY_APPLIED_SUCCESS: &str = "FullyAppliedSuccess";
    /// `FullyApplied` is false.
    pub const FULLY_APPLIED_FAILED: &str = "FullyAppliedFailed";
    /// `FullyApplied` is false: an override policy cannot be applied. Also the reason of the event.
    pub const OVERRIDE_POLICY_FAILED: &str = "ApplyOverridePolicyFailed";
    /// `FullyApplied` is false: a Work cannot be made, because an interpreter fails or another binding has the object.
    pub const WORK_NOT_MADE: &str = "WorkNotMade";
    /// Whether the objects exist that the template refers to; with `propagateDeps`, once an object was missing.
    pub const DEPENDENCIES_FOUND: &str = "DependenciesFound";
    /// `DependenciesFound` is true.
    pub const FOUND: &str = "Found";
    /// `DependenciesFound` is false. Also the reason of the event.
    pub const DEPENDENCY_NOT_FOUND: &str = "DependencyNotFound";
    /// Whether status and health of the object can be read in the members; once they could not.
    pub const STATUS_COLLECTED: &str = "StatusCollected";
    /// `StatusCollected` is false: an interpreter fails.
    pub const STATUS_COLLECTED_FAILED: &str = "InterpretationFailed";
    /// Whether changes are sent to all target clusters; only on bindings that are or were suspended.
    pub const DISPATCHING: &str = "Dispatching";
    /// `Dispatching` is true.
    pub const DISPATCHING_RESUMED: &str = "DispatchingResumed";
    /// `Dispatching` is false, or `FullyApplied` because a change is not sent.
    pub const SUSPEND_DISPATCHING: &str = "SuspendDispatching";
}

/// On works.
pub mod work {
    /// Whether the object is applied in the member.
    pub const APPLIED: &str = "Applied";
    /// `Applied` is true.
    pub const APPLIED_SUCCESSFUL: &str = "AppliedSuccessful";
    /// `Applied` is false.
    pub const APPLIED_FAILED: &str = "AppliedFailed";
    /// Whether status and health of the object can be read; once they could not.
    pub const STATUS_COLLECTED: &str = "StatusCollected";
    /// `StatusCollected` is false: an interpreter fails.
    pub const STATUS_COLLECTED_FAILED: &str = "InterpretationFailed";
    /// Whether the work may be applied.
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
    /// The agent of the cluster has not been heard of for a while.
    pub const CLUSTER_STATUS_UNKNOWN: &str = "ClusterStatusUnknown";
    /// `Ready` is unknown: the control plane has just started and has not seen the cluster, which was ready before.
    pub const NOT_SEEN_SINCE_START: &str = "NotSeenSinceStart";
    /// Whether this control plane holds the cluster's lease, so that it may write there.
    pub const HELD: &str = "HeldByThisControlPlane";
    /// `HeldByThisControlPlane` is true.
    pub const LEASE_HELD: &str = "LeaseHeld";
    /// `HeldByThisControlPlane` and `Ready` are false: the lease is another control plane's.
    pub const HELD_BY_ANOTHER: &str = "HeldByAnotherControlPlane";
    /// `HeldByThisControlPlane` and `Ready` are false: at its address answers a cluster with another identity.
    pub const ANOTHER_CLUSTER: &str = "AnotherCluster";
    /// `HeldByThisControlPlane` and `Ready` are false: the lease cannot be read or written.
    pub const LEASE_REFUSED: &str = "LeaseRefused";
    /// `Ready` is false: it sends more than is kept of one cluster, and is not read for a while. Also the reason of the
    /// event.
    pub const MEMORY_BUDGET_EXCEEDED: &str = "MemoryBudgetExceeded";
    /// Reason of the event when the resource versions of a cluster went back, as after a restore of its etcd.
    pub const RESOURCE_VERSIONS_WENT_BACK: &str = "ResourceVersionsWentBack";
    /// `Ready` is false: its credential is not for the address in the Cluster, so nothing is sent. Also the reason of the
    /// event.
    pub const CREDENTIAL_SUSPENDED: &str = "CredentialSuspended";
    /// `Ready` is false: the cluster does not accept its credential.
    pub const CREDENTIAL_REFUSED: &str = "CredentialRefused";
    /// `Ready` is false: its certificate is not trusted, so nothing is sent.
    pub const CERTIFICATE_NOT_TRUSTED: &str = "CertificateNotTrusted";
    /// Whether the clock of the cluster differs from that of the control plane; also the reason of the event.
    pub const CLOCK_DIFFERS: &str = "ClockDiffers";
    /// Reason when the clocks do not differ any more.
    pub const CLOCKS_AGREE: &str = "ClocksAgree";
    /// Whether policies place kinds in the cluster that the account of the control plane, or of the agent, may not read there.
    pub const RIGHTS_MISSING: &str = "RightsMissing";
    /// Reason of `RightsMissing` when it is true.
    pub const FORBIDDEN: &str = "Forbidden";
    /// Reason of `RightsMissing` when it is false again.
    pub const RIGHTS_GRANTED: &str = "RightsGranted";
    /// Whether all its APIs are known.
    pub const COMPLETE_API_ENABLEMENTS: &str = "CompleteAPIEnablements";
    /// `CompleteAPIEnablements` is true.
    pub const COMPLETE: &str = "Complete";
    /// `CompleteAPIEnablements` is false: some groups could not be read.
    pub const PARTIAL: &str = "Partial";
    /// `CompleteAPIEnablements` is false: nothing could be read.
    pub const EMPTY: &str = "Empty";
    /// Whether deletions of objects in the cluster wait for a release.
    pub const DELETIONS_HELD: &str = "DeletionsHeld";
    /// `DeletionsHeld` is true: more objects than the budget allows. Also the reason of the event.
    pub const DELETION_BUDGET_EXCEEDED: &str = "DeletionBudgetExceeded";
    /// `DeletionsHeld` is true: the state of the control plane was restored, or is damaged. Also the reason of the event.
    pub const STATE_NOT_TRUSTED: &str = "StateNotTrusted";
    /// `DeletionsHeld` is false.
    pub const NO_DELETIONS_HELD: &str = "NoDeletionsHeld";
    /// Taint of a cluster with `Ready` false or missing.
    pub const TAINT_NOT_READY: &str = "cluster.karmada.io/not-ready";
    /// Taint of a cluster with `Ready` unknown.
    pub const TAINT_UNREACHABLE: &str = "cluster.karmada.io/unreachable";
}

/// Of MultiClusterServices (karmada pkg/apis/networking/v1alpha1/service_types.go).
pub mod multi_cluster_service {
    /// Whether the Service is bound to its clusters.
    pub const SERVICE_APPLIED: &str = "ServiceApplied";
    /// `ServiceApplied` is true.
    pub const SERVICE_APPLIED_SUCCEED: &str = "ServiceAppliedSucceed";
    /// `ServiceApplied` is false.
    pub const SERVICE_APPLIED_FAILED: &str = "ServiceAppliedFailed";
    /// Whether the EndpointSlices are in the clusters with clients.
    pub const DISPATCHED: &str = "EndpointSliceDispatched";
    /// `EndpointSliceDispatched` is true.
    pub const DISPATCHED_SUCCEED: &str = "EndpointSliceDispatchedSucceed";
    /// `EndpointSliceDispatched` is false.
    pub const DISPATCHED_FAILED: &str = "EndpointSliceDispatchedFailed";
}

/// On ClusterProfiles (KEP-4322).
pub mod cluster_profile {
    /// Whether the API server of the cluster is healthy.
    pub const CONTROL_PLANE_HEALTHY: &str = "ControlPlaneHealthy";
    /// The cluster was not probed yet.
    pub const NOT_PROBED: &str = "NotProbed";
    /// Whether the cluster is a member of the federation; the reason if it is.
    pub const JOINED: &str = "Joined";
}

/// On TrafficPolicies.
pub mod traffic_policy {
    /// Whether everything that the policy says is done; the reason if it is.
    pub const IN_EFFECT: &str = "InEffect";
    /// `InEffect` is false: a selection of clusters has none.
    pub const NO_CLUSTER_SELECTED: &str = "NoClusterSelected";
    /// `InEffect` is false: the policy names a cluster that the federation does not have.
    pub const UNKNOWN_CLUSTER: &str = "UnknownCluster";
    /// `InEffect` is false: the policy names services that no cluster exports or imports.
    pub const NO_SERVICE: &str = "NoService";
    /// `InEffect` is false: an older policy selects the same services.
    pub const OLDER_POLICY: &str = "OlderPolicy";
}

/// On ServiceExports and ServiceImports (KEP-1645 and the standard reasons of the Multi-Cluster Services API).
pub mod multicluster {
    /// Whether the exporting cluster has a Service that can be exported.
    pub const VALID: &str = "Valid";
    /// `Valid` is false: the Service does not exist.
    pub const NO_SERVICE: &str = "NoService";
    /// `Valid` is false: the type of the Service, such as ExternalName, cannot be exported.
    pub const INVALID_SERVICE_TYPE: &str = "InvalidServiceType";
    /// `Valid` is false: the Service belongs to the cluster, such as `default/kubernetes`.
    pub const SERVICE_NOT_EXPORTABLE: &str = "ServiceNotExportable";
    /// `Valid` is false: a label or annotation listed for export is malformed.
    pub const INVALID_EXPORTED_METADATA: &str = "InvalidExportedMetadata";
    /// Whether the export is available to others, or the import is usable here.
    pub const READY: &str = "Ready";
    /// `Ready` is true on an export.
    pub const EXPORTED: &str = "Exported";
    /// `Ready` is false: in progress.
    pub const PENDING: &str = "Pending";
    /// `Ready` is false: it failed.
    pub const FAILED: &str = "Failed";
    /// `Ready` is false on an import with address families that this cluster does not have.
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
    /// Whether the control plane reads every exporter of an import. If not, the endpoints of some are the last known.
    pub const EXPORTERS_READ: &str = "portolan.dev/ExportersRead";
    /// `portolan.dev/ExportersRead` is true.
    pub const ALL_READ: &str = "AllRead";
    /// `portolan.dev/ExportersRead` is false: a cluster cannot be reached.
    pub const EXPORTER_UNREACHABLE: &str = "ExporterUnreachable";
    /// Whether the ready endpoints of every exporter of an import get traffic in this cluster.
    pub const EXPORTERS_USED: &str = "portolan.dev/ExportersUsed";
    /// `portolan.dev/ExportersUsed` is true.
    pub const ALL_USED: &str = "AllUsed";
    /// `portolan.dev/ExportersUsed` is false: the endpoints of an exporter are withdrawn or drained.
    pub const EXPORTER_NOT_USED: &str = "ExporterNotUsed";
    /// `portolan.dev/ExportersUsed` is false: the endpoints of an exporter would be withdrawn, but are the only ready ones.
    pub const NO_OTHER_ENDPOINT: &str = "NoOtherEndpoint";
    /// `portolan.dev/ExportersUsed` is true: a TrafficPolicy keeps endpoints back, or uses a part of them.
    pub const AS_POLICY_SAYS: &str = "AsPolicySays";
    /// `portolan.dev/ExportersUsed` is false: every exporting cluster is outside the boundary of a TrafficPolicy.
    pub const OUTSIDE_BOUNDARY: &str = "OutsideBoundary";
    /// `Conflict` is true: which endpoints are preferred differs.
    pub const TRAFFIC_DISTRIBUTION_CONFLICT: &str = "TrafficDistributionConflict";
    /// `Conflict` is true: clients of one address family reach only a part of the endpoints.
    pub const IP_FAMILY_CONFLICT: &str = "IPFamilyConflict";
}
