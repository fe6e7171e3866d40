//! What all hub controllers share: the hub's client, its caches, the members, the clock.
//!
//! Made once by `Controllers::start`; every controller holds a clone of the pieces it needs.

use portolan_api::cluster::Cluster;
use portolan_api::resources;
use portolan_api::work::Work;
use portolan_net::{Clock, Shutdown};
use portolan_object::{Object, ObjectKey};
use portolan_runtime::{Cache, Client, ClusterName, EventRecorder, Members};

use crate::cluster_sets::ClusterSets;

/// Index of Works by the binding that they belong to, as `namespace/name`.
pub(crate) const WORKS_BY_BINDING: &str = "binding";

/// The shared pieces; cheap to clone.
#[derive(Clone)]
pub(crate) struct Hub {
    pub(crate) client: Client,
    pub(crate) members: Members,
    pub(crate) events: EventRecorder,
    pub(crate) clock: Clock,
    pub(crate) scope: Shutdown,
    pub(crate) clusters: Cache<Cluster>,
    pub(crate) namespaces: Cache<Object>,
    pub(crate) works: Cache<Work>,
    pub(crate) cluster_sets: ClusterSets,
}

impl Hub {
    /// Starts the caches.
    pub(crate) fn start(client: &Client, members: Members, clock: Clock, scope: &Shutdown) -> Self {
        let clusters =
            Cache::<Cluster>::of_kind(client).trim(|cluster| cluster.metadata.managed_fields.clear());
        let namespaces = Cache::of_objects(client, resources::NAMESPACE.into());
        let works = Cache::<Work>::of_kind(client)
            .trim(|work| work.metadata.managed_fields.clear())
            .index(WORKS_BY_BINDING, |_, work| {
                binding_of(work).map(|key| key.to_string()).into_iter().collect()
            });
        let clusters = clusters.start(scope);
        Self {
            client: client.clone(),
            members,
            events: EventRecorder::new(client, crate::MANAGER, clock.clone(), scope),
            clock,
            scope: scope.clone(),
            cluster_sets: ClusterSets::new(client, &clusters, scope),
            clusters,
            namespaces: namespaces.start(scope),
            works: works.start(scope),
        }
    }

    /// The present, as objects carry it.
    pub(crate) fn now(&self) -> String {
        crate::time::rfc3339(&self.clock)
    }

    /// Puts in what an own write has made of a Work.
    pub(crate) fn work_written(&self, work: Work) {
        let key = work.metadata.key();
        let version = work.metadata.resource_version.clone();
        self.works.written(key, &version, work);
    }

    /// One cluster.
    pub(crate) fn cluster(&self, name: &ClusterName) -> Option<std::sync::Arc<Cluster>> {
        self.clusters.get(&ObjectKey::cluster(name.as_str()))
    }
}

/// The binding that a Work belongs to; without namespace for a cluster-wide one.
pub(crate) fn binding_of(work: &Work) -> Option<ObjectKey> {
    use portolan_api::annotations::{binding, cluster_binding};
    let annotations = &work.metadata.annotations;
    if let Some(name) = annotations.get(cluster_binding::NAME) {
        return Some(ObjectKey::cluster(name.as_str()));
    }
    let (namespace, name) = (annotations.get(binding::NAMESPACE)?, annotations.get(binding::NAME)?);
    Some(ObjectKey::namespaced(namespace.as_str(), name.as_str()))
}
