//! Admission of ClusterTaintPolicies (karmada pkg/webhook/clustertaintpolicy).

use portolan_object::selector::{label_key_errors, label_value_errors};
use portolan_object::{FieldError, FieldErrorKind, Status};
use serde_json::{Value, json};

use super::placement::check_affinity;
use super::{deny_for, typed};
use crate::policy::{ClusterTaintPolicy, MatchCondition, PolicyTaint};

const WEBHOOK: &str = "clustertaintpolicy.karmada.io";
/// The statuses that conditions have.
const STATUSES: [&str; 3] = ["False", "True", "Unknown"];

/// Validates the policy, and returns warnings. What Karmada's webhook accepts although it has no effect is refused:
/// unknown operators, statuses and fields of clusters, conditions without a type, and taints that clusters cannot have.
pub(super) fn admit(object: &Value) -> Result<Vec<String>, Status> {
    let Some(policy) = typed::<ClusterTaintPolicy>(object) else { return Ok(Vec::new()) };
    let mut errors = Vec::new();
    check_taints(&policy.spec.taints, &mut errors);
    check_conditions(&policy.spec.add_on_conditions, "spec.addOnConditions", &mut errors);
    check_conditions(&policy.spec.remove_on_conditions, "spec.removeOnConditions", &mut errors);
    if let Some(clusters) = &policy.spec.target_clusters {
        check_affinity(clusters, "spec.targetClusters", &mut errors);
    }
    deny_for(WEBHOOK, &errors)?;
    let mut warnings = Vec::new();
    if policy.spec.add_on_conditions.is_empty() {
        warnings.push("spec.addOnConditions: a policy without them never adds its taints".to_owned());
    }
    Ok(warnings)
}

/// Key and value of a taint have the form of a label.
pub(super) fn check_form(key: &str, value: &str, path: &str, errors: &mut Vec<FieldError>) {
    let of_key = label_key_errors(key).into_iter().map(|fault| ("key", key, fault));
    let of_value = label_value_errors(value).into_iter().map(|fault| ("value", value, fault));
    for (field, text, fault) in of_key.chain(of_value) {
        errors.push(FieldError::invalid(format!("{path}.{field}"), &json!(text), fault));
    }
}

fn check_taints(taints: &[PolicyTaint], errors: &mut Vec<FieldError>) {
    for (index, taint) in taints.iter().enumerate() {
        let path = format!("spec.taints[{index}]");
        check_form(&taint.key, &taint.value, &path, errors);
        match taint.effect.as_str() {
            "NoSchedule" | "NoExecute" => {}
            other => {
                let field = format!("{path}.effect");
                errors.push(FieldError::not_supported(field, &json!(other), &["NoExecute", "NoSchedule"]));
            }
        }
        let is_same = |later: &PolicyTaint| later.key == taint.key && later.effect == taint.effect;
        if taints.iter().skip(index + 1).any(is_same) {
            let detail = format!(
                "Duplicate taint with the same key({}) and effect({}) is not allowed",
                taint.key, taint.effect
            );
            errors.push(FieldError::new(path, FieldErrorKind::Duplicate(json!(detail).to_string())));
        }
    }
}

fn check_conditions(conditions: &[MatchCondition], path: &str, errors: &mut Vec<FieldError>) {
    for (index, condition) in conditions.iter().enumerate() {
        if !matches!(condition.operator.as_str(), "In" | "NotIn") {
            let field = format!("{path}[{index}].operator");
            errors.push(FieldError::not_supported(field, &json!(condition.operator), &["In", "NotIn"]));
        }
        if condition.condition_type.is_empty() {
            let detail = "name a condition of the cluster, such as Ready";
            errors.push(FieldError::required(format!("{path}[{index}].conditionType"), detail));
        }
        for (at, status) in condition.status_values.iter().enumerate() {
            if !STATUSES.contains(&status.as_str()) {
                let field = format!("{path}[{index}].statusValues[{at}]");
                errors.push(FieldError::not_supported(field, &json!(status), &STATUSES));
            }
        }
    }
}
