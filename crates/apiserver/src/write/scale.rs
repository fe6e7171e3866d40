//! The `scale` subresource: replicas of any kind as an `autoscaling/v1 Scale`.

use http::{Response, StatusCode};
use portolan_object::schema::json;
use portolan_object::selector::{InvalidSelector, LabelSelector};
use portolan_object::{FieldError, GroupVersionKind, Status, builtin};
use serde_json::{Value, json};

use super::create::Written;
use super::field_manager::FieldManager;
use super::metadata::Origin;
use super::patch::Patch;
use super::target::WriteTarget;
use super::update::{Modification, UpdatedObject, modify};
use super::{apply, body, field_validation, metadata};
use crate::call::{Call, read_body};
use crate::damage;
use crate::negotiate::{BodyType, Offer, PatchType, Reply};
use crate::read::Presenter;
use crate::request::options::{WriteKind, WriteOptions};
use crate::resources::{Resource, Source};
use crate::respond::{self, Body};

/// JSON pointers of the fields that a `Scale` shows.
struct Paths {
    replicas: String,
    status_replicas: String,
    selector: Option<String>,
}

impl Paths {
    fn for_resource(resource: &Resource) -> Self {
        match &resource.source {
            Source::Custom(version) if let Some(scale) = &version.scale => Self {
                replicas: scale.replicas.clone(),
                status_replicas: scale.status_replicas.clone(),
                selector: scale.selector.clone(),
            },
            _ => Self {
                replicas: "/spec/replicas".to_owned(),
                status_replicas: "/status/replicas".to_owned(),
                selector: Some("/spec/selector".to_owned()),
            },
        }
    }
}

fn kind() -> GroupVersionKind {
    GroupVersionKind::new("autoscaling", "v1", "Scale")
}

/// The `Scale` of an object.
///
/// # Errors
/// 500 when the selector of the object is invalid, as upstream.
fn to_scale(resource: &Resource, object: &Value) -> Result<Value, Status> {
    let paths = Paths::for_resource(resource);
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    let mut metadata = json!({});
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = object["metadata"].get(field) {
            metadata[field] = value.clone();
        }
    }
    let mut status = json!({ "replicas": number(&paths.status_replicas) });
    let selector = paths.selector.and_then(|pointer| object.pointer(&pointer)).map(selector_text);
    if let Some(selector) = selector.transpose()?.filter(|text| !text.is_empty()) {
        status["selector"] = json!(selector);
    }
    let mut spec = json!({});
    if number(&paths.replicas) != 0 {
        spec["replicas"] = json!(number(&paths.replicas));
    }
    Ok(
        json!({ "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status }),
    )
}

/// A selector in text form. Kinds have it as text, as a map of labels, or as a `LabelSelector`.
fn selector_text(selector: &Value) -> Result<String, Status> {
    let is_structured = selector.get("matchLabels").is_some() || selector.get("matchExpressions").is_some();
    Ok(match selector {
        Value::String(text) => text.clone(),
        Value::Object(_) if is_structured => LabelSelector::from_value(selector)
            .map_err(|InvalidSelector(cause)| {
                Status::internal(format!("the selector of the object is invalid: {cause}"))
            })?
            .to_string(),
        Value::Object(labels) => {
            let terms = labels.iter().filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)));
            terms.collect::<Vec<_>>().join(",")
        }
        _ => String::new(),
    })
}

/// The path of the replicas of a custom resource, if the object does not have them; such an object has no `Scale`.
fn unset_path(resource: &Resource, object: &Value) -> Option<String> {
    let scale = resource.as_custom()?.scale.as_ref()?;
    object.pointer(&scale.replicas).is_none().then(|| scale.replicas_path())
}

/// GET of a scale.
pub(crate) fn get(call: &Call) -> Result<Response<Body>, Status> {
    let (resource, info) = (&call.resource, &call.info);
    let reply = Reply::negotiate(&call.headers, &call.query, Offer::Objects)?;
    let presenter = Presenter::new(call, reply)?;
    let found = damage::find(&call.server.store, &resource.key(&info.namespace, &info.name))?;
    let item = found.ok_or_else(|| resource.not_found(&info.name))?;
    let object = resource.value(&item);
    if let Some(path) = unset_path(resource, &object) {
        return Err(Status::internal(format!("the spec replicas field {path:?} does not exist")));
    }
    let scale =
        presenter.subresource(&crate::kinds::autoscaling::scale::TABLE, &to_scale(resource, &object)?);
    Ok(respond::value(StatusCode::OK, &scale, reply))
}

/// PUT of a scale.
pub(crate) async fn update(call: &Call, body: Body) -> Result<Response<Body>, Status> {
    let reply = Reply::negotiate(&call.headers, &call.query, Offer::Document)?;
    let options = WriteOptions::parse(&call.query, WriteKind::Update)?;
    let bytes = read_body(body).await?;
    let decoded =
        body::typed(&kind(), builtin::schema(&kind()), &bytes, BodyType::from_headers(&call.headers)?)?;
    field_validation::check_body(call, options.field_validation, &decoded.strict_errors)?;
    metadata::check_name(&call.info.name, metadata::name_of(&decoded.value))?;
    let namespace = decoded.value["metadata"]["namespace"].as_str().unwrap_or_default();
    if !namespace.is_empty() && namespace != call.info.namespace {
        return Err(Status::bad_request(metadata::OTHER_NAMESPACE));
    }
    let manager = FieldManager::update(call, &options);
    let change = Modification {
        target: WriteTarget::Scale,
        origin: Origin::Replacement,
        options: &options,
        manager: &manager,
    };
    let changed = modify(call, &change, &ScaledTo(&decoded.value)).await?;
    respond_with(call, changed, reply)
}

/// PATCH of a scale.
pub(crate) async fn patch(call: &Call, body: Body) -> Result<Response<Body>, Status> {
    let reply = Reply::negotiate(&call.headers, &call.query, Offer::Document)?;
    let patch_type = PatchType::from_headers(&call.headers, true)?;
    let bytes = read_body(body).await?;
    if patch_type == PatchType::Apply {
        let options = WriteOptions::parse(&call.query, WriteKind::Apply)?;
        let parent = applied_parent(call, &bytes)?;
        let manager = FieldManager::apply(call, &options);
        let (_, written) = apply::write(call, WriteTarget::Scale, &options, &manager, parent).await?;
        return respond_with(call, Some(written), reply);
    }
    let options = WriteOptions::parse(&call.query, WriteKind::Patch)?;
    let patch = Patch::read(patch_type, &bytes)?;
    let manager = FieldManager::update(call, &options);
    let change = Modification {
        target: WriteTarget::Scale,
        origin: Origin::Patched,
        options: &options,
        manager: &manager,
    };
    let changed = modify(call, &change, &ScaledBy(&patch)).await?;
    respond_with(call, changed, reply)
}

/// The stored object with the replicas of the `Scale` of a PUT.
struct ScaledTo<'a>(&'a Value);

impl UpdatedObject for ScaledTo<'_> {
    fn updated_object(&self, call: &Call, old: &Value) -> Result<Value, Status> {
        scaled(&call.resource, old, self.0)
    }
}

/// The stored object with the replicas of its patched `Scale`.
struct ScaledBy<'a>(&'a Patch);

impl UpdatedObject for ScaledBy<'_> {
    fn updated_object(&self, call: &Call, old: &Value) -> Result<Value, Status> {
        let scale =
            self.0.apply_to(&to_scale(&call.resource, old)?, builtin::schema(&kind()), &call.interrupt)?;
        if let Some(path) = unset_path(&call.resource, old).filter(|_| scale["spec"]["replicas"].is_null()) {
            return Err(Status::bad_request(format!("the spec replicas field {path:?} cannot be empty")));
        }
        scaled(&call.resource, old, &scale)
    }
}

/// The configuration of the parent object that an applied `Scale` stands for.
fn applied_parent(call: &Call, bytes: &bytes::Bytes) -> Result<Value, Status> {
    let scale = match json::parse(bytes) {
        Ok(parsed) => parsed.value,
        Err(_) => body::yaml_value(bytes).map_err(|error| Status::bad_request(error.to_string()))?.value,
    };
    let resource = &call.resource;
    let mut parent = json!({
        "apiVersion": resource.kind.api_version(), "kind": resource.kind.kind,
        "metadata": { "name": call.info.name },
    });
    if resource.is_namespaced {
        parent["metadata"]["namespace"] = json!(call.info.namespace);
    }
    let version = &scale["metadata"]["resourceVersion"];
    if version.is_string() {
        parent["metadata"]["resourceVersion"] = version.clone();
    }
    if let Some(replicas) = scale["spec"].get("replicas") {
        set(&mut parent, &Paths::for_resource(resource).replicas, replicas.clone());
    }
    Ok(parent)
}

/// The object with the replicas and the resourceVersion of a `Scale`.
fn scaled(resource: &Resource, old: &Value, scale: &Value) -> Result<Value, Status> {
    let replicas =
        scale["spec"].get("replicas").filter(|replicas| !replicas.is_null()).cloned().unwrap_or(json!(0));
    // Replicas of custom resources are validated with the object, and errors name the object.
    let is_builtin = matches!(resource.source, Source::Builtin(_));
    if is_builtin && replicas.as_i64().is_none_or(|count| count < 0) {
        let name = old["metadata"]["name"].as_str().unwrap_or_default();
        let detail = "must be greater than or equal to 0";
        let error = FieldError::invalid("spec.replicas", &replicas, detail);
        return Err(Status::invalid("autoscaling", "Scale", name, &[error]));
    }
    let mut new = old.clone();
    set(&mut new, &Paths::for_resource(resource).replicas, replicas);
    for field in ["uid", "resourceVersion"] {
        match scale["metadata"].get(field).and_then(Value::as_str).filter(|text| !text.is_empty()) {
            Some(sent) => new["metadata"][field] = json!(sent),
            // A `Scale` without resourceVersion is written unconditionally.
            None => new["metadata"][field] = old["metadata"][field].clone(),
        }
    }
    Ok(new)
}

/// Sets the value at a JSON pointer; missing maps are added.
fn set(object: &mut Value, pointer: &str, value: Value) {
    let slot = pointer.split('/').skip(1).fold(object, |parent, field| &mut parent[field]);
    *slot = value;
}

fn respond_with(call: &Call, written: Option<Written>, reply: Reply) -> Result<Response<Body>, Status> {
    let object = match written.ok_or_else(|| call.resource.not_found(&call.info.name))? {
        Written::Stored(item) => call.resource.value(&item),
        Written::Shown(object) => object,
    };
    Ok(respond::value(StatusCode::OK, &to_scale(&call.resource, &object)?, reply))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds;

    #[test]
    fn a_scale_shows_the_selector_or_an_error() {
        let deployments = Resource::builtin(kinds::find("apps", "v1", "deployments").unwrap());
        let cases = [
            ("labels", json!({ "matchLabels": { "a": "b" } }), Ok(json!("a=b"))),
            ("none", Value::Null, Ok(Value::Null)),
            ("invalid", json!({ "matchExpressions": [{ "key": "a", "operator": "Like" }] }), Err(500)),
        ];
        for (name, selector, want) in cases {
            let object = json!({ "metadata": { "name": "d" }, "spec": { "selector": selector } });
            let scale = to_scale(&deployments, &object);
            let got = scale.map(|scale| scale["status"]["selector"].clone()).map_err(|status| status.code);
            assert_eq!(got, want, "{name}");
        }
    }
}
