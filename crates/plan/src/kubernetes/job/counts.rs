//! The pods of a Job by their state.

use std::collections::BTreeSet;

use jiff::Timestamp;
use portolan_object::Object;
use serde_json::Value;

use super::{INDEX, JobView};
use crate::kubernetes::pods::{is_active, is_ready, status};

/// What the pods of a Job have come to.
#[derive(Debug, Default)]
pub(super) struct Counts<'a> {
    /// Pods that wait or run, the oldest first.
    pub(super) active: Vec<&'a Object>,
    pub(super) ready: usize,
    /// Pods that are being deleted and have not ended.
    pub(super) terminating: usize,
    /// Successes; of an indexed Job, indices with one.
    pub(super) succeeded: i64,
    pub(super) failed: i64,
    /// Restarts of containers in pods that are not finished.
    pub(super) restarts: i64,
    /// The end of the newest failed pod.
    pub(super) last_failure: Option<Timestamp>,
    /// Indices that succeeded.
    pub(super) completed: BTreeSet<i64>,
    /// Indices that succeeded or have an active pod.
    pub(super) taken: BTreeSet<i64>,
}

impl<'a> Counts<'a> {
    pub(super) fn of(job: &JobView<'_>, pods: &[&'a Object]) -> Self {
        let mut counts = Self::default();
        for pod in pods.iter().copied() {
            let index = pod.at(&["metadata", "annotations", INDEX]).and_then(Value::as_str);
            let index = index.and_then(|index| index.parse::<i64>().ok());
            match status(pod).phase {
                "Succeeded" => {
                    counts.succeeded += 1;
                    counts.completed.extend(index);
                    counts.taken.extend(index);
                }
                "Failed" => {
                    counts.failed += 1;
                    counts.last_failure = counts.last_failure.max(ended(pod));
                }
                _ if !is_active(pod) => counts.terminating += 1,
                _ => {
                    counts.active.push(pod);
                    counts.ready += usize::from(is_ready(pod));
                    counts.restarts += restarts(pod);
                    counts.taken.extend(index);
                }
            }
        }
        counts.active.sort_by_key(|pod| (pod.creation_timestamp().to_owned(), pod.name().to_owned()));
        if job.spec.is_indexed() {
            counts.succeeded = i64::try_from(counts.completed.len()).unwrap_or(i64::MAX);
        }
        counts.succeeded = counts.succeeded.max(job.status.succeeded);
        counts.failed = counts.failed.max(job.status.failed);
        counts
    }
}

/// When the last container of a pod ended.
fn ended(pod: &Object) -> Option<Timestamp> {
    let containers = pod.at(&["status", "containerStatuses"]).and_then(Value::as_array)?;
    let ends =
        containers.iter().filter_map(|container| container["state"]["terminated"]["finishedAt"].as_str());
    ends.filter_map(|end| end.parse().ok()).max()
}

fn restarts(pod: &Object) -> i64 {
    let lists = ["initContainerStatuses", "containerStatuses"];
    let containers = lists.iter().filter_map(|list| pod.at(&["status", list])?.as_array()).flatten();
    containers.filter_map(|container| container["restartCount"].as_i64()).sum()
}
