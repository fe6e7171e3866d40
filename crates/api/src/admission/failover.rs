//! Admission of failover settings (karmada pkg/util/validation/validation.go).

use portolan_object::{FieldError, GroupVersionKind, selector};
use serde_json::{Value, json};

use super::typed;
use crate::cluster::Cluster;
use crate::kind::Kind;
use crate::policy::{
    ApplicationFailover, ClusterPropagationPolicy, ClusterTaintPolicy, Failover, PropagationPolicy,
    PurgeMode, StatePreservation,
};

/// Warnings about what has no effect while the control plane does not evict because of taints.
pub fn without_eviction(kind: &GroupVersionKind, object: &Value) -> Vec<String> {
    const CURE: &str = "start the server with --enable-no-execute-taint-eviction";
    let of_taint = |path: &str, key: &str| {
        format!(
            "{path}: taint {key} with effect NoExecute keeps new workloads away from the cluster; what runs there already \
             stays; to evict it, {CURE}"
        )
    };
    let failover = match (kind.group.as_str(), kind.kind.as_str()) {
        (PropagationPolicy::GROUP, PropagationPolicy::KIND) => {
            typed::<PropagationPolicy>(object).and_then(|policy| policy.spec.failover)
        }
        (ClusterPropagationPolicy::GROUP, ClusterPropagationPolicy::KIND) => {
            typed::<ClusterPropagationPolicy>(object).and_then(|policy| policy.spec.failover)
        }
        (ClusterTaintPolicy::GROUP, ClusterTaintPolicy::KIND) => {
            let taints = typed::<ClusterTaintPolicy>(object).map(|policy| policy.spec.taints);
            let evicting = taints.into_iter().flatten().filter(|taint| taint.effect == "NoExecute");
            return evicting.map(|taint| of_taint("spec.taints", &taint.key)).collect();
        }
        (Cluster::GROUP, Cluster::KIND) => {
            let taints = typed::<Cluster>(object).map(|cluster| cluster.spec.taints);
            let evicting = taints.into_iter().flatten().filter(|taint| taint.effect == "NoExecute");
            return evicting.map(|taint| of_taint("spec.taints", &taint.key)).collect();
        }
        _ => None,
    };
    let is_ignored = failover.is_some_and(|failover| failover.cluster.is_some());
    let ignored =
        || format!("spec.failover.cluster has no effect: no object is evicted from a failed cluster; {CURE}");
    is_ignored.then(ignored).into_iter().collect()
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_evictions_is_said() {
        let warnings = |gvk: GroupVersionKind, spec: Value| {
            without_eviction(&gvk, &json!({ "metadata": { "name": "a" }, "spec": spec })).join("; ")
        };
        let taints = json!({ "taints": [{ "key": "a", "effect": "NoSchedule" }, { "key": "down", "effect": "NoExecute" }] });
        for gvk in [ClusterTaintPolicy::gvk(), Cluster::gvk()] {
            let said = warnings(gvk, taints.clone());
            assert!(said.contains("taint down") && !said.contains("taint a "), "{said}");
        }
        for gvk in [PropagationPolicy::gvk(), ClusterPropagationPolicy::gvk()] {
            let said = warnings(gvk.clone(), json!({ "failover": { "cluster": {} } }));
            assert!(said.contains("--enable-no-execute-taint-eviction"), "{said}");
            assert_eq!(warnings(gvk, json!({ "failover": { "application": {} } })), "");
        }
    }
}
