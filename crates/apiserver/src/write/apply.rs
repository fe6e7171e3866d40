//! Server-side apply: PATCH with `application/apply-patch+yaml`.

use bytes::Bytes;
use http::{Response, StatusCode};
use portolan_object::schema::decode::Source;
use portolan_object::schema::json;
use portolan_object::{GroupVersionKind, Status};
use serde_json::Value;

use super::create::{Written, insert};
use super::field_manager::FieldManager;
use super::metadata::{self, Origin};
use super::target::WriteTarget;
use super::update::{Modification, UpdatedObject, modify};
use super::{body, field_validation};
use crate::call::{Call, read_body};
use crate::negotiate::Reply;
use crate::read::Presenter;
use crate::request::options::{FieldValidation, WriteKind, WriteOptions};
use crate::respond::Body;

/// Applies a configuration to the object that a call names.
pub(super) async fn apply(
    call: &Call,
    target: WriteTarget,
    body: Body,
    presenter: &Presenter,
    reply: Reply,
) -> Result<Response<Body>, Status> {
    let options = WriteOptions::parse(&call.query, WriteKind::Apply)?;
    let patch = read(call, &options, &read_body(body).await?)?;
    let manager = FieldManager::apply(call, &options);
    let (code, written) = write(call, target, &options, &manager, patch).await?;
    Ok(written.respond(code, presenter, reply))
}

/// Merges a configuration into the stored object, or creates the object with it.
pub(super) async fn write(
    call: &Call,
    target: WriteTarget,
    options: &WriteOptions,
    manager: &FieldManager,
    patch: Value,
) -> Result<(StatusCode, Written), Status> {
    let resource = &call.resource;
    let now = call.timestamp();
    let change = Modification { target, origin: Origin::Patched, options, manager };
    let applied = Applied { patch: &patch, options, manager, now: &now };
    if let Some(written) = modify(call, &change, &applied).await? {
        return Ok((StatusCode::OK, written));
    }
    if target != WriteTarget::Object {
        return Err(resource.not_found(&call.info.name));
    }
    let mut patch = patch;
    let metadata = metadata::metadata_of(&mut patch);
    metadata.remove("resourceVersion");
    if let Some(uid) = metadata.get("uid").and_then(Value::as_str).filter(|uid| !uid.is_empty()) {
        let cause = format!(
            "uid mismatch: the provided object specified uid {uid}, and no existing object was found"
        );
        return Err(resource.conflict(&call.info.name, &cause));
    }
    metadata::check_name(&call.info.name, metadata::name_of(&patch))?;
    let made = conform(call, manager.merge(resource, None, &patch, options.force, &now)?)?;
    Ok((StatusCode::CREATED, insert(call, made, options, manager).await?))
}

/// The stored object with a configuration merged into it.
struct Applied<'a> {
    patch: &'a Value,
    options: &'a WriteOptions,
    manager: &'a FieldManager,
    now: &'a str,
}

impl UpdatedObject for Applied<'_> {
    fn updated_object(&self, call: &Call, old: &Value) -> Result<Value, Status> {
        let merged =
            self.manager.merge(&call.resource, Some(old), self.patch, self.options.force, self.now)?;
        conform(call, merged)
    }
}

fn conform(call: &Call, mut merged: Value) -> Result<Value, Status> {
    // The merge has already refused unknown fields.
    match body::conform(&call.resource, &mut merged, Source::Json) {
        Ok(_) => Ok(merged),
        Err(error) => {
            Err(field_validation::refuse_patch(&Value::from(merged.to_string()), &error.to_string()))
        }
    }
}

/// Parses the applied configuration and checks it against the URL.
fn read(call: &Call, options: &WriteOptions, bytes: &Bytes) -> Result<Value, Status> {
    let mut patch = parse(call, options.field_validation, bytes)?;
    let kind = &call.resource.kind;
    let field = |name: &str| patch.get(name).and_then(Value::as_str).unwrap_or_default();
    let sent = type_of(field("apiVersion"), field("kind"));
    if sent != *kind {
        return Err(Status::bad_request(format!(
            "invalid object type: {}/{}, Kind={}",
            sent.group, sent.version, sent.kind
        )));
    }
    let name = metadata::name_of(&patch);
    if !name.is_empty() {
        metadata::check_name(&call.info.name, name)?;
    }
    let own = patch["metadata"]["namespace"].as_str().unwrap_or_default();
    if !own.is_empty() && own != call.info.namespace && call.resource.is_namespaced {
        return Err(Status::bad_request(metadata::OTHER_NAMESPACE));
    }
    let metadata = metadata::metadata_of(&mut patch);
    if metadata.get("managedFields").is_some_and(|entries| !entries.is_null()) {
        return Err(Status::bad_request("metadata.managedFields must be nil"));
    }
    Ok(patch)
}

fn type_of(api_version: &str, kind: &str) -> GroupVersionKind {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    GroupVersionKind::new(group, version, kind)
}

/// Parses JSON with the faster parser, anything else as YAML.
fn parse(call: &Call, mode: FieldValidation, bytes: &Bytes) -> Result<Value, Status> {
    let is_json = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    let as_json = if is_json { json::parse(bytes).ok() } else { None };
    let (value, repeated) = match as_json {
        Some(parsed) => (parsed.value, parsed.findings.iter().map(ToString::to_string).collect()),
        None => {
            let decoded = body::yaml_value(bytes)
                .map_err(|error| Status::bad_request(format!("error decoding YAML: {error}")))?;
            (decoded.value, decoded.strict_errors)
        }
    };
    if mode == FieldValidation::Strict && !repeated.is_empty() {
        return Err(Status::bad_request(format!("error strict decoding YAML: {}", repeated.join(", "))));
    }
    if mode == FieldValidation::Warn {
        repeated.into_iter().for_each(|finding| call.warn(finding));
    }
    match value {
        Value::Object(_) => Ok(value),
        _ => Err(Status::bad_request("error decoding YAML: the configuration is not an object")),
    }
}
