//! Why an object in a member is not healthy: what it reports itself, what its pods say, and what to do.

use portolan_api::kubernetes::conditions;
use portolan_api::resources;
use portolan_object::Object;

use super::facts::Facts;
use super::pods::troubles;
use crate::propagation::refusal::Refusal;

/// Conditions that are bad when they are true.
const BAD: [&str; 4] = ["ReplicaFailure", "Failed", "Stalled", "Degraded"];
/// Conditions that are bad when they are false.
const GOOD: [&str; 6] = ["Ready", "Available", "Progressing", "Healthy", "Synced", "Reconciled"];
/// Kinds that pods refer to, as kubelet, scheduler and admission write them.
const REFERRED: [&str; 4] = ["secret", "configmap", "persistentvolumeclaim", "serviceaccount"];
/// Events that are told, at most: the newest ones.
const MAX_EVENTS: usize = 3;

/// Why an object is not healthy.
pub(super) struct Unhealthy {
    pub(super) reasons: Vec<String>,
    pub(super) cure: String,
}

/// Why the object in `cluster` is not healthy; `None` stands for one that was not read.
pub(super) fn unhealthy(facts: &Facts, cluster: &str, object: Option<&Object>) -> Unhealthy {
    let mut reasons = object.map(reported).unwrap_or_default();
    let mut pods = object.map(|object| troubles(std::slice::from_ref(object))).unwrap_or_default();
    if let Some(found) = facts.members.get(cluster) {
        match &found.below {
            Ok(below) => pods.extend(troubles(below)),
            Err(error) => pods.push(format!("its pods were not looked at: {error}")),
        }
        match &found.warnings {
            // Events tell what was: pods that say what is the case count more.
            Ok(warnings) if pods.is_empty() => reasons.extend(told(warnings)),
            Ok(_) => {}
            Err(error) => reasons.push(format!("its events were not looked at: {error}")),
        }
    }
    reasons.extend(pods);
    let known = reasons.iter().find_map(|reason| known_cure(facts, cluster, reason));
    let cure = known.or_else(|| object.and_then(|object| cure_of_kind(cluster, object)));
    let cure = cure.unwrap_or_else(|| {
        format!(
            "portolan tree {} shows its children; kubectl in {cluster} has their events",
            facts.argument()
        )
    });
    Unhealthy { reasons, cure }
}

/// The last time at which an event was seen.
pub(super) fn time_of_event(event: &Object) -> String {
    let series = event.str_at(&["series", "lastObservedTime"]);
    let last = event.str_at(&["lastTimestamp"]);
    [series, last, event.creation_timestamp()].into_iter().max().unwrap_or_default().to_owned()
}

/// What the newest events say, each once.
fn told(warnings: &[Object]) -> Vec<String> {
    let mut newest: Vec<&Object> = warnings.iter().collect();
    newest.sort_by_key(|event| std::cmp::Reverse(time_of_event(event)));
    let mut lines: Vec<String> = newest
        .into_iter()
        .map(|event| format!("{}: {}", event.str_at(&["reason"]), event.str_at(&["message"])))
        .collect();
    lines.dedup();
    lines.truncate(MAX_EVENTS);
    lines
}

/// What the object says itself: its bad conditions, then what it lacks.
fn reported(object: &Object) -> Vec<String> {
    let bad = conditions(object).filter(|one| BAD.contains(&one.kind) && one.is_true());
    let lost = conditions(object).filter(|one| GOOD.contains(&one.kind) && one.status == "False");
    let mut reasons: Vec<String> =
        bad.chain(lost).map(|one| format!("{}: {}: {}", one.kind, one.reason, one.message)).collect();
    if lacks_address(object) {
        reasons.push("status.loadBalancer is empty: no load balancer has given it an address".to_owned());
    }
    let phase = object.str_at(&["status", "phase"]);
    if is_volume(object) && !phase.is_empty() {
        reasons.push(format!("its phase is {phase}, not Bound"));
    }
    reasons
}

fn lacks_address(object: &Object) -> bool {
    let is_balanced = resources::INGRESS.is_kind_of(object)
        || resources::SERVICE.is_kind_of(object) && object.str_at(&["spec", "type"]) == "LoadBalancer";
    let addresses = object.at(&["status", "loadBalancer", "ingress"]).and_then(serde_json::Value::as_array);
    is_balanced && addresses.is_none_or(Vec::is_empty)
}

fn is_volume(object: &Object) -> bool {
    matches!((object.api_version(), object.kind()), ("v1", "PersistentVolumeClaim" | "PersistentVolume"))
}

/// What to do about a reason with a known cause.
fn known_cure(facts: &Facts, cluster: &str, reason: &str) -> Option<String> {
    if let Some(object) = missing_object(reason) {
        let binding = facts.binding.as_ref().ok().and_then(Option::as_ref);
        return Some(match binding.is_some_and(|binding| binding.spec.propagate_deps) {
            true => format!("create {object} on the control plane: it follows into {cluster}"),
            false => format!(
                "place {object} in {cluster} too: set propagateDeps: true in the policy, or write a policy for it"
            ),
        });
    }
    if let Some((_, class)) = reason.split_once("no PriorityClass with name ") {
        let name = class.split_whitespace().next().unwrap_or_default();
        return Some(format!(
            "place priorityclass {name} in {cluster} too, by a ClusterPropagationPolicy, or create it there"
        ));
    }
    let is_refusal = ["ReplicaFailure: ", "FailedCreate: "].iter().any(|prefix| reason.starts_with(prefix));
    let refusal = is_refusal.then(|| Refusal::said(reason))?;
    (refusal != Refusal::Other).then(|| refusal.cure(cluster))
}

/// What to do about an object of this kind that says no more.
fn cure_of_kind(cluster: &str, object: &Object) -> Option<String> {
    if lacks_address(object) {
        let kind = object.kind();
        return Some(format!(
            "see that {cluster} has a controller that gives addresses to objects of kind {kind}"
        ));
    }
    is_volume(object).then(|| {
        format!(
            "see that {cluster} has a StorageClass that provisions it: kubectl describe {} {} there",
            object.kind().to_lowercase(),
            object.name()
        )
    })
}

/// The object that pods need and their cluster does not have, such as `secret db`.
fn missing_object(reason: &str) -> Option<String> {
    let (before, _) = reason.split_once("\" not found")?;
    let (before, name) = before.rsplit_once(" \"")?;
    let kind = REFERRED.into_iter().find(|kind| before.ends_with(kind))?;
    Some(format!("{kind} {name}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_that_pods_miss_are_found_in_the_reasons() {
        let reason = "1 of 1 pods: container a: CreateContainerConfigError: secret \"db\" not found";
        assert_eq!(missing_object(reason).as_deref(), Some("secret db"));
        let reason = "1 of 2 pods: Unschedulable: persistentvolumeclaim \"data\" not found";
        assert_eq!(missing_object(reason).as_deref(), Some("persistentvolumeclaim data"));
        assert_eq!(missing_object("1 of 1 pods: container a: ErrImagePull: image \"x\" not found"), None);
        assert_eq!(missing_object("1 of 1 pods: Pending, not ready"), None);
    }

    #[test]
    fn bad_conditions_are_told_and_good_ones_not() {
        let condition = |kind: &str, status: &str| json!({ "type": kind, "status": status, "reason": "Because", "message": "so it is" });
        let object = Object(
            json!({ "apiVersion": "apps/v1", "kind": "Deployment", "status": { "conditions": [
            condition("Available", "False"), condition("Progressing", "True"), condition("ReplicaFailure", "True"),
        ] } }),
        );
        assert_eq!(reported(&object), ["ReplicaFailure: Because: so it is", "Available: Because: so it is"]);
    }

    #[test]
    fn the_newest_warnings_are_told_once() {
        let event = |time: &str, message: &str| {
            Object(
                json!({ "metadata": { "creationTimestamp": "2026-01-01T00:00:00Z" }, "lastTimestamp": time,
                "reason": "FailedCreate", "message": message }),
            )
        };
        let (old, new) = ("2026-01-01T00:00:01Z", "2026-01-01T00:00:09Z");
        let events = [event(old, "a"), event(new, "exceeded quota: q"), event(new, "exceeded quota: q")];
        assert_eq!(told(&events), ["FailedCreate: exceeded quota: q", "FailedCreate: a"]);
    }

    #[test]
    fn objects_without_pods_say_what_they_lack() {
        let ingress =
            Object(json!({ "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "status": {} }));
        assert_eq!(reported(&ingress).len(), 1);
        assert!(cure_of_kind("eu", &ingress).is_some_and(|cure| cure.contains("objects of kind Ingress")));
        let claim = Object(json!({ "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": { "name": "data" }, "status": { "phase": "Pending" } }));
        assert_eq!(reported(&claim), ["its phase is Pending, not Bound"]);
        assert!(
            cure_of_kind("eu", &claim)
                .is_some_and(|cure| cure.contains("describe persistentvolumeclaim data"))
        );
    }
}
