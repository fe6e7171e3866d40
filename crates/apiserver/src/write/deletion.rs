//! Decides what a DELETE does: remove the object, mark it, or leave it marked.
//!
//! Pure. Controllers act on the mark: the garbage collector for dependents, the kubelet for pods, the owners of
//! finalizers. Upstream: kubernetes staging/src/k8s.io/apiserver/pkg/registry/rest/delete.go and
//! pkg/registry/generic/registry/store.go.

use jiff::{SignedDuration, Timestamp};
use portolan_object::Status;
use portolan_object::time::format_time;
use serde_json::{Value, json};

use super::namespaces;
use crate::request::options::{DeleteOptions, Propagation};
use crate::resources::Resource;

const ORPHAN: &str = "orphan";
const FOREGROUND: &str = "foregroundDeletion";

/// Grace period of a pod when neither the pod nor the request has one, in seconds.
const DEFAULT_GRACE: i64 = 30;

/// What a deletion does to the object.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Decision {
    /// Remove it; this is its last state.
    Remove(Value),
    /// Store this state, until finalizers are removed or the grace period has ended.
    Mark(Value),
    /// It is already marked, and nothing changes.
    Keep,
}

/// Decides a deletion.
///
/// # Errors
/// 409 when a precondition does not hold.
pub(super) fn decide(
    resource: &Resource,
    old: &Value,
    options: &DeleteOptions,
    now: Timestamp,
) -> Result<Decision, Status> {
    check_preconditions(resource, old, options)?;
    let mut new = old.clone();
    let finalizers = finalizers(resource, old, options);
    set_finalizers(&mut new, &finalizers);
    if resource.is("", "namespaces") {
        new["status"]["phase"] = json!("Terminating");
    }
    let is_marked = old["metadata"]["deletionTimestamp"].is_string();
    let grace = grace(resource, old, options);
    let has_ended = if is_marked {
        !shorten(&mut new, old, grace, now) && grace == Some(0)
    } else {
        grace.unwrap_or(0) == 0
    };
    let is_held = !finalizers.is_empty() || namespaces::is_namespace_with_content(old);
    if !is_held && (has_ended || (is_marked && new["metadata"]["deletionGracePeriodSeconds"] == 0)) {
        return Ok(Decision::Remove(last(resource, old, now)));
    }
    if !is_marked {
        mark(resource, &mut new, grace.unwrap_or(0), now);
    }
    Ok(if new == *old { Decision::Keep } else { Decision::Mark(new) })
}

/// The last state of an object. A pod has a grace period of 0 in it.
fn last(resource: &Resource, old: &Value, now: Timestamp) -> Value {
    let mut last = old.clone();
    if resource.is("", "pods") {
        set_deadline(&mut last, 0, now);
    }
    last
}

fn check_preconditions(resource: &Resource, old: &Value, options: &DeleteOptions) -> Result<(), Status> {
    let metadata = &old["metadata"];
    let own = |field: &str| metadata[field].as_str().unwrap_or_default();
    let conflict = |cause: &str| {
        let name = own("name");
        // Upstream names the kind here; other conflicts name the plural.
        Status::conflict(&resource.kind.group, &resource.kind.kind, name, cause)
    };
    if let Some(wanted) = options.uid.as_deref().filter(|wanted| *wanted != own("uid")) {
        return Err(conflict(&format!(
            "the UID in the precondition ({wanted}) does not match the UID in record ({}). \
             The object might have been deleted and then recreated",
            own("uid")
        )));
    }
    if let Some(wanted) =
        options.resource_version.as_deref().filter(|wanted| *wanted != own("resourceVersion"))
    {
        return Err(conflict(&format!(
            "the ResourceVersion in the precondition ({wanted}) does not match the ResourceVersion in record ({}). \
             The object might have been modified",
            own("resourceVersion")
        )));
    }
    Ok(())
}

/// Kinds with `Orphan` as the default propagation policy.
pub(super) fn orphans_by_default(resource: &Resource) -> bool {
    resource.is("batch", "jobs") || resource.is("", "replicationcontrollers")
}

/// The finalizers of the object, with those for the garbage collector set by the propagation policy.
fn finalizers(resource: &Resource, old: &Value, options: &DeleteOptions) -> Vec<String> {
    let own = old["metadata"]["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let own: Vec<&str> = own.collect();
    let has = |name: &str| own.contains(&name);
    let policy = match options.propagation {
        Some(policy) => policy,
        None if has(ORPHAN) => Propagation::Orphan,
        None if has(FOREGROUND) => Propagation::Foreground,
        None if orphans_by_default(resource) => Propagation::Orphan,
        None => Propagation::Background,
    };
    let mut kept: Vec<String> =
        own.into_iter().filter(|name| ![ORPHAN, FOREGROUND].contains(name)).map(str::to_owned).collect();
    match policy {
        Propagation::Background => {}
        Propagation::Orphan => kept.push(ORPHAN.to_owned()),
        Propagation::Foreground => kept.push(FOREGROUND.to_owned()),
    }
    kept
}

fn set_finalizers(object: &mut Value, finalizers: &[String]) {
    let Some(metadata) = object["metadata"].as_object_mut() else { return };
    if finalizers.is_empty() {
        metadata.remove("finalizers");
    } else {
        metadata.insert("finalizers".to_owned(), json!(finalizers));
    }
}

/// Grace period in seconds; `None` when the object is already marked and the request has none.
fn grace(resource: &Resource, old: &Value, options: &DeleteOptions) -> Option<i64> {
    if !resource.is("", "pods") {
        return Some(0);
    }
    let has_ended = matches!(old["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    if has_ended || old["spec"]["nodeName"].as_str().is_none_or(str::is_empty) {
        return Some(0);
    }
    // As upstream, a negative grace period means one second.
    let asked = options.grace_seconds.map(|seconds| if seconds < 0 { 1 } else { seconds });
    if old["metadata"]["deletionTimestamp"].is_string() {
        return asked;
    }
    asked.or(Some(old["spec"]["terminationGracePeriodSeconds"].as_i64().unwrap_or(DEFAULT_GRACE)))
}

/// Shortens the grace period of a marked object. Returns whether some of it is left.
fn shorten(new: &mut Value, old: &Value, grace: Option<i64>, now: Timestamp) -> bool {
    let period = old["metadata"]["deletionGracePeriodSeconds"].as_i64().unwrap_or(0);
    match grace {
        Some(grace) if grace < period && grace > 0 => {
            set_deadline(new, grace, now);
            true
        }
        Some(0) => false,
        _ => period > 0,
    }
}

fn mark(resource: &Resource, object: &mut Value, grace: i64, now: Timestamp) {
    set_deadline(object, grace, now);
    if resource.is(crate::crd::GROUP, crate::crd::PLURAL) {
        // As upstream, a marked CustomResourceDefinition has no grace period and no new generation.
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("deletionGracePeriodSeconds");
        }
        return;
    }
    if let Some(generation) = object["metadata"]["generation"].as_i64().filter(|&generation| generation > 0) {
        object["metadata"]["generation"] = json!(generation + 1);
    }
}

fn set_deadline(object: &mut Value, grace: i64, now: Timestamp) {
    let end = now + SignedDuration::from_secs(grace.clamp(0, i64::from(i32::MAX)));
    object["metadata"]["deletionTimestamp"] = json!(format_time(end));
    object["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds;

    fn resource(group: &str, plural: &str) -> Resource {
        Resource::builtin(kinds::find(group, "v1", plural).unwrap())
    }

    fn object(extra: Value) -> Value {
        let mut object = json!({ "metadata": { "name": "a", "uid": "u", "resourceVersion": "5" } });
        portolan_object::patch::merge_patch(&mut object, &extra).unwrap();
        object
    }

    /// `remove`, `keep`, or the marks: `mark finalizers=[..] grace=..`.
    fn decision(resource: &Resource, old: &Value, options: &DeleteOptions) -> String {
        match decide(resource, old, options, Timestamp::UNIX_EPOCH) {
            Ok(Decision::Remove(_)) => "remove".to_owned(),
            Ok(Decision::Keep) => "keep".to_owned(),
            Ok(Decision::Mark(new)) => {
                let metadata = &new["metadata"];
                let end = metadata["deletionTimestamp"].as_str().unwrap();
                format!("mark {} {} {end}", metadata["finalizers"], metadata["deletionGracePeriodSeconds"])
            }
            Err(status) => format!("{} {}", status.code, status.message),
        }
    }

    #[test]
    fn verdicts() {
        let (map, pod, job) = (resource("", "configmaps"), resource("", "pods"), resource("batch", "jobs"));
        let namespace = resource("", "namespaces");
        let with = |propagation| DeleteOptions { propagation: Some(propagation), ..DeleteOptions::default() };
        let grace = |seconds| DeleteOptions { grace_seconds: Some(seconds), ..DeleteOptions::default() };
        let none = DeleteOptions::default();
        let plain = object(json!({}));
        let held = object(json!({ "metadata": { "finalizers": ["x.io/a"] } }));
        let going = object(json!({ "metadata": {
            "finalizers": ["x.io/a"], "deletionTimestamp": "1970-01-01T00:00:00Z", "deletionGracePeriodSeconds": 0 } }));
        let running = object(json!({ "spec": { "nodeName": "n", "terminationGracePeriodSeconds": 10 } }));
        let stopping = object(json!({ "spec": { "nodeName": "n" }, "metadata": {
            "deletionTimestamp": "1970-01-01T00:00:30Z", "deletionGracePeriodSeconds": 30 } }));
        let full = object(
            json!({ "kind": "Namespace", "apiVersion": "v1", "spec": { "finalizers": ["kubernetes"] } }),
        );
        let start = "1970-01-01T00:00:00Z";
        let cases = [
            ("nothing holds it", &map, &plain, &none, "remove".to_owned()),
            ("a finalizer holds it", &map, &held, &none, format!("mark [\"x.io/a\"] 0 {start}")),
            ("asked twice", &map, &going, &none, "keep".to_owned()),
            (
                "foreground",
                &map,
                &plain,
                &with(Propagation::Foreground),
                format!("mark [\"foregroundDeletion\"] 0 {start}"),
            ),
            ("orphan", &map, &plain, &with(Propagation::Orphan), format!("mark [\"orphan\"] 0 {start}")),
            ("jobs orphan", &job, &plain, &none, format!("mark [\"orphan\"] 0 {start}")),
            ("unless told", &job, &plain, &with(Propagation::Background), "remove".to_owned()),
            ("unscheduled pod", &pod, &plain, &none, "remove".to_owned()),
            ("running pod", &pod, &running, &none, "mark null 10 1970-01-01T00:00:10Z".to_owned()),
            ("pod by force", &pod, &running, &grace(0), "remove".to_owned()),
            ("stopping pod", &pod, &stopping, &none, "keep".to_owned()),
            ("longer than before", &pod, &stopping, &grace(60), "keep".to_owned()),
            ("sooner", &pod, &stopping, &grace(5), "mark null 5 1970-01-01T00:00:05Z".to_owned()),
            ("stopped", &pod, &stopping, &grace(0), "remove".to_owned()),
            ("namespace with content", &namespace, &full, &none, format!("mark null 0 {start}")),
        ];
        for (name, resource, old, options, want) in cases {
            assert_eq!(decision(resource, old, options), want, "{name}");
        }
    }

    #[test]
    fn preconditions() {
        let old = object(json!({}));
        let uid = DeleteOptions { uid: Some("x".to_owned()), ..DeleteOptions::default() };
        let version = DeleteOptions { resource_version: Some("1".to_owned()), ..DeleteOptions::default() };
        let map = resource("", "configmaps");
        assert_eq!(
            decision(&map, &old, &uid),
            "409 Operation cannot be fulfilled on ConfigMap \"a\": the UID in the precondition (x) does not match \
             the UID in record (u). The object might have been deleted and then recreated"
        );
        assert!(decision(&map, &old, &version).ends_with("The object might have been modified"));
    }
}
