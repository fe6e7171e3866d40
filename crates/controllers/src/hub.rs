//! Data that all hub controllers share: the hub's client, its caches, the members, the clock.
//!
//! `Controllers::start` creates it once; each controller holds a clone. Nothing here starts a controller.

mod cluster_sets;
mod federated_types;
mod federations;
mod quotas;

use std::sync::Arc;
use std::time::Duration;

use portolan_api::cluster::Cluster;
use portolan_api::work::Work;
use portolan_api::{names, resources};
use portolan_net::{Clock, Shutdown};
use portolan_object::{Object, ObjectKey};
use portolan_plan::propagation::detect::Skipped;
use portolan_plan::propagation::removal::{Cause, kept_namespace, namespace_of_object};
use portolan_plan::propagation::status::is_applied;
use portolan_providers::PublicDns;
use portolan_runtime::client::Selection;
use portolan_runtime::{Cache, Client, ClusterName, EventRecorder, Members, SuccessEvents};

use crate::capacity::{Capacities, Estimator};
use crate::estimator_service::EstimatorService;
use crate::released::Released;
pub(crate) use cluster_sets::{ClusterSets, JoinProgress, MembershipState};
pub(crate) use federated_types::FederatedTypes;
pub(crate) use federations::Federations;
pub use quotas::Quotas;

/// Interval at which the namespace `kube-system` is looked for, on an API server that is about to create it.
const IDENTITY_POLL_INTERVAL: Duration = Duration::from_millis(100);
/// Namespace with the identity of an API server.
const SYSTEM: &str = "kube-system";
/// Name of the index of Works by their binding; values are `namespace/name`.
pub(crate) const WORKS_BY_BINDING: &str = "binding";
/// Name of the index of Works by their namespace, which is that of their cluster.
pub(crate) const WORKS_OF_CLUSTER: &str = "cluster";
/// Name of the index of Works that are being deleted, by their namespace.
pub(crate) const DELETED_WORKS: &str = "deleted";
/// Name of the index of Works that are being deleted because their cluster leaves, by their namespace.
pub(crate) const UNJOINED_WORKS: &str = "unjoined";
/// Name of the index of Works that leave their object in the member when they are deleted; values are the namespace of the
/// Work and that of the object, with a slash between them.
pub(crate) const KEEPING_WORKS: &str = "keeping";
/// Name of the index of Works that are not applied; values as of [`KEEPING_WORKS`].
pub(crate) const UNAPPLIED_WORKS: &str = "unapplied";

/// Shared data of the hub controllers; clones share state.
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
    pub(crate) federations: Federations,
    pub(crate) capacities: Capacities,
    /// Kinds and namespaces that are never propagated.
    pub(crate) skipped: Arc<Skipped>,
    pub(crate) estimator: Estimator,
    pub(crate) quotas: Quotas,
    pub(crate) federated_types: FederatedTypes,
    pub(crate) released: Released,
    /// The estimators of clusters, if they are asked.
    pub(crate) estimator_service: Option<EstimatorService>,
    /// The DNS server of this process for the zones of federations, if it runs.
    pub(crate) public_dns: Option<PublicDns>,
    /// Whether this is the agent of one cluster, which reads and writes only what belongs to that cluster.
    pub(crate) is_agent: bool,
}

/// Which objects of the control plane are read.
#[derive(Debug, Clone)]
pub(crate) enum Reach {
    /// All: this is the control plane.
    Everything,
    /// The Cluster of this name, its Works, and the identity of the control plane: this is its agent, which may read no more.
    Cluster(ClusterName),
}

impl Reach {
    fn clusters(&self) -> Selection {
        match self {
            Self::Everything => Selection::all(),
            Self::Cluster(name) => Selection::fields(format!("metadata.name={name}")),
        }
    }

    fn namespaces(&self) -> Selection {
        match self {
            Self::Everything => Selection::all(),
            Self::Cluster(_) => Selection::fields(format!("metadata.name={SYSTEM}")),
        }
    }

    fn works(&self) -> Selection {
        match self {
            Self::Everything => Selection::all(),
            Self::Cluster(name) => Selection::namespace(names::execution_namespace(name.as_str())),
        }
    }

    /// The scope of caches that only the control plane has. Those of an agent end at once.
    fn scope_of_rest(&self, scope: &Shutdown) -> Shutdown {
        let child = scope.child();
        if matches!(self, Self::Cluster(_)) {
            child.request();
        }
        child
    }
}

/// How the shared data is made.
pub(crate) struct HubSettings {
    pub(crate) clock: Clock,
    /// Whether successes are Events in the hub.
    pub(crate) successes: SuccessEvents,
    /// Kinds and namespaces that are never propagated.
    pub(crate) skipped: Skipped,
    pub(crate) reach: Reach,
}

impl Hub {
    /// Starts the caches.
    pub(crate) fn start(client: &Client, members: Members, settings: HubSettings, scope: &Shutdown) -> Self {
        let HubSettings { clock, successes, skipped, reach } = settings;
        let events = EventRecorder::new(client, crate::MANAGER, clock.clone(), scope);
        let clusters = Cache::<Cluster>::of_kind(client)
            .select(reach.clusters())
            .trim(|cluster| cluster.metadata.managed_fields.clear());
        let namespaces = Cache::of_objects(client, resources::NAMESPACE.into()).select(reach.namespaces());
        let rest = reach.scope_of_rest(scope);
        let works = Cache::<Work>::of_kind(client)
            .select(reach.works())
            .compact()
            .trim(|work| work.metadata.managed_fields.clear())
            .index(WORKS_BY_BINDING, |_, work| {
                binding_of(work).map(|key| key.to_string()).into_iter().collect()
            })
            .index(WORKS_OF_CLUSTER, |key, _| vec![key.namespace.clone()])
            .index(DELETED_WORKS, |key, work| {
                work.metadata.is_deleting().then(|| key.namespace.clone()).into_iter().collect()
            })
            .index(UNJOINED_WORKS, |key, work| {
                let is_leaving =
                    work.metadata.is_deleting() && Cause::of(work) == Some(Cause::ClusterUnjoined);
                is_leaving.then(|| key.namespace.clone()).into_iter().collect()
            })
            .index(KEEPING_WORKS, |key, work| {
                kept_namespace(work).map(|inside| format!("{}/{inside}", key.namespace)).into_iter().collect()
            })
            .index(UNAPPLIED_WORKS, |key, work| {
                let inside = namespace_of_object(work).filter(|_| !is_applied(work));
                inside.map(|inside| format!("{}/{inside}", key.namespace)).into_iter().collect()
            });
        let clusters = clusters.start(scope);
        let namespaces = namespaces.start(scope);
        let capacities = Capacities::default();
        capacities.follow(&members);
        Self {
            client: client.clone(),
            members,
            events: events.with_successes(successes),
            clock,
            scope: scope.clone(),
            cluster_sets: ClusterSets::new(client, &clusters, &rest),
            clusters,
            federations: Federations::new(client, &namespaces, &rest),
            namespaces,
            works: works.start(scope),
            estimator: Estimator::new(&capacities),
            quotas: Quotas::new(client, &rest),
            federated_types: FederatedTypes::start(client, &rest),
            released: Released::default(),
            estimator_service: None,
            public_dns: None,
            capacities,
            skipped: Arc::new(skipped),
            is_agent: matches!(reach, Reach::Cluster(_)),
        }
    }

    /// Current time in `metav1.Time` format (whole seconds).
    pub(crate) fn now(&self) -> String {
        crate::time::rfc3339(&self.clock)
    }

    /// Id of this control plane: the uid of the namespace `kube-system` of its API server. Waits until it is known; `None`
    /// if the scope ended before.
    pub(crate) async fn control_plane_id(&self) -> Option<Arc<str>> {
        let key = ObjectKey::cluster(SYSTEM);
        while self.namespaces.synced().await {
            if let Some(system) = self.namespaces.get(&key) {
                return Some(system.uid().into());
            }
            tokio::time::sleep(IDENTITY_POLL_INTERVAL).await;
        }
        None
    }

    /// Inserts the result of our own write before the watch delivers it.
    pub(crate) fn work_written(&self, work: Work) {
        let key = work.metadata.key();
        let version = work.metadata.resource_version.clone();
        self.works.written(key, &version, work);
    }

    /// The Cluster object of a member.
    pub(crate) fn cluster(&self, name: &ClusterName) -> Option<Arc<Cluster>> {
        self.clusters.get(&ObjectKey::cluster(name.as_str()))
    }
}

/// The ResourceBinding of a Work, or its ClusterResourceBinding (a key without namespace).
pub(crate) fn binding_of(work: &Work) -> Option<ObjectKey> {
    use portolan_api::annotations::{binding, cluster_binding};
    let annotations = &work.metadata.annotations;
    if let Some(name) = annotations.get(cluster_binding::NAME) {
        return Some(ObjectKey::cluster(name.as_str()));
    }
    let (namespace, name) = (annotations.get(binding::NAMESPACE)?, annotations.get(binding::NAME)?);
    Some(ObjectKey::namespaced(namespace.as_str(), name.as_str()))
}
