//! Bindings without clusters, overrides that fail, Works that were not applied, objects that are not healthy.

use std::collections::BTreeSet;

use portolan_api::conditions::binding::{
    DEPENDENCIES_FOUND, FULLY_APPLIED, OVERRIDE_POLICY_FAILED, SCHEDULED, STATUS_COLLECTED, WORK_NOT_MADE,
};
use portolan_api::conditions::cluster::READY;
use portolan_api::conditions::work::APPLIED;
use portolan_api::meta::{Condition, condition};
use portolan_api::names;
use portolan_api::work::{ResourceHealth, Work};
use portolan_object::{Object, ObjectKey};

use super::policies::is_claimed;
use super::{Federation, Groups};
use crate::explain::step::Verdict;
use crate::propagation::claim::Claim;
use crate::propagation::refusal::{Refusal, message};
use crate::propagation::snapshot::Binding;
use crate::propagation::work::manifest;

/// Adds the troubles of bindings, and of claimed objects without one.
pub(super) fn bindings(federation: &Federation, groups: &mut Groups) {
    let bindings = match &federation.bindings {
        Ok(bindings) => bindings,
        Err(error) => return groups.unread("the bindings", error),
    };
    for binding in bindings.iter().filter(|binding| !binding.metadata.is_deleting()) {
        let object = title(binding);
        let known = condition(&binding.status.conditions, SCHEDULED);
        if let Some(known) = known.filter(|known| !known.is_true()) {
            let cause = format!("not scheduled: {}: {}", known.reason, known.message);
            let cure = why(binding);
            groups.add(Verdict::Broken, cause, Some(object), Some(&known.last_transition_time), cure);
            continue;
        }
        let suspension = binding.spec.suspension.as_ref();
        if suspension
            .is_some_and(|one| one.dispatching == Some(true) || one.dispatching_on_clusters.is_some())
        {
            let cause = "the policy suspends dispatching: members get no changes".to_owned();
            let cure = "remove spec.suspension from the policy".to_owned();
            groups.add(Verdict::Warning, cause, Some(object.clone()), None, cure);
        }
        let applied = condition(&binding.status.conditions, FULLY_APPLIED);
        let is_named =
            |one: &&Condition| [OVERRIDE_POLICY_FAILED, WORK_NOT_MADE].contains(&one.reason.as_str());
        if let Some(failed) = applied.filter(|one| !one.is_true()).filter(is_named) {
            let cause = failed.message.clone();
            groups.add(
                Verdict::Broken,
                cause,
                Some(object.clone()),
                Some(&failed.last_transition_time),
                why(binding),
            );
        }
        let found = condition(&binding.status.conditions, DEPENDENCIES_FOUND);
        if let Some(missing) = found.filter(|found| !found.is_true()) {
            let (cause, since) = (missing.message.clone(), Some(missing.last_transition_time.as_str()));
            let cure = "create them on the control plane".to_owned();
            groups.add(Verdict::Warning, cause, Some(object.clone()), since, cure);
        }
        let collected = condition(&binding.status.conditions, STATUS_COLLECTED);
        if let Some(failed) = collected.filter(|collected| !collected.is_true()) {
            let cause = format!("status and health cannot be read: {}", failed.message);
            let since = Some(failed.last_transition_time.as_str());
            groups.add(Verdict::Broken, cause, Some(object.clone()), since, why(binding));
        }
        unhealthy(binding, &object, groups);
    }
    unbound(federation, bindings, groups);
}

fn unhealthy(binding: &Binding, object: &str, groups: &mut Groups) {
    for item in &binding.status.aggregated_status {
        if item.health == Some(ResourceHealth::Unhealthy) {
            let cause = format!("not healthy in {}", item.cluster_name);
            groups.add(Verdict::Broken, cause, Some(object.to_owned()), None, why(binding));
        }
    }
}

/// Claimed objects without a binding.
fn unbound(federation: &Federation, bindings: &[Binding], groups: &mut Groups) {
    let bound: BTreeSet<String> = bindings.iter().map(|binding| binding.metadata.key().to_string()).collect();
    for object in federation.templates.values().filter_map(|read| read.as_ref().ok()).flatten() {
        let key = ObjectKey::namespaced(object.namespace(), names::binding(object.kind(), object.name()));
        if !is_claimed(object) || object.is_deleting() || bound.contains(&key.to_string()) {
            continue;
        }
        let (verdict, cause, cure) = match has_lazy_policy(federation, object) {
            true => (
                Verdict::Waiting,
                "the policy takes effect with the next change of the object (activationPreference: Lazy)",
                "change the object, or remove spec.activationPreference from the policy",
            ),
            false => (
                Verdict::Broken,
                "a policy holds the object, and the control plane has made no binding",
                "see the log and /readyz of portolan server",
            ),
        };
        let object = format!("{} {}", object.kind(), object.key());
        groups.add(verdict, cause.to_owned(), Some(object), None, cure.to_owned());
    }
}

/// Whether the policy that holds an object takes effect with the next change of the object only.
fn has_lazy_policy(federation: &Federation, object: &Object) -> bool {
    let holder = match Claim::on(object) {
        Some(Claim::Namespaced { policy, .. }) => policy,
        Some(Claim::Cluster { policy, .. }) => ObjectKey::cluster(policy),
        _ => return false,
    };
    let policies = federation.policies.as_deref().unwrap_or_default();
    policies
        .iter()
        .any(|policy| policy.metadata.key() == holder && policy.spec.activation_preference.is_some())
}

/// Adds the troubles of Works. Those of clusters that are not ready are part of the cluster's trouble.
pub(super) fn works(federation: &Federation, groups: &mut Groups) {
    let works = match &federation.works {
        Ok(works) => works,
        Err(error) => return groups.unread("the Works", error),
    };
    let is_ready = |name: &str| {
        let clusters = federation.clusters.as_deref().unwrap_or_default();
        let cluster = clusters.iter().find(|cluster| cluster.metadata.name == name);
        cluster.is_none_or(|one| condition(&one.status.conditions, READY).is_some_and(Condition::is_true))
    };
    for work in works {
        let Some(cluster) = names::cluster_of_execution_namespace(&work.metadata.namespace) else { continue };
        if is_ready(cluster) {
            failed(work, cluster, groups);
        }
    }
}

fn failed(work: &Work, cluster: &str, groups: &mut Groups) {
    let object = manifest(work);
    let object = object.map_or_else(
        || format!("Work {}", work.metadata.key()),
        |one| format!("{} {}", one.kind(), one.key()),
    );
    if let Some(since) = work.metadata.deletion_timestamp.as_deref() {
        let cause = format!("objects are being deleted in {cluster}");
        let cure = format!("kubectl get works -n {} -o yaml: see status.conditions", work.metadata.namespace);
        groups.add(Verdict::Waiting, cause, Some(object), Some(since), cure);
        return;
    }
    let applied = condition(&work.status.conditions, APPLIED);
    let Some(applied) = applied.filter(|applied| !applied.is_true()) else { return };
    let refusal = Refusal::of(message(applied));
    let mut cause = refusal.title(cluster);
    if refusal == Refusal::Other {
        cause = format!("{cause}: {}", message(applied));
    }
    groups.add(
        Verdict::Broken,
        cause,
        Some(object),
        Some(&applied.last_transition_time),
        refusal.cure(cluster),
    );
}

/// Kind, namespace and name of the template.
fn title(binding: &Binding) -> String {
    let key =
        portolan_object::ObjectKey::namespaced(&*binding.metadata.namespace, &*binding.spec.resource.name);
    format!("{} {key}", binding.spec.resource.kind)
}

fn why(binding: &Binding) -> String {
    let reference = &binding.spec.resource;
    let object = format!("portolan why {}/{}", reference.kind.to_lowercase(), reference.name);
    match binding.metadata.namespace.as_str() {
        "" => object,
        namespace => format!("{object} -n {namespace}"),
    }
}
