//! Reasons of events (karmada pkg/events/events.go). Programs look for them.

/// A policy was applied to a template: its binding was created or updated.
pub const APPLY_POLICY_SUCCEED: &str = "ApplyPolicySucceed";
/// A policy cannot be applied to a template.
pub const APPLY_POLICY_FAILED: &str = "ApplyPolicyFailed";
/// A policy took a template from another one.
pub const PREEMPT_POLICY_SUCCEED: &str = "PreemptPolicySucceed";
/// A policy cannot take a template from another one.
pub const PREEMPT_POLICY_FAILED: &str = "PreemptPolicyFailed";
/// The replicas of a template were read.
pub const GET_REPLICAS_SUCCEED: &str = "GetReplicasSucceed";
/// An interpreter cannot say what replicas a template wants.
pub const GET_REPLICAS_FAILED: &str = "GetReplicasFailed";
/// The Service of a MultiClusterService was claimed and bound.
pub const SYNC_SERVICE_SUCCEED: &str = "SyncServiceSucceed";
/// The Service of a MultiClusterService cannot be bound, or a cluster is left out.
pub const SYNC_SERVICE_FAILED: &str = "SyncServiceFailed";
/// The EndpointSlices of a MultiClusterService are in the clusters with clients.
pub const DISPATCH_ENDPOINT_SLICE_SUCCEED: &str = "DispatchEndpointSliceSucceed";
/// A cluster does not take EndpointSlices of a MultiClusterService.
pub const DISPATCH_ENDPOINT_SLICE_FAILED: &str = "DispatchEndpointSliceFailed";
/// A MultiClusterService names a cluster that does not exist.
pub const CLUSTER_NOT_FOUND: &str = "ClusterNotFound";
