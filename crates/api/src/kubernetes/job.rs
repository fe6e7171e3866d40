//! `batch/v1` Job.

use serde::Deserialize;

use super::{Condition, View};
use crate::resources::{self, StaticResource};

/// A Job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Job<'a> {
    /// Desired state.
    pub spec: JobSpec,
    /// Counters, times and conditions.
    #[serde(borrow)]
    pub status: JobStatus<'a>,
}

/// `spec` of a Job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JobSpec {
    /// Pods that run at the same time; one if absent.
    pub parallelism: Option<i64>,
    /// Pods that must succeed.
    pub completions: Option<i64>,
    /// Whether the user wrote the selector.
    pub manual_selector: bool,
}

/// `status` of a Job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JobStatus<'a> {
    /// Time of the start, RFC 3339.
    pub start_time: Option<&'a str>,
    /// Time of the success, RFC 3339.
    pub completion_time: Option<&'a str>,
    /// Conditions.
    #[serde(borrow)]
    pub conditions: Vec<Condition<'a>>,
}

impl JobStatus<'_> {
    /// Whether the condition of a type is `True`.
    pub fn has_condition(&self, kind: &str) -> bool {
        self.conditions.iter().any(|condition| condition.kind == kind && condition.is_true())
    }
}

impl<'a> View<'a> for Job<'a> {
    const RESOURCE: StaticResource = resources::JOB;
}
