//! Admission of placements (karmada pkg/util/validation/validation.go).

use std::collections::BTreeSet;

use portolan_object::{FieldError, FieldErrorKind, selector};
use serde_json::json;

use crate::policy::{
    ClusterAffinity, ClusterAffinityTerm, Placement, ReplicaDivisionPreference, ReplicaSchedulingType,
    SpreadField,
};

/// The rules of a placement.
pub(super) fn check(placement: &Placement, errors: &mut Vec<FieldError>) {
    let path = "spec.placement";
    if placement.cluster_affinity.is_some() && !placement.cluster_affinities.is_empty() {
        errors.push(FieldError::invalid(
            path,
            &json!({}),
            "clusterAffinities cannot co-exist with clusterAffinity",
        ));
    }
    if let Some(affinity) = &placement.cluster_affinity {
        check_affinity(affinity, &format!("{path}.clusterAffinity"), errors);
    }
    let mut names = BTreeSet::new();
    for (index, term) in placement.cluster_affinities.iter().enumerate() {
        let field = format!("{path}.clusterAffinities");
        if !names.insert(&term.affinity_name) {
            errors.push(FieldError::invalid(
                &*field,
                &json!(term.affinity_name),
                "each affinity term in a policy must have a unique name",
            ));
        }
        let path = format!("{field}[{index}]");
        check_label_key(&term.affinity_name, &path, errors);
        check_affinity(&term.affinity, &path, errors);
        check_overflow(term, placement, &path, errors);
    }
    check_workload_affinity(placement, errors);
    for (index, toleration) in placement.cluster_tolerations.iter().enumerate() {
        if matches!(toleration.operator.as_str(), "Lt" | "Gt") {
            let field = format!("{path}.clusterTolerations[{index}].operator");
            errors.push(FieldError::not_supported(field, &json!(toleration.operator), &["Equal", "Exists"]));
        }
    }
    check_spread(placement, errors);
}

fn check_spread(placement: &Placement, errors: &mut Vec<FieldError>) {
    let path = "spec.placement.spreadConstraints";
    let mut fields = BTreeSet::new();
    for (index, constraint) in placement.spread_constraints.iter().enumerate() {
        let field = format!("{path}[{index}]");
        let mut refuse = |detail: &str| errors.push(FieldError::invalid(&*field, &json!(constraint), detail));
        if constraint.spread_by_field.is_some() && !constraint.spread_by_label.is_empty() {
            refuse("spreadByLabel should not co-exist with spreadByField");
        }
        if constraint.min_groups < 0 {
            refuse("minGroups lower than 0 is not allowed");
        }
        if constraint.max_groups < 0 {
            refuse("maxGroups lower than 0 is not allowed");
        }
        if constraint.max_groups > 0 && constraint.max_groups < constraint.min_groups {
            refuse("maxGroups lower than minGroups is not allowed");
        }
        if let Some(by) = constraint.spread_by_field
            && !fields.insert(by)
        {
            errors.push(FieldError::new(
                path,
                FieldErrorKind::Invalid(
                    json!(by).to_string(),
                    "multiple constraints of one field".to_owned(),
                ),
            ));
        }
    }
    if !fields.is_empty() && !fields.contains(&SpreadField::Cluster) {
        let detail = "the cluster spread constraint must be enabled in one of the constraints in case of SpreadByField is enabled";
        errors.push(FieldError::invalid(path, &json!(placement.spread_constraints), detail));
    }
}

/// Warnings about affinities that exclude every cluster that they name. Karmada accepts them.
pub(super) fn empty_affinities(placement: &Placement) -> Vec<String> {
    let main = placement.cluster_affinity.iter().map(|affinity| ("clusterAffinity".to_owned(), affinity));
    let groups = placement.cluster_affinities.iter().enumerate();
    let groups = groups.map(|(index, group)| (format!("clusterAffinities[{index}]"), &group.affinity));
    let excludes_all = |affinity: &ClusterAffinity| {
        let mut names = affinity.cluster_names.iter();
        !affinity.cluster_names.is_empty() && names.all(|name| affinity.exclude_clusters.contains(name))
    };
    let empty = main.chain(groups).filter(|(_, affinity)| excludes_all(affinity));
    empty
        .map(|(path, _)| {
            format!("spec.placement.{path} selects no cluster: exclude has all its clusterNames")
        })
        .collect()
}

/// Warnings about tolerations that tolerate nothing. Karmada accepts them.
pub(super) fn idle_tolerations(placement: &Placement) -> Vec<String> {
    let tolerations = placement.cluster_tolerations.iter().enumerate();
    let warnings = tolerations.filter_map(|(index, toleration)| {
        let (operator, effect) = (toleration.operator.as_str(), toleration.effect.as_str());
        let fault = if !matches!(operator, "" | "Equal" | "Exists") {
            format!("operator {operator} is unknown; there are Equal and Exists")
        } else if !matches!(effect, "" | "NoSchedule" | "PreferNoSchedule" | "NoExecute") {
            format!("no taint has the effect {effect}; there are NoSchedule, PreferNoSchedule and NoExecute")
        } else {
            return None;
        };
        Some(format!("spec.placement.clusterTolerations[{index}] tolerates nothing: {fault}"))
    });
    warnings.collect()
}

/// Only what a cluster has can be selected by field.
pub(super) fn check_affinity(affinity: &ClusterAffinity, path: &str, errors: &mut Vec<FieldError>) {
    let Some(selector) = &affinity.field_selector else { return };
    for requirement in &selector.match_expressions {
        let field = format!("{path}.fieldSelector");
        if !matches!(requirement.key.as_str(), "provider" | "region" | "zone") {
            let allowed = ["provider", "region", "zone"];
            errors.push(FieldError::not_supported(&*field, &json!(requirement.key), &allowed));
        }
        if !matches!(requirement.operator.as_str(), "In" | "NotIn") {
            errors.push(FieldError::not_supported(field, &json!(requirement.operator), &["In", "NotIn"]));
        }
    }
}

/// Groups that are used when the main group has not enough capacity.
fn check_overflow(
    term: &ClusterAffinityTerm,
    placement: &Placement,
    path: &str,
    errors: &mut Vec<FieldError>,
) {
    if term.overflow_affinities.is_empty() {
        return;
    }
    let path = format!("{path}.overflowAffinities");
    let mut refuse = |detail: &str| {
        errors.push(FieldError::invalid(&*path, &json!(term.overflow_affinities), detail));
    };
    if !follows_capacity(placement) {
        refuse("overflowAffinities can only be used together with dynamic weight or aggregated scheduling");
    }
    if term.affinity == ClusterAffinity::default() {
        refuse("overflowAffinities can only be used together with the inline ClusterAffinity");
    }
    let mut names = BTreeSet::from([&term.affinity_name]);
    for (index, overflow) in term.overflow_affinities.iter().enumerate() {
        let field = format!("{path}[{index}]");
        check_label_key(&overflow.affinity_name, &format!("{field}.affinityName"), errors);
        if !names.insert(&overflow.affinity_name) {
            let detail = "overflow affinity name must be unique and must not duplicate the primary group's affinityName";
            errors.push(FieldError::invalid(
                format!("{field}.affinityName"),
                &json!(overflow.affinity_name),
                detail,
            ));
        }
        check_affinity(&overflow.affinity, &field, errors);
    }
}

/// Whether the division of replicas follows the capacity of the clusters.
fn follows_capacity(placement: &Placement) -> bool {
    let Some(scheduling) = &placement.replica_scheduling else { return false };
    let is_divided = scheduling.replica_scheduling_type == ReplicaSchedulingType::Divided;
    let weights = scheduling.weight_preference.as_ref();
    is_divided
        && match scheduling.replica_division_preference {
            Some(ReplicaDivisionPreference::Aggregated) => true,
            Some(ReplicaDivisionPreference::Weighted) => {
                weights.is_some_and(|weights| weights.dynamic_weight.is_some())
            }
            None => false,
        }
}

fn check_workload_affinity(placement: &Placement, errors: &mut Vec<FieldError>) {
    let Some(affinity) = &placement.workload_affinity else { return };
    let path = "spec.placement.workloadAffinity";
    let (together, apart) = (&affinity.affinity, &affinity.anti_affinity);
    for (term, field) in [(together, "affinity"), (apart, "antiAffinity")] {
        if let Some(term) = term {
            check_label_key(&term.group_by_label_key, &format!("{path}.{field}.groupByLabelKey"), errors);
        }
    }
    if let (Some(together), Some(apart)) = (together, apart)
        && together.group_by_label_key == apart.group_by_label_key
    {
        let detail = "affinity and antiAffinity must not use the same groupByLabelKey";
        errors.push(FieldError::invalid(path, &json!(affinity), detail));
    }
}

fn check_label_key(key: &str, path: &str, errors: &mut Vec<FieldError>) {
    for fault in selector::label_key_errors(key) {
        errors.push(FieldError::invalid(path, &json!(key), fault));
    }
}
