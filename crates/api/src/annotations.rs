//! Keys of annotations (karmada pkg/apis/*/well_known_constants.go), grouped like [`labels`](crate::labels).

/// Of PropagationPolicies, on templates and bindings that they claimed.
pub mod propagation_policy {
    /// Namespace of the claiming policy.
    pub const NAMESPACE: &str = "propagationpolicy.karmada.io/namespace";
    /// Name of the claiming policy.
    pub const NAME: &str = "propagationpolicy.karmada.io/name";
}

/// Of ClusterPropagationPolicies, on templates and bindings that they claimed.
pub mod cluster_propagation_policy {
    /// Name of the claiming policy.
    pub const NAME: &str = "clusterpropagationpolicy.karmada.io/name";
}

/// Of ResourceBindings.
pub mod binding {
    /// Namespace of the source binding, on works and their manifests.
    pub const NAMESPACE: &str = "resourcebinding.karmada.io/namespace";
    /// Name of the source binding, on works and their manifests.
    pub const NAME: &str = "resourcebinding.karmada.io/name";
    /// Dependencies of the object, on an independent binding: a JSON array of references.
    pub const DEPENDENCIES: &str = "resourcebinding.karmada.io/dependencies";
    /// Clusters, separated by commas, in which the Work of the object was deleted by hand and is not made again yet.
    pub const REMADE_WORKS: &str = "portolan.dev/remade-works";
    /// The clusters that the workload left because it was unhealthy there, and the generation of its template: JSON.
    pub const FAILED_CLUSTERS: &str = "portolan.dev/failed-clusters";
}

/// Of ClusterResourceBindings.
pub mod cluster_binding {
    /// Name of the source binding, on works and their manifests.
    pub const NAME: &str = "clusterresourcebinding.karmada.io/name";
}

/// Of Works, on their manifests.
pub mod work {
    /// Namespace of the work.
    pub const NAMESPACE: &str = "work.karmada.io/namespace";
    /// Name of the work.
    pub const NAME: &str = "work.karmada.io/name";
    /// `overwrite` or `abort` for an object that is already in the member; users may set it on templates.
    pub const CONFLICT_RESOLUTION: &str = "work.karmada.io/conflict-resolution";
    /// On a Work before it is deleted: why it goes. Without it, the object in the member stays.
    pub const REMOVAL_CAUSE: &str = "portolan.dev/removal-cause";
    /// On a Work: a JSON object of the labels with the state of the copy from which the workload was moved here.
    pub const PRESERVED_LABELS: &str = "portolan.dev/preserved-labels";
}

/// Of Clusters.
pub mod cluster {
    /// Since when traffic is moved away from the cluster, RFC 3339: its endpoints are drained in all others.
    pub const DRAINED: &str = "portolan.dev/drained-since";
    /// Time (RFC 3339) until which held deletions are released; `portolan release` writes it.
    pub const DELETIONS_RELEASED: &str = "portolan.dev/deletions-released";
    /// Tells the agent of a cluster in pull mode since when the state of the control plane is not trusted, and why, as JSON.
    pub const DISTRUST: &str = "portolan.dev/state-not-trusted";
}

/// Of Namespaces.
pub mod namespace {
    /// `true` on the Namespace `kube-federation-system` of the hub when the FederatedTypeConfigs of the built-in kinds were
    /// made.
    pub const FEDERATED_TYPES: &str = "portolan.dev/federated-types-created";
    /// `true` on a Namespace of ours in which an object was preserved: it stays when the namespace on the hub is deleted.
    pub const HOLDS_PRESERVED: &str = "portolan.dev/holds-preserved-objects";
}

/// Of templates, on the manifests of Works.
pub mod template {
    /// UID of the template.
    pub const UID: &str = "resourcetemplate.karmada.io/uid";
    /// That the control plane has set the label `retain-replicas`, because an autoscaler is propagated with the template.
    pub const AUTOSCALED: &str = "portolan.dev/autoscaled";
    /// Generation of the template.
    pub const GENERATION: &str = "resourcetemplate.karmada.io/generation";
    /// The label keys that came from the control plane, sorted and joined by commas.
    pub const MANAGED_LABELS: &str = "resourcetemplate.karmada.io/managed-labels";
    /// The annotation keys that came from the control plane, sorted and joined by commas, this one among them.
    pub const MANAGED_ANNOTATIONS: &str = "resourcetemplate.karmada.io/managed-annotations";
    /// The ports of a Service with node ports that the control plane allocated, such as `80/TCP`, joined by commas. Not on
    /// the stored template.
    pub const ALLOCATED_PORTS: &str = "portolan.dev/allocated-node-ports";
    /// The `healthCheckNodePort` of a Service in the value of [`ALLOCATED_PORTS`].
    pub const HEALTH_CHECK_PORT: &str = "healthCheckNodePort";
}

/// Of the Secrets with credentials of clusters.
pub mod credential {
    /// The Cluster, the address and the CA that the credential is for, as JSON; see [`crate::credential`].
    pub const TARGET: &str = "portolan.dev/credential-for";
}

/// Record of the last scheduling and overrides.
pub mod policy {
    /// UID of the federated object that the policy takes the place of; `portolan migrate` writes it.
    pub const MIGRATED_FROM: &str = "portolan.dev/migrated-from";
    /// The placement last scheduled, as JSON, on bindings.
    pub const APPLIED_PLACEMENT: &str = "policy.karmada.io/applied-placement";
    /// Of templates that a policy with lazy activation claims: what the template was when the policy took effect last.
    pub const ACTIVATION: &str = "portolan.dev/activation";
    /// The OverridePolicies applied, as a JSON array, on works.
    pub const APPLIED_OVERRIDES: &str = "policy.karmada.io/applied-overrides";
    /// The ClusterOverridePolicies applied, as a JSON array, on works.
    pub const APPLIED_CLUSTER_OVERRIDES: &str = "policy.karmada.io/applied-cluster-overrides";
}

/// Of MultiClusterServices, on Services and their bindings. On works the same keys are labels.
pub mod multi_cluster_service {
    /// Its namespace.
    pub const NAMESPACE: &str = "multiclusterservice.karmada.io/namespace";
    /// Its name.
    pub const NAME: &str = "multiclusterservice.karmada.io/name";
}

/// Of ServiceImports.
pub mod service_import {
    /// Name of the Service derived from the import (Multi-Cluster Services API, reference controllers).
    pub const DERIVED_SERVICE: &str = "multicluster.kubernetes.io/derived-service";
}

/// Of the Lease by which a control plane holds a member.
pub mod control_plane {
    /// A name of the control plane for people, such as its URL.
    pub const NAME: &str = "portolan.dev/control-plane-name";
    /// The name under which the member has joined that control plane.
    pub const CLUSTER: &str = "portolan.dev/cluster";
}

/// Of the Leases of agents, by which they tell that they run.
pub mod agent {
    /// What the agent has found out about imported endpoints, as JSON; see [`crate::probes`].
    pub const PROBES: &str = "portolan.dev/probes";
}

/// Of imported EndpointSlices.
pub mod endpoint_slice {
    /// That the endpoints are not ready here although their own cluster says so: `Drain` or `Withdraw`.
    pub const NOT_USED: &str = "portolan.dev/not-used";
    /// The HTTP request by which agents probe the endpoints, as JSON; see [`crate::traffic::HttpProbe`].
    pub const HTTP_PROBE: &str = "portolan.dev/http-probe";
    /// The cluster that an EndpointSlice of a MultiClusterService comes from.
    pub const PROVISION_CLUSTER: &str = "endpointslice.karmada.io/provision-cluster";
}

/// Of CRDs in groups that Kubernetes owns: who approved the API.
pub const API_APPROVED: &str = "api-approved.kubernetes.io";

/// Of federated objects, set by users of Federation v1.
pub mod federation {
    /// JSON list of requirements on the labels of clusters.
    pub const CLUSTER_SELECTOR: &str = "federation.alpha.kubernetes.io/cluster-selector";
    /// How the replicas of a Deployment are divided: JSON.
    pub const DEPLOYMENT_PREFERENCES: &str = "federation.kubernetes.io/deployment-preferences";
    /// How the replicas of a ReplicaSet are divided: JSON.
    pub const REPLICA_SET_PREFERENCES: &str = "federation.kubernetes.io/replica-set-preferences";
    /// How the parallelism of a Job is divided: JSON.
    pub const JOB_PREFERENCES: &str = "federation.kubernetes.io/job-preferences";
}
