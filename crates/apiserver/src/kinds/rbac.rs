//! `rbac.authorization.k8s.io`: roles and their bindings.

mod cluster_role;
mod cluster_role_binding;
mod role;
mod role_binding;

use super::Group;

const GROUP: &str = "rbac.authorization.k8s.io";

/// The group.
pub(super) static KINDS: Group = Group {
    name: GROUP,
    versions: &["v1"],
    priority: 17000,
    kinds: &[&cluster_role_binding::KIND, &cluster_role::KIND, &role_binding::KIND, &role::KIND],
};
