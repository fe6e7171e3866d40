//! From Works to objects in members, and the objects' status back into the Works. One queue per member.
//!
//! The same pass applies a Work and reports on it, so that a Work has one writer. Its status is written once when it is
//! applied and once per relevant change. A change in the member (drift, deletion, status) queues the Work again.

mod advice;
mod apply;
mod brake;
mod deletions;
mod events;
mod facts;
mod node_ports;
mod of_agents;
mod remove;
mod unreported;

use std::sync::Arc;

use portolan_api::work::Work;
use portolan_api::{annotations, names, resources};
use portolan_object::{GroupVersionKind, Object, ObjectKey};
use portolan_runtime::cache::Change;
use portolan_runtime::members::{Health, HoldState, MembershipChange};
use portolan_runtime::scope::spawn_until_stop;
use portolan_runtime::{Cache, ClusterName, Member, Outcome, Queue, Reconciler, Resource, driver};
use std::collections::HashMap;

use parking_lot::RwLock;
use tokio::sync::watch;

use crate::hub::{DELETED_WORKS, Hub, UNAPPLIED_WORKS};
use crate::propagation::interpreters::Interpreters;
use brake::Brake;
pub use brake::BrakeOptions;
use unreported::Unreported;

/// Concurrent Works per member.
const WORKERS_PER_MEMBER: usize = 24;

type Queues = Arc<RwLock<HashMap<ClusterName, Queue<ObjectKey>>>>;

/// Starts execution for every present and future member, and the release of Works of removed clusters.
pub(super) fn start(hub: &Hub, interpreters: &Interpreters, brake: BrakeOptions) {
    let brake = Brake::start(hub, brake);
    let queues: Queues = Arc::default();
    let abandoned: Queue<ObjectKey> = hub.client.metrics().queue("abandoned-works", None);
    let (changed, without_member) = (queues.clone(), abandoned.clone());
    hub.works.observe(move |change| {
        if is_own_status(change) {
            return;
        }
        let Some(cluster) = names::cluster_of_execution_namespace(&change.key.namespace) else { return };
        match changed.read().get(&ClusterName::new(cluster)) {
            Some(queue) => queue.add(change.key.clone()),
            None => without_member.add(change.key.clone()),
        }
    });
    let (held, known, leaving) = (queues.clone(), hub.clone(), abandoned.clone());
    hub.clusters.observe(move |change| {
        let (Some(old), Some(new)) = (&change.old, &change.new) else { return };
        let is_same = old.metadata.annotations == new.metadata.annotations
            && brake::is_held(old) == brake::is_held(new)
            && old.metadata.is_deleting() == new.metadata.is_deleting();
        let deleted =
            || known.works.keys_by_index(DELETED_WORKS, &names::execution_namespace(&change.key.name));
        match held.read().get(&ClusterName::new(change.key.name.as_str())) {
            Some(queue) if !is_same => deleted().into_iter().for_each(|work| queue.add(work)),
            // A cluster with an agent that leaves, and does not answer any more.
            None if new.metadata.is_deleting() => deleted().into_iter().for_each(|work| leaving.add(work)),
            Some(_) | None => {}
        }
    });
    let (queues_of_works, works) = (queues.clone(), hub.works.clone());
    interpreters.observe(move |kind| {
        let queues = queues_of_works.read();
        // One Work at a time is decoded.
        for key in works.keys() {
            let cluster = names::cluster_of_execution_namespace(&key.namespace);
            let Some(queue) = cluster.and_then(|cluster| queues.get(&ClusterName::new(cluster))) else {
                continue;
            };
            if kind.is_none_or(|kind| works.get(&key).is_some_and(|work| holds(&work, kind))) {
                queue.add(key);
            }
        }
    });
    let (joining, hub_of_members, interpreters) = (queues.clone(), hub.clone(), interpreters.clone());
    let lost = abandoned.clone();
    hub.members.observe(move |change| match change {
        // Its agent applies the Works.
        MembershipChange::Joined(member) if member.has_agent() => {
            joining.write().remove(member.name());
        }
        MembershipChange::Joined(member) => {
            let queue = Executor::start(&hub_of_members, &interpreters, member.clone(), brake.clone());
            joining.write().insert(member.name().clone(), queue);
        }
        MembershipChange::Left(name) => {
            joining.write().remove(name);
            let namespace = names::execution_namespace(name.as_str());
            hub_of_members.works.keys_of_namespace(&namespace).into_iter().for_each(|work| lost.add(work));
        }
    });
    driver::run(Arc::new(remove::Abandoned(hub.clone())), &abandoned, 2, &hub.scope);
}

/// Whether only the status of a Work changed, which only this controller writes.
fn is_own_status(change: &Change<Work>) -> bool {
    let (Some(old), Some(new)) = (&change.old, &change.new) else { return false };
    old.metadata.generation == new.metadata.generation
        && old.metadata.deletion_timestamp == new.metadata.deletion_timestamp
        && old.metadata.finalizers == new.metadata.finalizers
        && old.metadata.annotations == new.metadata.annotations
        && old.spec == new.spec
}

/// What decides whether the Works of a member can be applied.
struct Changes {
    health: watch::Receiver<Health>,
    served: watch::Receiver<u64>,
    held: watch::Receiver<HoldState>,
}

/// Applies the Works of one member.
pub(super) struct Executor {
    hub: Hub,
    interpreters: Interpreters,
    member: Arc<Member>,
    queue: Queue<ObjectKey>,
    unreported: Unreported,
    brake: Brake,
}

impl Executor {
    fn start(hub: &Hub, interpreters: &Interpreters, member: Arc<Member>, brake: Brake) -> Queue<ObjectKey> {
        let queue = hub.client.metrics().queue("works", Some(member.name()));
        let executor = Arc::new(Self {
            hub: hub.clone(),
            interpreters: interpreters.clone(),
            member: member.clone(),
            queue: queue.clone(),
            unreported: Unreported::default(),
            brake,
        });
        // Before the first pass, which drops its key while the member is not known yet: no change after it is missed.
        let changes = Changes {
            health: member.watch_health(),
            served: member.watch_discovery(),
            held: member.hold().watch(),
        };
        executor.queue_all();
        spawn_until_stop(member.scope(), executor.clone().queue_all_on_changes(changes));
        driver::run(executor, &queue, WORKERS_PER_MEMBER, member.scope());
        queue
    }

    fn queue_all(&self) {
        let namespace = names::execution_namespace(self.member.name().as_str());
        let works = self.hub.works.keys_of_namespace(&namespace);
        works.into_iter().for_each(|work| self.queue.add(work));
    }

    /// Queues all Works when the member recovers, and when it serves a new kind.
    async fn queue_all_on_changes(self: Arc<Self>, mut changes: Changes) {
        loop {
            tokio::select! {
                changed = changes.held.changed() => if changed.is_err() { return },
                changed = changes.health.changed() => if changed.is_err() { return },
                changed = changes.served.changed() => if changed.is_err() { return },
            }
            // Works that are being deleted do not wait for a member that is another control plane's.
            if self.member.health() != Health::NotReady || self.member.hold().holder().is_none() {
                self.queue_all();
            }
        }
    }

    /// The cache of the member's managed objects of a kind; the first call starts it.
    fn managed(&self, resource: &Resource) -> Cache<Object> {
        let (queue, works) = (self.queue.clone(), self.hub.works.clone());
        let namespace = names::execution_namespace(self.member.name().as_str());
        let is_namespace = resources::NAMESPACE.is_kind(&resource.gvk);
        self.member.managed_with(resource, move |cache| {
            cache.observe(move |change| {
                if is_namespace && change.old.is_none() {
                    // What was refused because it did not exist, or because its predecessor was being deleted.
                    let refused = format!("{namespace}/{}", change.key.name);
                    works
                        .keys_by_index(UNAPPLIED_WORKS, &refused)
                        .into_iter()
                        .for_each(|work| queue.add(work));
                }
                if change.is_own {
                    // The pass that wrote it also reports on it.
                    return;
                }
                for object in change.old.iter().chain(change.new.iter()).take(2) {
                    if let Some(work) = work_of(object).filter(|work| work.namespace == namespace) {
                        queue.add(work);
                    }
                }
            });
        })
    }
}

impl Reconciler for Executor {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        let hold = self.member.hold().state();
        if hold == HoldState::Unknown {
            // The first answer about the lease queues the key again.
            return Outcome::Done;
        }
        if self.member.health() == Health::NotReady || !matches!(hold, HoldState::Held(_)) {
            // A member that does not answer, or is another control plane's, gets no requests; a change queues the key again.
            return match self.hub.works.get(key) {
                Some(work) if work.metadata.is_deleting() => {
                    remove::abandon_if_leaving(&self.hub, self.member.name(), &work).await.into()
                }
                Some(work) => self.postpone(&work).await,
                None => Outcome::Done,
            };
        }
        if self.member.discovery().resources.is_empty() {
            // The kinds of the member are not known yet; its first discovery queues the key again.
            return Outcome::Done;
        }
        let Some(work) = self.hub.works.get(key) else {
            self.unreported.forget(key);
            return Outcome::Done;
        };
        if work.metadata.is_deleting() {
            self.unreported.forget(key);
            return self.remove(&work).await.into();
        }
        self.apply(&work).await
    }
}

/// The Work of an object in a member, from its annotations.
fn work_of(object: &Object) -> Option<ObjectKey> {
    let namespace = object.annotation(annotations::work::NAMESPACE)?;
    let name = object.annotation(annotations::work::NAME)?;
    Some(ObjectKey::namespaced(namespace, name))
}

/// Whether the manifest of a Work is of a kind, in any version.
fn holds(work: &Work, kind: &GroupVersionKind) -> bool {
    let Some(manifest) = work.spec.workload.manifests.first() else { return false };
    let group = manifest["apiVersion"].as_str().and_then(|version| version.rsplit_once('/'));
    group.map_or("", |(group, _)| group) == kind.group && manifest["kind"] == kind.kind
}

/// The one manifest of a Work.
fn manifest(work: &Work) -> Option<Object> {
    work.spec.workload.manifests.first().cloned().map(Object)
}
