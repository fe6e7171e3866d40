//! What classes and limit ranges add to a pod, and what they refuse.
//!
//! Upstream these are admission plugins; the rules are in `kinds::core`. They read the store, so that a class that was
//! just created counts.

use portolan_object::Status;
use portolan_store::Query;
use serde_json::Value;

use super::metadata;
use crate::call::Call;
use crate::damage;
use crate::kinds::core::limit_range::enforcement;
use crate::kinds::core::pod::{priority, runtime_class};
use crate::resources::Resource;
use crate::tree;

/// Completes a new pod from its classes and from the limit ranges of its namespace.
///
/// # Errors
/// 403 when a class does not exist or the pod contradicts it.
pub(super) fn complete(call: &Call, pod: &mut Value) -> Result<(), Status> {
    if !call.resource.is("", "pods") {
        return Ok(());
    }
    let name = metadata::name_of(pod).to_owned();
    let refuse = |cause: String| call.resource.forbidden(&name, &cause);
    let class = priority_class(call, tree::str_at(pod, "/spec/priorityClassName")).map_err(refuse)?;
    priority::set(pod, class.as_ref()).map_err(refuse)?;
    let class = runtime_class(call, tree::str_at(pod, "/spec/runtimeClassName")).map_err(refuse)?;
    runtime_class::set(pod, class.as_ref()).map_err(refuse)?;
    for range in limit_ranges(call)? {
        enforcement::set_defaults(&range, pod);
    }
    Ok(())
}

/// Gives a changed pod what its classes set when it was created, if the change leaves it out.
pub(super) fn keep(call: &Call, pod: &mut Value, old: &Value) {
    if call.resource.is("", "pods") && call.info.subresource.is_empty() {
        priority::keep(pod, old);
    }
}

/// Checks a new pod, or a new or changed claim, against the limit ranges of its namespace.
///
/// # Errors
/// 403 with all violations of the first range that refuses.
pub(super) fn check_limits(call: &Call, object: &Value, old: Option<&Value>) -> Result<(), Status> {
    let check = if call.resource.is("", "pods") && old.is_none() {
        enforcement::check_pod
    } else if call.resource.is("", "persistentvolumeclaims") && call.info.subresource.is_empty() {
        enforcement::check_claim
    } else {
        return Ok(());
    };
    for range in limit_ranges(call)? {
        let violations = check(&range, object);
        let cause = match violations.as_slice() {
            [] => continue,
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        return Err(call.resource.forbidden(metadata::name_of(object), &cause));
    }
    Ok(())
}

/// Checks that a priority class is not the second one that is the default.
///
/// # Errors
/// 403 that names the first one.
pub(super) fn check_default_class(call: &Call, class: &Value) -> Result<(), Status> {
    if !call.resource.is("scheduling.k8s.io", "priorityclasses") || !tree::is_true(class, "/globalDefault") {
        return Ok(());
    }
    let name = metadata::name_of(class);
    let query = Query::prefix(call.resource.collection(""));
    let items = call.server.store.items(&query).map_err(Status::internal)?;
    let mut others = items.iter().map(|item| call.resource.value(item));
    let other =
        others.find(|other| metadata::name_of(other) != name && tree::is_true(other, "/globalDefault"));
    other.map_or(Ok(()), |other| {
        let held = metadata::name_of(&other);
        let cause = format!("PriorityClass {held} is already marked as default. Only one default can exist");
        Err(call.resource.forbidden(name, &cause))
    })
}

fn priority_class(call: &Call, name: &str) -> Result<Option<Value>, String> {
    let Some(classes) = call.snapshot.find("scheduling.k8s.io", "v1", "priorityclasses") else {
        return Ok(None);
    };
    if name.is_empty() {
        let query = Query::prefix(classes.collection(""));
        let items = call.server.store.items(&query).map_err(|error| error.to_string())?;
        return Ok(priority::default_class(items.iter().map(|item| classes.value(item))));
    }
    find(call, classes, name).map(Some).ok_or_else(|| format!("no PriorityClass with name {name} was found"))
}

fn runtime_class(call: &Call, name: &str) -> Result<Option<Value>, String> {
    let Some(classes) = call.snapshot.find("node.k8s.io", "v1", "runtimeclasses") else { return Ok(None) };
    if name.is_empty() {
        return Ok(None);
    }
    find(call, classes, name)
        .map(Some)
        .ok_or_else(|| format!("pod rejected: RuntimeClass {name:?} not found"))
}

fn find(call: &Call, resource: &Resource, name: &str) -> Option<Value> {
    let item = damage::find(&call.server.store, &resource.key("", name)).ok()??;
    Some(resource.value(&item))
}

fn limit_ranges(call: &Call) -> Result<Vec<Value>, Status> {
    let Some(ranges) = call.snapshot.find("", "v1", "limitranges") else { return Ok(Vec::new()) };
    let query = Query::prefix(ranges.collection(&call.info.namespace));
    let items = call.server.store.items(&query).map_err(Status::internal)?;
    Ok(items.iter().map(|item| ranges.value(item)).collect())
}
