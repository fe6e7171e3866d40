//! PATCH: JSON patch, merge patch, strategic merge patch; server-side apply is passed to [`apply`].

use bytes::Bytes;
use http::{Response, StatusCode};
use portolan_object::patch::{self, go_text};
use portolan_object::schema::decode::Source;
use portolan_object::schema::json;
use portolan_object::{Object, Status};
use serde_json::Value;

use super::field_manager::FieldManager;
use super::metadata::Origin;
use super::target::WriteTarget;
use super::update::{Modification, UpdatedObject, modify};
use super::{apply, body, field_validation};
use crate::call::{Call, read_body};
use crate::interrupt::Interrupt;
use crate::negotiate::{Offer, PatchType, Reply};
use crate::read::Presenter;
use crate::request::options::{WriteKind, WriteOptions};
use crate::resources;
use crate::respond::Body;

/// PATCH of one object.
pub(crate) async fn patch(call: &Call, target: WriteTarget, body: Body) -> Result<Response<Body>, Status> {
    let resource = &call.resource;
    let reply = Reply::negotiate(&call.headers, &call.query, Offer::Objects)?;
    let presenter = Presenter::new(call, reply)?;
    let is_builtin = matches!(resource.source, resources::Source::Builtin(_));
    let patch_type = PatchType::from_headers(&call.headers, is_builtin)?;
    if patch_type == PatchType::Apply {
        return apply::apply(call, target, body, &presenter, reply).await;
    }
    let options = WriteOptions::parse(&call.query, WriteKind::Patch)?;
    let patch = Patch::read(patch_type, &read_body(body).await?)?;
    let manager = FieldManager::update(call, &options);
    let change = Modification { target, origin: Origin::Patched, options: &options, manager: &manager };
    let changed = modify(call, &change, &Patched { patch: &patch, options: &options }).await?;
    let written = changed.ok_or_else(|| resource.not_found(&call.info.name))?;
    Ok(written.respond(StatusCode::OK, &presenter, reply))
}

/// A parsed patch.
#[derive(Debug)]
pub(super) struct Patch {
    patch_type: PatchType,
    value: Value,
    /// Texts about duplicate fields.
    strict_errors: Vec<String>,
}

impl Patch {
    /// Parses the body of a patch.
    ///
    /// # Errors
    /// 400 for a body that is not JSON.
    pub(super) fn read(patch_type: PatchType, bytes: &Bytes) -> Result<Self, Status> {
        let parsed = json::parse(bytes).map_err(|error| match patch_type {
            PatchType::Strategic => Status::bad_request(error.to_string()),
            _ => Status::bad_request(format!("error decoding patch: {error}")),
        })?;
        let strict_errors = parsed.findings.iter().map(ToString::to_string).collect();
        Ok(Self { patch_type, value: parsed.value, strict_errors })
    }

    /// The patched object, not checked against a schema.
    ///
    /// # Errors
    /// When the patch cannot be applied to the object.
    pub(super) fn apply_to(
        &self,
        old: &Value,
        schema: Option<portolan_object::schema::Schema<'_>>,
        interrupt: &Interrupt,
    ) -> Result<Value, Status> {
        let work = patch::budget(&interrupt.for_computations());
        let patched = match (self.patch_type, schema) {
            (PatchType::Json, _) => patch::json_patch_within(old, &self.value, &work),
            (PatchType::Strategic, Some(schema)) => {
                patch::strategic::merge_within(old, &self.value, schema, &work)
            }
            _ => {
                let mut new = old.clone();
                patch::merge_patch(&mut new, &self.value).map(|()| new)
            }
        };
        patched.map_err(|error| error.to_status())
    }
}

/// The stored object with a patch applied, checked against its schema.
struct Patched<'a> {
    patch: &'a Patch,
    options: &'a WriteOptions,
}

impl UpdatedObject for Patched<'_> {
    fn updated_object(&self, call: &Call, old: &Value) -> Result<Value, Status> {
        let (patch, resource) = (self.patch, &call.resource);
        let mut new = patch.apply_to(old, resource.schema(), &call.interrupt)?;
        let is_tree = patch.patch_type == PatchType::Strategic;
        // As upstream, errors quote the patch for strategic merge patches and the result for others.
        let shown = |new: &Value| if is_tree { go_text(&patch.value) } else { new.to_string() };
        if changes_type(old, &new) {
            let kind = Object(new.clone()).group_version_kind();
            if resource.as_custom().is_some() && kind.kind != resource.kind.kind {
                return Err(body::other_custom_kind(&resource.kind, &new));
            }
            let text = format!("no kind {:?} is registered for version {:?}", kind.kind, kind.api_version());
            return Err(field_validation::refuse_patch(&Value::from(shown(&new)), &text));
        }
        let source = if is_tree { Source::Tree } else { Source::Json };
        let conformed = body::conform(resource, &mut new, source);
        // Computed again only for the error text, which saves a copy of each patched object.
        let patched = || {
            let again = patch.apply_to(old, resource.schema(), &call.interrupt);
            again.map_or_else(|_| String::new(), |new| shown(&new))
        };
        let unknown = conformed
            .map_err(|error| field_validation::refuse_patch(&Value::from(patched()), &error.to_string()))?;
        let all: Vec<String> = patch.strict_errors.iter().cloned().chain(unknown).collect();
        field_validation::check_patch(call, self.options.field_validation, &all, patched)?;
        Ok(new)
    }
}

fn changes_type(old: &Value, new: &Value) -> bool {
    ["apiVersion", "kind"].iter().any(|field| old[*field] != new[*field])
}
