//! `rbac.authorization.k8s.io`: roles and their bindings.

mod bindings;
mod cluster_role;
mod cluster_role_binding;
mod role;
mod role_binding;
mod rules;

use super::Group;

const GROUP: &str = "rbac.authorization.k8s.io";

pub(super) static API_GROUP: Group = Group {
    name: GROUP,
    versions: &["v1"],
    priority: 17000,
    kinds: &[&cluster_role_binding::KIND, &cluster_role::KIND, &role_binding::KIND, &role::KIND],
};
