//! `policy/v1` PodDisruptionBudget.

use serde::Deserialize;

use super::View;
use crate::resources::{self, StaticResource};

/// A PodDisruptionBudget.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodDisruptionBudget {
    /// Counters.
    pub status: PodDisruptionBudgetStatus,
}

/// `status` of a PodDisruptionBudget.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodDisruptionBudgetStatus {
    /// Healthy pods.
    pub current_healthy: i64,
    /// Pods that must be healthy.
    pub desired_healthy: i64,
}

impl View<'_> for PodDisruptionBudget {
    const RESOURCE: StaticResource = resources::POD_DISRUPTION_BUDGET;
}
