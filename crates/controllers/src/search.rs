//! The caches that ResourceRegistries ask for, and the condition of each registry.
//!
//! The decisions are in `portolan_plan::search`. A cache runs for each collection that a registry names in a cluster that is
//! ready. Without a registry no cache runs. [`SearchCaches`] lets the control plane answer look-ups from them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::RwLock;
use portolan_api::cluster::Cluster;
use portolan_api::meta::set_condition;
use portolan_api::search::ResourceRegistry;
use portolan_net::Shutdown;
use portolan_object::{Object, ObjectKey};
use portolan_plan::search::{cached, collections};
use portolan_runtime::client::{Patch, Selection};
use portolan_runtime::members::MembershipChange;
use portolan_runtime::scope::spawn_until_stop;
use portolan_runtime::{
    Cache, ClientError, ClusterName, Member, Outcome, Queue, Reconciler, Resource, driver,
};
use serde_json::json;
use tokio::sync::watch;

use crate::hub::Hub;

const WORKERS: usize = 2;

/// A cached collection of a cluster.
#[derive(Clone)]
pub struct CachedCollection {
    /// The cluster.
    pub cluster: ClusterName,
    /// The only namespace that is cached; empty for all.
    pub namespace: String,
    /// The objects.
    pub cache: Cache<Object>,
    /// The cluster's client.
    pub member: Arc<Member>,
    scope: Shutdown,
}

/// Cluster, resource and namespace of a cache.
type CacheKey = (ClusterName, Resource, String);

/// The caches of all registries; clones share state.
#[derive(Clone)]
pub struct SearchCaches {
    caches: Arc<RwLock<BTreeMap<CacheKey, CachedCollection>>>,
    /// Counts the changes of the set of caches.
    changes: watch::Sender<u64>,
}

impl Default for SearchCaches {
    fn default() -> Self {
        Self { caches: Arc::default(), changes: watch::Sender::new(0) }
    }
}

impl SearchCaches {
    /// The caches of a resource, ordered by cluster and namespace, and the resource. `None` if no registry asks for it.
    pub fn of(&self, group: &str, version: &str, plural: &str) -> Option<(Resource, Vec<CachedCollection>)> {
        let caches = self.caches.read();
        let is_wanted = |resource: &Resource| {
            resource.plural == plural && resource.gvk.group == group && resource.gvk.version == version
        };
        let found: Vec<_> = caches.iter().filter(|((_, resource, _), _)| is_wanted(resource)).collect();
        let resource = found.first().map(|((_, resource, _), _)| resource.clone())?;
        Some((resource, found.into_iter().map(|(_, cached)| cached.clone()).collect()))
    }

    /// Changes whenever a cache starts or ends.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Makes the caches of a cluster those of `wanted`.
    fn keep(
        &self,
        cluster: &ClusterName,
        wanted: &BTreeSet<(Resource, String)>,
        member: Option<&Arc<Member>>,
    ) {
        let mut caches = self.caches.write();
        let is_kept = |key: &CacheKey, cached: &CachedCollection| {
            key.0 != *cluster
                || (wanted.contains(&(key.1.clone(), key.2.clone()))
                    && member.is_some_and(|member| Arc::ptr_eq(member, &cached.member)))
        };
        let mut has_changed = false;
        caches.retain(|key, cached| {
            let is_kept = is_kept(key, cached);
            if !is_kept {
                cached.scope.request();
                has_changed = true;
            }
            is_kept
        });
        for (resource, namespace) in wanted {
            let Some(member) = member else { break };
            let key = (cluster.clone(), resource.clone(), namespace.clone());
            caches.entry(key).or_insert_with(|| {
                has_changed = true;
                let scope = member.scope().child();
                let cache = Cache::of_objects(member.client(), resource.clone())
                    .select(Selection::namespace(namespace))
                    .start(&scope);
                let (cluster, namespace) = (cluster.clone(), namespace.clone());
                CachedCollection { cluster, namespace, cache, member: member.clone(), scope }
            });
        }
        drop(caches);
        if has_changed {
            self.changes.send_modify(|count| *count += 1);
        }
    }
}

struct Clusters {
    hub: Hub,
    registries: Cache<ResourceRegistry>,
    caches: SearchCaches,
}

struct Registries {
    hub: Hub,
    registries: Cache<ResourceRegistry>,
}

/// Starts the controllers: one with the clusters as keys, which keeps the caches, and one with the registries, which writes
/// their conditions.
pub(crate) fn start(hub: &Hub, caches: &SearchCaches) {
    let registries = Cache::<ResourceRegistry>::of_kind(&hub.client)
        .trim(|registry| registry.metadata.managed_fields.clear())
        .start(&hub.scope);
    let metrics = hub.client.metrics();
    let clusters: Queue<ObjectKey> = metrics.queue("search", None);
    let reported: Queue<ObjectKey> = metrics.queue("resource-registries", None);
    let (hub, caches, scope) = (hub.clone(), caches.clone(), hub.scope.clone());
    spawn_until_stop(&scope, async move {
        if !(registries.synced().await && hub.clusters.synced().await) {
            return;
        }
        let (changed, report, known) = (clusters.clone(), reported.clone(), registries.clone());
        hub.clusters.observe(move |change| {
            changed.add(change.key.clone());
            known.keys().into_iter().for_each(|key| report.add(key));
        });
        let changed = clusters.clone();
        hub.members.observe(move |change| {
            let name = match change {
                MembershipChange::Joined(member) => member.name(),
                MembershipChange::Left(name) => name,
            };
            changed.add(ObjectKey::cluster(name.as_str()));
        });
        let (changed, report, known) = (clusters.clone(), reported.clone(), hub.clusters.clone());
        registries.observe(move |change| {
            known.keys().into_iter().for_each(|key| changed.add(key));
            report.add(change.key.clone());
        });
        let scope = hub.scope.clone();
        let keeping = Clusters { hub: hub.clone(), registries: registries.clone(), caches };
        driver::run(Arc::new(keeping), &clusters, WORKERS, &scope);
        driver::run(Arc::new(Registries { hub, registries }), &reported, WORKERS, &scope);
    });
}

impl Reconciler for Clusters {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        let name = ClusterName::new(key.name.as_str());
        let member = self.hub.members.get(&name);
        let mut wanted = BTreeSet::new();
        if let (Some(cluster), Some(member)) = (self.hub.clusters.get(key), &member) {
            let registries = self.registries.list();
            for (kind, namespaces) in collections(registries.iter().map(AsRef::as_ref), &cluster) {
                // A kind that the cluster serves later changes its APIs, and so the Cluster.
                let Some(resource) = member.resource(&kind) else { continue };
                let names = if resource.namespaced { namespaces.names() } else { vec![""] };
                wanted.extend(names.into_iter().map(|namespace| (resource.clone(), namespace.to_owned())));
            }
        }
        self.caches.keep(&name, &wanted, member.as_ref());
        Outcome::Done
    }
}

impl Reconciler for Registries {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        let Some(registry) = self.registries.get(key) else { return Outcome::Done };
        if registry.metadata.is_deleting() {
            return Outcome::Done;
        }
        self.report(key, &registry).await.into()
    }
}

impl Registries {
    /// Writes the condition of a registry if it differs.
    async fn report(&self, key: &ObjectKey, registry: &ResourceRegistry) -> Result<(), ClientError> {
        let clusters = self.hub.clusters.list();
        let clusters: Vec<&Cluster> = clusters.iter().map(AsRef::as_ref).collect();
        let mut wanted = cached(registry, &clusters, |cluster, kind| {
            let member = self.hub.members.get(&ClusterName::new(cluster.metadata.name.as_str()));
            member.is_some_and(|member| member.resource(kind).is_some())
        });
        wanted.observed_generation = Some(registry.metadata.generation);
        wanted.last_transition_time = self.hub.now();
        let mut conditions = registry.status.conditions.clone();
        if !set_condition(&mut conditions, wanted) {
            return Ok(());
        }
        let patch = json!({ "status": { "conditions": conditions } });
        let api = self.hub.client.kind::<ResourceRegistry>();
        let written = api.patch_status(key, &Patch::Merge(patch)).await?;
        let version = written.metadata.resource_version.clone();
        self.registries.written(key.clone(), &version, written);
        Ok(())
    }
}
