//! Which kinds have a federated form, and how it is named.

use portolan_object::{GroupKind, GroupVersionKind};

use super::api_resource::ApiResource;
use super::config::Scope;
use super::{TYPES_GROUP, TYPES_VERSION};
use crate::resources::{self, StaticResource};

/// Group, version, kind, plural and scope of a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeName {
    /// Group, version and kind.
    pub gvk: GroupVersionKind,
    /// Resource name in paths.
    pub plural: String,
    /// Whether its objects live in a namespace.
    pub namespaced: bool,
}

/// A kind and its federated form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FederatedType {
    /// The kind that members get.
    pub target: TypeName,
    /// The kind of the federated objects.
    pub federated: TypeName,
}

impl FederatedType {
    /// The federated form of a kind, with the default names (kubefed pkg/kubefedctl/enable/directive.go).
    pub fn of(target: TypeName) -> Self {
        let kind = format!("Federated{}", target.gvk.kind);
        let is_namespace = resources::NAMESPACE.is_kind(&target.gvk);
        let federated = TypeName {
            plural: format!("federated{}", target.plural),
            gvk: GroupVersionKind::new(TYPES_GROUP, TYPES_VERSION, kind),
            namespaced: target.namespaced || is_namespace,
        };
        Self { target, federated }
    }

    /// Name of its FederatedTypeConfig.
    pub fn name(&self) -> String {
        match self.target.gvk.group.as_str() {
            "" => self.target.plural.clone(),
            group => format!("{}.{group}", self.target.plural),
        }
    }

    /// Whether members get namespaces.
    pub fn is_namespace(&self) -> bool {
        resources::NAMESPACE.is_kind(&self.target.gvk)
    }

    /// Whether a kind is the federated one, in any version.
    pub fn federates(&self, kind: &GroupKind) -> bool {
        self.federated.gvk.group == kind.group && self.federated.gvk.kind == kind.kind
    }
}

impl From<&ApiResource> for TypeName {
    fn from(resource: &ApiResource) -> Self {
        Self {
            gvk: GroupVersionKind::new(&*resource.group, &*resource.version, &*resource.kind),
            plural: resource.plural_name.clone(),
            namespaced: resource.scope == Scope::Namespaced,
        }
    }
}

impl From<&TypeName> for ApiResource {
    fn from(name: &TypeName) -> Self {
        Self {
            group: name.gvk.group.clone(),
            version: name.gvk.version.clone(),
            kind: name.gvk.kind.clone(),
            plural_name: name.plural.clone(),
            scope: if name.namespaced { Scope::Namespaced } else { Scope::Cluster },
        }
    }
}

impl From<StaticResource> for TypeName {
    fn from(resource: StaticResource) -> Self {
        Self { gvk: resource.gvk(), plural: resource.plural.to_owned(), namespaced: resource.namespaced }
    }
}

/// The plural that KubeFed gives a kind without one (kubefed pkg/apis/core/v1beta1/federatedtypeconfig_types.go).
pub fn plural(kind: &str) -> String {
    let kind = kind.to_lowercase();
    if ["s", "x", "ch", "sh", "z", "o"].iter().any(|suffix| kind.ends_with(suffix)) {
        return format!("{kind}es");
    }
    match kind.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None => format!("{kind}s"),
    }
}

/// A built-in kind with a federated form, and the short names of that.
#[derive(Debug, Clone, Copy)]
pub struct BuiltIn {
    /// The kind that members get.
    pub target: StaticResource,
    /// Short names of the federated kind: `f` before each short name of the kind.
    pub short_names: &'static [&'static str],
}

const fn built_in(target: StaticResource, short_names: &'static [&'static str]) -> BuiltIn {
    BuiltIn { target, short_names }
}

const RBAC: &str = "rbac.authorization.k8s.io";

/// The built-in kinds with a definition and a FederatedTypeConfig from the start: those of KubeFed's chart, and the others
/// that users deploy. Short names as `kubefedctl enable` makes them. ResourceQuotas are not among them: Karmada has a kind
/// FederatedResourceQuota.
pub const BUILT_IN: &[BuiltIn] = &[
    built_in(resources::CLUSTER_ROLE, &[]),
    built_in(resources::CLUSTER_ROLE_BINDING, &[]),
    built_in(resources::CONFIG_MAP, &["fcm"]),
    built_in(resources::CRON_JOB, &["fcj"]),
    built_in(resources::DAEMON_SET, &["fds"]),
    built_in(resources::DEPLOYMENT, &["fdeploy"]),
    // `fhpa` is Karmada's FederatedHPA.
    built_in(resources::HORIZONTAL_POD_AUTOSCALER, &[]),
    built_in(resources::INGRESS, &["fing"]),
    built_in(resources::JOB, &[]),
    built_in(StaticResource::namespaced("", "v1", "LimitRange", "limitranges"), &["flimits"]),
    built_in(resources::NAMESPACE, &["fns"]),
    built_in(
        StaticResource::namespaced("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
        &["fnetpol"],
    ),
    built_in(resources::PERSISTENT_VOLUME_CLAIM, &["fpvc"]),
    built_in(resources::POD_DISRUPTION_BUDGET, &["fpdb"]),
    built_in(resources::PRIORITY_CLASS, &["fpc"]),
    built_in(resources::REPLICA_SET, &["frs"]),
    built_in(StaticResource::namespaced(RBAC, "v1", "Role", "roles"), &[]),
    built_in(StaticResource::namespaced(RBAC, "v1", "RoleBinding", "rolebindings"), &[]),
    built_in(resources::SECRET, &[]),
    built_in(resources::SERVICE, &["fsvc"]),
    built_in(resources::SERVICE_ACCOUNT, &["fsa"]),
    built_in(resources::STATEFUL_SET, &["fsts"]),
    built_in(StaticResource::cluster("storage.k8s.io", "v1", "StorageClass", "storageclasses"), &["fsc"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plurals_are_kubefeds() {
        for (kind, want) in [
            ("Deployment", "deployments"),
            ("Ingress", "ingresses"),
            ("Box", "boxes"),
            ("NetworkPolicy", "networkpolicies"),
            ("Patch", "patches"),
            ("Hero", "heroes"),
        ] {
            assert_eq!(plural(kind), want);
        }
    }

    #[test]
    fn a_federated_kind_is_where_its_target_is() {
        let of = |target| FederatedType::of(TypeName::from(target));
        let deployment = of(resources::DEPLOYMENT);
        assert_eq!(deployment.name(), "deployments.apps");
        assert_eq!(deployment.federated.gvk.kind, "FederatedDeployment");
        assert_eq!(deployment.federated.plural, "federateddeployments");
        assert!(!of(resources::CLUSTER_ROLE).federated.namespaced);
        let namespace = of(resources::NAMESPACE);
        assert!(namespace.federated.namespaced, "a FederatedNamespace is in its namespace");
        assert_eq!(namespace.name(), "namespaces");
    }
}
