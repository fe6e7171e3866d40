//! Admission of ClusterTaintPolicies (karmada pkg/webhook/clustertaintpolicy).

use portolan_object::{FieldError, FieldErrorKind, Status};
use serde_json::{Value, json};

use super::placement::check_affinity;
use super::{deny_for, typed};
use crate::policy::{ClusterTaintPolicy, MatchCondition, PolicyTaint};

const WEBHOOK: &str = "clustertaintpolicy.karmada.io";

/// Validates the policy. What Karmada's webhook accepts although it has no effect is
/// refused: unknown operators, effects that clusters cannot have, and unknown fields of clusters.
pub(super) fn admit(object: &Value) -> Result<(), Status> {
    let Some(policy) = typed::<ClusterTaintPolicy>(object) else { return Ok(()) };
    let mut errors = Vec::new();
    check_taints(&policy.spec.taints, &mut errors);
    check_conditions(&policy.spec.add_on_conditions, "spec.addOnConditions", &mut errors);
    check_conditions(&policy.spec.remove_on_conditions, "spec.removeOnConditions", &mut errors);
    if let Some(clusters) = &policy.spec.target_clusters {
        check_affinity(clusters, "spec.targetClusters", &mut errors);
    }
    deny_for(WEBHOOK, &errors)
}

fn check_taints(taints: &[PolicyTaint], errors: &mut Vec<FieldError>) {
    for (index, taint) in taints.iter().enumerate() {
        let path = format!("spec.taints[{index}]");
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
    }
}
