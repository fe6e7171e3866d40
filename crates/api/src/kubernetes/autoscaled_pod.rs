//! `v1` Pod, as an autoscaler reads it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Condition, View};
use crate::resources::{self, StaticResource};

/// A Pod.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AutoscaledPod<'a> {
    /// Containers and their requests.
    #[serde(borrow)]
    pub spec: AutoscaledPodSpec<'a>,
    /// State.
    pub status: AutoscaledPodStatus<'a>,
}

/// `spec` of a Pod.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AutoscaledPodSpec<'a> {
    /// Containers.
    #[serde(borrow)]
    pub containers: Vec<AutoscaledContainer<'a>>,
}

/// One container of a Pod.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AutoscaledContainer<'a> {
    /// Name.
    pub name: &'a str,
    /// Requests.
    #[serde(borrow)]
    pub resources: ContainerResources<'a>,
}

/// `resources` of a container.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerResources<'a> {
    /// Quantities by resource name.
    #[serde(borrow)]
    pub requests: BTreeMap<&'a str, Value>,
}

/// `status` of a Pod.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AutoscaledPodStatus<'a> {
    /// `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
    pub phase: &'a str,
    /// Time of the start, RFC 3339.
    pub start_time: &'a str,
    /// Conditions.
    #[serde(borrow)]
    pub conditions: Vec<Condition<'a>>,
}

impl<'a> View<'a> for AutoscaledPod<'a> {
    const RESOURCE: StaticResource = resources::POD;
}
