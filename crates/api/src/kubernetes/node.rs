//! `v1` Node.

use serde::Deserialize;

use super::{Condition, View};
use crate::resources::{self, StaticResource};

/// A Node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Node<'a> {
    /// State.
    #[serde(borrow)]
    pub status: NodeStatus<'a>,
}

/// `status` of a Node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeStatus<'a> {
    /// Conditions.
    #[serde(borrow)]
    pub conditions: Vec<Condition<'a>>,
}

impl<'a> View<'a> for Node<'a> {
    const RESOURCE: StaticResource = resources::NODE;
}

impl Node<'_> {
    /// Whether the node is ready to run pods.
    pub fn is_ready(&self) -> bool {
        self.status.conditions.iter().any(|condition| condition.kind == "Ready" && condition.is_true())
    }
}
