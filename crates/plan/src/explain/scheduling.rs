//! The binding, and the clusters that were chosen for it.

use portolan_api::cluster::Cluster;
use portolan_api::conditions::binding::{
    DEPENDENCIES_FOUND, FULLY_APPLIED, QUOTA_EXCEEDED, SCHEDULED, SCHEDULER_ERROR, UNSCHEDULABLE,
    WORK_NOT_MADE,
};
use portolan_api::events::GET_REPLICAS_FAILED;
use portolan_api::labels;
use portolan_api::meta::{Condition, condition};
use portolan_api::policy::{ClusterAffinity, Placement, ReplicaSchedulingType};
use portolan_api::work::TargetCluster;
use portolan_object::Object;

use super::chosen::Chosen;
use super::facts::Facts;
use super::policy::CONTROL_PLANE_CURE;
use super::step::{Hop, Step};
use super::unchosen::{Unchosen, arithmetic, unchosen};
use super::unhealthy::time_of_event;
use crate::propagation::binding::{belongs_to_another, differs};
use crate::propagation::reschedule::is_schedulable;
use crate::propagation::schedule::Rejection;
use crate::propagation::snapshot::{Binding, binding_spec};

/// Rejected clusters that are listed, at most.
const MAX_LISTED: usize = 20;

/// The binding, if it is that of the template.
pub(super) fn binding<'a>(
    facts: &'a Facts,
    template: &Object,
    chosen: Option<Chosen<'_>>,
) -> (Step, Option<&'a Binding>) {
    let is_lazy = chosen.is_some_and(|chosen| chosen.spec.activation_preference.is_some());
    let Ok(Some(binding)) = &facts.binding else {
        if is_lazy {
            let text =
                "the policy takes effect with the next change of the object (activationPreference: Lazy)";
            let cure = "change the object, or remove spec.activationPreference from the policy";
            return (Step::waiting(Hop::Binding, text, cure), None);
        }
        if let Some(failure) = uncounted(facts) {
            let text = format!("the control plane cannot make a binding: {failure}");
            let cure = "correct the interpreter that the text names; it is tried again by itself";
            return (Step::broken(Hop::Binding, text, cure), None);
        }
        let text = "the control plane has not made a binding yet";
        return (Step::waiting(Hop::Binding, text, CONTROL_PLANE_CURE), None);
    };
    let metadata = &binding.metadata;
    if belongs_to_another(metadata, template) {
        let text =
            format!("binding {} is of an earlier object of this name, and is being replaced", metadata.key());
        return (Step::waiting(Hop::Binding, text, CONTROL_PLANE_CURE), None);
    }
    if metadata.is_deleting() {
        let text = format!("binding {} is being deleted, with its Works", metadata.key());
        let step = Step::waiting(Hop::Binding, text, CONTROL_PLANE_CURE);
        return (step.since(metadata.deletion_timestamp.as_deref()), Some(binding));
    }
    if let Some(chosen) = chosen.filter(|_| !facts.is_customised && !is_lazy)
        && differs(&binding.spec, &binding_spec(template, chosen.spec, Some(&binding.spec)))
    {
        let text = format!(
            "binding {} has not followed the last change of the object or its policy yet",
            metadata.key()
        );
        return (Step::waiting(Hop::Binding, text, CONTROL_PLANE_CURE), Some(binding));
    }
    let text = format!("binding {} is up to date", metadata.key());
    (Step::good(Hop::Binding, text).since(metadata.creation_timestamp.as_deref()), Some(binding))
}

/// Why an interpreter cannot say what the template wants, by the newest event about it; `None` without such an event.
fn uncounted(facts: &Facts) -> Option<&str> {
    let warnings = facts.warnings.as_ref().ok()?;
    let failures = warnings.iter().filter(|event| event.str_at(&["reason"]) == GET_REPLICAS_FAILED);
    failures.max_by_key(|event| time_of_event(event)).map(|event| event.str_at(&["message"]))
}

/// The objects that the template refers to and that do not exist; `None` if all exist.
pub(super) fn dependencies(binding: &Binding) -> Option<Step> {
    let found = condition(&binding.status.conditions, DEPENDENCIES_FOUND)?;
    let step = Step::warning(Hop::Binding, &*found.message, "create them on the control plane");
    (!found.is_true()).then(|| step.since(Some(&found.last_transition_time)))
}

/// Why a Work cannot be made for a reason besides overrides; `None` if none is recorded.
pub(super) fn not_made(binding: &Binding) -> Option<Step> {
    let applied = condition(&binding.status.conditions, FULLY_APPLIED)?;
    let cure = "correct the interpreter or the binding that the text names; it is tried again by itself";
    let step = Step::broken(Hop::Binding, &*applied.message, cure);
    let is_recorded = !applied.is_true() && applied.reason == WORK_NOT_MADE;
    is_recorded.then(|| step.since(Some(&applied.last_transition_time)))
}

/// The clusters that the scheduler chose, and why not the others.
pub(super) fn schedule(facts: &Facts, binding: &Binding) -> Step {
    if !is_schedulable(binding.view()) {
        return unscheduled(facts, binding);
    }
    let clusters = match &facts.clusters {
        Ok(clusters) => clusters,
        Err(error) => return Step::not_looked_at(Hop::Schedule, error),
    };
    let known = condition(&binding.status.conditions, SCHEDULED);
    let unchosen = unchosen(binding, clusters, known.is_some_and(Condition::is_true));
    let mut lines = arithmetic(binding, clusters);
    lines.extend(unchosen.iter().take(MAX_LISTED).map(|one| format!("not {}: {}", one.cluster, one.text)));
    let Some(known) = known else {
        return Step::waiting(Hop::Schedule, "the binding has not been scheduled yet", CONTROL_PLANE_CURE)
            .details(lines);
    };
    let since = Some(known.last_transition_time.as_str());
    if !known.is_true() {
        return failed(facts, binding, known, &unchosen).since(since).details(lines);
    }
    if binding.status.scheduler_observed_generation < binding.metadata.generation
        && binding.spec.clusters.is_empty()
    {
        return Step::waiting(
            Hop::Schedule,
            "the last change has not been scheduled yet",
            CONTROL_PLANE_CURE,
        );
    }
    if binding.spec.clusters.is_empty() {
        let cure = format!(
            "kubectl get {} -o yaml: see spec.placement and spec.replicas",
            binding_argument(binding)
        );
        return Step::broken(Hop::Schedule, "no cluster has a part of it", cure).since(since).details(lines);
    }
    succeeded(binding, clusters).since(since).details(lines)
}

/// `rb/web-deployment -n shop`, for command lines.
pub(super) fn binding_argument(binding: &Binding) -> String {
    let name = &binding.metadata.name;
    match binding.metadata.namespace.as_str() {
        "" => format!("crb {name}"),
        namespace => format!("rb {name} -n {namespace}"),
    }
}

/// The binding is not this scheduler's, or has no policy.
fn unscheduled(facts: &Facts, binding: &Binding) -> Step {
    let spec = &binding.spec;
    let targets = targets_text(binding);
    if spec.suspension.as_ref().is_some_and(|suspension| suspension.scheduling == Some(true)) {
        let text = format!("scheduling is suspended: spec.suspension.scheduling of the binding; {targets}");
        let cure = format!(
            "kubectl patch {} --type=merge -p '{{\"spec\":{{\"suspension\":{{\"scheduling\":false}}}}}}'",
            binding_argument(binding)
        );
        return if spec.clusters.is_empty() {
            Step::broken(Hop::Schedule, text, cure)
        } else {
            Step::warning(Hop::Schedule, text, cure)
        };
    }
    if spec.placement.is_none() && !spec.required_by.is_empty() {
        let by: Vec<String> =
            spec.required_by.iter().map(|one| format!("{}/{}", one.namespace, one.name)).collect();
        return Step::good(Hop::Schedule, format!("goes where the bindings {} go", by.join(", ")));
    }
    if let Some(federation) = binding.metadata.label(labels::federation::NAME) {
        let text = format!("Federation {federation} gives it its clusters; {targets}");
        let cure = format!("kubectl get federation {federation} -o yaml: see spec.clusterSelector");
        return match spec.clusters.is_empty() {
            true => Step::broken(Hop::Schedule, text, cure),
            false => Step::good(Hop::Schedule, text),
        };
    }
    let scheduler = &spec.scheduler_name;
    let default = portolan_api::policy::PropagationSpec::default().scheduler_name;
    if !scheduler.is_empty() && *scheduler != default {
        let text = format!("its policy leaves it to the scheduler {scheduler:?}; {targets}");
        let cure =
            format!("see that scheduler {scheduler} runs, or remove spec.schedulerName from the policy");
        return if spec.clusters.is_empty() {
            Step::broken(Hop::Schedule, text, cure)
        } else {
            Step::good(Hop::Schedule, text)
        };
    }
    let text = format!("no policy holds it, so nothing schedules it; {targets}");
    let cure = format!("portolan why {}: see the policies above", facts.argument());
    match spec.clusters.is_empty() {
        true => Step::broken(Hop::Schedule, text, cure),
        false => Step::warning(Hop::Schedule, text, cure),
    }
}

fn targets_text(binding: &Binding) -> String {
    match binding.spec.clusters.is_empty() {
        true => "it has no cluster".to_owned(),
        false => format!("it is in {}", shares(&binding.spec.clusters)),
    }
}

fn succeeded(binding: &Binding, clusters: &[Cluster]) -> Step {
    let mut text = shares(&binding.spec.clusters);
    if let Some(placement) = &binding.spec.placement
        && binding.spec.replicas > 0
    {
        text = format!("{text}: {}", division(placement, binding.spec.replicas));
    }
    let group = &binding.status.scheduler_observed_affinity_name;
    if !group.is_empty() {
        text = format!("{text}, by the cluster affinity {group}");
    }
    let missing = missing_names(binding, clusters);
    if missing.is_empty() {
        return Step::good(Hop::Schedule, text);
    }
    let text = format!("{text}; the policy names clusters that do not exist: {}", missing.join(", "));
    Step::warning(
        Hop::Schedule,
        text,
        "correct the names in the policy: portolan get clusters lists those that exist",
    )
}

/// `3 replicas in eu, 2 in us`, or `eu, us`.
fn shares(targets: &[TargetCluster]) -> String {
    let share = |target: &TargetCluster| match target.replicas {
        0 => target.name.clone(),
        replicas => format!("{} ({replicas})", target.name),
    };
    targets.iter().map(share).collect::<Vec<_>>().join(", ")
}

fn division(placement: &Placement, replicas: i32) -> String {
    let Some(scheduling) = &placement.replica_scheduling else {
        return format!("all {replicas} replicas in each cluster");
    };
    if scheduling.replica_scheduling_type == ReplicaSchedulingType::Duplicated {
        return format!("all {replicas} replicas in each cluster");
    }
    let preference =
        scheduling.replica_division_preference.map_or("Weighted".to_owned(), |one| format!("{one:?}"));
    let weights = match &scheduling.weight_preference {
        Some(weights) if weights.dynamic_weight.is_some() => ", weights by free capacity",
        Some(_) => ", weights of the policy",
        None => "",
    };
    format!("{replicas} replicas divided ({preference}{weights})")
}

/// The groups of clusters that a placement names; without any, all clusters.
fn affinities(binding: &Binding) -> Vec<ClusterAffinity> {
    let Some(placement) = &binding.spec.placement else { return Vec::new() };
    if placement.cluster_affinities.is_empty() {
        return vec![placement.cluster_affinity.clone().unwrap_or_default()];
    }
    placement.cluster_affinities.iter().map(|group| group.affinity.clone()).collect()
}

fn missing_names(binding: &Binding, clusters: &[Cluster]) -> Vec<String> {
    let exists = |name: &String| clusters.iter().any(|cluster| cluster.metadata.name == *name);
    let mut names: Vec<String> = affinities(binding).into_iter().flat_map(|one| one.cluster_names).collect();
    names.retain(|name| !exists(name));
    names.sort();
    names.dedup();
    names
}

/// The scheduler found no place.
fn failed(facts: &Facts, binding: &Binding, known: &Condition, unchosen: &[Unchosen]) -> Step {
    let text = format!("{}: {}", known.reason, known.message);
    let mut step = Step::broken(Hop::Schedule, text, cure(facts, binding, known, unchosen));
    if !binding.spec.clusters.is_empty() {
        step = step.details(vec![format!("it stays in {}", shares(&binding.spec.clusters))]);
    }
    step
}

fn cure(facts: &Facts, binding: &Binding, known: &Condition, unchosen: &[Unchosen]) -> String {
    let clusters = facts.clusters.as_deref().unwrap_or_default();
    if clusters.is_empty() {
        return "join a cluster: portolan join NAME --cluster-kubeconfig FILE".to_owned();
    }
    match known.reason.as_str() {
        // Some clusters fit, and have not enough room.
        UNSCHEDULABLE => {
            return "add nodes or clusters, or ask for fewer replicas: kubectl get clusters -o wide shows what is free"
                .to_owned();
        }
        QUOTA_EXCEEDED => {
            return format!(
                "raise spec.overall of the FederatedResourceQuota, or ask for less: kubectl get federatedresourcequotas -n {} \
                 -o yaml shows what is used",
                binding.metadata.namespace
            );
        }
        _ => {}
    }
    let missing = missing_names(binding, clusters);
    let rejected = || unchosen.iter().filter_map(|one| Some((&one.cluster, one.rejection.as_ref()?)));
    match rejected().find(|(_, reason)| !matches!(reason, Rejection::Affinity)) {
        Some((cluster, Rejection::Taint(taint))) if taint.key.starts_with("cluster.karmada.io/") => {
            format!("make cluster {cluster} ready: kubectl describe cluster {cluster} says what it lacks")
        }
        Some((cluster, Rejection::Taint(taint))) => format!(
            "tolerate {} in spec.placement.clusterTolerations of the policy, or remove it: kubectl edit cluster {cluster}",
            taint.key
        ),
        Some((cluster, Rejection::MissingApi)) => {
            let kind = binding.template_kind();
            format!(
                "install the CustomResourceDefinition of {}.{} in {cluster}, or propagate it with a policy",
                kind.kind, kind.group
            )
        }
        Some((cluster, Rejection::Leaving)) => {
            format!("wait until {cluster} has left, and name another cluster in the policy")
        }
        Some((cluster, Rejection::Evicted)) => {
            format!("wait until the eviction from {cluster} is done, or name another cluster in the policy")
        }
        Some((cluster, Rejection::Failed)) => {
            format!("correct the template: it may go back to {cluster} then, or after a WorkloadRebalancer asks for it")
        }
        Some((cluster, Rejection::MissingProperty(by))) => {
            format!("give the clusters what spreadConstraints spread over ({by:?}), such as {cluster}: kubectl edit cluster {cluster}")
        }
        Some((_, Rejection::AwayFromGroup | Rejection::OccupiedByGroup)) => {
            "see spec.placement.workloadAffinity of the policy, and where the other workloads of its group are".to_owned()
        }
        _ if known.reason == SCHEDULER_ERROR && known.message.contains("spreadConstraint") => {
            "lower minGroups in spec.placement.spreadConstraints of the policy, or join clusters that fit".to_owned()
        }
        _ if !missing.is_empty() => {
            "correct the names in the policy: portolan get clusters lists those that exist".to_owned()
        }
        _ if rejected().count() == clusters.len() => {
            "change spec.placement of the policy, or the labels of a cluster: kubectl get clusters --show-labels".to_owned()
        }
        _ => format!("see spec.placement of its policy: kubectl describe {}", facts.argument().replacen('/', " ", 1)),
    }
}
