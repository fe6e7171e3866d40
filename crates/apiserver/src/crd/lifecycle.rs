//! The background task that serves custom resources: it follows definitions, accepts their names, publishes their
//! resources, and empties those that are deleted.
//!
//! A resource is served before its definition says `Established`, so a client that waits for the condition can go on
//! at once. The task only writes the status of definitions and deletes objects of those that go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use portolan_net::shutdown::Shutdown;
use portolan_object::time::format_time;
use portolan_object::{GroupVersionKind, Status, apply, builtin};
use portolan_store::{Batch, CommitError, Query, Revision, Versioned};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::definition::Term;
use super::{CLEANUP, CustomVersion, PREFIX, is_true, naming};
use crate::compute::Flow;
use crate::record::{Change, Record};
use crate::resources::Resource;
use crate::server::Server;
use crate::write;

/// Bytes of a definition from which on it is compiled on a compute thread.
const LONG_DEFINITION: usize = 8 * 1024;

/// A definition that the task knows.
struct Known {
    object: Value,
    modified: Revision,
    /// Whether `object` is newer than `versions`.
    is_changed: bool,
    /// The definition that `versions` were compiled from.
    compiled: Option<Arc<Value>>,
    term: Term,
    versions: Vec<Arc<CustomVersion>>,
    /// Whether its objects are being deleted already.
    is_emptying: bool,
}

/// Follows the definitions of one store.
pub(crate) struct Lifecycle {
    server: Arc<Server>,
    tasks: Shutdown,
    known: BTreeMap<String, Known>,
    /// API groups with names to decide on: a name is free or taken among the definitions of one group.
    undecided: BTreeSet<String>,
    /// Revision of the last read of the store.
    seen: Revision,
}

/// Whether two states of a definition make the same resources.
fn make_the_same(one: &Value, other: &Value) -> bool {
    one["spec"] == other["spec"]
        && one["status"]["acceptedNames"] == other["status"]["acceptedNames"]
        && is_true(one, "Established") == is_true(other, "Established")
}

fn group(definition: &Value) -> &str {
    definition["spec"]["group"].as_str().unwrap_or_default()
}

fn is_going(definition: &Value) -> bool {
    definition["metadata"]["deletionTimestamp"].is_string()
}

impl Lifecycle {
    pub(crate) fn new(server: Arc<Server>, tasks: Shutdown) -> Self {
        let (known, undecided) = (BTreeMap::new(), BTreeSet::new());
        Self { server, tasks, known, undecided, seen: Revision::default() }
    }

    /// Reads all definitions and serves their resources.
    pub(crate) async fn load(&mut self) -> Result<(), Status> {
        let page = self.server.store.range(&Query::prefix(PREFIX)).map_err(Status::internal)?;
        self.seen = page.revision;
        let gone: Vec<String> = {
            let present = |key: &String| page.items.iter().any(|item| *item.key == **key);
            self.known.keys().filter(|key| !present(key)).cloned().collect()
        };
        gone.iter().for_each(|key| self.forget(key));
        for item in &page.items {
            self.learn(item);
        }
        self.settle().await;
        Ok(())
    }

    /// Follows changes until the server stops.
    pub(crate) async fn run(mut self) {
        let stopping = self.server.stopping.clone();
        loop {
            let Some(changes) = stopping.run_until_cancelled(self.changes()).await else { return };
            match changes {
                Some(changes) => {
                    for (key, item) in changes {
                        match item {
                            Some(item) => self.learn(&item),
                            None => self.forget(&key),
                        }
                    }
                    self.settle().await;
                }
                // Too far behind: look at everything again.
                None => {
                    if let Err(status) = self.load().await {
                        tracing::error!(%status, "custom resource definitions cannot be read");
                    }
                }
            }
        }
    }

    /// Waits for changes, and takes all there are.
    async fn changes(&mut self) -> Option<Vec<(String, Option<Versioned<Record>>)>> {
        let mut watch = self.server.store.watch(PREFIX, self.seen).ok()?;
        let mut changes = Vec::new();
        let mut event = watch.next().await.ok()?;
        loop {
            changes.push((event.key.to_string(), event.current.clone()));
            match watch.try_next().ok()? {
                Some(next) => event = next,
                None => break,
            }
        }
        self.seen = watch.seen();
        Some(changes)
    }

    fn learn(&mut self, item: &Versioned<Record>) {
        let object = item.value.value();
        let known = self.known.get(&*item.key);
        if known.is_some_and(|known| known.modified >= item.modified) {
            return;
        }
        if known.is_some_and(|known| known.object["metadata"]["uid"] != object["metadata"]["uid"]) {
            self.forget(&item.key);
        }
        let entry = self.known.entry(item.key.to_string()).or_insert_with(|| Known {
            object: Value::Null,
            modified: item.modified,
            is_changed: true,
            compiled: None,
            term: Term { since: item.modified, retired: CancellationToken::new() },
            versions: Vec::new(),
            is_emptying: false,
        });
        self.undecided.insert(group(&object).to_owned());
        entry.object = object;
        entry.modified = item.modified;
        entry.is_changed = true;
    }

    fn forget(&mut self, key: &str) {
        if let Some(known) = self.known.remove(key) {
            self.undecided.insert(group(&known.object).to_owned());
            // Published first: the watches that end now must not be able to start again.
            self.publish();
            known.term.retired.cancel();
        }
    }

    /// Decides on names, publishes what follows, and writes down what was decided.
    async fn settle(&mut self) {
        let now = format_time(self.server.clock.now());
        let undecided = std::mem::take(&mut self.undecided);
        let is_undecided = |known: &Known| undecided.contains(group(&known.object));
        let keys: Vec<String> =
            self.known.iter().filter(|(_, known)| is_undecided(known)).map(|(key, _)| key.clone()).collect();
        let mut decided = Vec::new();
        for key in &keys {
            let known = &self.known[key];
            let others = keys.iter().filter_map(|key| self.known.get(key)).map(|known| &known.object);
            if let Some(status) = naming::decide(&known.object, others, &now)
                && let Some(known) = self.known.get_mut(key)
            {
                // An accepted name may be taken from another definition, which the next pass tells.
                self.undecided.insert(group(&known.object).to_owned());
                let old = known.object.clone();
                known.object["status"] = status;
                attribute(&old, &mut known.object, &now);
                known.is_changed = true;
                decided.push(key.clone());
            }
        }
        if let Some(retired) = self.compile().await {
            self.publish();
            retired.iter().for_each(CancellationToken::cancel);
        }
        for key in decided {
            self.write_status(&key).await;
        }
        self.empty_terminating();
    }

    /// Makes the versions of definitions that have changed; `None` when there are none. The answer ends the watches of
    /// the former versions.
    async fn compile(&mut self) -> Option<Vec<CancellationToken>> {
        let (mut retired, server) = (None, Arc::clone(&self.server));
        for known in self.known.values_mut().filter(|known| known.is_changed) {
            known.is_changed = false;
            let is_same = known.compiled.as_ref().is_some_and(|before| make_the_same(before, &known.object));
            let was_going = known.compiled.as_ref().is_some_and(|before| is_going(before));
            if is_same && was_going == is_going(&known.object) {
                continue;
            }
            let retired = retired.get_or_insert_with(Vec::new);
            if !is_same && known.compiled.is_some() {
                let next = Term { since: known.modified, retired: CancellationToken::new() };
                retired.push(std::mem::replace(&mut known.term, next).retired);
            }
            let definition = Arc::new(known.object.clone());
            known.versions = match is_true(&definition, "Established") {
                true => versions(&server, &definition, &known.term).await,
                false => Vec::new(),
            };
            known.compiled = Some(definition);
        }
        retired
    }

    fn publish(&self) {
        let versions = self.known.values().flat_map(|known| &known.versions);
        let served: Vec<_> = versions.filter(|version| version.is_served).cloned().collect();
        self.server.registry.replace(&served);
    }

    async fn write_status(&mut self, key: &str) {
        let Some(known) = self.known.get_mut(key) else { return };
        let Some(resource) = definitions(&self.server) else { return };
        let record = resource.encode(Change::Modified, &known.object);
        match self.server.store.commit(Batch::update(key, known.modified, record)).await {
            Ok(events) => known.modified = events.last().map_or(known.modified, |event| event.revision),
            // Another writer was faster; the event of that write leads back here.
            Err(CommitError::Conflict { .. }) => {}
            Err(error) => tracing::error!(%error, key, "the status of a definition cannot be written"),
        }
    }

    /// Starts to delete the objects of definitions that are going.
    fn empty_terminating(&mut self) {
        let server = &self.server;
        for (key, known) in &mut self.known {
            let is_held = known.object["metadata"]["finalizers"]
                .as_array()
                .is_some_and(|list| list.contains(&CLEANUP.into()));
            if !is_going(&known.object) || !is_held || known.is_emptying {
                continue;
            }
            known.is_emptying = true;
            let resource = known.versions.first().map(|version| Resource::custom(Arc::clone(version)));
            let (server, key) = (Arc::clone(server), key.clone());
            self.tasks.spawn(async move {
                let stopping = server.stopping.clone();
                stopping.run_until_cancelled(empty(&server, resource.map(Arc::new), &key)).await;
            });
        }
    }
}

/// Compiles a definition; a long one on a compute thread, because its schemas can have thousands of patterns.
async fn versions(server: &Server, definition: &Arc<Value>, term: &Term) -> Vec<Arc<CustomVersion>> {
    if definition.to_string().len() <= LONG_DEFINITION {
        return CustomVersion::list(definition, term);
    }
    let flow = Flow { user: Arc::from("system:apiserver"), is_exempt: true };
    let (definition, term) = (Arc::clone(definition), term.clone());
    let name = definition["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let compiled = server.compute.run(&flow, move || CustomVersion::list(&definition, &term)).await;
    compiled.unwrap_or_else(|_| {
        tracing::error!(name, "a definition cannot be compiled; its resources are not served");
        Vec::new()
    })
}

/// Says in `managedFields` that the server has written the status.
fn attribute(old: &Value, new: &mut Value, now: &str) {
    let kind = GroupVersionKind::new(super::GROUP, "v1", "CustomResourceDefinition");
    let writer =
        apply::Writer { manager: "kube-apiserver", subresource: "status", scope: apply::Scope::Status, now };
    if let Some(schema) = builtin::schema(&kind) {
        apply::update(Some(old), new, schema, writer);
    }
}

fn definitions(server: &Server) -> Option<Arc<Resource>> {
    server.registry.snapshot().find(super::GROUP, "v1", super::PLURAL).cloned()
}

/// Deletes the objects of a definition, waits for those with finalizers, and then removes the definition's finalizer.
async fn empty(server: &Arc<Server>, resource: Option<Arc<Resource>>, key: &str) {
    if let Some(resource) = resource {
        loop {
            let prefix = resource.collection("");
            let Ok(page) = server.store.range(&Query::prefix(prefix.clone())) else { return };
            if page.items.is_empty() {
                break;
            }
            for item in page.items.iter().filter(|item| !item.value.summary().is_deleting) {
                let (namespace, name) = resource.locate(&item.key);
                if let Err(status) = write::delete_internally(server, &resource, namespace, name).await {
                    tracing::warn!(%status, key = &*item.key, "an object of a deleted definition stays for now");
                }
            }
            let Ok(mut watch) = server.store.watch(&prefix, page.revision) else { continue };
            // Falling behind is as good a reason to look again as an event.
            let _ = watch.next().await;
        }
    }
    release(server, key).await;
}

/// Removes the cleanup finalizer of a definition without objects; that deletes it unless it has other finalizers.
async fn release(server: &Server, key: &str) {
    let Some(definitions) = definitions(server) else { return };
    while let Some(item) = server.store.get(key) {
        let mut object = item.value.value();
        let mut is_free = true;
        if let Some(finalizers) = object["metadata"]["finalizers"].as_array_mut() {
            finalizers.retain(|name| name != CLEANUP);
            is_free = finalizers.is_empty();
        }
        let batch = match is_free {
            true => Batch::delete(key, item.modified),
            false => Batch::update(key, item.modified, definitions.encode(Change::Modified, &object)),
        };
        match server.store.commit(batch).await {
            Err(CommitError::Conflict { .. }) => {}
            Err(error) => {
                tracing::error!(%error, key, "a definition cannot be let go");
                return;
            }
            Ok(_) => return,
        }
    }
}
