//! Admission of propagation policies (karmada pkg/webhook/propagationpolicy, pkg/util/validation).

use portolan_object::{FieldError, Object, Status};
use serde_json::{Value, json};

use super::{denied, deny_for, failover, placement, typed};
use crate::kind::Kind;
use crate::policy::{
    ClusterPropagationPolicy, PreemptionBehavior, PropagationPolicy, PropagationSpec, PurgeMode,
    ReplicaDivisionPreference, ReplicaSchedulingType, SpreadField,
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
) -> Result<Vec<String>, Status> {
    let Some(mut policy) = typed::<T>(object) else { return Ok(Vec::new()) };
    let spec = policy.spec();
    let before = spec.clone();
    complete(spec, namespace);
    keep_identity::<T>(object, old);
    check_unchanged::<T>(object, old, spec)?;
    let mut errors = Vec::new();
    check(spec, namespace, &mut errors);
    deny_for(T::WEBHOOK, &errors)?;
    let warnings = warnings(spec);
    if *spec != before {
        object["spec"] = json!(spec);
    }
    if let Some(id) = new_id {
        let mut tree = Object(object.take());
        tree.set_label(T::ID, id);
        hold(&mut tree, T::FINALIZER);
        *object = tree.0;
    }
    Ok(warnings)
}

/// What is accepted, as Karmada accepts it, and has no effect.
fn warnings(spec: &PropagationSpec) -> Vec<String> {
    let selectors = spec.resource_selectors.iter().enumerate();
    let empty = selectors.filter_map(|(index, selector)| {
        let path = format!("spec.resourceSelectors[{index}]");
        match (selector.api_version.as_str(), selector.kind.as_str()) {
            (_, "") => Some(format!("{path}.kind is empty: the selector selects nothing")),
            ("", kind) => Some(format!(
                "{path}.apiVersion is empty: the selector selects nothing; set it to that of {kind}"
            )),
            _ => None,
        }
    });
    let ignored = selectors_with_name_and_labels(spec).map(|index| {
        format!("spec.resourceSelectors[{index}].labelSelector is ignored, because the selector has a name")
    });
    let association = spec
        .association
        .then(|| "spec.association is deprecated and has no effect; use spec.propagateDeps".to_owned());
    let tolerations = placement::idle_tolerations(&spec.placement);
    let affinities = placement::empty_affinities(&spec.placement);
    empty.chain(ignored).chain(association).chain(affinities).chain(tolerations).collect()
}

fn selectors_with_name_and_labels(spec: &PropagationSpec) -> impl Iterator<Item = usize> {
    let selectors = spec.resource_selectors.iter().enumerate();
    let both = selectors.filter(|(_, one)| !one.name.is_empty() && one.label_selector.is_some());
    both.map(|(index, _)| index)
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

/// The permanent id of a policy. `None` without the label, and for an empty one.
fn identity<T: Propagation>(object: &Value) -> Option<&str> {
    object["metadata"]["labels"][T::ID].as_str().filter(|id| !id.is_empty())
}

/// A policy that is replaced by a manifest (`kubectl replace`) keeps the identity and the finalizer, which are in no manifest.
fn keep_identity<T: Propagation>(object: &mut Value, old: Option<&Value>) {
    let Some(old) = old else { return };
    if identity::<T>(object).is_some() {
        return;
    }
    let Some(id) = identity::<T>(old) else { return };
    let is_held =
        old["metadata"]["finalizers"].as_array().is_some_and(|list| list.contains(&json!(T::FINALIZER)));
    let mut tree = Object(object.take());
    tree.set_label(T::ID, id.to_owned());
    if is_held {
        hold(&mut tree, T::FINALIZER);
    }
    *object = tree.0;
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
    let had = identity::<T>(old);
    let has = identity::<T>(object);
    if had.is_some() && has != had {
        let fault =
            FieldError::invalid(format!("metadata.labels[{}]", T::ID), &json!(has), "label is immutable");
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
    placement::check(&spec.placement, errors);
    if let Some(failover) = &spec.failover {
        if failover.application.is_some() && !spec.propagate_deps {
            let detail = "application failover is set, propagateDeps must be true";
            errors.push(FieldError::invalid("spec.propagateDeps", &json!(false), detail));
        }
        failover::check(failover, errors);
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
