//! DELETE of one object and of a collection.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode};
use portolan_object::{GroupVersionKind, Status, builtin};
use portolan_store::{Batch, Versioned};
use serde_json::{Value, json};

use super::commit::{NotCommitted, commit};
use super::deletion::{self, Verdict};
use super::{admission, body, claims, metadata, namespaces};
use crate::call::{Call, read_body};
use crate::negotiate::{BodyType, Offer, Reply};
use crate::read::{self, Listing, NoPage, Presenter, Selection};
use crate::record::{Change, Record};
use crate::request::options::{DeleteOptions, ListOptions};
use crate::resources::Resource;
use crate::respond::{self, Body};
use crate::server::Server;

/// How often a deletion that lost a race is decided again.
const TRIES: usize = 5;

/// What has become of an object.
pub(super) enum Deleted {
    /// It is gone; this was its last state.
    Gone(Value),
    /// It stays for now.
    Stays(Versioned<Record>),
    /// Nothing was stored: it would be gone, or would stay in this state.
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
        Deleted::Gone(object) | Deleted::Tried { object, .. } => {
            respond::value(code, &success(call, &object), reply)
        }
    })
}

/// DELETE of a collection; the answer is the list of what was deleted.
pub(crate) async fn delete_collection(call: &Call, body: Body) -> Result<Response<Body>, Status> {
    let reply = Reply::negotiate(&call.headers, &call.query, Offer::Objects)?;
    let presenter = Presenter::new(call, reply)?;
    let options = read_options(call, body).await?;
    let list_options = ListOptions::parse(&call.query, false)?;
    let selection = Selection::parse(&call.resource, &list_options)?;
    let namespace = call.info.namespace.as_str();
    let found = read::collect(&call.server.store, &call.resource, namespace, &selection, &list_options);
    let found = found.map_err(|error| match error {
        NoPage::Refused(status) => status,
        NoPage::Expired { .. } => Status::new(410, "Expired", "The provided continue parameter is too old"),
    })?;
    warn_of_orphans(call, &options);
    let mut items = Vec::with_capacity(found.items.len());
    for item in found.items {
        let (namespace, name) = call.resource.locate(&item.key);
        match remove(call, namespace, name, &options).await? {
            Some(Deleted::Stays(marked)) => items.push(marked),
            Some(Deleted::Gone(_) | Deleted::Tried { .. }) => items.push(item),
            // Somebody else was faster.
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

/// Reads `DeleteOptions` from the body, or from the query when there is none.
pub(crate) async fn read_options(call: &Call, body: Body) -> Result<DeleteOptions, Status> {
    let bytes = read_body(body).await?;
    let value = if bytes.is_empty() { None } else { Some(decode_options(call, &bytes)?) };
    DeleteOptions::parse(&call.query, value.as_ref())
}

fn decode_options(call: &Call, bytes: &Bytes) -> Result<Value, Status> {
    let kind = GroupVersionKind::new("", "v1", "DeleteOptions");
    let mut decoded = body::untyped("", bytes, BodyType::of(&call.headers)?, None)?;
    if decoded.value.is_object() {
        // The version may be that of the core group, of meta.k8s.io or of the resource.
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

/// Deletes one object as far as it lets itself be deleted; `None` when it is not there.
pub(super) async fn remove(
    call: &Call,
    namespace: &str,
    name: &str,
    options: &DeleteOptions,
) -> Result<Option<Deleted>, Status> {
    let (server, resource) = (&call.server, &call.resource);
    let key = resource.key(namespace, name);
    for _ in 0..TRIES {
        let Some(item) = server.store.get(&key) else { return Ok(None) };
        let mut old = resource.value(&item);
        admission::admit_deletion(call, options.dry_run, &old).await?;
        crate::crd::before_deletion(resource, &mut old, &call.timestamp());
        let verdict = deletion::decide(resource, &old, options, call.now)?;
        if options.dry_run {
            return Ok(Some(tried(verdict, old)));
        }
        let outcome = match verdict {
            Verdict::Keep => return Ok(Some(Deleted::Stays(item))),
            Verdict::Remove(last) => {
                let batch = Batch::delete(Arc::clone(&item.key), item.modified);
                commit(server, batch).await.map(|_| {
                    claims::release(server, call, &last);
                    Deleted::Gone(last)
                })
            }
            Verdict::Mark(new) => {
                let record = resource.encode(Change::Modified, &resource.stored(&new));
                let batch = Batch::update(Arc::clone(&item.key), item.modified, record);
                commit(server, batch).await.map(|marked| marked.map_or(Deleted::Gone(new), Deleted::Stays))
            }
        };
        match outcome {
            Ok(deleted) => return Ok(Some(deleted)),
            Err(NotCommitted::Raced) => {}
            Err(NotCommitted::Refused(status)) => return Err(status),
        }
    }
    Err(resource.conflict(name, metadata::MODIFIED))
}

fn tried(verdict: Verdict, old: Value) -> Deleted {
    match verdict {
        Verdict::Remove(last) => Deleted::Tried { is_gone: true, object: last },
        Verdict::Keep => Deleted::Tried { is_gone: false, object: old },
        Verdict::Mark(new) => Deleted::Tried { is_gone: false, object: new },
    }
}

/// The `Status` that says an object is gone.
fn success(call: &Call, object: &Value) -> Value {
    let mut details = json!({ "name": metadata::name_of(object), "kind": call.resource.plural });
    if !call.resource.kind.group.is_empty() {
        details["group"] = json!(call.resource.kind.group);
    }
    details["uid"] = object["metadata"]["uid"].clone();
    json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details })
}

/// Deletes an object on behalf of the server itself; one that is not there is as good as deleted.
pub(crate) async fn delete_internally(
    server: &Arc<Server>,
    resource: &Arc<Resource>,
    namespace: &str,
    name: &str,
) -> Result<(), Status> {
    let call = Call::internal(server, resource, namespace);
    remove(&call, namespace, name, &DeleteOptions::default()).await.map(|_| ())
}
