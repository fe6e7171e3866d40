//! `apps/v1` DaemonSet.

use serde::Deserialize;

use super::View;
use crate::resources::{self, StaticResource};

/// A DaemonSet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DaemonSet {
    /// Counters of its pods.
    pub status: DaemonSetStatus,
}

/// `status` of a DaemonSet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DaemonSetStatus {
    /// The generation that the status is about.
    pub observed_generation: i64,
    /// Nodes that should run a pod.
    pub desired_number_scheduled: i64,
    /// Nodes with a pod of the current template.
    pub updated_number_scheduled: i64,
    /// Nodes with an available pod.
    pub number_available: i64,
}

impl View<'_> for DaemonSet {
    const RESOURCE: StaticResource = resources::DAEMON_SET;
}
