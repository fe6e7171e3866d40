//! Subresources of pods: `binding` assigns a node, `eviction` deletes the pod if its disruption budgets allow that.

use http::{Response, StatusCode};
use portolan_object::selector::LabelSelector;
use portolan_object::status::{Cause, StatusDocument};
use portolan_object::{GroupVersionKind, Status, builtin};
use portolan_store::Query;
use serde_json::{Value, json};

use super::field_manager::FieldManager;
use super::metadata::Origin;
use super::target::WriteTarget;
use super::update::{Modification, UpdatedObject, modify};
use super::{body, delete};
use crate::call::{Call, read_body};
use crate::damage;
use crate::negotiate::{BodyType, Offer, Reply};
use crate::request::options::{DeleteOptions, WriteKind, WriteOptions};
use crate::respond::{self, Body};

/// POST of a `Binding`: assigns the pod to a node.
pub(crate) async fn bind(call: &Call, body: Body) -> Result<Response<Body>, Status> {
    let reply = Reply::negotiate(&call.headers, &call.query, Offer::Document)?;
    let options = WriteOptions::parse(&call.query, WriteKind::Create)?;
    let binding = read(call, &GroupVersionKind::new("", "v1", "Binding"), body).await?;
    let node = binding["target"]["name"].as_str().unwrap_or_default();
    if node.is_empty() {
        // As upstream, which answers with the plain error (kubernetes pkg/registry/core/pod/storage/storage.go).
        return Err(Status::new(500, "", "target.name: Required value"));
    }
    let name = call.info.name.as_str();
    let manager = FieldManager::update(call, &options);
    let change = Modification {
        target: WriteTarget::Binding,
        origin: Origin::Patched,
        options: &options,
        manager: &manager,
    };
    let changed = modify(call, &change, &BoundTo(node)).await?;
    changed.ok_or_else(|| call.resource.not_found(name))?;
    Ok(created(reply))
}

/// The answer to a binding or an eviction.
fn created(reply: Reply) -> Response<Body> {
    let success = StatusDocument { code: Some(201), ..StatusDocument::success() };
    respond::value(StatusCode::CREATED, &success, reply)
}

/// The stored pod, assigned to this node.
struct BoundTo<'a>(&'a str);

impl UpdatedObject for BoundTo<'_> {
    fn updated_object(&self, call: &Call, old: &Value) -> Result<Value, Status> {
        let name = call.info.name.as_str();
        let current = old["spec"]["nodeName"].as_str().unwrap_or_default();
        if !current.is_empty() {
            let cause = format!("pod {name} is already assigned to node {current:?}");
            return Err(Status::conflict("", "pods/binding", name, &cause));
        }
        if old["metadata"]["deletionTimestamp"].is_string() {
            let cause = format!("pod {name} is being deleted, cannot be assigned to a host");
            return Err(Status::conflict("", "pods/binding", name, &cause));
        }
        let mut new = old.clone();
        new["spec"]["nodeName"] = json!(self.0);
        set_scheduled(&mut new, &call.timestamp());
        Ok(new)
    }
}

fn set_scheduled(pod: &mut Value, now: &str) {
    let condition =
        json!({ "type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": now });
    if !pod["status"]["conditions"].is_array() {
        pod["status"]["conditions"] = json!([]);
    }
    if let Some(conditions) = pod["status"]["conditions"].as_array_mut() {
        conditions.retain(|have| have["type"] != "PodScheduled");
        conditions.push(condition);
    }
}

/// POST of an `Eviction`: deletes the pod unless a disruption budget forbids it.
pub(crate) async fn evict(call: &Call, body: Body) -> Result<Response<Body>, Status> {
    let reply = Reply::negotiate(&call.headers, &call.query, Offer::Document)?;
    let eviction = read(call, &GroupVersionKind::new("policy", "v1", "Eviction"), body).await?;
    if super::metadata::name_of(&eviction) != call.info.name {
        return Err(Status::bad_request("name in URL does not match name in Eviction object"));
    }
    let sent = eviction.get("deleteOptions").filter(|options| options.is_object());
    let options = DeleteOptions::parse(&call.query, sent)?;
    let (resource, info) = (&call.resource, &call.info);
    let found = damage::find(&call.server.store, &resource.key(&info.namespace, &info.name))?;
    let pod = resource.value(&found.ok_or_else(|| resource.not_found(&info.name))?);
    if !matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed" | "Pending")) {
        check_budgets(call, &pod)?;
    }
    delete::remove(call, &info.namespace, &info.name, &options)
        .await?
        .ok_or_else(|| resource.not_found(&info.name))?;
    Ok(created(reply))
}

/// Checks the disruption budgets that select the pod.
///
/// # Errors
/// 429 when one allows no disruption.
fn check_budgets(call: &Call, pod: &Value) -> Result<(), Status> {
    let Some(budgets) = call.snapshot.find("policy", "v1", "poddisruptionbudgets") else { return Ok(()) };
    let query = Query::prefix(budgets.collection(&call.info.namespace));
    let page = call.server.store.range(&query).map_err(Status::internal)?;
    let labels = pod["metadata"]["labels"].as_object();
    for item in &page.items {
        let budget = budgets.value(item);
        // As upstream (kubernetes pkg/registry/core/pod/storage/eviction.go), an invalid selector selects nothing.
        let selector = LabelSelector::from_value(&budget["spec"]["selector"])
            .unwrap_or_else(|_| LabelSelector::nothing());
        let covers = selector.matches_with(|key| labels?.get(key)?.as_str());
        if covers && budget["status"]["disruptionsAllowed"].as_i64().unwrap_or(0) <= 0 {
            let mut status = Status::new(
                429,
                "TooManyRequests",
                "Cannot evict pod as it would violate the pod's disruption budget.",
            );
            let details = status.details.get_or_insert_default();
            let name = super::metadata::name_of(&budget);
            details.causes.push(Cause {
                reason: "DisruptionBudget".to_owned(),
                message: format!(
                    "The disruption budget {name} needs {} healthy pods and has {} currently",
                    budget["status"]["desiredHealthy"], budget["status"]["currentHealthy"]
                ),
                field: String::new(),
            });
            return Err(status);
        }
    }
    Ok(())
}

async fn read(call: &Call, kind: &GroupVersionKind, body: Body) -> Result<Value, Status> {
    let bytes = read_body(body).await?;
    let decoded = body::typed(kind, builtin::schema(kind), &bytes, BodyType::from_headers(&call.headers)?)?;
    Ok(decoded.value)
}
