//! Rules of a CronFederatedHPA that are due, and their history (karmada pkg/controllers/cronfederatedhpa).
//!
//! The status holds the next time of each rule, so that a rule is executed once however often the controller looks, and a time
//! that passed while no controller ran is made good. Of several missed times of a rule the latest counts.

use jiff::{SignedDuration, Timestamp};
use portolan_api::autoscaling::{
    CronFederatedHpaSpec, CronRule, ExecutionHistory, FailedExecution, FederatedHpaSpec, Schedule,
    ScheduleError, SuccessfulExecution,
};
use portolan_object::time::format_time;

/// Executions that are kept if the rule does not say how many.
const DEFAULT_HISTORY: i32 = 3;

/// What is to be done at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CronPlan {
    /// Rules to execute, in the order of their times, so that the last one wins.
    pub due: Vec<Due>,
    /// The history with the next times, in the order of the rules; rules that were removed are left out.
    pub histories: Vec<ExecutionHistory>,
    /// When to look again; `None` if no rule has a next time.
    pub wake: Option<Timestamp>,
    /// Rules without a schedule.
    pub faults: Vec<(String, ScheduleError)>,
}

/// A rule to execute.
#[derive(Debug, Clone, PartialEq)]
pub struct Due {
    /// The rule.
    pub rule: CronRule,
    /// The time that its schedule names.
    pub schedule_time: Timestamp,
}

/// What is due at `now`.
pub fn plan(spec: &CronFederatedHpaSpec, histories: &[ExecutionHistory], now: Timestamp) -> CronPlan {
    let mut plan = CronPlan::default();
    for rule in &spec.rules {
        let known = histories.iter().find(|history| history.rule_name == rule.name);
        let mut history = known.cloned().unwrap_or_default();
        history.rule_name.clone_from(&rule.name);
        let planned = history.next_execution_time.take();
        if rule.suspend != Some(true) {
            match Schedule::parse(&rule.schedule, rule.time_zone.as_deref()) {
                Ok(schedule) => {
                    let planned = planned.and_then(|text| text.parse().ok());
                    if let Some(schedule_time) = due(&schedule, planned, now) {
                        plan.due.push(Due { rule: rule.clone(), schedule_time });
                    }
                    let next = schedule.next_after(now);
                    history.next_execution_time = next.map(format_time);
                    plan.wake = plan.wake.into_iter().chain(next).min();
                }
                Err(error) => plan.faults.push((rule.name.clone(), error)),
            }
        }
        plan.histories.push(history);
    }
    plan.due.sort_by_key(|due| due.schedule_time);
    plan
}

/// The latest time of the schedule that has come since it was `planned`. A planned time of another schedule does not count:
/// the rule was edited.
fn due(schedule: &Schedule, planned: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    let planned = planned.filter(|&planned| planned <= now)?;
    let is_of_schedule = schedule.next_after(planned - SignedDuration::from_secs(1)) == Some(planned);
    is_of_schedule.then(|| schedule.last_until(now).unwrap_or(planned))
}

/// Records an execution in the history of its rule.
pub fn record(histories: &mut [ExecutionHistory], due: &Due, result: Result<(), String>, now: Timestamp) {
    let Some(history) = histories.iter_mut().find(|history| history.rule_name == due.rule.name) else {
        return;
    };
    let (schedule_time, execution_time) = (format_time(due.schedule_time), format_time(now));
    match result {
        Ok(()) => {
            let execution = SuccessfulExecution {
                schedule_time,
                execution_time,
                applied_replicas: due.rule.target_replicas,
                applied_max_replicas: due.rule.target_max_replicas,
                applied_min_replicas: due.rule.target_min_replicas,
            };
            history.successful_executions.insert(0, execution);
        }
        Err(message) => {
            let execution = FailedExecution { schedule_time, execution_time, message };
            history.failed_executions.insert(0, execution);
        }
    }
    let limit = |limit: Option<i32>| usize::try_from(limit.unwrap_or(DEFAULT_HISTORY)).unwrap_or_default();
    history.successful_executions.truncate(limit(due.rule.successful_history_limit).max(1));
    history.failed_executions.truncate(limit(due.rule.failed_history_limit));
}

/// A rule contradicts the FederatedHPA that it is for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "minReplicas {min} would be larger than maxReplicas {max}: set both targetMinReplicas and targetMaxReplicas"
)]
pub struct LimitsError {
    min: i32,
    max: i32,
}

/// The new `minReplicas` and `maxReplicas` of a FederatedHPA; `None` if it has them.
///
/// # Errors
/// When the smallest number would be larger than the largest.
pub fn limits(autoscaler: &FederatedHpaSpec, rule: &CronRule) -> Result<Option<(i32, i32)>, LimitsError> {
    let present = (autoscaler.min_replicas.unwrap_or(1), autoscaler.max_replicas);
    let min = rule.target_min_replicas.unwrap_or(present.0);
    let max = rule.target_max_replicas.unwrap_or(present.1);
    if min > max {
        return Err(LimitsError { min, max });
    }
    Ok(((min, max) != present).then_some((min, max)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(name: &str, schedule: &str) -> CronRule {
        CronRule { name: name.to_owned(), schedule: schedule.to_owned(), ..CronRule::default() }
    }

    fn at(text: &str) -> Timestamp {
        format!("2026-01-01T{text}Z").parse().expect("a time")
    }

    fn history(name: &str, next: Option<&str>) -> ExecutionHistory {
        let next = next.map(|text| format_time(at(text)));
        ExecutionHistory {
            rule_name: name.to_owned(),
            next_execution_time: next,
            ..ExecutionHistory::default()
        }
    }

    /// Due times and next times at 10:07.
    fn planned(rule: CronRule, known: Option<&str>) -> (Vec<Timestamp>, Option<String>) {
        let known: Vec<ExecutionHistory> =
            known.map(|next| history(&rule.name, (!next.is_empty()).then_some(next))).into_iter().collect();
        let spec = CronFederatedHpaSpec { rules: vec![rule], ..CronFederatedHpaSpec::default() };
        let plan = plan(&spec, &known, at("10:07:00"));
        let due = plan.due.iter().map(|due| due.schedule_time).collect();
        (due, plan.histories[0].next_execution_time.clone())
    }

    #[test]
    fn rules_are_due_once_their_time_has_come() {
        let every = |schedule: &str| rule("r", schedule);
        let mut resting = every("*/5 * * * *");
        resting.suspend = Some(true);
        let next = Some("2026-01-01T10:10:00Z".to_owned());
        let cases = [
            ("a new rule waits", every("*/5 * * * *"), None, vec![], next.clone()),
            ("its time has not come", every("*/5 * * * *"), Some("10:10:00"), vec![], next.clone()),
            ("its time has come", every("*/5 * * * *"), Some("10:05:00"), vec![at("10:05:00")], next.clone()),
            (
                "the latest of several missed",
                every("*/5 * * * *"),
                Some("09:00:00"),
                vec![at("10:05:00")],
                next.clone(),
            ),
            ("another schedule now", every("*/10 * * * *"), Some("10:05:00"), vec![], next.clone()),
            ("it rested until now", every("*/5 * * * *"), Some(""), vec![], next),
            ("it rests", resting, Some("10:05:00"), vec![], None),
            ("no schedule", every("daily"), Some("10:05:00"), vec![], None),
        ];
        for (name, rule, known, due, next) in cases {
            assert_eq!(planned(rule, known), (due, next), "{name}");
        }
    }

    #[test]
    fn rules_are_executed_in_the_order_of_their_times() {
        let rules = vec![rule("night", "0 20 * * *"), rule("day", "0 8 * * *"), rule("fault", "x")];
        let known =
            [history("night", Some("20:00:00")), history("day", Some("08:00:00")), history("gone", None)];
        let spec = CronFederatedHpaSpec { rules, ..CronFederatedHpaSpec::default() };
        let plan = plan(&spec, &known, at("21:00:00"));
        let due: Vec<&str> = plan.due.iter().map(|due| due.rule.name.as_str()).collect();
        assert_eq!(due, ["day", "night"]);
        let names: Vec<&str> = plan.histories.iter().map(|history| history.rule_name.as_str()).collect();
        assert_eq!(names, ["night", "day", "fault"]);
        assert_eq!(plan.wake, Some("2026-01-02T08:00:00Z".parse().expect("a time")));
        assert_eq!((plan.faults.len(), plan.faults[0].0.as_str()), (1, "fault"));
    }

    #[test]
    fn histories_have_the_latest_first_and_a_limit() {
        let mut rule = rule("r", "* * * * *");
        rule.successful_history_limit = Some(2);
        rule.failed_history_limit = Some(0);
        rule.target_replicas = Some(4);
        let due = Due { rule, schedule_time: at("10:00:00") };
        let mut histories = vec![history("r", None)];
        for minute in 1..4 {
            record(&mut histories, &due, Ok(()), at(&format!("10:0{minute}:00")));
        }
        record(&mut histories, &due, Err("no such object".to_owned()), at("10:04:00"));
        let times: Vec<&str> =
            histories[0].successful_executions.iter().map(|one| one.execution_time.as_str()).collect();
        assert_eq!(times, ["2026-01-01T10:03:00Z", "2026-01-01T10:02:00Z"]);
        assert_eq!(histories[0].successful_executions[0].applied_replicas, Some(4));
        assert_eq!(histories[0].failed_executions, []);
    }

    #[test]
    fn limits_of_autoscalers() {
        let autoscaler = FederatedHpaSpec { max_replicas: 5, ..FederatedHpaSpec::default() };
        let rule = |min: Option<i32>, max: Option<i32>| CronRule {
            target_min_replicas: min,
            target_max_replicas: max,
            ..CronRule::default()
        };
        let cases = [
            ("both", rule(Some(2), Some(9)), Ok(Some((2, 9)))),
            ("the smallest", rule(Some(2), None), Ok(Some((2, 5)))),
            ("as they are", rule(Some(1), Some(5)), Ok(None)),
            ("contradiction", rule(Some(6), None), Err(LimitsError { min: 6, max: 5 })),
        ];
        for (name, rule, want) in cases {
            assert_eq!(limits(&autoscaler, &rule), want, "{name}");
        }
    }
}
