//! Keys and values of labels (karmada-api 3.2 and 3.3; mcs 1.4). The module says on whose behalf a label is set:
//! `labels::work::PERMANENT_ID` is the identity of a work, on the work and on what it carries.

/// On everything the federation put into a member, with value [`TRUE`]; nothing without it is ever deleted there.
pub const MANAGED: &str = "karmada.io/managed";
/// On the control plane's own namespaces, secrets and accounts, with value [`TRUE`].
pub const SYSTEM: &str = "karmada.io/system";
/// The value of labels that only mark.
pub const TRUE: &str = "true";

/// Of PropagationPolicies.
pub mod propagation_policy {
    /// Identity of the policy; on the templates and bindings that it claimed, too.
    pub const PERMANENT_ID: &str = "propagationpolicy.karmada.io/permanent-id";
}

/// Of ClusterPropagationPolicies.
pub mod cluster_propagation_policy {
    /// Identity of the policy; on the templates and bindings that it claimed, too.
    pub const PERMANENT_ID: &str = "clusterpropagationpolicy.karmada.io/permanent-id";
}

/// Of ResourceBindings.
pub mod binding {
    /// Identity of the binding; on its works and what they carry, too.
    pub const PERMANENT_ID: &str = "resourcebinding.karmada.io/permanent-id";
    /// Who keeps a binding that no policy made; lets the scheduler accept it.
    pub const MANAGED_BY: &str = "binding.karmada.io/managed-by";
    const DEPENDED_BY: &str = "resourcebinding.karmada.io/depended-by-";

    /// On an attached binding, one label per independent binding that needs it; the value is that one's identity.
    pub fn depended_by(namespace: &str, name: &str) -> String {
        format!("{DEPENDED_BY}{}", crate::names::binding_reference(namespace, name))
    }

    /// Whether a label says that another binding needs this one.
    pub fn is_depended_by(key: &str) -> bool {
        key.starts_with(DEPENDED_BY)
    }
}

/// Of ClusterResourceBindings.
pub mod cluster_binding {
    /// Identity of the binding; on its works and what they carry, too.
    pub const PERMANENT_ID: &str = "clusterresourcebinding.karmada.io/permanent-id";
}

/// Of Works.
pub mod work {
    /// Identity of the work; on what it carries, too.
    pub const PERMANENT_ID: &str = "work.karmada.io/permanent-id";
}

/// Of the objects that users create to be propagated.
pub mod template {
    /// Who owns a template in place of policies.
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
    /// Set by users; `true` in any case stops the namespace from being created in members.
    pub const SKIP_AUTO_PROPAGATION: &str = "namespace.karmada.io/skip-auto-propagation";
}

/// Of MultiClusterServices.
pub mod multi_cluster_service {
    /// Identity of the MultiClusterService; on the Service, its binding and the works made for it, too.
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
    /// Namespace of the Service, on a collected work.
    pub const WORK_NAMESPACE: &str = "endpointslice.karmada.io/namespace";
    /// Name of the Service, on a collected work.
    pub const WORK_NAME: &str = "endpointslice.karmada.io/name";
    /// Which features collected it, on a collected work; joined by a full stop.
    pub const WORK_MANAGED_BY: &str = "endpointslice.karmada.io/managed-by";
    /// Who keeps the slice; only the local controller may use its own name.
    pub const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
    /// The value of [`MANAGED_BY`] on slices imported for a ServiceImport.
    pub const IMPORT_MANAGER: &str = "endpointslice-controller.karmada.io";
    /// The value of [`MANAGED_BY`] on slices of services that a cluster set imports by itself.
    pub const CLUSTER_SET_MANAGER: &str = "endpointslice-controller.portolan.dev";
    /// The value of [`MANAGED_BY`] on slices that a MultiClusterService brought.
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

/// Of what a cluster set puts into its members.
pub mod cluster_set {
    /// The set; on imports, Services, slices and properties that its membership brought.
    pub const NAME: &str = "portolan.dev/clusterset";
}
