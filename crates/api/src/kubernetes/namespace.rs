//! `v1` Namespace.

use serde::Deserialize;

use super::{Condition, View};
use crate::resources::{self, StaticResource};

/// A Namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Namespace<'a> {
    /// State.
    #[serde(borrow)]
    pub status: NamespaceStatus<'a>,
}

/// `status` of a Namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NamespaceStatus<'a> {
    /// Conditions.
    #[serde(borrow)]
    pub conditions: Vec<Condition<'a>>,
}

impl<'a> View<'a> for Namespace<'a> {
    const RESOURCE: StaticResource = resources::NAMESPACE;
}
