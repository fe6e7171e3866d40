//! DELETE of one object and of a collection. The decision what a deletion does is in [`deletion`].

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode};
use portolan_object::{GroupVersionKind, Status, builtin};
use portolan_store::{Batch, Versioned};
use serde_json::{Value, json};

use super::commit::{NotCommitted, commit, commit_deletion};
use super::deleted::success;
use super::deletion::{self, Decision};
use super::{admission, body, claims, discard, metadata, namespaces};
use crate::call::{Call, read_body};
use crate::damage;
use crate::negotiate::{BodyType, Offer, Reply};
use crate::read::{self, ListError, Listing, Presenter, Selection};
use crate::record::{Change, Record};
use crate::request::options::{DeleteOptions, ListOptions};
use crate::resources::Resource;
use crate::respond::{self, Body};
use crate::server::Server;

/// Attempts to delete an object that others change at the same time.
const MAX_ATTEMPTS: usize = 5;

/// Outcome of a deletion.
pub(super) enum Deleted {
    /// The object was deleted; this was its last state.
    Gone(Value),
    /// The object waits for finalizers or its grace period.
    Stays(Versioned<Record>),
    /// Dry run: the object would be deleted, or would stay in this state.
    Tried { is_gone: bool, object: Value },
}

/// DELETE of one object.
pub(crate) async fn delete(call: &Call, body: Body) -> Result<Response<Body>, Status> {
    let (resource, name) = (&call.resource, call.info.name.as_str());
    let reply = Reply::negotiate(&call.headers, &call.query, Offer::Objects)?;
    let options = read_options(call, body).await?;
    if resource.is("", "namespaces") {
        namespaces::admit_deletion(resource, name)?;
    }
    if options.ignores_store_read_error {
        return discard::discard(call, reply).await;
    }
    warn_of_orphans(call, &options);
    let deleted =
        remove(call, &call.info.namespace, name, &options).await?.ok_or_else(|| resource.not_found(name))?;
    let code = match (&deleted, options.legacy_cascade) {
        (Deleted::Stays(_) | Deleted::Tried { is_gone: false, .. }, true) => StatusCode::ACCEPTED,
        _ => StatusCode::OK,
    };
    let shows_object = resource.rules.delete_returns_object;
    Ok(match deleted {
        Deleted::Stays(item) => {
            let presenter = Presenter::new(call, reply)?;
            respond::encoded(code, &presenter.object(&item), reply)
        }
        Deleted::Tried { is_gone: false, object } => {
            respond::value(code, &Presenter::new(call, reply)?.value(&object), reply)
        }
        Deleted::Gone(object) | Deleted::Tried { object, .. } if shows_object => {
            respond::value(code, &Presenter::new(call, reply)?.value(&object), reply)
        }
        Deleted::Gone(object) | Deleted::Tried { object, .. } => success(call, code, &object, reply),
    })
}

/// DELETE of a collection; the reply is the list of deleted objects.
pub(crate) async fn delete_collection(call: &Call, body: Body) -> Result<Response<Body>, Status> {
    let reply = Reply::negotiate(&call.headers, &call.query, Offer::Objects)?;
    let presenter = Presenter::new(call, reply)?;
    let options = read_options(call, body).await?;
    if options.ignores_store_read_error {
        let detail = "is not allowed with DELETECOLLECTION, try again after removing the option";
        return Err(discard::invalid_option(detail));
    }
    let list_options = ListOptions::parse(&call.query, false)?;
    let selection = Selection::parse(&call.resource, &list_options)?;
    let namespace = call.info.namespace.as_str();
    let found = read::collect(call, namespace, &selection, &list_options);
    let found = found.map_err(|error| match error {
        ListError::Refused(status) => status,
        ListError::Expired { .. } => {
            Status::new(410, "Expired", "The provided continue parameter is too old")
        }
    })?;
    warn_of_orphans(call, &options);
    let mut items = Vec::with_capacity(found.items.len());
    for item in found.items {
        let (namespace, name) = call.resource.locate(&item.key);
        match remove(call, namespace, name, &options).await? {
            Some(Deleted::Stays(marked)) => items.push(marked),
            Some(Deleted::Gone(_) | Deleted::Tried { .. }) => items.push(item),
            // Deleted by another request.
            None => {}
        }
    }
    Ok(presenter.list(Listing {
        items,
        revision: call.server.store.revision(),
        next: found.next,
        remaining: found.remaining,
    }))
}

/// Parses `DeleteOptions` from the body, or from the query if the body is empty.
pub(crate) async fn read_options(call: &Call, body: Body) -> Result<DeleteOptions, Status> {
    let bytes = read_body(body).await?;
    let value = if bytes.is_empty() { None } else { Some(decode_options(call, &bytes)?) };
    DeleteOptions::parse(&call.query, value.as_ref())
}

fn decode_options(call: &Call, bytes: &Bytes) -> Result<Value, Status> {
    let kind = GroupVersionKind::new("", "v1", "DeleteOptions");
    let mut decoded = body::untyped("", bytes, BodyType::from_headers(&call.headers)?, None)?;
    if decoded.value.is_object() {
        // apiVersion may be `v1`, `meta.k8s.io/v1` or that of the resource.
        decoded.value["apiVersion"] = json!("v1");
    }
    body::check_typed(&kind, builtin::schema(&kind), &mut decoded.value)?;
    Ok(decoded.value)
}

fn warn_of_orphans(call: &Call, options: &DeleteOptions) {
    if options.propagation.is_none() && call.resource.is("batch", "jobs") {
        call.warn(
            "child pods are preserved by default when jobs are deleted; \
             set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning",
        );
    }
}

/// Deletes one object, or marks it for deletion; `None` when it does not exist.
pub(super) async fn remove(
    call: &Call,
    namespace: &str,
    name: &str,
    options: &DeleteOptions,
) -> Result<Option<Deleted>, Status> {
    let (server, resource) = (&call.server, &call.resource);
    let key = resource.key(namespace, name);
    for _ in 0..MAX_ATTEMPTS {
        let Some(item) = damage::find(&server.store, &key)? else { return Ok(None) };
        let mut old = resource.value(&item);
        admission::admit_deletion(call, options.dry_run, &old).await?;
        resource.strategy().prepare_for_delete(&mut old, &call.timestamp());
        let decision = deletion::decide(resource, &old, options, call.now)?;
        if options.dry_run {
            return Ok(Some(tried(decision, old)));
        }
        let outcome = match decision {
            Decision::Keep => return Ok(Some(Deleted::Stays(item))),
            Decision::Remove(last) => commit_deletion(server, &item).await.map(|()| {
                claims::release(server, call, &last);
                Deleted::Gone(last)
            }),
            Decision::Mark(new) => {
                let record = resource.encode(Change::Modified, &resource.stored(&new));
                let batch = Batch::update(Arc::clone(&item.key), item.modified, record);
                commit(server, batch).await.map(|marked| marked.map_or(Deleted::Gone(new), Deleted::Stays))
            }
        };
        match outcome {
            Ok(deleted) => return Ok(Some(deleted)),
            Err(NotCommitted::Conflict { .. }) => {}
            Err(NotCommitted::Refused(status)) => return Err(status),
        }
    }
    Err(resource.conflict(name, metadata::MODIFIED))
}

fn tried(decision: Decision, old: Value) -> Deleted {
    match decision {
        Decision::Remove(last) => Deleted::Tried { is_gone: true, object: last },
        Decision::Keep => Deleted::Tried { is_gone: false, object: old },
        Decision::Mark(new) => Deleted::Tried { is_gone: false, object: new },
    }
}

/// Deletes an object on behalf of the server. A missing object is not an error.
pub(crate) async fn delete_internally(
    server: &Arc<Server>,
    resource: &Arc<Resource>,
    namespace: &str,
    name: &str,
) -> Result<(), Status> {
    let call = Call::internal(server, resource, namespace);
    remove(&call, namespace, name, &DeleteOptions::default()).await.map(|_| ())
}
