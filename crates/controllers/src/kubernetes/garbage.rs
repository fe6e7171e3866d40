//! Garbage collection: deletes objects after their owners. Owners are identified by uid, never by name.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use parking_lot::RwLock;
use portolan_api::kubernetes::{OwnerReference, owners};
use portolan_net::{Clock, Shutdown};
use portolan_object::{GroupKind, GroupVersion, Object, ObjectKey};
use portolan_plan::kubernetes::garbage::{
    FOREGROUND, INVALID_NAMESPACE, ORPHAN, OwnerState, Verdict, invalid_namespace, is_blocked, is_in_scope,
    is_leaving_with, verdict,
};
use portolan_runtime::cache::Change;
use portolan_runtime::client::{Delete, Patch, Propagation};
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::{Client, ClientError, EventRecorder, Outcome, Queue, Reconciler, Resource, driver};
use serde_json::{Value, json};

use super::WORKERS;
use crate::collections::Collections;
use crate::missing::ignore_missing;

/// The component that Events name.
const COMPONENT: &str = "garbage-collector-controller";

/// An object anywhere in the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Node {
    /// Shared by all nodes of the resource.
    resource: Arc<Resource>,
    key: ObjectKey,
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.resource.plural, self.key)
    }
}

/// All objects by uid, and the dependents of each owner.
#[derive(Debug, Default)]
struct Graph {
    resources: BTreeSet<Arc<Resource>>,
    by_uid: BTreeMap<String, Node>,
    dependents: BTreeMap<String, BTreeSet<Node>>,
    /// Owners in other scopes that an Event has told of, by the uid of the dependent.
    reported: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    /// Applies a change and returns the nodes that must be checked because of it.
    fn update(&mut self, resource: &Resource, change: &Change<Object>) -> Vec<Node> {
        let node = Node { resource: self.shared(resource), key: change.key.clone() };
        let mut affected = Vec::new();
        if let Some(old) = &change.old {
            for uid in owner_uids(old) {
                if let Some(dependents) = self.dependents.get_mut(uid) {
                    dependents.remove(&node);
                    if dependents.is_empty() {
                        self.dependents.remove(uid);
                    }
                }
                // An owner that is deleted in the foreground may have waited for this one.
                affected.extend(self.by_uid.get(uid).cloned());
            }
            let replaced = change.new.as_ref().is_none_or(|new| new.uid() != old.uid());
            if replaced {
                self.by_uid.remove(old.uid());
                self.reported.remove(old.uid());
                affected.extend(self.dependents.get(old.uid()).into_iter().flatten().cloned());
            }
        }
        if let Some(new) = &change.new {
            self.by_uid.insert(new.uid().to_owned(), node.clone());
            for uid in owner_uids(new) {
                self.dependents.entry(uid.to_owned()).or_default().insert(node.clone());
            }
            let has_owners = owner_uids(new).next().is_some();
            let is_leaving = [FOREGROUND, ORPHAN].iter().any(|finalizer| is_leaving_with(new, finalizer));
            if has_owners || is_leaving {
                affected.push(node);
            }
            if is_leaving {
                affected.extend(self.dependents.get(new.uid()).into_iter().flatten().cloned());
            }
        }
        affected
    }

    /// The resource, as its other nodes have it.
    fn shared(&mut self, resource: &Resource) -> Arc<Resource> {
        if let Some(known) = self.resources.get(resource) {
            return known.clone();
        }
        let shared = Arc::new(resource.clone());
        self.resources.insert(shared.clone());
        shared
    }

    fn dependents_of(&self, uid: &str) -> Vec<Node> {
        self.dependents.get(uid).into_iter().flatten().cloned().collect()
    }

    /// Notes that an Event tells of an owner in another scope; false if one has done so already.
    fn report(&mut self, dependent: &str, owner: &str) -> bool {
        self.by_uid.contains_key(dependent)
            && self.reported.entry(dependent.to_owned()).or_default().insert(owner.to_owned())
    }
}

/// The kind of an owner; `None` when its version is malformed.
fn kind_of(reference: &OwnerReference<'_>) -> Option<GroupKind> {
    let version = reference.api_version.parse::<GroupVersion>().ok()?;
    Some(version.kind(reference.kind).group_kind())
}

fn owner_uids(object: &Object) -> impl Iterator<Item = &str> {
    owners(object).map(|reference| reference.uid)
}

struct Garbage {
    client: Client,
    everything: Collections,
    graph: Arc<RwLock<Graph>>,
    events: EventRecorder,
}

pub(super) fn start(client: &Client, everything: &Collections, clock: &Clock, scope: &Shutdown) {
    let queue = Queue::new("garbage");
    let graph = Arc::new(RwLock::new(Graph::default()));
    let (adder, updated) = (queue.clone(), graph.clone());
    everything.observe(move |resource, change| {
        let affected = updated.write().update(resource, change);
        affected.into_iter().for_each(|node| adder.add(node));
    });
    let events = EventRecorder::new(client, COMPONENT, clock.clone(), scope);
    let controller = Garbage { client: client.clone(), everything: everything.clone(), graph, events };
    driver::run(Arc::new(controller), &queue, WORKERS, scope);
}

impl Reconciler for Garbage {
    type Key = Node;

    /// Most changes leave no garbage.
    const LOW_PRIORITY: bool = true;

    async fn reconcile(&self, node: &Node) -> Outcome {
        if !self.everything.synced().await {
            return Outcome::Done;
        }
        let Some(object) = self.object(node) else { return Outcome::Done };
        let dependents = self.graph.read().dependents_of(object.uid());
        if is_leaving_with(&object, ORPHAN) {
            return self.orphan(node, &object, &dependents).await.into();
        }
        if is_leaving_with(&object, FOREGROUND) && !is_blocked(&object, |uid| self.dependents(uid)) {
            return self.remove_finalizer(node, &object, FOREGROUND).await.into();
        }
        self.collect(node, &object, !dependents.is_empty()).await.into()
    }
}

impl Garbage {
    fn object(&self, node: &Node) -> Option<Arc<Object>> {
        self.everything.get(&node.resource)?.get(&node.key)
    }

    /// The objects that name the uid as their owner.
    fn dependents(&self, uid: &str) -> Vec<Arc<Object>> {
        let dependents = self.graph.read().dependents_of(uid);
        dependents.iter().filter_map(|dependent| self.object(dependent)).collect()
    }

    async fn collect(&self, node: &Node, object: &Object, has_dependents: bool) -> Result<(), ClientError> {
        match verdict(object, has_dependents, |reference| self.state(object, reference)) {
            Verdict::Keep => Ok(()),
            Verdict::DropReferences(uids) => self.drop_references(node, object, &uids).await,
            Verdict::Delete { foreground } => {
                if self.has_live_owner(object).await? {
                    return Ok(());
                }
                let propagation = if foreground { Propagation::Foreground } else { Propagation::Background };
                let options =
                    Delete { propagation: Some(propagation), ..Delete::default() }.uid(object.uid());
                let api = self.client.resource::<Object>(&node.resource);
                ignore_missing(api.delete(&node.key, &options).await).map(drop)
            }
        }
    }

    fn state(&self, dependent: &Object, reference: &OwnerReference<'_>) -> OwnerState {
        let owner = self.graph.read().by_uid.get(reference.uid).cloned();
        if dependent.namespace().is_empty() && self.is_namespaced(owner.as_ref(), reference) {
            self.report(dependent, reference);
            return OwnerState::Misplaced;
        }
        let Some(owner) = owner else { return OwnerState::Absent };
        if !is_in_scope(dependent, &owner.key.namespace) {
            self.report(dependent, reference);
            return OwnerState::Absent;
        }
        match self.object(&owner) {
            Some(object) if is_leaving_with(&object, FOREGROUND) => OwnerState::Waiting,
            Some(_) => OwnerState::Present,
            None => OwnerState::Absent,
        }
    }

    /// Whether the kind of an owner has namespaces; `owner` is the object with the uid of the reference.
    fn is_namespaced(&self, owner: Option<&Node>, reference: &OwnerReference<'_>) -> bool {
        let names = |kind| self.everything.of_kind(&kind).is_some_and(|cache| cache.resource().namespaced);
        owner.is_some_and(|owner| owner.resource.namespaced) || kind_of(reference).is_some_and(names)
    }

    /// Tells of an owner in another scope, once for each dependent and owner.
    fn report(&self, dependent: &Object, reference: &OwnerReference<'_>) {
        if self.graph.write().report(dependent.uid(), reference.uid) {
            let message = invalid_namespace(dependent, reference);
            self.events.record(Regarding::object(dependent), Severity::Warning, INVALID_NAMESPACE, message);
        }
    }

    /// Asks the API server before an object is deleted: a cache may not have the owner yet.
    async fn has_live_owner(&self, object: &Object) -> Result<bool, ClientError> {
        for reference in owners(object) {
            if self.state(object, &reference) == OwnerState::Waiting {
                continue;
            }
            let Some(kind) = kind_of(&reference) else { return Ok(true) };
            // A kind that is not served may not be discovered yet: keep the object.
            let Some(cache) = self.everything.of_kind(&kind) else { return Ok(true) };
            let namespace = if cache.resource().namespaced { object.namespace() } else { "" };
            let key = ObjectKey::namespaced(namespace, reference.name);
            match self.client.resource::<Object>(cache.resource()).get(&key).await {
                Ok(owner) if owner.uid() == reference.uid => return Ok(true),
                Ok(_) | Err(ClientError::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    async fn drop_references(
        &self,
        node: &Node,
        object: &Object,
        uids: &[String],
    ) -> Result<(), ClientError> {
        // The entries as they are: an owner reference may have fields that the view does not know.
        let listed = object.at(&["metadata", "ownerReferences"]).and_then(Value::as_array);
        let is_dropped = |owner: &Value| uids.iter().any(|uid| owner["uid"] == uid.as_str());
        let kept: Vec<&Value> = listed.into_iter().flatten().filter(|owner| !is_dropped(owner)).collect();
        let metadata = json!({ "uid": object.uid(), "resourceVersion": object.resource_version(), "ownerReferences": kept });
        self.patch(node, metadata).await
    }

    async fn orphan(&self, node: &Node, object: &Object, dependents: &[Node]) -> Result<(), ClientError> {
        for dependent in dependents {
            if let Some(orphaned) = self.object(dependent) {
                self.drop_references(dependent, &orphaned, &[object.uid().to_owned()]).await?;
            }
        }
        self.remove_finalizer(node, object, ORPHAN).await
    }

    async fn remove_finalizer(
        &self,
        node: &Node,
        object: &Object,
        finalizer: &str,
    ) -> Result<(), ClientError> {
        let kept: Vec<&str> = object.finalizers().filter(|held| *held != finalizer).collect();
        let metadata =
            json!({ "uid": object.uid(), "resourceVersion": object.resource_version(), "finalizers": kept });
        self.patch(node, metadata).await
    }

    async fn patch(&self, node: &Node, metadata: Value) -> Result<(), ClientError> {
        let patch = Patch::Merge(json!({ "metadata": metadata }));
        ignore_missing(self.client.resource::<Object>(&node.resource).patch(&node.key, &patch).await)
            .map(drop)
    }
}
