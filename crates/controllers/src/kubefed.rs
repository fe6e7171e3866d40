//! Federated objects of KubeFed: their bindings, and their status.
//!
//! The decisions are in `portolan_plan::kubefed`. A federated object contains its template, so that no policy and no
//! scheduling take part: the controller here writes the binding with the clusters of the placement, `propagation` makes the
//! Works from it as from every other, and the controller reports on these in the status of the federated object.
//!
//! | file | what it does |
//! | --- | --- |
//! | `objects` | one federated object: finalizer, binding, status |
//! | `assessment` | what it asks for, as far as it can be told |
//! | `facts` | reads what the decisions need from the caches |
//! | `report` | the status, from the Works |
//! | `service_status` | the FederatedServiceStatus of a FederatedService |
//! | `clusters` | KubeFedClusters and Clusters, each made from the other |
//! | `preferences` | divides the replicas of federated workloads |
//! | `type_configs` | the status of FederatedTypeConfigs |
//! | `waiting` | since when answers of clusters are awaited |

mod assessment;
mod clusters;
mod facts;
mod objects;
mod preferences;
mod report;
mod service_status;
mod type_configs;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use portolan_api::kubefed::{
    FederatedServiceStatus, KubeFedCluster, ReplicaSchedulingPreference, is_federated,
};
use portolan_object::{GroupVersionKind, Object, ObjectKey};
use portolan_plan::kubefed::type_config::read;
use portolan_plan::propagation::detect::is_relevant;
use portolan_runtime::cache::Change;
use portolan_runtime::scope::spawn_until_stop;
use portolan_runtime::{Cache, Queue, Resource, driver};

use crate::hub::{Hub, binding_of};
use crate::propagation::{Pipeline, TemplateKey};

/// Workers. They wait for the hub's API server.
const WORKERS: usize = 16;
/// Time for which changes of the Works of one object are batched.
const STATUS_BATCH: Duration = Duration::from_millis(20);

/// Starts the controller. `pipeline` has the federated objects and bindings.
pub(crate) fn start(hub: &Hub, pipeline: &Pipeline) {
    let queue = hub.client.metrics().queue("federated-objects", None);
    let triggers = Triggers { hub: hub.clone(), pipeline: pipeline.clone(), queue: queue.clone() };
    triggers.observe();
    let preferences = Cache::<ReplicaSchedulingPreference>::of_kind(&hub.client)
        .trim(|preference| preference.metadata.managed_fields.clear())
        .start(&hub.scope);
    let of_preferences = pipeline.clone();
    spawn_until_stop(&hub.scope, async move {
        if of_preferences.synced().await && preferences.synced().await {
            preferences::start(&of_preferences, &preferences);
        }
    });
    let mirrors = Cache::<KubeFedCluster>::of_kind(&hub.client)
        .trim(|mirror| mirror.metadata.managed_fields.clear())
        .start(&hub.scope);
    let with_clusters = hub.clone();
    spawn_until_stop(&hub.scope, async move {
        if with_clusters.clusters.synced().await && mirrors.synced().await {
            clusters::start(&with_clusters, mirrors);
        }
    });
    let statuses = Cache::<FederatedServiceStatus>::of_kind(&hub.client)
        .trim(|status| status.metadata.managed_fields.clear())
        .start(&hub.scope);
    triggers.observe_statuses(&statuses);
    let (pipeline, scope) = (pipeline.clone(), hub.scope.clone());
    spawn_until_stop(&hub.scope, async move {
        // Missing looks like deleted until all caches are synced.
        if pipeline.synced().await && statuses.synced().await {
            type_configs::start(&pipeline);
            let waiting = waiting::Waiting::default();
            let objects = objects::FederatedObjects { pipeline, waiting, statuses };
            driver::run(Arc::new(objects), &queue, WORKERS, &scope);
        }
    });
}

/// Queues federated objects for every change that concerns them.
#[derive(Clone)]
struct Triggers {
    hub: Hub,
    pipeline: Pipeline,
    queue: Queue<TemplateKey>,
}

impl Triggers {
    fn observe(&self) {
        let triggers = self.clone();
        self.pipeline.observe_templates(move |resource, change| triggers.object_changed(resource, change));
        let triggers = self.clone();
        self.pipeline.observe_bindings(move |kind, key| {
            if is_federated(kind) {
                triggers.queue.add(TemplateKey { kind: kind.clone(), key: key.clone() });
            }
        });
        let triggers = self.clone();
        self.hub.works.observe(move |change| {
            let Some(binding) = change.latest().and_then(|work| binding_of(work)) else { return };
            let Some(binding) = triggers.pipeline.bindings().get(&binding) else { return };
            let kind = binding.template_kind();
            if is_federated(&kind) {
                triggers.queue.add_after(TemplateKey { kind, key: binding.template_key() }, STATUS_BATCH);
            }
        });
        let triggers = self.clone();
        self.hub.federated_types.settings.observe(move |_| triggers.queue_all(|_| true));
        let triggers = self.clone();
        self.hub.federated_types.configs.observe(move |change| {
            triggers.queue_all(|_| true);
            // A kind without a FederatedTypeConfig any more is not among the types.
            if let Some(Ok(before)) = change.old.as_ref().map(|config| read(config)) {
                triggers.queue_kind(&before.of.federated.gvk, &|_| true);
            }
        });
        let triggers = self.clone();
        self.hub.clusters.observe(move |change| {
            if facts::is_relevant(change) {
                triggers.queue_all(|_| true);
            }
        });
    }

    /// Queues a FederatedService when its FederatedServiceStatus was changed or deleted by others.
    fn observe_statuses(&self, statuses: &Cache<FederatedServiceStatus>) {
        let triggers = self.clone();
        statuses.observe(move |change| {
            let configured = triggers.hub.federated_types.list().into_iter();
            let services = configured.filter(|configured| configured.has_service_status && !change.is_own);
            for configured in services {
                let kind = configured.of.federated.gvk.clone();
                triggers.queue.add(TemplateKey { kind, key: change.key.clone() });
            }
        });
    }

    fn object_changed(&self, resource: &Resource, change: &Change<Object>) {
        let kind = &resource.gvk;
        if !is_federated(kind) {
            return;
        }
        let is_own_status = change.is_own
            && matches!((&change.old, &change.new), (Some(old), Some(new)) if !is_relevant(old, new));
        if is_own_status {
            return;
        }
        self.queue.add(TemplateKey { kind: kind.clone(), key: change.key.clone() });
        if kind.kind == self.hub.federated_types.namespace_kind().kind {
            self.queue_all(|key| key.namespace == change.key.namespace && *key != change.key);
        }
    }

    /// Queues the federated objects with these keys.
    fn queue_all(&self, is_concerned: impl Fn(&ObjectKey) -> bool) {
        for configured in self.hub.federated_types.list() {
            self.queue_kind(&configured.of.federated.gvk, &is_concerned);
        }
    }

    fn queue_kind(&self, kind: &GroupVersionKind, is_concerned: &impl Fn(&ObjectKey) -> bool) {
        let keys = self.pipeline.templates_of(kind).into_iter().map(|object| object.key());
        for key in keys.filter(|key| is_concerned(key)) {
            self.queue.add(TemplateKey { kind: kind.clone(), key });
        }
    }
}
