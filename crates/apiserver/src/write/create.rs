//! POST of a new object, and creation as the outcome of an update or apply.

use http::{Response, StatusCode};
use portolan_object::Status;
use portolan_store::{Batch, Versioned};
use rand::RngExt as _;
use serde_json::Value;

use super::commit::NotCommitted;
use super::field_manager::FieldManager;
use super::metadata::{self, GeneratedMetadata, RANDOM_LETTERS};
use super::{admission, authorization, body, claims, field_validation, namespaces, reviews};
use super::{pod_admission, pod_security, quota, signing_requests, strategy};
use crate::allocation::Reservation;
use crate::call::{Call, read_body};
use crate::damage;
use crate::negotiate::{BodyType, Offer, Reply};
use crate::read::Presenter;
use crate::record::{Change, Record};
use crate::request::options::{WriteKind, WriteOptions};
use crate::resources::Resource;
use crate::respond::{self, Body};

/// Attempts to find a free generated name.
const MAX_NAME_ATTEMPTS: usize = 8;

/// Outcome of a write.
#[derive(Debug)]
pub(crate) enum Written {
    /// The stored object.
    Stored(Versioned<Record>),
    /// An object that is not stored: the outcome of a dry run, or the last state of a deleted object.
    Shown(Value),
}

impl Written {
    /// The reply with the object.
    pub(super) fn respond(&self, code: StatusCode, presenter: &Presenter, reply: Reply) -> Response<Body> {
        match self {
            Self::Stored(item) => respond::encoded(code, &presenter.object(item), reply),
            Self::Shown(object) => respond::value(code, &presenter.value(object), reply),
        }
    }
}

/// POST to a collection.
pub(crate) async fn create(call: &Call, body: Body) -> Result<Response<Body>, Status> {
    if reviews::is_review(&call.resource) {
        return reviews::answer(call, body).await;
    }
    let reply = Reply::negotiate(&call.headers, &call.query, Offer::Objects)?;
    let presenter = Presenter::new(call, reply)?;
    let options = WriteOptions::parse(&call.query, WriteKind::Create)?;
    let body_type = BodyType::from_headers(&call.headers)?;
    let bytes = read_body(body).await?;
    let decoded = body::object(&call.resource, &bytes, body_type)?;
    field_validation::check_body(call, options.field_validation, &decoded.strict_errors)?;
    let manager = FieldManager::update(call, &options);
    let written = insert(call, decoded.value, &options, &manager).await?;
    Ok(written.respond(StatusCode::CREATED, &presenter, reply))
}

/// Stores a new object.
///
/// # Errors
/// In upstream's order (kubernetes staging/src/k8s.io/apiserver/pkg/registry/generic/registry/store.go `create`):
/// namespace, admission, validation, and only then 409 for a name that is taken.
pub(super) async fn insert(
    call: &Call,
    mut object: Value,
    options: &WriteOptions,
    manager: &FieldManager,
) -> Result<Written, Status> {
    let resource = &call.resource;
    let asks_for_name = metadata::name_of(&object).is_empty();
    let has_version = metadata::has_version(&object);
    for attempt in 1.. {
        let mut candidate = if asks_for_name && attempt < MAX_NAME_ATTEMPTS {
            object.clone()
        } else {
            std::mem::take(&mut object)
        };
        metadata::create(resource, &call.info.namespace, &mut candidate, &generated(call))?;
        let claim = prepare(call, &mut candidate, options, manager).await?;
        // As upstream, only storing the object looks at it: neither a dry run nor an invalid object gets this answer.
        if has_version && !options.dry_run {
            return Err(Status::new(500, "", "resourceVersion should not be set on objects to be created"));
        }
        let name = metadata::name_of(&candidate).to_owned();
        let key = resource.key(&call.info.namespace, &name);
        let holder = damage::find(&call.server.store, &key)?;
        if holder.is_some() || options.dry_run {
            quota::check(call, &candidate, None)?;
        }
        if holder.is_none() && options.dry_run {
            return Ok(Written::Shown(candidate));
        }
        if holder.is_none() {
            let record = || resource.encode(Change::Added, &resource.stored(&candidate));
            let batch = || Batch::create(&*key, record());
            match quota::commit_charged(call, &candidate, None, batch(), batch).await {
                Ok(Some(item)) => {
                    if let Some(claim) = claim {
                        claim.commit();
                    }
                    return Ok(Written::Stored(item));
                }
                Ok(None) | Err(NotCommitted::Conflict { .. }) => {}
                Err(NotCommitted::Refused(status)) => return Err(status),
            }
        }
        if !asks_for_name {
            return Err(taken(resource, &name, holder.as_ref()));
        }
        if attempt >= MAX_NAME_ATTEMPTS {
            let mut status = resource.already_exists(&name);
            status.message += ", the server was not able to generate a unique name for the object";
            return Err(status);
        }
    }
    unreachable!("the last attempt returns")
}

/// 409; its text tells when the existing object is being deleted.
fn taken(resource: &Resource, name: &str, holder: Option<&Versioned<Record>>) -> Status {
    let mut status = resource.already_exists(name);
    if holder.is_some_and(|holder| holder.value.summary().is_deleting) {
        status.message = format!("object is being deleted: {}", status.message);
    }
    status
}

/// Defaults, admission and validation of a new object.
async fn prepare(
    call: &Call,
    object: &mut Value,
    options: &WriteOptions,
    manager: &FieldManager,
) -> Result<Option<Reservation>, Status> {
    let resource = &call.resource;
    let name = metadata::name_of(object).to_owned();
    strategy::drop_status(resource, object);
    strategy::complete_status(resource, object);
    namespaces::admit_content(&call.server.store, resource, &call.info.namespace, &name)?;
    if resource.as_custom().is_some_and(|version| version.definition.is_terminating) {
        let cause = "create not allowed while custom resource definition is terminating";
        return Err(resource.forbidden(&name, cause));
    }
    resource.strategy().apply_defaults(object);
    // Fields that are set from here on have no manager.
    manager.record_new(resource, object, &call.timestamp());
    pod_admission::complete(call, object)?;
    resource.strategy().prepare_for_create(object);
    signing_requests::set_requester(resource, object, &call.user);
    resource.strategy().apply_defaults(object);
    admission::admit(call, options.dry_run, object, None).await?;
    call.interrupt.check()?;
    pod_admission::check_default_class(call, object)?;
    pod_admission::check_limits(call, object, None)?;
    claims::await_default_account(call, object).await;
    let claim = claims::claim(call, object, None, options.dry_run)?;
    let validation = resource.strategy().validate_create(object, &call.interrupt.for_computations());
    call.interrupt.check()?;
    if !validation.errors.is_empty() {
        return Err(resource.invalid(&name, &validation.errors));
    }
    authorization::check_creation(call)?;
    pod_security::check(call, object, None)?;
    admission::validate(call, options.dry_run, object, None).await?;
    signing_requests::check_create(call, object)?;
    quota::count(call, object)?;
    validation.warnings.into_iter().for_each(|warning| call.warn(warning));
    Ok(claim)
}

fn generated(call: &Call) -> GeneratedMetadata {
    let mut random = [0; RANDOM_LETTERS];
    rand::rng().fill(&mut random);
    GeneratedMetadata { uid: uuid::Uuid::new_v4().to_string(), created: call.timestamp(), random }
}
