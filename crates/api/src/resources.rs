//! The built-in resources that Portolan itself reads or writes.
//!
//! One constant per resource, so that group, version, kind, plural and scope are written down once. Resources of
//! Portolan's typed kinds come from [`Kind`](crate::Kind); all others come from discovery.
//!
//! ```
//! use portolan_api::resources;
//!
//! assert_eq!(resources::DEPLOYMENT.api_version(), "apps/v1");
//! ```

use portolan_object::{GroupVersionKind, Object};

/// A resource that is known at compile time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StaticResource {
    /// API group, empty for the core group.
    pub group: &'static str,
    /// API version, such as `v1`.
    pub version: &'static str,
    /// Kind, such as `Deployment`.
    pub kind: &'static str,
    /// Resource name in paths, such as `deployments`.
    pub plural: &'static str,
    /// Whether objects live in a namespace.
    pub namespaced: bool,
}

impl StaticResource {
    /// A resource with namespaced objects.
    pub const fn namespaced(
        group: &'static str,
        version: &'static str,
        kind: &'static str,
        plural: &'static str,
    ) -> Self {
        Self { group, version, kind, plural, namespaced: true }
    }

    /// A resource with cluster-scoped objects.
    pub const fn cluster(
        group: &'static str,
        version: &'static str,
        kind: &'static str,
        plural: &'static str,
    ) -> Self {
        Self { group, version, kind, plural, namespaced: false }
    }

    /// Group, version and kind.
    pub fn gvk(&self) -> GroupVersionKind {
        GroupVersionKind::new(self.group, self.version, self.kind)
    }

    /// The `apiVersion` of its objects, such as `apps/v1`.
    pub fn api_version(&self) -> String {
        match self.group {
            "" => self.version.to_owned(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// Whether `kind` has this group and kind, in any version.
    pub fn is_kind(&self, kind: &GroupVersionKind) -> bool {
        kind.group == self.group && kind.kind == self.kind
    }

    /// Whether `object` has this group and kind, in any version. Allocates nothing.
    pub fn is_kind_of(&self, object: &Object) -> bool {
        let group = object.api_version().rsplit_once('/').map_or("", |(group, _)| group);
        group == self.group && object.kind() == self.kind
    }
}

/// Declares the constants, and [`ALL`] of them.
macro_rules! resources {
    ($($(#[$doc:meta])* $name:ident = $scope:ident($group:literal, $version:literal, $kind:literal, $plural:literal);)+) => {
        $($(#[$doc])* pub const $name: StaticResource = StaticResource::$scope($group, $version, $kind, $plural);)+

        /// Every constant of this module.
        pub const ALL: &[StaticResource] = &[$($name),+];
    };
}

resources! {
    /// ConfigMaps.
    CONFIG_MAP = namespaced("", "v1", "ConfigMap", "configmaps");
    /// Endpoints, the predecessor of EndpointSlices.
    ENDPOINTS = namespaced("", "v1", "Endpoints", "endpoints");
    /// Events of the core group.
    EVENT = namespaced("", "v1", "Event", "events");
    /// Namespaces.
    NAMESPACE = cluster("", "v1", "Namespace", "namespaces");
    /// Nodes.
    NODE = cluster("", "v1", "Node", "nodes");
    /// PersistentVolumes.
    PERSISTENT_VOLUME = cluster("", "v1", "PersistentVolume", "persistentvolumes");
    /// PersistentVolumeClaims.
    PERSISTENT_VOLUME_CLAIM = namespaced("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims");
    /// StorageClasses.
    STORAGE_CLASS = cluster("storage.k8s.io", "v1", "StorageClass", "storageclasses");
    /// Pods.
    POD = namespaced("", "v1", "Pod", "pods");
    /// ReplicationControllers.
    REPLICATION_CONTROLLER = namespaced("", "v1", "ReplicationController", "replicationcontrollers");
    /// ResourceQuotas.
    RESOURCE_QUOTA = namespaced("", "v1", "ResourceQuota", "resourcequotas");
    /// Secrets.
    SECRET = namespaced("", "v1", "Secret", "secrets");
    /// Services.
    SERVICE = namespaced("", "v1", "Service", "services");
    /// ServiceAccounts.
    SERVICE_ACCOUNT = namespaced("", "v1", "ServiceAccount", "serviceaccounts");
    /// CustomResourceDefinitions.
    CUSTOM_RESOURCE_DEFINITION =
        cluster("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions");
    /// ControllerRevisions.
    CONTROLLER_REVISION = namespaced("apps", "v1", "ControllerRevision", "controllerrevisions");
    /// DaemonSets.
    DAEMON_SET = namespaced("apps", "v1", "DaemonSet", "daemonsets");
    /// Deployments.
    DEPLOYMENT = namespaced("apps", "v1", "Deployment", "deployments");
    /// ReplicaSets.
    REPLICA_SET = namespaced("apps", "v1", "ReplicaSet", "replicasets");
    /// StatefulSets.
    STATEFUL_SET = namespaced("apps", "v1", "StatefulSet", "statefulsets");
    /// HorizontalPodAutoscalers.
    HORIZONTAL_POD_AUTOSCALER =
        namespaced("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers");
    /// CronJobs.
    CRON_JOB = namespaced("batch", "v1", "CronJob", "cronjobs");
    /// Jobs.
    JOB = namespaced("batch", "v1", "Job", "jobs");
    /// Leases.
    LEASE = namespaced("coordination.k8s.io", "v1", "Lease", "leases");
    /// EndpointSlices.
    ENDPOINT_SLICE = namespaced("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices");
    /// Ingresses.
    INGRESS = namespaced("networking.k8s.io", "v1", "Ingress", "ingresses");
    /// PodDisruptionBudgets.
    POD_DISRUPTION_BUDGET = namespaced("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets");
    /// PriorityClasses.
    PRIORITY_CLASS = cluster("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses");
    /// CertificateSigningRequests.
    CERTIFICATE_SIGNING_REQUEST =
        cluster("certificates.k8s.io", "v1", "CertificateSigningRequest", "certificatesigningrequests");
    /// Roles.
    ROLE = namespaced("rbac.authorization.k8s.io", "v1", "Role", "roles");
    /// RoleBindings.
    ROLE_BINDING = namespaced("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings");
    /// ClusterRoles.
    CLUSTER_ROLE = cluster("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles");
    /// ClusterRoleBindings.
    CLUSTER_ROLE_BINDING =
        cluster("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings");
}

#[cfg(test)]
mod tests {
    use portolan_object::builtin;
    use serde_json::json;

    use super::*;

    #[test]
    fn every_resource_has_a_built_in_schema() {
        for resource in ALL {
            assert!(builtin::schema(&resource.gvk()).is_some(), "{resource:?}");
        }
    }

    #[test]
    fn a_kind_is_recognised_in_any_version() {
        let cases = [
            ("apps/v1", "Deployment", true),
            ("apps/v1beta2", "Deployment", true),
            ("v1", "Deployment", false),
            ("apps/v1", "ReplicaSet", false),
        ];
        for (api_version, kind, want) in cases {
            let object = Object(json!({ "apiVersion": api_version, "kind": kind }));
            assert_eq!(DEPLOYMENT.is_kind_of(&object), want, "{api_version} {kind}");
            assert_eq!(DEPLOYMENT.is_kind(&object.group_version_kind()), want, "{api_version} {kind}");
        }
        assert!(SERVICE.is_kind_of(&Object(json!({ "apiVersion": "v1", "kind": "Service" }))));
    }
}
