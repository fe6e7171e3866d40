//! The object in one member: whether it was applied, whether it is as the Work wants, and what it reports.

use portolan_api::cluster::Cluster;
use portolan_api::conditions::cluster::{
    CLUSTER_NOT_REACHABLE, CLUSTER_STATUS_UNKNOWN, CREDENTIAL_REFUSED, CREDENTIAL_SUSPENDED, HELD_BY_ANOTHER,
    MEMORY_BUDGET_EXCEEDED, READY,
};
use portolan_api::conditions::work::{APPLIED, STATUS_COLLECTED};
use portolan_api::meta::{Condition, condition};
use portolan_api::work::{ResourceHealth, Work};
use portolan_api::{annotations, labels};
use portolan_object::Object;

use super::being_deleted::being_deleted;
use super::facts::Facts;
use super::policy::CONTROL_PLANE_CURE;
use super::step::{Hop, Step, Verdict};
use super::unhealthy::{Unhealthy, unhealthy};
use crate::covers::covers;
use crate::field_changes::manifest_changes;
use crate::propagation::health::health;
use crate::propagation::refusal::{Refusal, message};
use crate::propagation::retain::retain;
use crate::propagation::work::manifest;

/// The step, and the object in the member if it is the Work's.
pub(super) fn member<'a>(
    facts: &'a Facts,
    template: &Object,
    cluster: &str,
    work: &Work,
) -> (Step, Option<&'a Object>) {
    let cluster_object = facts.cluster(cluster);
    if let Some(step) = cluster_object.and_then(unusable) {
        return (step, None);
    }
    let applied = condition(&work.status.conditions, APPLIED);
    let Some(applied) = applied else {
        return (Step::waiting(Hop::Member, "the Work has not been applied yet", CONTROL_PLANE_CURE), None);
    };
    let since = Some(applied.last_transition_time.as_str());
    if !applied.is_true() {
        return (refused(facts, template, cluster, applied).since(since), None);
    }
    if applied.observed_generation.is_some_and(|seen| seen < work.metadata.generation) {
        let text = "the last change of the Work has not been applied yet";
        return (Step::waiting(Hop::Member, text, CONTROL_PLANE_CURE), None);
    }
    let (step, object) = live(facts, cluster, work);
    (step.since(since), object)
}

/// Why nothing is sent to a cluster; `None` if it is ready.
fn unusable(cluster: &Cluster) -> Option<Step> {
    let name = &cluster.metadata.name;
    let ready = condition(&cluster.status.conditions, READY);
    let Some(ready) = ready else {
        let text = "the control plane has not heard from the cluster yet";
        return Some(Step::waiting(Hop::Member, text, format!("kubectl describe cluster {name}")));
    };
    if ready.is_true() {
        return None;
    }
    let text = format!("the cluster is not ready: {}: {}", ready.reason, ready.message);
    let cure = match ready.reason.as_str() {
        CLUSTER_NOT_REACHABLE => {
            format!(
                "see that its API server {} answers, from where the control plane runs",
                cluster.spec.api_endpoint
            )
        }
        CLUSTER_STATUS_UNKNOWN => {
            format!("see that `portolan agent --pull` runs in cluster {name} and reaches the control plane")
        }
        CREDENTIAL_REFUSED => format!("give it a new credential: portolan join {name}"),
        CREDENTIAL_SUSPENDED => format!("give it a credential for its address: portolan join {name}"),
        HELD_BY_ANOTHER => {
            format!("take it over if the other control plane is gone: portolan join {name} --take-over")
        }
        MEMORY_BUDGET_EXCEEDED => {
            "raise --member-memory of portolan server, or remove objects there".to_owned()
        }
        _ => format!("kubectl describe cluster {name}"),
    };
    Some(Step::broken(Hop::Member, text, cure).since(Some(&ready.last_transition_time)))
}

/// The member did not take the object.
fn refused(facts: &Facts, template: &Object, cluster: &str, applied: &Condition) -> Step {
    let message = message(applied);
    let kind = template.group_version_kind();
    let object = match facts.key.namespace.as_str() {
        "" => format!("{} {}", kind.kind.to_lowercase(), facts.key.name),
        namespace => format!("{} {} -n {namespace}", kind.kind.to_lowercase(), facts.key.name),
    };
    let refusal = Refusal::of(message);
    let cure = match refusal {
        Refusal::Foreign => {
            format!(
                "delete it in {cluster} (kubectl --kubeconfig {cluster}.kubeconfig delete {object}), or set conflictResolution: Overwrite in the policy"
            )
        }
        Refusal::NotServed => {
            format!("install the CustomResourceDefinition of {} in {cluster}", kind.group_kind())
        }
        Refusal::NoNamespace => {
            let namespace = &facts.key.namespace;
            format!(
                "see that the namespace is on the control plane without the label {}, or create it in {cluster}: \
                 kubectl create namespace {namespace}",
                labels::namespace::SKIP_AUTO_PROPAGATION
            )
        }
        Refusal::Immutable => {
            format!(
                "take the change back, or delete it in {cluster} (kubectl --kubeconfig {cluster}.kubeconfig delete {object}): it is then made again"
            )
        }
        _ => refusal.cure(cluster),
    };
    Step::broken(Hop::Member, message, cure)
}

/// The object in the member itself.
fn live<'a>(facts: &'a Facts, cluster: &str, work: &Work) -> (Step, Option<&'a Object>) {
    let Some(found) = facts.members.get(cluster) else {
        return (Step::not_looked_at(Hop::Member, "the cluster was not read"), None);
    };
    let object = match &found.object {
        Ok(Some(object)) => object,
        Ok(None) => {
            let text = "the Work says applied, and the object is not there: it was deleted in the member";
            return (Step::waiting(Hop::Member, text, CONTROL_PLANE_CURE), None);
        }
        Err(error) => {
            let step = Step::not_looked_at(
                Hop::Member,
                format!("the Work says applied, the object was not read: {error}"),
            );
            return (step, None);
        }
    };
    if object.is_deleting() {
        return (being_deleted(cluster, object), None);
    }
    if !is_of_work(object, work) {
        let text = "an object of this name is there, and it is not the control plane's; it is used as it is";
        let cure = "nothing, if the object may be used as it is";
        return (Step::warning(Hop::Member, text, cure), Some(object));
    }
    if facts.is_customised {
        let text =
            "is there; its fields were not compared, because a customised interpreter keeps some of them";
        return (Step::good(Hop::Member, text), Some(object));
    }
    let Some(mut wanted) = manifest(work) else {
        return (Step::not_looked_at(Hop::Member, "the Work has no manifest"), Some(object));
    };
    retain(&mut wanted, object);
    if covers(object, &wanted) {
        return (Step::good(Hop::Member, "is there, as the Work wants"), Some(object));
    }
    let (before, after) = (object, &wanted);
    let changes = manifest_changes(before, after);
    let wanted_fields = changes.iter().filter(|change| change.new.is_some());
    let lines: Vec<String> = wanted_fields.take(20).map(ToString::to_string).collect();
    let text = "is there, and differs from the Work; the control plane writes these fields back";
    (Step::new(Hop::Member, Verdict::Waiting, text).cure(CONTROL_PLANE_CURE).details(lines), Some(object))
}

/// Whether an object carries the marks of a Work.
fn is_of_work(object: &Object, work: &Work) -> bool {
    object.label(labels::MANAGED) == Some(labels::TRUE)
        && object.annotation(annotations::work::NAME) == Some(&work.metadata.name)
        && object.annotation(annotations::work::NAMESPACE) == Some(&work.metadata.namespace)
}

/// What the object reports; `None` for kinds without a status.
pub(super) fn status(facts: &Facts, cluster: &str, work: &Work, object: Option<&Object>) -> Option<Step> {
    let collected = condition(&work.status.conditions, STATUS_COLLECTED);
    if let Some(failed) = collected.filter(|collected| !collected.is_true()) {
        let text = format!("status and health cannot be read: {}", failed.message);
        let cure = "correct the interpreter that the text names; it is tried again by itself";
        return Some(Step::broken(Hop::Status, text, cure).since(Some(&failed.last_transition_time)));
    }
    let reported = work.status.manifest_statuses.first();
    let now = object.filter(|_| !facts.is_customised).map(health);
    let healthy = now.or(reported.and_then(|reported| reported.health))?;
    let counts = object.and_then(counts).unwrap_or_default();
    match healthy {
        ResourceHealth::Healthy => {
            object.filter(|object| object.0.get("status").is_some())?;
            Some(Step::good(Hop::Status, format!("healthy{counts}")))
        }
        ResourceHealth::Unknown => {
            Some(Step::not_looked_at(Hop::Status, "the health of this object is not known"))
        }
        ResourceHealth::Unhealthy => {
            let Unhealthy { reasons: lines, cure } = unhealthy(facts, cluster, object);
            Some(Step::broken(Hop::Status, format!("not healthy{counts}"), cure).details(lines))
        }
    }
}

/// `, 2 of 3 ready` for workloads.
fn counts(object: &Object) -> Option<String> {
    let number = |path: &[&str]| object.at(path).and_then(serde_json::Value::as_i64);
    let wanted = number(&["spec", "replicas"]).or_else(|| number(&["status", "desiredNumberScheduled"]))?;
    let ready = number(&["status", "readyReplicas"])
        .or_else(|| number(&["status", "numberReady"]))
        .unwrap_or_default();
    Some(format!(", {ready} of {wanted} ready"))
}
