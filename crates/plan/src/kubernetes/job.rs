//! Jobs: pods that run until enough of them have succeeded (kubernetes pkg/controller/job).
//!
//! ```text
//! job, pods ─► Counts ─► finished? ─ yes ─► end: delete what runs, condition
//!                          └ no ──► missing or surplus pods, after the back-off of the last failure ─► status
//! ```
//!
//! Pods are counted while they exist. The counters only grow, so that a finished pod that is deleted does not run again.

mod counts;
mod status;

use jiff::{SignedDuration, Timestamp};
use portolan_api::kubernetes::View;
use portolan_api::resources::{self, StaticResource};
use portolan_object::{Object, ObjectKey};
use serde::Deserialize;
use serde_json::{Value, json};

use super::pods::from_template;
use counts::Counts;
use status::Verdict;

/// The index of a pod of an indexed Job.
const INDEX: &str = "batch.kubernetes.io/job-completion-index";
/// Failed pods before a Job without `backoffLimit` fails.
const DEFAULT_BACKOFF_LIMIT: i64 = 6;
/// Delay after the first failure; it doubles with each further one.
const FIRST_BACKOFF: SignedDuration = SignedDuration::from_secs(10);
/// The longest delay after a failure.
const LONGEST_BACKOFF: SignedDuration = SignedDuration::from_mins(10);
/// Pods that are made in one pass.
const BURST: usize = 500;

/// One change that brings the cluster closer to the Job.
#[derive(Debug, Clone, PartialEq)]
pub enum JobAction {
    /// Create a pod.
    Create(Object),
    /// Delete a pod.
    Delete(ObjectKey),
    /// Delete the Job itself: its time to live after the end has passed.
    Expire,
    /// Tell the user what is not supported.
    Warn(String),
    /// Write the status.
    Status(Value),
}

/// The changes, and when to look again if nothing else happens.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JobPlan {
    /// In order.
    pub actions: Vec<JobAction>,
    /// The time of the next look.
    pub next: Option<Timestamp>,
}

/// A Job as its controller reads it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct JobView<'a> {
    spec: Spec,
    #[serde(borrow)]
    status: Status<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    parallelism: Option<i64>,
    completions: Option<i64>,
    backoff_limit: Option<i64>,
    active_deadline_seconds: Option<i64>,
    ttl_seconds_after_finished: Option<i64>,
    completion_mode: String,
    suspend: bool,
    pod_failure_policy: Option<Value>,
    success_policy: Option<Value>,
    backoff_limit_per_index: Option<i64>,
    managed_by: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status<'a> {
    start_time: Option<&'a str>,
    succeeded: i64,
    failed: i64,
    #[serde(borrow)]
    conditions: Vec<portolan_api::kubernetes::Condition<'a>>,
}

impl<'a> View<'a> for JobView<'a> {
    const RESOURCE: StaticResource = resources::JOB;
}

impl Spec {
    fn is_indexed(&self) -> bool {
        self.completion_mode == "Indexed"
    }

    fn parallelism(&self) -> i64 {
        self.parallelism.unwrap_or(1).max(0)
    }

    /// Fields that ask for what is not supported.
    fn unsupported(&self) -> Vec<&'static str> {
        [
            ("podFailurePolicy", self.pod_failure_policy.is_some()),
            ("successPolicy", self.success_policy.is_some()),
            ("backoffLimitPerIndex", self.backoff_limit_per_index.is_some()),
        ]
        .into_iter()
        .filter_map(|(field, is_set)| is_set.then_some(field))
        .collect()
    }
}

/// Computes the steps from the pods that the Job controls.
pub fn plan(job: &Object, pods: &[&Object], now: Timestamp) -> JobPlan {
    let view = JobView::read(job).unwrap_or_default();
    let is_managed_elsewhere = !matches!(&*view.spec.managed_by, "" | "kubernetes.io/job-controller");
    if job.is_deleting() || is_managed_elsewhere {
        return JobPlan::default();
    }
    if let Some(ended) = status::ended_at(&view.status.conditions) {
        return expiry(&view.spec, ended, now);
    }
    let counts = Counts::of(&view, pods);
    let started = view.status.start_time.and_then(|time| time.parse::<Timestamp>().ok());
    let deadline =
        started.zip(view.spec.active_deadline_seconds).map(|(start, seconds)| start + seconds_of(seconds));
    let verdict = verdict(&view.spec, &counts, deadline.filter(|_| !view.spec.suspend), now);
    let mut plan = JobPlan { next: deadline, ..JobPlan::default() };
    if view.status.start_time.is_none() && !view.spec.unsupported().is_empty() {
        let fields = view.spec.unsupported().join(", ");
        plan.actions.push(JobAction::Warn(format!("{fields} of the Job have no effect in this cluster")));
    }
    if verdict.is_final() || view.spec.suspend {
        plan.actions.extend(counts.active.iter().map(|pod| JobAction::Delete(pod.key())));
        plan.next = None;
    } else {
        scale(job, &view.spec, &counts, now, &mut plan);
    }
    let status = status::of(job, &view, &counts, &verdict, now);
    if job.at(&["status"]) != Some(&status) {
        plan.actions.push(JobAction::Status(status));
    }
    plan
}

fn seconds_of(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds.clamp(0, i64::from(i32::MAX)))
}

fn expiry(spec: &Spec, ended: &str, now: Timestamp) -> JobPlan {
    let Some((seconds, ended)) = spec.ttl_seconds_after_finished.zip(ended.parse::<Timestamp>().ok()) else {
        return JobPlan::default();
    };
    let end = ended + seconds_of(seconds);
    match end <= now {
        true => JobPlan { actions: vec![JobAction::Expire], next: None },
        false => JobPlan { actions: Vec::new(), next: Some(end) },
    }
}

fn verdict(spec: &Spec, counts: &Counts<'_>, deadline: Option<Timestamp>, now: Timestamp) -> Verdict {
    let limit = spec.backoff_limit.unwrap_or(DEFAULT_BACKOFF_LIMIT);
    // Containers that restart in place count as failures too; then the limit itself is one too many.
    let is_over = counts.failed > limit || (counts.restarts > 0 && counts.restarts >= limit.max(1));
    if is_over {
        return Verdict::Failed("BackoffLimitExceeded", "Job has reached the specified backoff limit");
    }
    if deadline.is_some_and(|deadline| deadline <= now) {
        return Verdict::Failed("DeadlineExceeded", "Job was active longer than specified deadline");
    }
    let is_complete = match spec.completions {
        Some(completions) => counts.succeeded >= completions,
        None => counts.succeeded > 0 && counts.active.is_empty(),
    };
    if is_complete { Verdict::Complete } else { Verdict::Running }
}

/// Creates missing pods, after the back-off of the last failure, and deletes surplus ones.
fn scale(job: &Object, spec: &Spec, counts: &Counts<'_>, now: Timestamp, plan: &mut JobPlan) {
    let active = i64::try_from(counts.active.len()).unwrap_or(i64::MAX);
    let wanted = match spec.completions {
        Some(completions) => spec.parallelism().min((completions - counts.succeeded).max(0)),
        None if counts.succeeded > 0 => active.min(spec.parallelism()),
        None => spec.parallelism(),
    };
    let surplus = usize::try_from(active - wanted).unwrap_or_default();
    plan.actions.extend(counts.active.iter().rev().take(surplus).map(|pod| JobAction::Delete(pod.key())));
    let missing = usize::try_from(wanted - active).unwrap_or_default().min(BURST);
    if missing == 0 {
        return;
    }
    if let Some(ready) = counts.last_failure.map(|failure| failure + backoff(counts.failed))
        && ready > now
    {
        plan.next = Some(plan.next.map_or(ready, |next| next.min(ready)));
        return;
    }
    match spec.is_indexed() {
        true => {
            let total = spec.completions.unwrap_or_default();
            let free = (0..total).filter(|index| !counts.taken.contains(index));
            plan.actions.extend(free.take(missing).map(|index| JobAction::Create(indexed(job, index))));
        }
        false => plan.actions.extend((0..missing).map(|_| JobAction::Create(from_template(job)))),
    }
}

fn backoff(failures: i64) -> SignedDuration {
    let doublings = u32::try_from((failures - 1).clamp(0, 16)).unwrap_or_default();
    FIRST_BACKOFF.checked_mul(1 << doublings).map_or(LONGEST_BACKOFF, |delay| delay.min(LONGEST_BACKOFF))
}

/// The pod of an index, which its containers find in their environment.
fn indexed(job: &Object, index: i64) -> Object {
    let mut pod = from_template(job);
    let name = format!("{}-{index}", job.name());
    let metadata = &mut pod.0["metadata"];
    metadata["generateName"] = json!(format!("{name}-"));
    metadata["annotations"][INDEX] = json!(index.to_string());
    metadata["labels"][INDEX] = json!(index.to_string());
    pod.0["spec"]["hostname"] = json!(name);
    let variable = json!({ "name": "JOB_COMPLETION_INDEX", "valueFrom": {
        "fieldRef": { "apiVersion": "v1", "fieldPath": format!("metadata.annotations['{INDEX}']") } } });
    for list in ["initContainers", "containers"] {
        for container in pod.0["spec"][list].as_array_mut().into_iter().flatten() {
            match container["env"].as_array_mut() {
                Some(variables) => variables.push(variable.clone()),
                None => container["env"] = json!([variable]),
            }
        }
    }
    pod
}

#[cfg(test)]
mod tests;
