//! Keys and values of labels (karmada pkg/apis/*/well_known_constants.go, pkg/util/constants.go; KEP-1645). Modules are
//! named by the kind that a label refers to: `labels::work::PERMANENT_ID` is the identity of a Work, on the Work and on
//! its manifests.

/// On all objects that Portolan created in a member, with value [`TRUE`]. Objects without it are never deleted there.
pub const MANAGED: &str = "karmada.io/managed";
/// On the control plane's own namespaces, secrets and accounts, with value [`TRUE`].
pub const SYSTEM: &str = "karmada.io/system";
/// The control plane that put an object into a member: the uid of the namespace `kube-system` of its API server.
pub const CONTROL_PLANE: &str = "portolan.dev/control-plane";
/// The value of labels that only mark.
pub const TRUE: &str = "true";

/// Of PropagationPolicies.
pub mod propagation_policy {
    /// Identity of the policy, on the policy and on the templates and bindings that it claimed.
    pub const PERMANENT_ID: &str = "propagationpolicy.karmada.io/permanent-id";
}

/// Of ClusterPropagationPolicies.
pub mod cluster_propagation_policy {
    /// Identity of the policy, on the policy and on the templates and bindings that it claimed.
    pub const PERMANENT_ID: &str = "clusterpropagationpolicy.karmada.io/permanent-id";
}

/// Of ResourceBindings.
pub mod binding {
    /// Identity of the binding, on the binding, its Works and their manifests.
    pub const PERMANENT_ID: &str = "resourcebinding.karmada.io/permanent-id";
    /// Manager of a binding without a policy; the scheduler accepts such a binding.
    pub const MANAGED_BY: &str = "binding.karmada.io/managed-by";
    /// On the binding of a dependency, followed by the reference of the binding that depends on it; the value is the
    /// permanent id of that binding.
    pub const DEPENDED_BY_PREFIX: &str = "resourcebinding.karmada.io/depended-by-";
}

/// Of ClusterResourceBindings.
pub mod cluster_binding {
    /// Identity of the binding, on the binding, its Works and their manifests.
    pub const PERMANENT_ID: &str = "clusterresourcebinding.karmada.io/permanent-id";
}

/// Of Works.
pub mod work {
    /// Identity of the Work, on the Work and its manifests.
    pub const PERMANENT_ID: &str = "work.karmada.io/permanent-id";
}

/// Of the objects that users create to be propagated.
pub mod template {
    /// Controller that owns a template instead of policies.
    pub const CLAIMED_BY: &str = "resourcetemplate.karmada.io/claimed-by";
    /// Set by users; with value [`ALWAYS`] the object cannot be deleted.
    pub const DELETION_PROTECTED: &str = "resourcetemplate.karmada.io/deletion-protected";
    /// The value of [`DELETION_PROTECTED`] that protects.
    pub const ALWAYS: &str = "Always";
    /// With value `true`, members keep their own replica counts.
    pub const RETAIN_REPLICAS: &str = "resourcetemplate.karmada.io/retain-replicas";
}

/// Of Namespaces.
pub mod namespace {
    /// Set by users; `true` keeps the namespace from being created in members.
    pub const SKIP_AUTO_PROPAGATION: &str = "namespace.karmada.io/skip-auto-propagation";
}

/// Of MultiClusterServices.
pub mod multi_cluster_service {
    /// Identity of the MultiClusterService, on itself, the Service, its binding and its Works.
    pub const PERMANENT_ID: &str = "multiclusterservice.karmada.io/permanent-id";
    /// Its namespace, on works. On Services the same key is an annotation.
    pub const NAMESPACE: &str = "multiclusterservice.karmada.io/namespace";
    /// Its name, on works. On Services the same key is an annotation.
    pub const NAME: &str = "multiclusterservice.karmada.io/name";
    /// The value by which claimed Services and their bindings name their manager.
    pub const MANAGER: &str = "MultiClusterService";
}

/// Of FederatedResourceQuotas, on the works made for them.
pub mod federated_resource_quota {
    /// Its namespace.
    pub const NAMESPACE: &str = "federatedresourcequota.karmada.io/namespace";
    /// Its name.
    pub const NAME: &str = "federatedresourcequota.karmada.io/name";
}

/// Of EndpointSlices, and of works that carry collected ones.
pub mod endpoint_slice {
    /// Controller that writes the slice.
    pub const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
    /// The value of [`MANAGED_BY`] on slices imported for a ServiceImport.
    pub const IMPORT_MANAGER: &str = "endpointslice-controller.karmada.io";
    /// The value of [`MANAGED_BY`] on slices of services that a cluster set imports by itself.
    pub const CLUSTER_SET_MANAGER: &str = "endpointslice-controller.portolan.dev";
    /// The value of [`MANAGED_BY`] on slices of a MultiClusterService.
    pub const DISPATCH_MANAGER: &str = "endpointslice-dispatch-controller.karmada.io";
    /// The value of [`MANAGED_BY`] on slices of the cluster's own Services.
    pub const LOCAL_MANAGER: &str = "endpointslice-controller.k8s.io";
    /// The Service the slice belongs to.
    pub const SERVICE_NAME: &str = "kubernetes.io/service-name";
    /// The ServiceImport the slice belongs to (Multi-Cluster Services API).
    pub const IMPORT_NAME: &str = "multicluster.kubernetes.io/service-name";
    /// The cluster that exported the slice (Multi-Cluster Services API).
    pub const SOURCE_CLUSTER: &str = "multicluster.kubernetes.io/source-cluster";
}

/// Of the Leases of agents.
pub mod agent {
    /// Marks the Lease, with value [`TRUE`](super::TRUE).
    pub const LEASE: &str = "portolan.dev/agent";
}

/// Of bindings of federated objects.
pub mod federation {
    /// Name of the Federation that an object belongs to.
    pub const NAME: &str = "portolan.dev/federation";
}

/// Of objects of a cluster set in its members.
pub mod cluster_set {
    /// Name of the set, on imports, Services, slices and properties that belong to it.
    pub const NAME: &str = "portolan.dev/clusterset";
}
