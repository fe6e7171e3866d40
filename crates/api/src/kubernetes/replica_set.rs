//! `apps/v1` ReplicaSet.

use serde::Deserialize;

use super::View;
use crate::resources::{self, StaticResource};

/// A ReplicaSet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReplicaSet {
    /// Desired state.
    pub spec: ReplicaSetSpec,
    /// Counters of its pods.
    pub status: ReplicaSetStatus,
}

/// `spec` of a ReplicaSet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReplicaSetSpec {
    /// Desired pods; one if absent.
    pub replicas: Option<i64>,
    /// Seconds for which a pod must be ready until it is available.
    pub min_ready_seconds: i64,
}

/// `status` of a ReplicaSet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReplicaSetStatus {
    /// The generation that the status is about.
    pub observed_generation: i64,
    /// Pods.
    pub replicas: i64,
    /// Ready pods.
    pub ready_replicas: i64,
    /// Pods that have been ready for `minReadySeconds`.
    pub available_replicas: i64,
}

impl View<'_> for ReplicaSet {
    const RESOURCE: StaticResource = resources::REPLICA_SET;
}
