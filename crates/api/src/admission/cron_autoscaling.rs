//! Admission of CronFederatedHPAs (karmada pkg/webhook/cronfederatedhpa).

use std::collections::BTreeSet;

use jiff::Timestamp;
use portolan_object::{FieldError, FieldErrorKind, Status};
use serde_json::{Value, json};

use super::autoscaling::check_target;
use super::{deny_for, typed};
use crate::autoscaling::{CronFederatedHPA, CronRule, FederatedHPA, Schedule, ScheduleError};
use crate::kind::Kind;

const WEBHOOK: &str = "cronfederatedhpa.karmada.io";
/// Rules with warnings, at most: the search for a date that does not exist goes through thousands of years.
const MAX_WARNED: usize = 20;

/// Validates target and rules, and returns warnings.
pub(super) fn admit(object: &Value) -> Result<Vec<String>, Status> {
    let Some(autoscaler) = typed::<CronFederatedHPA>(object) else { return Ok(Vec::new()) };
    let target = &autoscaler.spec.scale_target_ref;
    let scales_autoscaler = target.api_version == FederatedHPA::gvk().api_version();
    if scales_autoscaler && target.kind != FederatedHPA::KIND {
        let detail =
            format!("invalid scaleTargetRef kind: {}, only support {}", target.kind, FederatedHPA::KIND);
        let error = FieldError::invalid("spec.scaleTargetRef.kind", &json!(target.kind), detail);
        return deny_for(WEBHOOK, &[error]).map(|()| Vec::new());
    }
    let mut errors = Vec::new();
    check_target(target, "spec.scaleTargetRef", &mut errors);
    let mut names = BTreeSet::new();
    for (index, rule) in autoscaler.spec.rules.iter().enumerate() {
        let path = format!("spec.rules[{index}]");
        if !names.insert(&rule.name) {
            let value = json!(rule.name).to_string();
            errors.push(FieldError::new(format!("{path}.name"), FieldErrorKind::Duplicate(value)));
        }
        check_schedule(rule, &path, &mut errors);
        if scales_autoscaler {
            check_limits(rule, &path, &mut errors);
        } else {
            check_replicas(rule, &target.kind, &path, &mut errors);
        }
    }
    deny_for(WEBHOOK, &errors)?;
    let rules = autoscaler.spec.rules.iter().enumerate().take(MAX_WARNED);
    Ok(rules.flat_map(|(index, rule)| warnings(rule, index, scales_autoscaler)).collect())
}

/// What a rule says and nothing does.
fn warnings(rule: &CronRule, index: usize, scales_autoscaler: bool) -> Vec<String> {
    let path = format!("spec.rules[{index}]");
    let mut warnings = Vec::new();
    // A schedule has no year: one without a time after 1970 has none at all.
    let never = Schedule::parse(&rule.schedule, rule.time_zone.as_deref())
        .is_ok_and(|schedule| schedule.next_after(Timestamp::UNIX_EPOCH).is_none());
    if never {
        warnings.push(format!(
            "{path}.schedule: {:?} names no date that exists: the rule never runs",
            rule.schedule
        ));
    }
    let ignored = [
        ("targetReplicas", scales_autoscaler && rule.target_replicas.is_some()),
        ("targetMinReplicas", !scales_autoscaler && rule.target_min_replicas.is_some()),
        ("targetMaxReplicas", !scales_autoscaler && rule.target_max_replicas.is_some()),
    ];
    let reason = match scales_autoscaler {
        true => "a FederatedHPA has targetMinReplicas and targetMaxReplicas",
        false => "only a FederatedHPA has limits; a workload has targetReplicas",
    };
    let said = ignored.iter().filter(|(_, is_ignored)| *is_ignored);
    warnings.extend(said.map(|(field, _)| format!("{path}.{field} has no effect: {reason}")));
    warnings
}

fn check_schedule(rule: &CronRule, path: &str, errors: &mut Vec<FieldError>) {
    match Schedule::parse(&rule.schedule, rule.time_zone.as_deref()) {
        Ok(_) => {}
        Err(error @ ScheduleError::TimeZone(_)) => {
            let field = format!("{path}.timeZone");
            errors.push(FieldError::invalid(field, &json!(rule.time_zone), error.to_string()));
        }
        Err(error) => {
            let field = format!("{path}.schedule");
            errors.push(FieldError::invalid(field, &json!(rule.schedule), error.to_string()));
        }
    }
}

fn check_limits(rule: &CronRule, path: &str, errors: &mut Vec<FieldError>) {
    let (min, max) = (rule.target_min_replicas, rule.target_max_replicas);
    let mut refuse = |field: &str, detail: &str| {
        errors.push(FieldError::invalid(format!("{path}.{field}"), &json!(""), detail))
    };
    if min.is_none() && max.is_none() {
        let detail = "targetMinReplicas and targetMaxReplicas cannot be nil at the same time if you want to scale \
                      FederatedHPA";
        refuse("targetMaxReplicas", detail);
    }
    if min.is_some_and(|min| min <= 0) {
        refuse("targetMinReplicas", "targetMinReplicas should be larger than 0");
    }
    if max.is_some_and(|max| max <= 0) {
        refuse("targetMaxReplicas", "targetMaxReplicas should be larger than 0");
    }
    if min.unwrap_or(1) > max.unwrap_or(i32::MAX) {
        let detail = "targetMaxReplicas should be larger than or equal to targetMinReplicas";
        refuse("targetMinReplicas", detail);
    }
}

fn check_replicas(rule: &CronRule, kind: &str, path: &str, errors: &mut Vec<FieldError>) {
    let field = format!("{path}.targetReplicas");
    match rule.target_replicas {
        None => {
            let detail = format!("targetReplicas cannot be nil if you want to scale {kind}");
            errors.push(FieldError::invalid(field, &json!(""), detail));
        }
        Some(replicas) if replicas < 0 => {
            let detail = "targetReplicas should be larger than or equal to 0";
            errors.push(FieldError::invalid(field, &json!(""), detail));
        }
        Some(_) => {}
    }
}
