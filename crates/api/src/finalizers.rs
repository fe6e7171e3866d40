//! Finalizers of the federation (karmada pkg/util/constants.go). Each is removed by its controller before deletion
//! completes.

/// On a PropagationPolicy until the templates and bindings that it claimed are released.
pub const PROPAGATION_POLICY: &str = "karmada.io/propagation-policy-controller";
/// On a ClusterPropagationPolicy until the templates and bindings that it claimed are released.
pub const CLUSTER_PROPAGATION_POLICY: &str = "karmada.io/cluster-propagation-policy-controller";
/// On a ResourceBinding until its works are gone.
pub const BINDING: &str = "karmada.io/binding-controller";
/// On a ClusterResourceBinding until its works are gone.
pub const CLUSTER_BINDING: &str = "karmada.io/cluster-resource-binding-controller";
/// On a ResourceBinding with dependencies until they are detached.
pub const DEPENDENCIES: &str = "karmada.io/binding-dependencies-distributor";
/// On a Federation until its records are gone from all zones.
pub const FEDERATION_RECORDS: &str = "portolan.dev/federation-records";
/// On a Work until the object is gone from the member, or left there on purpose.
pub const EXECUTION: &str = "karmada.io/execution-controller";
/// On a Work with an EndpointSlice collected for a ServiceExport until the imported slices are gone.
pub const ENDPOINT_SLICE: &str = "karmada.io/endpointslice-controller";
/// On a MultiClusterService until its Service is released.
pub const MULTI_CLUSTER_SERVICE: &str = "karmada.io/multiclusterservice-controller";
/// On a Cluster until its execution namespace is gone and no binding names it.
pub const CLUSTER: &str = "karmada.io/cluster-controller";
