//! `apiextensions.k8s.io/v1` CustomResourceDefinition.

use serde::Deserialize;

use super::{Condition, View};
use crate::resources::{self, StaticResource};

/// A CustomResourceDefinition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CustomResourceDefinition<'a> {
    /// The definition.
    #[serde(borrow)]
    pub spec: CustomResourceDefinitionSpec<'a>,
    /// State of its registration.
    pub status: CustomResourceDefinitionStatus<'a>,
}

/// `spec` of a CustomResourceDefinition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CustomResourceDefinitionSpec<'a> {
    /// API group.
    pub group: &'a str,
    /// Names of the kind.
    pub names: CustomResourceDefinitionNames<'a>,
    /// Versions, in the order of the definition.
    #[serde(borrow)]
    pub versions: Vec<CustomResourceDefinitionVersion<'a>>,
}

/// `spec.names` of a CustomResourceDefinition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CustomResourceDefinitionNames<'a> {
    /// Kind.
    pub kind: &'a str,
}

/// One version of a CustomResourceDefinition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CustomResourceDefinitionVersion<'a> {
    /// Name, such as `v1`.
    pub name: &'a str,
    /// Whether the API server serves the version.
    pub served: bool,
}

/// `status` of a CustomResourceDefinition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CustomResourceDefinitionStatus<'a> {
    /// Conditions.
    #[serde(borrow)]
    pub conditions: Vec<Condition<'a>>,
}

impl<'a> View<'a> for CustomResourceDefinition<'a> {
    const RESOURCE: StaticResource = resources::CUSTOM_RESOURCE_DEFINITION;
}

impl CustomResourceDefinition<'_> {
    /// Whether the API server has accepted the names and serves the kind.
    pub fn is_established(&self) -> bool {
        self.status.conditions.iter().any(|condition| condition.kind == "Established" && condition.is_true())
    }
}
