//! The `scale` subresource: replicas of any kind as an `autoscaling/v1 Scale`.

use http::{Response, StatusCode};
use portolan_object::schema::json;
use portolan_object::selector::LabelSelector;
use portolan_object::{FieldError, GroupVersionKind, Status, builtin};
use serde_json::{Value, json};

use super::create::Written;
use super::metadata::Origin;
use super::ownership::Writer;
use super::patch::Patch;
use super::update::{Modification, Produce, WriteTarget, modify};
use super::{apply, body, findings, metadata};
use crate::call::{Call, read_body};
use crate::negotiate::{BodyType, Offer, PatchType, Reply};
use crate::read::Presenter;
use crate::request::options::{WriteKind, WriteOptions};
use crate::resources::{Resource, Source};
use crate::respond::{self, Body};

/// Where a kind keeps its replicas and selector.
struct Paths {
    replicas: String,
    status_replicas: String,
    selector: Option<String>,
}

impl Paths {
    fn of(resource: &Resource) -> Self {
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
pub(super) fn of(resource: &Resource, object: &Value) -> Value {
    let paths = Paths::of(resource);
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    let mut metadata = json!({});
    for member in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = object["metadata"].get(member) {
            metadata[member] = value.clone();
        }
    }
    let mut status = json!({ "replicas": number(&paths.status_replicas) });
    let selector = paths.selector.and_then(|pointer| object.pointer(&pointer)).map(selector_text);
    if let Some(selector) = selector.filter(|text| !text.is_empty()) {
        status["selector"] = json!(selector);
    }
    let mut spec = json!({});
    if number(&paths.replicas) != 0 {
        spec["replicas"] = json!(number(&paths.replicas));
    }
    json!({ "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status })
}

/// A selector as one line, whichever of its three forms a kind uses.
fn selector_text(selector: &Value) -> String {
    let is_structured = selector.get("matchLabels").is_some() || selector.get("matchExpressions").is_some();
    match selector {
        Value::String(text) => text.clone(),
        Value::Object(_) if is_structured => {
            LabelSelector::from_value(selector).map(|selector| selector.to_string()).unwrap_or_default()
        }
        Value::Object(labels) => {
            let terms = labels.iter().filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)));
            terms.collect::<Vec<_>>().join(",")
        }
        _ => String::new(),
    }
}

/// Where the wanted replicas of a custom resource should be and are not; what is not there cannot be shown.
fn unset_path(resource: &Resource, object: &Value) -> Option<String> {
    let scale = resource.as_custom()?.scale.as_ref()?;
    object.pointer(&scale.replicas).is_none().then(|| scale.replicas_path())
}

/// GET of a scale.
pub(crate) fn get(call: &Call) -> Result<Response<Body>, Status> {
    let (resource, info) = (&call.resource, &call.info);
    let reply = Reply::negotiate(&call.headers, &call.query, Offer::Objects)?;
    let presenter = Presenter::new(call, reply)?;
    let found = call.server.store.get(&resource.key(&info.namespace, &info.name));
    let item = found.ok_or_else(|| resource.not_found(&info.name))?;
    let object = resource.value(&item);
    if let Some(path) = unset_path(resource, &object) {
        return Err(Status::internal(format!("the spec replicas field {path:?} does not exist")));
    }
    let scale = presenter.subresource(&crate::tables::autoscaling::SCALE, &of(resource, &object));
    Ok(respond::value(StatusCode::OK, &scale, reply))
}

/// PUT of a scale.
pub(crate) async fn update(call: &Call, body: Body) -> Result<Response<Body>, Status> {
    let reply = Reply::negotiate(&call.headers, &call.query, Offer::Document)?;
    let options = WriteOptions::parse(&call.query, WriteKind::Update)?;
    let bytes = read_body(body).await?;
    let decoded = body::typed(&kind(), builtin::schema(&kind()), &bytes, BodyType::of(&call.headers)?)?;
    findings::judge_body(call, options.field_validation, &decoded.findings)?;
    metadata::check_name(&call.info.name, metadata::name_of(&decoded.value))?;
    let namespace = decoded.value["metadata"]["namespace"].as_str().unwrap_or_default();
    if !namespace.is_empty() && namespace != call.info.namespace {
        return Err(Status::bad_request(metadata::OTHER_NAMESPACE));
    }
    let writer = Writer::update(call, &options);
    let change = Modification {
        target: WriteTarget::Scale,
        origin: Origin::Replacement,
        options: &options,
        writer: &writer,
    };
    let changed = modify(call, &change, &ScaledTo(&decoded.value)).await?;
    respond_with(call, changed, reply)
}

/// PATCH of a scale.
pub(crate) async fn patch(call: &Call, body: Body) -> Result<Response<Body>, Status> {
    let reply = Reply::negotiate(&call.headers, &call.query, Offer::Document)?;
    let patch_type = PatchType::of(&call.headers, true)?;
    let bytes = read_body(body).await?;
    if patch_type == PatchType::Apply {
        let options = WriteOptions::parse(&call.query, WriteKind::Apply)?;
        let parent = applied_parent(call, &bytes)?;
        let writer = Writer::apply(call, &options);
        let (_, written) = apply::write(call, WriteTarget::Scale, &options, &writer, parent).await?;
        return respond_with(call, Some(written), reply);
    }
    let options = WriteOptions::parse(&call.query, WriteKind::Patch)?;
    let patch = Patch::read(patch_type, &bytes)?;
    let writer = Writer::update(call, &options);
    let change = Modification {
        target: WriteTarget::Scale,
        origin: Origin::Patched,
        options: &options,
        writer: &writer,
    };
    let changed = modify(call, &change, &ScaledBy(&patch)).await?;
    respond_with(call, changed, reply)
}

/// An object under the scale that a PUT sends.
struct ScaledTo<'a>(&'a Value);

impl Produce for ScaledTo<'_> {
    fn produce(&self, call: &Call, old: &Value) -> Result<Value, Status> {
        scaled(&call.resource, old, self.0)
    }
}

/// An object under the scale that a patch makes of its present one.
struct ScaledBy<'a>(&'a Patch);

impl Produce for ScaledBy<'_> {
    fn produce(&self, call: &Call, old: &Value) -> Result<Value, Status> {
        let scale = self.0.apply_to(&of(&call.resource, old), builtin::schema(&kind()))?;
        if let Some(path) = unset_path(&call.resource, old).filter(|_| scale["spec"]["replicas"].is_null()) {
            return Err(Status::bad_request(format!("the spec replicas field {path:?} cannot be empty")));
        }
        scaled(&call.resource, old, &scale)
    }
}

/// What an applied `Scale` says about its parent.
fn applied_parent(call: &Call, bytes: &bytes::Bytes) -> Result<Value, Status> {
    let scale = match json::parse(bytes) {
        Ok(parsed) => parsed.value,
        Err(_) => body::yaml_value(bytes).map_err(Status::bad_request)?.value,
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
        set(&mut parent, &Paths::of(resource).replicas, replicas.clone());
    }
    Ok(parent)
}

/// The object with the replicas of a scale, under the version that the scale names.
fn scaled(resource: &Resource, old: &Value, scale: &Value) -> Result<Value, Status> {
    let replicas =
        scale["spec"].get("replicas").filter(|replicas| !replicas.is_null()).cloned().unwrap_or(json!(0));
    // Those of custom resources are looked at with the rest of the object, and errors speak of that.
    let is_builtin = matches!(resource.source, Source::Builtin(_));
    if is_builtin && replicas.as_i64().is_none_or(|count| count < 0) {
        let name = old["metadata"]["name"].as_str().unwrap_or_default();
        let detail = "must be greater than or equal to 0";
        let fault = FieldError::invalid("spec.replicas", &replicas, detail);
        return Err(Status::invalid("autoscaling", "Scale", name, &[fault]));
    }
    let mut new = old.clone();
    set(&mut new, &Paths::of(resource).replicas, replicas);
    for member in ["uid", "resourceVersion"] {
        match scale["metadata"].get(member).and_then(Value::as_str).filter(|text| !text.is_empty()) {
            Some(sent) => new["metadata"][member] = json!(sent),
            // A scale without a version is written whatever the object's version is.
            None => new["metadata"][member] = old["metadata"][member].clone(),
        }
    }
    Ok(new)
}

/// Puts a value at a pointer, making the maps on the way.
fn set(object: &mut Value, pointer: &str, value: Value) {
    let place = pointer.split('/').skip(1).fold(object, |parent, member| &mut parent[member]);
    *place = value;
}

fn respond_with(call: &Call, written: Option<Written>, reply: Reply) -> Result<Response<Body>, Status> {
    let object = match written.ok_or_else(|| call.resource.not_found(&call.info.name))? {
        Written::Stored(item) => call.resource.value(&item),
        Written::Shown(object) => object,
    };
    Ok(respond::value(StatusCode::OK, &of(&call.resource, &object), reply))
}
