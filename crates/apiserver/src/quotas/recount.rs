//! The background task that writes the status of ResourceQuotas: at their change, after deletions of what they count, and
//! every minute for what changes with time alone.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use portolan_store::{Batch, CommitError, Event, Query};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};

use super::{PREFIX, are_in, of, statuses};
use crate::background::{PassError, repeat};
use crate::record::{Change, Record};
use crate::server::Server;
use crate::tree;

/// Time for which changes are gathered.
const BATCH: Duration = Duration::from_millis(100);
/// Time after which everything is counted again.
const FULL: Duration = Duration::from_secs(60);
/// Time after which a failed pass is repeated.
const RETRY: Duration = Duration::from_secs(1);
/// Attempts to write a quota that others write at the same time.
const MAX_ATTEMPTS: usize = 5;
/// Of these, attempts without the lock of the namespace: writes do not wait for the count then.
const FREE_ATTEMPTS: usize = 3;
/// Kinds of which a change can change what they use, and the fields that do.
const READ: [(&str, &[&str]); 3] = [
    ("core/persistentvolumeclaims/", &["/spec", "/status"]),
    ("core/pods/", &["/spec", "/status/phase", "/metadata/deletionTimestamp"]),
    ("core/services/", &["/spec"]),
];
/// A definition makes a resource countable.
const DEFINITIONS: &str = "apiextensions.k8s.io/customresourcedefinitions/";

/// Writes the status of quotas until the server stops.
pub(crate) async fn run(server: Arc<Server>) {
    let stopping = server.stopping.clone();
    repeat(&stopping, RETRY, "resource quotas cannot be counted", || follow(Arc::clone(&server))).await;
}

/// Counts everything once, then what changes; ends when there are no quotas, to wait for one.
async fn follow(server: Arc<Server>) -> Result<(), PassError> {
    let page = server.store.range(&Query::prefix(PREFIX))?;
    let mut namespaces: BTreeSet<String> =
        page.items.iter().filter_map(|item| namespace_of(&item.key)).collect();
    if namespaces.is_empty() {
        server.store.watch(PREFIX, page.revision)?.next().await?;
        return Ok(());
    }
    let mut watch = server.store.watch("", page.revision)?;
    drop(page);
    let mut changed = namespaces.clone();
    let mut due = Instant::now() + FULL;
    loop {
        for namespace in std::mem::take(&mut changed) {
            if are_in(&server, &namespace) {
                count(&server, &namespace).await?;
            } else {
                namespaces.remove(&namespace);
            }
        }
        if namespaces.is_empty() {
            return Ok(());
        }
        if let Ok(event) = timeout_at(due, watch.next()).await {
            let mut next = Some(event?);
            while let Some(event) = next {
                note(&event, &mut namespaces, &mut changed);
                next = watch.try_next()?;
            }
        }
        // Also while events come all the time: the watch has those of the whole store.
        if Instant::now() >= due {
            changed.clone_from(&namespaces);
            due = Instant::now() + FULL;
        }
        if !changed.is_empty() {
            sleep(BATCH).await;
        }
    }
}

/// Notes the namespaces in which quotas must be counted again.
fn note(event: &Event<Record>, namespaces: &mut BTreeSet<String>, changed: &mut BTreeSet<String>) {
    if event.key.starts_with(DEFINITIONS) {
        changed.extend(namespaces.iter().cloned());
        return;
    }
    let Some(namespace) = namespace_of(&event.key) else { return };
    if event.key.starts_with(PREFIX) {
        if has_own_change(event) {
            namespaces.insert(namespace.clone());
            changed.insert(namespace);
        }
    } else if namespaces.contains(&namespace) && can_free(event) {
        changed.insert(namespace);
    }
}

/// Whether more than `status.used` of a quota has changed: that is written with each object that uses more.
fn has_own_change(event: &Event<Record>) -> bool {
    let (Some(new), Some(old)) = (&event.current, &event.previous) else { return true };
    let [new, old] = [new, old].map(|item| item.value.value());
    new.get("spec") != old.get("spec") || tree::at(&new, "/status/hard") != tree::at(&old, "/status/hard")
}

/// Whether a write can free what quotas count. New objects are counted when they are stored.
fn can_free(event: &Event<Record>) -> bool {
    let Some(old) = &event.previous else { return false };
    let Some(new) = &event.current else { return true };
    let Some((_, fields)) = READ.iter().find(|(prefix, _)| event.key.starts_with(prefix)) else {
        return false;
    };
    let [new, old] = [new, old].map(|item| item.value.value());
    fields.iter().any(|field| new.pointer(field) != old.pointer(field))
}

/// The namespace in a key of a namespaced object.
fn namespace_of(key: &str) -> Option<String> {
    let parts: Vec<&str> = key.split('/').collect();
    (parts.len() == 4).then(|| parts[2].to_owned())
}

/// Writes the status of the quotas of a namespace.
async fn count(server: &Server, namespace: &str) -> Result<(), PassError> {
    for attempt in 0..MAX_ATTEMPTS {
        let _ordered = match attempt < FREE_ATTEMPTS {
            true => None,
            false => Some(server.quotas.lock(namespace).await),
        };
        if write(server, namespace).await? {
            return Ok(());
        }
    }
    Err(PassError::Refused(format!("the quotas in {namespace} are changed all the time")))
}

/// False if another write was earlier: quotas are read before the objects, and a write that uses more of a quota changes it.
async fn write(server: &Server, namespace: &str) -> Result<bool, PassError> {
    let snapshot = server.registry.snapshot();
    let Some(resource) = snapshot.find("", "v1", "resourcequotas") else { return Ok(true) };
    let items = of(server, namespace)?;
    let quotas: Vec<Value> = items.iter().map(|item| item.value.value()).collect();
    let counted = statuses(server, &snapshot, namespace, &quotas, server.clock.now())?;
    for ((item, mut quota), status) in items.into_iter().zip(quotas).zip(counted) {
        let is_deleting = tree::present(&quota, "/metadata/deletionTimestamp").is_some();
        if is_deleting || quota.get("status") == Some(&status) {
            continue;
        }
        set_status(&mut quota, status);
        let record = resource.encode(Change::Modified, &quota);
        match server.store.commit(Batch::update(item.key, item.modified, record)).await {
            Ok(_) => {}
            Err(CommitError::Conflict { .. }) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}

fn set_status(quota: &mut Value, status: Value) {
    if let Some(quota) = quota.as_object_mut() {
        quota.insert("status".to_owned(), status);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_namespaced_objects_name_their_namespace() {
        assert_eq!(namespace_of("core/pods/shop/web"), Some("shop".to_owned()));
        assert_eq!(namespace_of("core/nodes/n1"), None);
    }
}
