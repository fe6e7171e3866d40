//! The status of a Job, and what its conditions say.

use jiff::Timestamp;
use portolan_api::kubernetes::Condition;
use portolan_object::Object;
use portolan_object::time::format_time;
use serde_json::{Map, Value, json};

use super::JobView;
use super::counts::Counts;

/// Whether a Job goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Running,
    Complete,
    /// Reason and message.
    Failed(&'static str, &'static str),
}

impl Verdict {
    pub(super) fn is_final(self) -> bool {
        self != Self::Running
    }
}

/// When the Job ended, if it has.
pub(super) fn ended_at<'a>(conditions: &[Condition<'a>]) -> Option<&'a str> {
    let ended =
        |condition: &&Condition<'_>| matches!(condition.kind, "Complete" | "Failed") && condition.is_true();
    conditions.iter().find(ended).map(|condition| condition.last_transition_time)
}

/// The status that follows from the pods.
pub(super) fn of(
    job: &Object,
    view: &JobView<'_>,
    counts: &Counts<'_>,
    verdict: &Verdict,
    now: Timestamp,
) -> Value {
    let now = format_time(now);
    let mut status = Map::new();
    let mut conditions: Vec<Value> =
        job.at(&["status", "conditions"]).and_then(Value::as_array).cloned().unwrap_or_default();
    suspended(view, &now, &mut conditions);
    let is_over = verdict.is_final();
    let active = if is_over || view.spec.suspend { 0 } else { counts.active.len() };
    for (field, count) in [("active", active), ("ready", if active == 0 { 0 } else { counts.ready })] {
        if field == "ready" || count > 0 {
            status.insert(field.to_owned(), json!(count));
        }
    }
    for (field, count) in [("succeeded", counts.succeeded), ("failed", counts.failed)] {
        if count > 0 {
            status.insert(field.to_owned(), json!(count));
        }
    }
    status.insert("terminating".to_owned(), json!(counts.terminating));
    status.insert("uncountedTerminatedPods".to_owned(), json!({}));
    if !counts.completed.is_empty() {
        status.insert("completedIndexes".to_owned(), json!(intervals(counts.completed.iter().copied())));
    }
    if !view.spec.suspend {
        let start = view.status.start_time.unwrap_or(&now);
        status.insert("startTime".to_owned(), json!(start));
    }
    match verdict {
        Verdict::Running => {}
        Verdict::Complete => {
            let message = "Reached expected number of succeeded pods";
            for kind in ["SuccessCriteriaMet", "Complete"] {
                conditions.push(condition(kind, "CompletionsReached", message, &now));
            }
            status.insert("completionTime".to_owned(), json!(now));
        }
        Verdict::Failed(reason, message) => {
            for kind in ["FailureTarget", "Failed"] {
                conditions.push(condition(kind, reason, message, &now));
            }
        }
    }
    if !conditions.is_empty() {
        status.insert("conditions".to_owned(), Value::Array(conditions));
    }
    Value::Object(status)
}

fn condition(kind: &str, reason: &str, message: &str, now: &str) -> Value {
    json!({ "type": kind, "status": "True", "reason": reason, "message": message,
        "lastProbeTime": now, "lastTransitionTime": now })
}

/// Sets the condition `Suspended` of a Job that is suspended, or was.
fn suspended(view: &JobView<'_>, now: &str, conditions: &mut Vec<Value>) {
    let (status, reason, message) = match view.spec.suspend {
        true => ("True", "JobSuspended", "Job suspended"),
        false => ("False", "JobResumed", "Job resumed"),
    };
    match conditions.iter_mut().find(|condition| condition["type"] == "Suspended") {
        Some(present) if present["status"] == status => {}
        Some(present) => {
            *present = condition("Suspended", reason, message, now);
            present["status"] = json!(status);
        }
        None if view.spec.suspend => conditions.push(condition("Suspended", reason, message, now)),
        None => {}
    }
}

/// Numbers as Kubernetes writes them: `0,2-4`.
fn intervals(numbers: impl IntoIterator<Item = i64>) -> String {
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => runs.push((number, number)),
        }
    }
    let text = |(first, last): &(i64, i64)| match last - first {
        0 => first.to_string(),
        1 => format!("{first},{last}"),
        _ => format!("{first}-{last}"),
    };
    runs.iter().map(text).collect::<Vec<_>>().join(",")
}
