//! The steps of each cluster: overrides, Work, the object in the member, and its status.

use portolan_api::conditions::cluster::DELETIONS_HELD;
use portolan_api::labels;
use portolan_api::meta::{ObjectMeta, condition};
use portolan_api::resources;
use portolan_api::work::{TargetCluster, Work};
use portolan_object::Object;

use super::facts::Facts;
use super::member::{member, status};
use super::policy::{CONTROL_PLANE_CURE, is_left};
use super::scheduling::not_made;
use super::step::{Hop, Step, Verdict};
use crate::field_changes::manifest_changes;
use crate::propagation::namespace;
use crate::propagation::overrides::{self, OverrideError, OverrideFault};
use crate::propagation::removal::Cause;
use crate::propagation::snapshot::{Binding, Override, work_of};
use crate::propagation::work::{is_current, manifest, targets};

/// Changed fields that are listed, at most.
const MAX_LISTED: usize = 20;

/// Whether an object goes to every cluster without a policy.
pub(super) fn follows_without_policy(template: &Object) -> bool {
    resources::NAMESPACE.is_kind_of(template)
}

/// The steps of a Namespace, which has no policy and no binding.
pub(super) fn namespace(facts: &Facts, template: &Object) -> Vec<Step> {
    if !namespace::is_propagated(template) {
        let text = match template.label(labels::namespace::SKIP_AUTO_PROPAGATION) {
            Some(labels::TRUE) => {
                format!("label {} keeps it from the members", labels::namespace::SKIP_AUTO_PROPAGATION)
            }
            _ => format!("namespace {} is not propagated: every cluster has its own", template.name()),
        };
        let cure = match template.label(labels::namespace::SKIP_AUTO_PROPAGATION) {
            Some(labels::TRUE) => format!(
                "kubectl label namespace {} {}-",
                template.name(),
                labels::namespace::SKIP_AUTO_PROPAGATION
            ),
            _ => "create a namespace with another name".to_owned(),
        };
        return vec![Step::broken(Hop::Policy, text, cure)];
    }
    let clusters = match &facts.clusters {
        Ok(clusters) => clusters,
        Err(error) => return vec![Step::not_looked_at(Hop::Schedule, error)],
    };
    if clusters.is_empty() {
        let cure = "join a cluster: portolan join NAME --cluster-kubeconfig FILE";
        return vec![Step::broken(Hop::Schedule, "no cluster has joined yet", cure)];
    }
    let mut steps = vec![Step::good(Hop::Policy, "namespaces go to every cluster without a policy")];
    for cluster in clusters.iter().filter(|one| facts.asks_about(&one.metadata.name)) {
        let name = &cluster.metadata.name;
        let present = facts.works.as_ref().ok().and_then(|works| works.get(name));
        let wanted = match &facts.overrides {
            Err(error) => Wanted::Unknown(error.to_string()),
            Ok(overrides) => {
                let cluster_wide: Vec<overrides::Policy<'_>> = overrides
                    .iter()
                    .filter(|one| one.metadata.namespace.is_empty())
                    .map(|one| overrides::Policy { metadata: &one.metadata, spec: &one.spec })
                    .collect();
                Wanted::of(namespace::work(template, cluster, &cluster_wide, id(present)))
            }
        };
        steps.extend(from_work(facts, template, name, wanted, Suspended::No));
    }
    steps
}

/// The steps of all target clusters. A cluster that is asked about and is no target has one step that says so.
pub(super) fn clusters(facts: &Facts, template: &Object, binding: &Binding) -> Vec<Step> {
    let targets = targets(&binding.spec);
    if let Some(only) = &facts.only
        && !targets.iter().any(|target| target.name == *only)
    {
        let text = format!("cluster {only} is not among its clusters");
        return vec![Step::broken(Hop::Schedule, text, "see the reasons above").on(only)];
    }
    let asked = targets.iter().filter(|target| facts.asks_about(&target.name));
    asked.flat_map(|target| cluster(facts, template, binding, target)).collect()
}

fn cluster(facts: &Facts, template: &Object, binding: &Binding, target: &TargetCluster) -> Vec<Step> {
    let name = target.name.as_str();
    let Some(cluster) = facts.cluster(name) else {
        let step = match &facts.clusters {
            Err(error) => Step::not_looked_at(Hop::Work, error),
            Ok(_) => Step::waiting(Hop::Work, "the cluster has left the federation", CONTROL_PLANE_CURE),
        };
        return vec![step.on(name)];
    };
    let present = facts.works.as_ref().ok().and_then(|works| works.get(name));
    let mut steps = Vec::new();
    let wanted = match &facts.overrides {
        _ if is_left(binding) => Wanted::Left,
        Err(error) => {
            steps.push(Step::not_looked_at(Hop::Overrides, error).on(name));
            Wanted::Unknown(error.to_string())
        }
        Ok(overrides) => {
            let made = |overrides: &[Override]| {
                work_of(template, binding.view(), overrides, target, cluster, present)
            };
            let wanted = made(overrides);
            steps.extend(overridden(&wanted, made(&[])).map(|step| step.on(name)));
            match wanted {
                Ok(_) if facts.is_customised => {
                    Wanted::Unknown("a customised interpreter makes it".to_owned())
                }
                wanted => Wanted::of(wanted),
            }
        }
    };
    let suspension = binding.spec.suspension.as_ref();
    let suspended = match suspension {
        Some(all) if all.dispatching == Some(true) => Suspended::Everywhere,
        Some(some)
            if some
                .dispatching_on_clusters
                .as_ref()
                .is_some_and(|one| one.cluster_names.iter().any(|one| one == name)) =>
        {
            Suspended::Here
        }
        _ => Suspended::No,
    };
    steps.extend(from_work(facts, template, name, wanted, suspended));
    steps
}

fn id(work: Option<&Work>) -> &str {
    work.and_then(|work| work.metadata.label(labels::work::PERMANENT_ID)).unwrap_or_default()
}

/// The Work that the control plane makes now.
enum Wanted {
    Work(Box<Work>),
    /// An override fails; the present Work stays.
    Failed,
    /// The policy is gone; the present Work stays.
    Left,
    Unknown(String),
}

impl Wanted {
    fn of(made: Result<Work, OverrideError>) -> Self {
        made.map_or(Self::Failed, |work| Self::Work(Box::new(work)))
    }
}

/// Where the policy suspends dispatching.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Suspended {
    No,
    Here,
    Everywhere,
}

/// What the overrides change; `None` if they change nothing.
fn overridden(wanted: &Result<Work, OverrideError>, plain: Result<Work, OverrideError>) -> Option<Step> {
    let wanted = match wanted {
        Ok(wanted) => wanted,
        Err(error) => {
            return Some(Step::broken(Hop::Overrides, error.to_string(), override_cure(error)));
        }
    };
    let (with, without) = (manifest(wanted)?, manifest(plain.as_ref().ok()?)?);
    let changes = manifest_changes(&without, &with);
    if changes.is_empty() {
        return None;
    }
    let policies = applied_overrides(&wanted.metadata);
    let lines = listed(changes.iter().map(ToString::to_string).collect());
    Some(Step::good(Hop::Overrides, format!("{} applied", policies.join(", "))).details(lines))
}

fn applied_overrides(work: &ObjectMeta) -> Vec<String> {
    use portolan_api::annotations::policy::{APPLIED_CLUSTER_OVERRIDES, APPLIED_OVERRIDES};
    let names = |annotation: &str, kind: &str| -> Vec<String> {
        let text = work.annotation(annotation).unwrap_or("[]");
        let applied: Vec<serde_json::Value> = serde_json::from_str(text).unwrap_or_default();
        let names = applied.iter().filter_map(|one| one["policyName"].as_str());
        names.map(|name| format!("{kind} {name}")).collect()
    };
    let mut all = names(APPLIED_CLUSTER_OVERRIDES, "ClusterOverridePolicy");
    all.extend(names(APPLIED_OVERRIDES, "OverridePolicy"));
    all
}

fn override_cure(error: &OverrideError) -> String {
    let (kind, place) = match error.policy_namespace.as_str() {
        "" => ("cop", String::new()),
        namespace => ("op", format!(" -n {namespace}")),
    };
    let edit = format!("kubectl edit {kind} {}{place}", error.policy);
    match error.fault.as_ref() {
        OverrideFault::NoSuchPath { path, .. } => format!("correct the path {path}: {edit}"),
        OverrideFault::Protected { field, .. } => format!("remove the change of {field}: {edit}"),
        _ => edit,
    }
}

fn listed(mut lines: Vec<String>) -> Vec<String> {
    let left = lines.len().saturating_sub(MAX_LISTED);
    lines.truncate(MAX_LISTED);
    if left > 0 {
        lines.push(format!("and {left} more fields"));
    }
    lines
}

/// The Work and what comes after it.
fn from_work(
    facts: &Facts,
    template: &Object,
    cluster: &str,
    wanted: Wanted,
    suspended: Suspended,
) -> Vec<Step> {
    let works = match &facts.works {
        Ok(works) => works,
        Err(error) => return vec![Step::not_looked_at(Hop::Work, error).on(cluster)],
    };
    let Some(work) = works.get(cluster) else {
        let step = match wanted {
            Wanted::Failed => {
                Step::broken(Hop::Work, "there is no Work, because an override fails", "see overrides above")
            }
            _ if binding_fails(facts) => Step::broken(
                Hop::Work,
                "there is no Work, because it cannot be made",
                "see the binding above",
            ),
            _ => Step::waiting(Hop::Work, "the control plane has not made the Work yet", CONTROL_PLANE_CURE),
        };
        return vec![step.on(cluster)];
    };
    let step = held(facts, cluster, work).unwrap_or_else(|| present(work, wanted, suspended)).on(cluster);
    let goes_on = !matches!(step.verdict, Verdict::Broken) && !work.metadata.is_deleting();
    let mut steps = vec![step];
    if !goes_on {
        return steps;
    }
    let (step, object) = member(facts, template, cluster, work);
    let is_applied = step.verdict != Verdict::Broken;
    steps.push(step.on(cluster));
    if is_applied {
        steps.extend(status(facts, cluster, work, object).map(|step| step.on(cluster)));
    }
    steps
}

/// Whether the binding says that a Work cannot be made.
fn binding_fails(facts: &Facts) -> bool {
    let binding = facts.binding.as_ref().ok().and_then(Option::as_ref);
    binding.and_then(not_made).is_some()
}

/// A deletion that the brake holds.
fn held(facts: &Facts, cluster: &str, work: &Work) -> Option<Step> {
    let counts = Cause::of(work).is_some_and(|cause| !cause.is_deletion_by_user());
    let conditions = &facts.cluster(cluster)?.status.conditions;
    let held = condition(conditions, DELETIONS_HELD).filter(|held| held.is_true())?;
    if !work.metadata.is_deleting() || !counts {
        return None;
    }
    let text = "the object is to be deleted in the member, and deletions are held there: too many at once";
    let cure = format!(
        "portolan release {cluster}, if they are to be deleted; kubectl describe cluster {cluster} names them"
    );
    Some(Step::broken(Hop::Work, text, cure).since(Some(&held.last_transition_time)))
}

fn present(work: &Work, wanted: Wanted, suspended: Suspended) -> Step {
    let key = work.metadata.key();
    if work.metadata.is_deleting() {
        let text = format!("Work {key} is being deleted; the object in the member goes first");
        let cure =
            format!("kubectl get work {} -n {} -o yaml: see status.conditions", key.name, key.namespace);
        return Step::waiting(Hop::Work, text, cure).since(work.metadata.deletion_timestamp.as_deref());
    }
    if work.spec.suspend_dispatching == Some(true) || suspended != Suspended::No {
        let field = match suspended {
            Suspended::Here => "spec.suspension.dispatchingOnClusters of the policy",
            Suspended::Everywhere => "spec.suspension.dispatching of the policy",
            Suspended::No => "spec.suspendDispatching of the Work",
        };
        let text = format!("changes are not sent to the member: {field}");
        return Step::broken(Hop::Work, text, format!("remove {field}"));
    }
    let since = work.metadata.creation_timestamp.clone();
    match wanted {
        Wanted::Unknown(reason) => {
            Step::not_looked_at(Hop::Work, format!("whether Work {key} is up to date: {reason}"))
        }
        Wanted::Failed => {
            let text = format!("Work {key} stays as it was before the override failed");
            Step::warning(Hop::Work, text, "see overrides above")
        }
        Wanted::Left => {
            let text = format!("Work {key} stays as it was when its policy was deleted");
            Step::warning(Hop::Work, text, "see policy above")
        }
        Wanted::Work(wanted) if !is_current(work, &wanted) => {
            let text = format!("Work {key} has not followed the last change yet");
            let changes = match (manifest(work), manifest(&wanted)) {
                (Some(old), Some(new)) => manifest_changes(&old, &new),
                _ => Vec::new(),
            };
            let lines = listed(changes.iter().map(ToString::to_string).collect());
            Step::waiting(Hop::Work, text, CONTROL_PLANE_CURE).details(lines)
        }
        Wanted::Work(_) => Step::good(Hop::Work, format!("Work {key} is up to date")).since(since.as_deref()),
    }
}
