//! PUT of an object, and [`modify`], through which every change of a stored object goes.

use http::{Response, StatusCode};
use portolan_object::Status;
use portolan_store::{Batch, Versioned};
use serde_json::Value;

use super::commit::{NotCommitted, commit_deletion};
use super::create::{Written, insert};
use super::field_manager::FieldManager;
use super::isolate::isolate;
use super::metadata::{self, Origin};
use super::target::WriteTarget;
use super::{
    admission, body, claims, field_validation, generation, namespaces, pod_admission, pod_security, quota,
    signing_requests, strategy,
};
use crate::allocation::Reservation;
use crate::call::{Call, read_body};
use crate::damage;
use crate::negotiate::{BodyType, Offer, Reply};
use crate::read::Presenter;
use crate::record::{Change, Record};
use crate::request::options::{WriteKind, WriteOptions};
use crate::respond::Body;

/// Attempts to change an object that others change at the same time.
const MAX_ATTEMPTS: usize = 5;

/// PUT of one object.
pub(crate) async fn update(call: &Call, target: WriteTarget, body: Body) -> Result<Response<Body>, Status> {
    let resource = &call.resource;
    let reply = Reply::negotiate(&call.headers, &call.query, Offer::Objects)?;
    let presenter = Presenter::new(call, reply)?;
    let options = WriteOptions::parse(&call.query, WriteKind::Update)?;
    let body_type = BodyType::from_headers(&call.headers)?;
    let bytes = read_body(body).await?;
    let decoded = body::object(resource, &bytes, body_type)?;
    field_validation::check_body(call, options.field_validation, &decoded.strict_errors)?;
    metadata::check_name(&call.info.name, metadata::name_of(&decoded.value))?;
    let manager = FieldManager::update(call, &options);
    let change = Modification { target, origin: Origin::Replacement, options: &options, manager: &manager };
    let changed = modify(call, &change, &Replacement(&decoded.value)).await?;
    match changed {
        Some(written) => Ok(written.respond(StatusCode::OK, &presenter, reply)),
        None if resource.rules.create_on_update && target == WriteTarget::Object => {
            let mut object = decoded.value;
            // As upstream, the resourceVersion of a missing object is ignored.
            metadata::metadata_of(&mut object).remove("resourceVersion");
            let written = insert(call, object, &options, &manager).await?;
            Ok(written.respond(StatusCode::CREATED, &presenter, reply))
        }
        None => Err(resource.not_found(&call.info.name)),
    }
}

/// How an object is changed.
pub(super) struct Modification<'a> {
    /// The object or subresource that is written.
    pub(super) target: WriteTarget,
    /// How the new state was made.
    pub(super) origin: Origin,
    /// Options of the request.
    pub(super) options: &'a WriteOptions,
    /// The field manager of the change.
    pub(super) manager: &'a FieldManager,
}

/// Computes the new state of an object from the stored one.
pub(super) trait UpdatedObject: Sync {
    /// The new state. Called again with a newer `old` after a conflict.
    ///
    /// # Errors
    /// The status for the client when there is no new state.
    fn updated_object(&self, call: &Call, old: &Value) -> Result<Value, Status>;
}

/// The body of a PUT; the stored object does not matter.
struct Replacement<'a>(&'a Value);

impl UpdatedObject for Replacement<'_> {
    fn updated_object(&self, _: &Call, _: &Value) -> Result<Value, Status> {
        Ok(self.0.clone())
    }
}

/// Changes the object that a call names; `None` when it does not exist.
///
/// If another write commits first, the new state is computed, admitted and validated again from the newer object. A
/// client that sent a `resourceVersion` gets 409 from the version check then.
pub(super) async fn modify(
    call: &Call,
    change: &Modification<'_>,
    updated: &dyn UpdatedObject,
) -> Result<Option<Written>, Status> {
    let resource = &call.resource;
    let key = resource.key(&call.info.namespace, &call.info.name);
    for _ in 0..MAX_ATTEMPTS {
        call.interrupt.check()?;
        let Some(item) = damage::find(&call.server.store, &key)? else { return Ok(None) };
        let old = resource.value(&item);
        let new = updated.updated_object(call, &old)?;
        let (new, claim) = prepare(call, change, &old, new).await?;
        if change.options.dry_run {
            quota::check(call, &new, Some(&old))?;
            return Ok(Some(Written::Shown(new)));
        }
        match store(call, &item, &old, new).await {
            Ok(written) => {
                if let Some(claim) = claim {
                    claim.commit();
                }
                return Ok(Some(written));
            }
            Err(NotCommitted::Conflict { .. }) => {}
            Err(NotCommitted::Refused(status)) => return Err(status),
        }
    }
    Err(resource.conflict(&call.info.name, metadata::MODIFIED))
}

/// Metadata, defaults, admission and validation of a changed object.
async fn prepare(
    call: &Call,
    change: &Modification<'_>,
    old: &Value,
    mut new: Value,
) -> Result<(Value, Option<Reservation>), Status> {
    let resource = &call.resource;
    metadata::update(resource, old, &mut new, change.origin)?;
    let mut new = isolate(resource, change.target, old, new);
    if change.target == WriteTarget::Status {
        strategy::complete_status(resource, &mut new);
    }
    resource.strategy().apply_defaults(&mut new);
    // Fields that are set from here on have no manager.
    if change.target != WriteTarget::Binding {
        change.manager.record_change(resource, old, &mut new, &call.timestamp());
    }
    resource.strategy().prepare_for_update(&mut new);
    signing_requests::complete_conditions(resource, change.target, old, &mut new, &call.timestamp());
    pod_admission::keep(call, &mut new, old);
    admission::admit(call, change.options.dry_run, &mut new, Some(old)).await?;
    call.interrupt.check()?;
    pod_admission::check_default_class(call, &new)?;
    pod_admission::check_limits(call, &new, Some(old))?;
    let claim = claims::claim(call, &mut new, Some(old), change.options.dry_run)?;
    let interrupt = call.interrupt.for_computations();
    let validation = strategy::validate_update(resource, change.target, old, &new, &interrupt);
    call.interrupt.check()?;
    if !validation.errors.is_empty() {
        return Err(resource.invalid(&call.info.name, &validation.errors));
    }
    signing_requests::check_update(call, change.target, old, &new)?;
    quota::count(call, &mut new)?;
    pod_security::check(call, &new, Some(old))?;
    admission::validate(call, change.options.dry_run, &new, Some(old)).await?;
    validation.warnings.into_iter().for_each(|warning| call.warn(warning));
    // Neither the status of an object nor the node of a pod changes its generation.
    let is_observed = matches!(change.target, WriteTarget::Status | WriteTarget::Binding);
    if let Some(generation) = generation::next(resource, old, &new).filter(|_| !is_observed) {
        new["metadata"]["generation"] = Value::from(generation);
    }
    Ok((new, claim))
}

/// Stores a changed object, or deletes it when the change removed the last finalizer of a deleted object.
async fn store(
    call: &Call,
    item: &Versioned<Record>,
    old: &Value,
    new: Value,
) -> Result<Written, NotCommitted> {
    let (server, resource) = (&call.server, &call.resource);
    if is_released(&new) {
        commit_deletion(server, item).await?;
        claims::release(server, call, &new);
        return Ok(Written::Shown(new));
    }
    let encode = || resource.encode(Change::Modified, &resource.stored(&new));
    let record = encode();
    // As upstream, a write without changes replaces a value that is encrypted with an old key.
    if record.is_same(&item.value) && !server.store.is_stale(&item.key) {
        return Ok(Written::Stored(item.clone()));
    }
    let batch = |record| Batch::update(item.key.clone(), item.modified, record);
    let again = || batch(encode());
    let committed = quota::commit_charged(call, &new, Some(old), batch(record), again).await?;
    Ok(committed.map_or(Written::Shown(new), Written::Stored))
}

/// Whether the object is deleted and has no finalizer and no grace period left.
fn is_released(object: &Value) -> bool {
    let metadata = &object["metadata"];
    let grace = metadata["deletionGracePeriodSeconds"].as_i64().unwrap_or(0);
    metadata["deletionTimestamp"].is_string()
        && grace == 0
        && metadata["finalizers"].as_array().is_none_or(Vec::is_empty)
        && !namespaces::is_namespace_with_content(object)
}
