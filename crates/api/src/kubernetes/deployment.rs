//! `apps/v1` Deployment.

use serde::Deserialize;

use super::{IntOrString, View};
use crate::resources::{self, StaticResource};

/// A Deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Deployment<'a> {
    /// Desired state.
    #[serde(borrow)]
    pub spec: DeploymentSpec<'a>,
    /// Counters and conditions.
    pub status: DeploymentStatus<'a>,
}

/// `spec` of a Deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeploymentSpec<'a> {
    /// Desired pods; one if absent.
    pub replicas: Option<i64>,
    /// Whether changes of the template are held back.
    pub paused: bool,
    /// Old ReplicaSets to keep; ten if absent.
    pub revision_history_limit: Option<u32>,
    /// Seconds for which a pod must be ready until it is available.
    pub min_ready_seconds: i64,
    /// Seconds without progress after which a rollout counts as stuck; never if absent.
    pub progress_deadline_seconds: Option<i64>,
    /// How pods of the old template are replaced.
    #[serde(borrow)]
    pub strategy: DeploymentStrategy<'a>,
}

/// `spec.strategy` of a Deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeploymentStrategy<'a> {
    /// `type`: `RollingUpdate` or `Recreate`.
    #[serde(rename = "type")]
    pub kind: &'a str,
    /// Limits of a rolling update.
    #[serde(borrow)]
    pub rolling_update: RollingUpdate<'a>,
}

/// `spec.strategy.rollingUpdate` of a Deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RollingUpdate<'a> {
    /// Pods above the desired number; 25% if absent.
    #[serde(borrow)]
    pub max_surge: Option<IntOrString<'a>>,
    /// Pods that may be unavailable; 25% if absent.
    pub max_unavailable: Option<IntOrString<'a>>,
}

/// `status` of a Deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeploymentStatus<'a> {
    /// The generation that the status is about.
    pub observed_generation: i64,
    /// Pods.
    pub replicas: i64,
    /// Pods of the current template.
    pub updated_replicas: i64,
    /// Ready pods.
    pub ready_replicas: i64,
    /// Pods that have been ready for `minReadySeconds`.
    pub available_replicas: i64,
    /// Desired pods that are not available.
    pub unavailable_replicas: i64,
    /// Names of ReplicaSets that were taken; part of the hash of the next name.
    pub collision_count: Option<i64>,
    /// Conditions.
    #[serde(borrow)]
    pub conditions: Vec<DeploymentCondition<'a>>,
}

/// One entry of `status.conditions` of a Deployment; it has one time more than other conditions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeploymentCondition<'a> {
    /// `type`, such as `Available`.
    #[serde(rename = "type")]
    pub kind: &'a str,
    /// `True`, `False` or `Unknown`.
    pub status: &'a str,
    /// Reason, as one word for programs.
    pub reason: &'a str,
    /// Message for people.
    pub message: &'a str,
    /// Time of the last change of `status`, RFC 3339.
    pub last_transition_time: &'a str,
    /// Time of the last change of the condition, RFC 3339.
    pub last_update_time: &'a str,
}

impl<'a> View<'a> for Deployment<'a> {
    const RESOURCE: StaticResource = resources::DEPLOYMENT;
}
