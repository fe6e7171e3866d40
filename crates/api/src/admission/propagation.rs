//! Admission of propagation policies (karmada pkg/webhook/propagationpolicy, pkg/util/validation).

use std::collections::BTreeSet;

use portolan_object::{FieldError, FieldErrorKind, Object, Status};
use serde_json::{Value, json};

use super::{denied, deny_for, typed};
use crate::kind::Kind;
use crate::policy::{
    ClusterAffinity, ClusterPropagationPolicy, Placement, PreemptionBehavior, PropagationPolicy,
    PropagationSpec, PurgeMode, ReplicaDivisionPreference, ReplicaSchedulingType, SpreadField,
};
use crate::{finalizers, labels};

/// Seconds that a failed workload may stay where it was.
const GRACE_PERIOD: i32 = 600;

/// A propagation policy of either scope.
pub(super) trait Propagation: Kind {
    /// Resource name in error messages.
    const WEBHOOK: &'static str;
    /// The label with the identity of the policy.
    const ID: &'static str;
    /// Finalizer that keeps the policy until templates are released.
    const FINALIZER: &'static str;
    /// The spec.
    fn spec(&mut self) -> &mut PropagationSpec;
}

impl Propagation for PropagationPolicy {
    const WEBHOOK: &'static str = "propagationpolicy.karmada.io";
    const ID: &'static str = labels::propagation_policy::PERMANENT_ID;
    const FINALIZER: &'static str = finalizers::PROPAGATION_POLICY;
    fn spec(&mut self) -> &mut PropagationSpec {
        &mut self.spec
    }
}

impl Propagation for ClusterPropagationPolicy {
    const WEBHOOK: &'static str = "clusterpropagationpolicy.karmada.io";
    const ID: &'static str = labels::cluster_propagation_policy::PERMANENT_ID;
    const FINALIZER: &'static str = finalizers::CLUSTER_PROPAGATION_POLICY;
    fn spec(&mut self) -> &mut PropagationSpec {
        &mut self.spec
    }
}

/// Fills in what is left open, and refuses what cannot work. `new_id` is the identity of a new policy: always a fresh
/// one, even when a backup is restored. With it comes the finalizer that the controller would write next, so that a new
/// policy is written once and never without it.
pub(super) fn admit<T: Propagation>(
    object: &mut Value,
    old: Option<&Value>,
    namespace: &str,
    new_id: Option<String>,
) -> Result<(), Status> {
    let Some(mut policy) = typed::<T>(object) else { return Ok(()) };
    let spec = policy.spec();
    let before = spec.clone();
    complete(spec, namespace);
    check_unchanged::<T>(object, old, spec)?;
    let mut errors = Vec::new();
    check(spec, namespace, &mut errors);
    deny_for(T::WEBHOOK, &errors)?;
    if *spec != before {
        object["spec"] = json!(spec);
    }
    if let Some(id) = new_id {
        let mut tree = Object(object.take());
        tree.set_label(T::ID, id);
        hold(&mut tree, T::FINALIZER);
        *object = tree.0;
    }
    Ok(())
}

fn hold(policy: &mut Object, finalizer: &str) {
    let held = policy.metadata_mut().entry("finalizers").or_insert(Value::Null);
    if held.is_null() {
        *held = json!([]);
    }
    if let Some(list) = held.as_array_mut()
        && !list.iter().any(|one| one == finalizer)
    {
        list.push(finalizer.into());
    }
}

fn complete(spec: &mut PropagationSpec, namespace: &str) {
    for selector in &mut spec.resource_selectors {
        if selector.namespace.is_empty() {
            namespace.clone_into(&mut selector.namespace);
        }
        if selector.kind == "ServiceImport" && selector.api_version == "multicluster.x-k8s.io/v1alpha1" {
            spec.propagate_deps = true;
        }
    }
    for constraint in &mut spec.placement.spread_constraints {
        if constraint.spread_by_field.is_none() && constraint.spread_by_label.is_empty() {
            constraint.spread_by_field = Some(SpreadField::Cluster);
        }
        if constraint.min_groups == 0 {
            constraint.min_groups = 1;
        }
    }
    if let Some(scheduling) = &mut spec.placement.replica_scheduling
        && scheduling.replica_scheduling_type == ReplicaSchedulingType::Divided
    {
        scheduling.replica_division_preference.get_or_insert(ReplicaDivisionPreference::Weighted);
    }
    if let Some(application) = spec.failover.as_mut().and_then(|failover| failover.application.as_mut())
        && application.purge_mode == PurgeMode::Gracefully
    {
        application.grace_period_seconds.get_or_insert(GRACE_PERIOD);
    }
}

fn check_unchanged<T: Propagation>(
    object: &Value,
    old: Option<&Value>,
    spec: &PropagationSpec,
) -> Result<(), Status> {
    let Some(old) = old else { return Ok(()) };
    let Some(mut before) = typed::<T>(old) else { return Ok(()) };
    if before.spec().scheduler_name != spec.scheduler_name {
        return Err(denied(T::WEBHOOK, "the schedulerName should not be updated"));
    }
    let id = |object: &Value| object["metadata"]["labels"][T::ID].as_str().map(str::to_owned);
    let had = id(old).filter(|id| !id.is_empty());
    if had.is_some() && id(object) != had {
        let fault = FieldError::invalid(
            format!("metadata.labels[{}]", T::ID),
            &json!(id(object)),
            "label is immutable",
        );
        return deny_for(T::WEBHOOK, &[fault]);
    }
    Ok(())
}

fn check(spec: &PropagationSpec, namespace: &str, errors: &mut Vec<FieldError>) {
    for (index, selector) in spec.resource_selectors.iter().enumerate() {
        let path = format!("spec.resourceSelectors[{index}]");
        if !namespace.is_empty() && selector.namespace != namespace {
            let detail = format!(
                "the namespace of resourceSelector must be the same as the namespace of the policy, {namespace}"
            );
            errors.push(FieldError::invalid(format!("{path}.namespace"), &json!(selector.namespace), detail));
        }
        if spec.preemption == PreemptionBehavior::Always && selector.name.is_empty() {
            let detail = "name cannot be empty if preemption is Always, the empty name may cause unexpected resources preemption";
            errors.push(FieldError::invalid(format!("{path}.name"), &json!(selector.name), detail));
        }
    }
    check_placement(&spec.placement, errors);
    if let Some(application) = spec.failover.as_ref().and_then(|failover| failover.application.as_ref()) {
        if !spec.propagate_deps {
            let detail = "application failover is set, propagateDeps must be true";
            errors.push(FieldError::invalid("spec.propagateDeps", &json!(false), detail));
        }
        let path = "spec.failover.application";
        let toleration = application.decision_conditions.toleration_seconds.unwrap_or_default();
        if toleration < 0 {
            let field = format!("{path}.decisionConditions.tolerationSeconds");
            errors.push(FieldError::invalid(field, &json!(toleration), "must be greater than or equal to 0"));
        }
        if let Some(grace) = application.grace_period_seconds {
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
    }
    if let Some(suspension) = &spec.suspension
        && suspension.dispatching == Some(true)
        && suspension
            .dispatching_on_clusters
            .as_ref()
            .is_some_and(|clusters| !clusters.cluster_names.is_empty())
    {
        // The path is the original's; programs may look for it.
        let detail = "suspension dispatching cannot co-exist with dispatchingOnClusters.clusterNames";
        errors.push(FieldError::invalid("spec.suspension.suspension", &json!(suspension), detail));
    }
}

fn check_placement(placement: &Placement, errors: &mut Vec<FieldError>) {
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
        check_affinity(&term.affinity, &format!("{field}[{index}]"), errors);
    }
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
