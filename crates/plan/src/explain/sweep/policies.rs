//! Policies without effect: they select nothing, lose everything, or name no cluster that exists.

use portolan_api::policy::ResourceSelector;
use portolan_object::{GroupVersion, GroupVersionKind, Object};

use super::{Federation, Groups};
use crate::explain::step::Verdict;
use crate::propagation::claim::Claim;
use crate::propagation::detect::{Decision, Skipped, decide, is_template};
use crate::propagation::matching::rank;
use crate::propagation::snapshot::{Policy, candidates};

/// Adds a trouble for each policy without effect.
pub(super) fn policies(federation: &Federation, groups: &mut Groups) {
    let policies = match &federation.policies {
        Ok(policies) => policies,
        Err(error) => return groups.unread("the policies", error),
    };
    for policy in policies.iter().filter(|policy| !policy.metadata.is_deleting()) {
        if let Some((cause, cure)) = without_effect(federation, policies, policy) {
            let since = policy.metadata.creation_timestamp.as_deref();
            groups.add(Verdict::Warning, cause, Some(policy.title()), since, cure);
        }
        if let Some(missing) = missing_clusters(federation, policy) {
            let cause = format!("the policy names clusters that do not exist: {missing}");
            let cure = "correct the names: portolan get clusters lists those that exist".to_owned();
            groups.add(Verdict::Warning, cause, Some(policy.title()), None, cure);
        }
    }
}

/// The kind that the hub serves for a selector.
pub fn served<'a>(
    kinds: &'a [GroupVersionKind],
    selector: &ResourceSelector,
) -> Option<&'a GroupVersionKind> {
    let group = group(selector)?;
    kinds.iter().find(|kind| kind.group == group && kind.kind == selector.kind)
}

fn group(selector: &ResourceSelector) -> Option<String> {
    selector.api_version.parse::<GroupVersion>().ok().map(|version| version.group)
}

/// Cause and cure; `None` if the policy has an object, or that is not known.
fn without_effect(federation: &Federation, policies: &[Policy], policy: &Policy) -> Option<(String, String)> {
    let (edit, skipped) = (edit(policy), Skipped::default());
    let mut selected: Vec<&Object> = Vec::new();
    for selector in &policy.spec.resource_selectors {
        let Some(kind) = served(&federation.kinds, selector) else { continue };
        let Ok(objects) = federation.templates.get(&kind.group_kind())? else { return None };
        let namespace = &policy.metadata.namespace;
        selected.extend(objects.iter().filter(|object| {
            (namespace.is_empty() || object.namespace() == namespace)
                && rank(selector, object).is_some()
                && is_template(object, &skipped)
        }));
    }
    if selected.is_empty() {
        let unserved =
            policy.spec.resource_selectors.iter().find(|one| served(&federation.kinds, one).is_none());
        if let Some(selector) = unserved {
            return Some((unserved_cause(&federation.kinds, selector), edit));
        }
        let of_cluster = policy.spec.resource_selectors.iter().find(|one| {
            served(&federation.kinds, one)
                .is_some_and(|kind| federation.cluster_kinds.contains(&kind.group_kind()))
        });
        return Some(match of_cluster.filter(|_| !policy.metadata.namespace.is_empty()) {
            Some(selector) => (
                format!("the policy is for objects of its namespace, and kind {} has none", selector.kind),
                "create a ClusterPropagationPolicy instead".to_owned(),
            ),
            None => ("the policy selects nothing that exists".to_owned(), edit),
        });
    }
    let mut winners: Vec<String> = Vec::new();
    for object in selected {
        let (namespaced, cluster) = candidates(policies, object.namespace());
        let holder = match decide(object, &namespaced, &cluster) {
            Decision::Follow(policy) => policy.metadata,
            Decision::Take(taking) => taking.policy.metadata,
            _ => return None,
        };
        if holder.key() == policy.metadata.key() {
            return None;
        }
        winners.push(crate::propagation::snapshot::policy_title(holder));
    }
    winners.sort();
    winners.dedup();
    winners.truncate(3);
    let cause = format!("the policy has no object: {} has what it selects", winners.join(", "));
    Some((cause, format!("raise spec.priority, or delete it: {edit}")))
}

fn unserved_cause(kinds: &[GroupVersionKind], selector: &ResourceSelector) -> String {
    let wanted = selector.kind.to_lowercase();
    let same = kinds.iter().find(|kind| {
        let name = kind.kind.to_lowercase();
        name == wanted || wanted.strip_suffix('s') == Some(&name)
    });
    let asked = format!(
        "the control plane does not serve kind {} of apiVersion {:?}",
        selector.kind, selector.api_version
    );
    match same {
        Some(kind) => format!("{asked}: write apiVersion {} and kind {}", kind.api_version(), kind.kind),
        None => format!("{asked}: its CustomResourceDefinition is missing, or it is misspelled"),
    }
}

fn edit(policy: &Policy) -> String {
    match policy.metadata.namespace.as_str() {
        "" => format!("kubectl edit cpp {}", policy.metadata.name),
        namespace => format!("kubectl edit pp {} -n {namespace}", policy.metadata.name),
    }
}

fn missing_clusters(federation: &Federation, policy: &Policy) -> Option<String> {
    let clusters = federation.clusters.as_ref().ok()?;
    let placement = &policy.spec.placement;
    let groups = placement.cluster_affinities.iter().map(|group| &group.affinity);
    let named = placement.cluster_affinity.iter().chain(groups).flat_map(|affinity| &affinity.cluster_names);
    let missing: Vec<&str> = named
        .filter(|name| !clusters.iter().any(|cluster| cluster.metadata.name == **name))
        .map(String::as_str)
        .collect();
    (!missing.is_empty()).then(|| missing.join(", "))
}

/// Whether an object is claimed by a policy.
pub(super) fn is_claimed(object: &Object) -> bool {
    Claim::on(object).is_some()
}
