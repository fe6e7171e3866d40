//! The charge of a write to the ResourceQuotas of its namespace, stored together with the object.

use portolan_object::Status;
use portolan_store::{Batch, Guard, Versioned, Write};
use serde_json::Value;

use super::commit::{NotCommitted, commit};
use super::metadata;
use crate::admission::Operation;
use crate::call::Call;
use crate::kinds::core::resource_quota::counter::Counter;
use crate::kinds::core::resource_quota::enforcement::{self, Request};
use crate::quotas;
use crate::record::{Change, Record};

/// Attempts to charge quotas that others write at the same time.
const MAX_ATTEMPTS: usize = 10;

/// Commits a write of one object (`old` is `None` on create) with its charge; returns the new version. `again` makes the
/// batch once more, for when a quota has changed.
pub(super) async fn commit_charged(
    call: &Call,
    object: &Value,
    old: Option<&Value>,
    batch: Batch<Record>,
    again: impl Fn() -> Batch<Record>,
) -> Result<Option<Versioned<Record>>, NotCommitted> {
    let Some(counter) = counter(call, object, old) else { return commit(&call.server, batch).await };
    let _ordered = call.server.quotas.lock(&call.info.namespace).await;
    let mut next = Some(batch);
    for _ in 0..MAX_ATTEMPTS {
        let charges = charges(call, &counter, object, old).map_err(NotCommitted::Refused)?;
        let mut batch = next.take().unwrap_or_else(&again);
        let own: Vec<_> = batch.writes.iter().map(|write| write.key().clone()).collect();
        for (item, record) in charges {
            batch.guards.push(Guard::Unchanged(item.key.clone(), item.modified));
            // The object is the last write: its version is returned.
            batch.writes.insert(0, Write::Put(item.key, record));
        }
        match commit(&call.server, batch).await {
            Err(NotCommitted::Conflict { key }) if !own.contains(&key) => {}
            other => return other,
        }
    }
    let cause = "the resource quotas of its namespace are changed all the time";
    Err(NotCommitted::Refused(call.resource.conflict(metadata::name_of(object), cause)))
}

/// Checks a write that will not be stored.
///
/// # Errors
/// 403 when a quota refuses it.
pub(super) fn check(call: &Call, object: &Value, old: Option<&Value>) -> Result<(), Status> {
    match counter(call, object, old) {
        Some(counter) => charges(call, &counter, object, old).map(drop),
        None => Ok(()),
    }
}

/// How the object is counted, if quotas of its namespace may count it.
fn counter(call: &Call, object: &Value, old: Option<&Value>) -> Option<Counter> {
    let (resource, info) = (&call.resource, &call.info);
    if !resource.is_namespaced || info.namespace.is_empty() || !quotas::are_in(&call.server, &info.namespace)
    {
        return None;
    }
    let operation = if old.is_some() { Operation::Update } else { Operation::Create };
    let counter = Counter::of(&resource.kind.group, &resource.plural)?;
    // An update of the status writes the object too.
    let subresource = if old.is_none() { "" } else { &*info.subresource };
    counter.handles(operation, subresource, object, old).then_some(counter)
}

/// The quotas that the write uses more of, and their new records.
fn charges(
    call: &Call,
    counter: &Counter,
    object: &Value,
    old: Option<&Value>,
) -> Result<Vec<(Versioned<Record>, Record)>, Status> {
    let Some(resource) = call.snapshot.find("", "v1", "resourcequotas") else { return Ok(Vec::new()) };
    let items = quotas::of(&call.server, &call.info.namespace).map_err(Status::internal)?;
    let stored: Vec<Value> = items.iter().map(|item| item.value.value()).collect();
    let request = Request { counter, object, old, now: call.now };
    let used = enforcement::charge(&stored, &request)
        .map_err(|cause| call.resource.forbidden(metadata::name_of(object), &cause))?;
    let changed = items.into_iter().zip(stored).zip(used).filter_map(|((item, mut quota), used)| {
        quota["status"]["used"] = used?;
        let record = resource.encode(Change::Modified, &quota);
        Some((item, record))
    });
    Ok(changed.collect())
}

/// Gives a new or changed quota its status, so that it counts from the beginning.
///
/// # Errors
/// 500 when the store cannot be read.
pub(super) fn count(call: &Call, object: &mut Value) -> Result<(), Status> {
    if !call.resource.is("", "resourcequotas") || !call.info.subresource.is_empty() {
        return Ok(());
    }
    let of = std::slice::from_ref(object);
    let counted = quotas::statuses(&call.server, &call.snapshot, &call.info.namespace, of, call.now);
    if let Some(status) = counted.map_err(Status::internal)?.pop() {
        object["status"] = status;
    }
    Ok(())
}
