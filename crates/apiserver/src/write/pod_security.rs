//! Pod Security in the write path: pods and workloads are checked against the labels of their namespace, and the labels
//! themselves when they change.

use portolan_object::Status;
use portolan_object::status::FieldError;
use portolan_store::Query;
use serde_json::Value;

use super::{metadata, namespaces};
use crate::call::Call;
use crate::damage;
use crate::pod_security::{self, LabelError, Level, MAX_PODS, Policy};
use crate::tree;

/// Subresources of a pod with a body that cannot make it more privileged.
const HARMLESS_SUBRESOURCES: [&str; 2] = ["binding", "status"];
const ENFORCED_ANNOTATION: &str = "pod-security.kubernetes.io/enforce-policy";
const VIOLATIONS_ANNOTATION: &str = "pod-security.kubernetes.io/audit-violations";

/// Checks an object that is otherwise valid (`old` is `None` on create).
///
/// # Errors
/// 403 for a pod that breaks what its namespace enforces, 422 for a namespace with labels that name no level.
pub(super) fn check(call: &Call, object: &Value, old: Option<&Value>) -> Result<(), Status> {
    if call.resource.is("", "namespaces") && call.info.subresource.is_empty() {
        return check_labels(call, object, old);
    }
    let resource = &call.resource;
    let Some(pod) = pod_security::pod_in(&resource.kind.group, &resource.plural, object) else {
        return Ok(());
    };
    let is_pod = resource.is("", "pods");
    let subresource = call.info.subresource.as_str();
    let is_harmless = match is_pod {
        true => HARMLESS_SUBRESOURCES.contains(&subresource),
        false => !subresource.is_empty(),
    };
    if is_harmless || (is_pod && old.is_some_and(|old| !pod_security::is_significant(object, old))) {
        return Ok(());
    }
    let Some(namespace) = damage::find(&call.server.store, &namespaces::key(&call.info.namespace))? else {
        return Ok(());
    };
    let labels = namespace.value.summary();
    let (policy, _) = Policy::of(|name| labels.label(name));
    check_pod(call, pod, &policy, (is_pod, metadata::name_of(object)))
}

/// Checks a pod, or the template of a workload, which only warns.
fn check_pod(call: &Call, pod: &Value, policy: &Policy, (is_pod, name): (bool, &str)) -> Result<(), Status> {
    let broken = |asked| {
        let violations = pod_security::violations(pod, asked);
        (!violations.is_empty())
            .then(|| format!("PodSecurity \"{asked}\": {}", pod_security::described(&violations, true)))
    };
    let note = |annotation, text| {
        if let Some(auditing) = &call.auditing {
            auditing.annotate(annotation, text);
        }
    };
    if is_pod {
        note(ENFORCED_ANNOTATION, policy.enforce.to_string());
    }
    if let Some(text) = broken(policy.audit) {
        note(VIOLATIONS_ANNOTATION, format!("would violate {text}"));
    }
    if is_pod && let Some(text) = broken(policy.enforce) {
        return Err(call.resource.forbidden(name, &format!("violates {text}")));
    }
    if let Some(text) = broken(policy.warn) {
        call.warn(format!("would violate {text}"));
    }
    Ok(())
}

/// Checks the labels of a namespace, and warns of pods that break a level which is raised.
fn check_labels(call: &Call, namespace: &Value, old: Option<&Value>) -> Result<(), Status> {
    let read = |namespace: &Value| {
        let labels = tree::map(namespace, "/metadata/labels");
        Policy::of(|name| labels?.get(name)?.as_str())
    };
    let name = metadata::name_of(namespace);
    let (policy, errors) = read(namespace);
    let before = old.map(read);
    let is_new_error = before.as_ref().is_none_or(|(_, before)| *before != errors);
    if !errors.is_empty() && is_new_error {
        let errors: Vec<FieldError> = errors.into_iter().map(field_error).collect();
        return Err(call.resource.invalid(name, &errors));
    }
    let Some((before, _)) = before else { return Ok(()) };
    let (new, old) = (policy.enforce, before.enforce);
    // As upstream, other rules of a lower level are taken for a raise.
    let is_raised = new.level != Level::Privileged && (new.version != old.version || new.level > old.level);
    if is_raised {
        for warning in existing(call, name, &policy)? {
            call.warn(warning);
        }
    }
    Ok(())
}

fn existing(call: &Call, namespace: &str, policy: &Policy) -> Result<Vec<String>, Status> {
    let Some(pods) = call.snapshot.find("", "v1", "pods") else { return Ok(Vec::new()) };
    let items = call.server.store.items(&Query::prefix(pods.collection(namespace)));
    let items = items.map_err(Status::internal)?;
    let values: Vec<Value> = items.iter().take(MAX_PODS).map(|item| pods.value(item)).collect();
    Ok(pod_security::warnings(namespace, &values, items.len(), policy.enforce))
}

fn field_error(LabelError { label, value, detail }: LabelError) -> FieldError {
    FieldError::invalid(format!("metadata.labels[{label}]"), &Value::from(value), detail)
}
