//! `rbac.authorization.k8s.io/v1` ClusterRole and ClusterRoleBinding.

use serde::Deserialize;

use super::View;
use crate::resources::{self, StaticResource};

/// A ClusterRole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterRole<'a> {
    /// What it allows.
    #[serde(borrow)]
    pub rules: Vec<PolicyRule<'a>>,
}

/// One rule of a role.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PolicyRule<'a> {
    /// API groups; `*` stands for all.
    #[serde(borrow)]
    pub api_groups: Vec<&'a str>,
    /// `pods`, `pods/log`, `*/log` or `*`.
    pub resources: Vec<&'a str>,
    /// Names of objects; empty for all.
    pub resource_names: Vec<&'a str>,
}

/// A ClusterRoleBinding.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterRoleBinding<'a> {
    /// The role.
    #[serde(borrow)]
    pub role_ref: RoleReference<'a>,
    /// Who has the role.
    pub subjects: Vec<Subject<'a>>,
}

/// `roleRef` of a binding.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RoleReference<'a> {
    /// Name of the role.
    pub name: &'a str,
}

/// One of those who have a role.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Subject<'a> {
    /// `User`, `Group` or `ServiceAccount`.
    pub kind: &'a str,
    /// Its name.
    pub name: &'a str,
}

impl<'a> View<'a> for ClusterRole<'a> {
    const RESOURCE: StaticResource = resources::CLUSTER_ROLE;
}

impl<'a> View<'a> for ClusterRoleBinding<'a> {
    const RESOURCE: StaticResource = resources::CLUSTER_ROLE_BINDING;
}
