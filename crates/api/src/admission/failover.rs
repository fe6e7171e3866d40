//! Admission of failover settings (karmada pkg/util/validation/validation.go).

use portolan_object::{FieldError, selector};
use serde_json::json;

use crate::policy::{ApplicationFailover, Failover, PurgeMode, StatePreservation};

/// The rules of failover.
pub(super) fn check(failover: &Failover, errors: &mut Vec<FieldError>) {
    let path = "spec.failover";
    if let Some(application) = &failover.application {
        check_application(application, &format!("{path}.application"), errors);
        check_preservation(&application.state_preservation, &format!("{path}.application"), errors);
    }
    if let Some(cluster) = &failover.cluster {
        check_preservation(&cluster.state_preservation, &format!("{path}.cluster"), errors);
    }
}

fn check_application(application: &ApplicationFailover, path: &str, errors: &mut Vec<FieldError>) {
    let toleration = application.decision_conditions.toleration_seconds.unwrap_or_default();
    if toleration < 0 {
        let field = format!("{path}.decisionConditions.tolerationSeconds");
        errors.push(FieldError::invalid(field, &json!(toleration), "must be greater than or equal to 0"));
    }
    let Some(grace) = application.grace_period_seconds else { return };
    let field = format!("{path}.gracePeriodSeconds");
    if application.purge_mode != PurgeMode::Gracefully {
        errors.push(FieldError::invalid(
            field,
            &json!(grace),
            "only takes effect when purgeMode is Gracefully",
        ));
    } else if grace <= 0 {
        errors.push(FieldError::invalid(field, &json!(grace), "must be greater than 0"));
    }
}

/// The aliases become labels.
fn check_preservation(preservation: &Option<StatePreservation>, path: &str, errors: &mut Vec<FieldError>) {
    let rules = preservation.iter().flat_map(|preservation| &preservation.rules);
    for (index, rule) in rules.enumerate() {
        for fault in selector::label_key_errors(&rule.alias_label_name) {
            let field = format!("{path}.statePreservation.rules[{index}].aliasLabelName");
            errors.push(FieldError::invalid(field, &json!(rule.alias_label_name), fault));
        }
    }
}
