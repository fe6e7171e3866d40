//! CronJobs: Jobs at the times of a schedule (kubernetes pkg/controller/cronjob).
//!
//! The name of a Job follows from its time, so that a second creation fails and changes nothing. Of several missed times only
//! the latest is made good.

use jiff::{SignedDuration, Timestamp};
use portolan_api::autoscaling::Schedule;
use portolan_api::kubernetes::{Job, View};
use portolan_api::resources::{self, StaticResource};
use portolan_object::time::format_time;
use portolan_object::{Object, ObjectKey};
use serde::Deserialize;
use serde_json::{Value, json};

use super::pods::controller_reference;

/// The time for which a Job was made.
const SCHEDULED: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";
const KEPT_SUCCESSFUL: usize = 3;
const KEPT_FAILED: usize = 1;

/// One change that brings the cluster closer to the CronJob.
#[derive(Debug, Clone, PartialEq)]
pub enum CronJobAction {
    /// Create a Job.
    Create(Object),
    /// Delete a Job with its pods.
    Delete(ObjectKey),
    /// Tell the user why a time passes without a Job.
    Warn(&'static str, String),
    /// Write the status.
    Status(Value),
}

/// The changes, and when to look again if nothing else happens.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CronJobPlan {
    /// In order.
    pub actions: Vec<CronJobAction>,
    /// The next time of the schedule.
    pub next: Option<Timestamp>,
}

/// A CronJob as its controller reads it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CronJobView<'a> {
    #[serde(borrow)]
    spec: Spec<'a>,
    status: Status<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec<'a> {
    schedule: &'a str,
    time_zone: Option<&'a str>,
    concurrency_policy: &'a str,
    suspend: bool,
    starting_deadline_seconds: Option<i64>,
    successful_jobs_history_limit: Option<usize>,
    failed_jobs_history_limit: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status<'a> {
    last_schedule_time: Option<&'a str>,
    last_successful_time: Option<&'a str>,
}

impl<'a> View<'a> for CronJobView<'a> {
    const RESOURCE: StaticResource = resources::CRON_JOB;
}

/// Computes the steps from the Jobs that the CronJob controls.
pub fn plan(cron_job: &Object, jobs: &[&Object], now: Timestamp) -> CronJobPlan {
    if cron_job.is_deleting() {
        return CronJobPlan::default();
    }
    let view = CronJobView::read(cron_job).unwrap_or_default();
    let mut plan = CronJobPlan::default();
    let (active, ended): (Vec<&Object>, Vec<&Object>) = jobs.iter().partition(|job| outcome(job).is_none());
    forget(&view.spec, &ended, &mut plan);
    let mut last = view.status.last_schedule_time.map(str::to_owned);
    match Schedule::parse(view.spec.schedule, view.spec.time_zone) {
        Err(error) => plan.actions.push(CronJobAction::Warn("UnparseableSchedule", error.to_string())),
        Ok(schedule) if !view.spec.suspend => {
            plan.next = schedule.next_after(now);
            if plan.next.is_none() {
                let text = format!("invalid schedule: {}: it names no time that comes", view.spec.schedule);
                plan.actions.push(CronJobAction::Warn("InvalidSchedule", text));
            }
            if let Some(due) = due(cron_job, &view, &schedule, now)
                && start(cron_job, &view.spec, &active, due, &mut plan)
            {
                last = Some(format_time(due));
            }
        }
        Ok(_) => {}
    }
    let status = status(&view, &active, &ended, last.as_deref());
    if cron_job.at(&["status"]).unwrap_or(&json!({})) != &status {
        plan.actions.push(CronJobAction::Status(status));
    }
    plan
}

/// How a Job ended; `None` while it goes on.
fn outcome(job: &Object) -> Option<&'static str> {
    let view = Job::read(job).unwrap_or_default();
    ["Complete", "Failed"].into_iter().find(|kind| view.status.has_condition(kind))
}

/// The latest time of the schedule for which no Job was started yet.
fn due(cron_job: &Object, view: &CronJobView<'_>, schedule: &Schedule, now: Timestamp) -> Option<Timestamp> {
    let created = cron_job.creation_timestamp();
    let since: Timestamp = view.status.last_schedule_time.unwrap_or(created).parse().ok()?;
    let latest = schedule.last_until(now).filter(|time| *time > since)?;
    let is_late = view.spec.starting_deadline_seconds.is_some_and(|seconds| {
        latest + SignedDuration::from_secs(seconds.clamp(0, i64::from(i32::MAX))) < now
    });
    (!is_late).then_some(latest)
}

/// Starts the Job of a time as the concurrency policy allows; answers whether the time is done with.
fn start(
    cron_job: &Object,
    spec: &Spec<'_>,
    active: &[&Object],
    time: Timestamp,
    plan: &mut CronJobPlan,
) -> bool {
    match spec.concurrency_policy {
        "Forbid" if !active.is_empty() => {
            let text = "Not starting job because prior execution is running and concurrency policy is Forbid";
            plan.actions.push(CronJobAction::Warn("JobAlreadyActive", text.to_owned()));
            return false;
        }
        "Replace" => plan.actions.extend(active.iter().map(|job| CronJobAction::Delete(job.key()))),
        _ => {}
    }
    plan.actions.push(CronJobAction::Create(job_at(cron_job, time)));
    true
}

fn job_at(cron_job: &Object, time: Timestamp) -> Object {
    let template = cron_job.at(&["spec", "jobTemplate"]).cloned().unwrap_or_default();
    let mut metadata = json!({
        "name": format!("{}-{}", cron_job.name(), time.as_second() / 60),
        "namespace": cron_job.namespace(),
        "ownerReferences": [controller_reference(cron_job)],
        "annotations": template["metadata"]["annotations"].as_object().cloned().unwrap_or_default(),
    });
    metadata["annotations"][SCHEDULED] = json!(format_time(time));
    if let Some(labels) = template["metadata"].get("labels") {
        metadata["labels"] = labels.clone();
    }
    Object(json!({ "apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": template["spec"] }))
}

/// Deletes Jobs that ended, beyond those that are kept.
fn forget(spec: &Spec<'_>, ended: &[&Object], plan: &mut CronJobPlan) {
    let limits = [
        ("Complete", spec.successful_jobs_history_limit.unwrap_or(KEPT_SUCCESSFUL)),
        ("Failed", spec.failed_jobs_history_limit.unwrap_or(KEPT_FAILED)),
    ];
    for (kind, limit) in limits {
        let mut jobs: Vec<&Object> = ended.iter().copied().filter(|job| outcome(job) == Some(kind)).collect();
        jobs.sort_by_key(|job| {
            std::cmp::Reverse((job.creation_timestamp().to_owned(), job.name().to_owned()))
        });
        plan.actions.extend(jobs.iter().skip(limit).map(|job| CronJobAction::Delete(job.key())));
    }
}

fn status(view: &CronJobView<'_>, active: &[&Object], ended: &[&Object], last: Option<&str>) -> Value {
    let mut status = json!({});
    if !active.is_empty() {
        let reference = |job: &&Object| json!({ "apiVersion": "batch/v1", "kind": "Job", "name": job.name(), "namespace": job.namespace(), "uid": job.uid() });
        status["active"] = active.iter().map(reference).collect();
    }
    if let Some(last) = last {
        status["lastScheduleTime"] = json!(last);
    }
    let successes = ended.iter().filter(|job| outcome(job) == Some("Complete"));
    let newest = successes.map(|job| job.str_at(&["status", "completionTime"])).max();
    if let Some(newest) =
        newest.into_iter().chain(view.status.last_successful_time).filter(|time| !time.is_empty()).max()
    {
        status["lastSuccessfulTime"] = json!(newest);
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cron_job(spec: Value, status: Value) -> Object {
        let mut object = json!({ "apiVersion": "batch/v1", "kind": "CronJob",
            "metadata": { "name": "tidy", "namespace": "shop", "uid": "u", "creationTimestamp": "2026-01-01T00:00:30Z" },
            "spec": { "schedule": "*/5 * * * *", "jobTemplate": { "spec": {} } }, "status": status });
        for (field, value) in spec.as_object().into_iter().flatten() {
            object["spec"][field] = value.clone();
        }
        Object(object)
    }

    fn job(name: &str, condition: &str) -> Object {
        Object(json!({ "apiVersion": "batch/v1", "kind": "Job",
            "metadata": { "name": name, "namespace": "shop", "creationTimestamp": format!("2026-01-01T00:00:0{}Z", &name[1..]) },
            "status": { "conditions": [{ "type": condition, "status": "True" }] } }))
    }

    fn at(text: &str) -> Timestamp {
        format!("2026-01-01T{text}Z").parse().unwrap()
    }

    fn render(plan: &CronJobPlan) -> String {
        let text = |action: &CronJobAction| match action {
            CronJobAction::Create(job) => {
                format!("create {}", job.str_at(&["metadata", "annotations", SCHEDULED]))
            }
            CronJobAction::Delete(key) => format!("delete {}", key.name),
            CronJobAction::Warn(reason, _) => (*reason).to_owned(),
            CronJobAction::Status(status) => {
                format!("status {}", status["active"].as_array().map_or(0, Vec::len))
            }
        };
        plan.actions.iter().map(text).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn a_job_is_made_at_each_time() {
        let running = job("j1", "None");
        for (name, spec, status, jobs, now, want) in [
            ("not yet", json!({}), json!({}), vec![], "00:04:59", ""),
            ("due", json!({}), json!({}), vec![], "00:05:01", "create 2026-01-01T00:05:00Z, status 0"),
            (
                "the latest of several",
                json!({}),
                json!({}),
                vec![],
                "00:17:00",
                "create 2026-01-01T00:15:00Z, status 0",
            ),
            (
                "done already",
                json!({}),
                json!({ "lastScheduleTime": "2026-01-01T00:05:00Z" }),
                vec![],
                "00:05:01",
                "",
            ),
            ("too late", json!({ "startingDeadlineSeconds": 10 }), json!({}), vec![], "00:05:11", ""),
            ("suspended", json!({ "suspend": true }), json!({}), vec![], "00:05:01", ""),
            (
                "forbidden",
                json!({ "concurrencyPolicy": "Forbid" }),
                json!({}),
                vec![&running],
                "00:05:01",
                "JobAlreadyActive, status 1",
            ),
            (
                "replaced",
                json!({ "concurrencyPolicy": "Replace" }),
                json!({}),
                vec![&running],
                "00:05:01",
                "delete j1, create 2026-01-01T00:05:00Z, status 1",
            ),
        ] {
            assert_eq!(render(&plan(&cron_job(spec, status), &jobs, at(now))), want, "{name}");
        }
        assert_eq!(plan(&cron_job(json!({}), json!({})), &[], at("00:00:40")).next, Some(at("00:05:00")));
    }

    #[test]
    fn a_schedule_that_names_no_time_is_told() {
        let cron_job = cron_job(json!({ "schedule": "59 23 31 2 *" }), json!({}));
        let planned = plan(&cron_job, &[], at("00:01:00"));
        let told = planned.actions.iter().any(|action| {
            matches!(action, CronJobAction::Warn("InvalidSchedule", text) if text.contains("59 23 31 2 *"))
        });
        assert!(told && planned.next.is_none(), "{planned:?}");
    }

    #[test]
    fn old_jobs_go() {
        let jobs = [job("j1", "Complete"), job("j2", "Complete"), job("j3", "Failed"), job("j4", "Failed")];
        let jobs: Vec<&Object> = jobs.iter().collect();
        let cron_job = cron_job(json!({ "successfulJobsHistoryLimit": 1 }), json!({}));
        assert_eq!(render(&plan(&cron_job, &jobs, at("00:01:00"))), "delete j1, delete j3");
    }
}
