//! ResourceQuotas: what writes use of them, and the task that counts again.
//!
//! A write that uses more of a quota is stored together with the quota's new `status.used`, in one batch, so that two
//! writes never use the same remaining amount. Deletions are counted by the task. The rules are in `kinds::core::resource_quota`.

pub(crate) mod recount;

use std::sync::Arc;

use jiff::Timestamp;
use portolan_store::{Query, ReadError, Versioned};
use serde_json::Value;

use crate::kinds::core::resource_quota::counter::Counter;
use crate::kinds::core::resource_quota::recount::{Objects, Recount};
use crate::record::Record;
use crate::resources::{Resource, Snapshot};
use crate::server::Server;

/// Key prefix of ResourceQuotas.
const PREFIX: &str = "core/resourcequotas/";

/// Objects that are decoded at a time, to bound the memory of a count.
const DECODED: usize = 64;

/// Whether a namespace has quotas.
pub(crate) fn are_in(server: &Server, namespace: &str) -> bool {
    server.store.count(&format!("{PREFIX}{namespace}/")) > 0
}

/// The quotas of a namespace, in the order of their names.
///
/// # Errors
/// When the store cannot be read.
pub(crate) fn of(server: &Server, namespace: &str) -> Result<Vec<Versioned<Record>>, ReadError> {
    server.store.items(&Query::prefix(format!("{PREFIX}{namespace}/")))
}

/// The statuses of quotas from the objects of their namespace, which are read once.
///
/// # Errors
/// When the store cannot be read.
pub(crate) fn statuses(
    server: &Server,
    snapshot: &Snapshot,
    namespace: &str,
    quotas: &[Value],
    now: Timestamp,
) -> Result<Vec<Value>, ReadError> {
    let mut recounts: Vec<Recount<'_>> = quotas.iter().map(Recount::new).collect();
    for (resource, counter) in counted(snapshot) {
        let mut needing: Vec<_> = recounts.iter_mut().filter(|recount| recount.needs(&counter)).collect();
        if needing.is_empty() {
            continue;
        }
        let collection = resource.collection(namespace);
        if !counter.reads_objects() {
            let number = server.store.count(&collection);
            needing.iter_mut().for_each(|recount| recount.add(&counter, Objects::Number(number), now));
            continue;
        }
        // Without objects, a line is zero.
        needing.iter_mut().for_each(|recount| recount.add(&counter, Objects::Read(&[]), now));
        for items in server.store.items(&Query::prefix(collection))?.chunks(DECODED) {
            let objects: Vec<Value> = items.iter().map(|item| item.value.value()).collect();
            needing.iter_mut().for_each(|recount| recount.add(&counter, Objects::Read(&objects), now));
        }
    }
    Ok(recounts.into_iter().map(Recount::status).collect())
}

/// The namespaced resources, each in one version, with their counters.
fn counted(snapshot: &Snapshot) -> impl Iterator<Item = (&Arc<Resource>, Counter)> {
    snapshot.groups.iter().flat_map(|group| {
        let mut seen: Vec<&str> = Vec::new();
        let mut found = Vec::new();
        for resource in group.versions.iter().flat_map(|version| &version.resources) {
            if !resource.is_namespaced || seen.contains(&resource.plural.as_str()) {
                continue;
            }
            seen.push(&resource.plural);
            if let Some(counter) = Counter::of(&resource.kind.group, &resource.plural) {
                found.push((resource, counter));
            }
        }
        found
    })
}
