//! From templates and policies to objects in members, and their status back.
//!
//! The decisions are in `portolan_plan::propagation`; here they are fed from caches and their results are written.
//!
//! ```text
//! policies ─┐
//! templates ┴► templates ─► binding (with its clusters) ─► bindings ─► Work ─► execution, one per member
//!                                        ▲                   │                      │
//!                                        └── template.status ┴── binding.status ◄── Work.status
//! ```

mod bindings;
mod execution;
mod namespaces;
mod policies;
mod report;
mod schedule;
mod scoped;
mod templates;
mod works;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use portolan_api::cluster::Cluster;
use portolan_api::resources;
use portolan_object::{GroupVersionKind, Object, ObjectKey};
use portolan_plan::propagation::detect;
use portolan_runtime::cache::Change;
use portolan_runtime::driver;
use portolan_runtime::scope::spawn_until_stop;
use portolan_runtime::{Cache, Queue, Resource};

use crate::collections::{Collections, Extent};
use crate::hub::{Hub, binding_of};
use scoped::{Binding, Override, Policy, Scoped};

/// Workers of each controller; they wait for the hub's API server only, which keeps more writes at a time with one sync of
/// the disk the more there are.
const WORKERS: usize = 48;
/// Status events of one binding's Works are gathered for this long.
const STATUS_WINDOW: Duration = Duration::from_millis(20);
/// Index of bindings and policies by permanent id.
const BY_ID: &str = "id";

/// One template.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct TemplateKey {
    kind: GroupVersionKind,
    key: ObjectKey,
}

impl fmt::Display for TemplateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.kind, self.key)
    }
}

/// Everything that the stages share; cheap to clone.
#[derive(Clone)]
pub(crate) struct Pipeline {
    hub: Hub,
    templates: Collections,
    policies: Scoped<Policy>,
    overrides: Scoped<Override>,
    bindings: Scoped<Binding>,
    template_queue: Queue<TemplateKey>,
    policy_queue: Queue<ObjectKey>,
    binding_queue: Queue<ObjectKey>,
    namespace_queue: Queue<ObjectKey>,
    first_reports: report::FirstReports,
}

/// Starts the whole pipeline.
pub(crate) fn start(hub: &Hub) {
    let pipeline = Pipeline::new(hub);
    execution::start(hub);
    pipeline.follow();
    let (hub, scope) = (hub.clone(), hub.scope.clone());
    spawn_until_stop(&scope, async move {
        // Nothing is decided on half a picture: what is not listed yet is not gone.
        if !pipeline.synced().await {
            return;
        }
        let scope = &hub.scope;
        driver::run(Arc::new(policies::Policies(pipeline.clone())), &pipeline.policy_queue, WORKERS, scope);
        driver::run(
            Arc::new(templates::Templates(pipeline.clone())),
            &pipeline.template_queue,
            WORKERS,
            scope,
        );
        driver::run(Arc::new(bindings::Bindings(pipeline.clone())), &pipeline.binding_queue, WORKERS, scope);
        driver::run(Arc::new(namespaces::Namespaces(pipeline.clone())), &pipeline.namespace_queue, 4, scope);
    });
}

impl Pipeline {
    fn new(hub: &Hub) -> Self {
        let (client, scope) = (&hub.client, &hub.scope);
        let metrics = client.metrics();
        let definitions = Cache::of_objects(client, definitions()).start(scope);
        let is_wanted = |found: &portolan_runtime::client::Discovered| {
            detect::is_propagatable(&found.resource.gvk) && found.allows(&["delete"])
        };
        Self {
            hub: hub.clone(),
            templates: Collections::start(client, &definitions, is_wanted, Extent::Whole, scope),
            policies: Scoped::start(client, scope, BY_ID, || Box::new(|_, policy| policies::ids(policy))),
            overrides: Scoped::start(client, scope, BY_ID, || Box::new(|_, _| Vec::new())),
            bindings: Scoped::start(client, scope, BY_ID, || {
                Box::new(|_, binding| templates::claim_ids(binding))
            }),
            template_queue: metrics.queue("templates", None),
            policy_queue: metrics.queue("policies", None),
            binding_queue: metrics.queue("bindings", None),
            namespace_queue: metrics.queue("namespaces", None),
            first_reports: report::FirstReports::default(),
        }
    }

    async fn synced(&self) -> bool {
        self.hub.clusters.synced().await
            && self.hub.namespaces.synced().await
            && self.hub.works.synced().await
            && self.policies.synced().await
            && self.overrides.synced().await
            && self.bindings.synced().await
            && self.templates.synced().await
    }

    /// Turns every change into keys.
    fn follow(&self) {
        let pipeline = self.clone();
        self.templates.observe(move |resource, change| pipeline.template_changed(resource, change));
        let queue = self.policy_queue.clone();
        self.policies.observe(move |change| {
            if !policies::is_own_identity(change) {
                queue.add(change.key.clone());
            }
        });
        let pipeline = self.clone();
        self.overrides.observe(move |change| pipeline.override_changed(&change.key));
        let queue = self.binding_queue.clone();
        self.bindings.observe(move |change| {
            if !is_own_status(change) {
                queue.add(change.key.clone());
            }
        });
        let queue = self.binding_queue.clone();
        self.hub.works.observe(move |change| {
            let Some(binding) = change.latest().and_then(|work| binding_of(work)) else { return };
            match (&change.old, &change.new) {
                // The binding's own pass made it.
                (None, Some(_)) if change.is_own => {}
                // Gone, or changed by hand: at once. Status and creation: gathered.
                (_, None) => queue.add(binding),
                (Some(old), Some(new)) if old.spec != new.spec => queue.add(binding),
                _ => queue.add_after(binding, STATUS_WINDOW),
            }
        });
        let queue = self.namespace_queue.clone();
        self.hub.namespaces.observe(move |change| queue.add(change.key.clone()));
        let pipeline = self.clone();
        self.hub.clusters.observe(move |change| pipeline.cluster_changed(change));
    }

    fn template_changed(&self, resource: &Resource, change: &Change<Object>) {
        let (Some(latest), key) = (change.latest(), change.key.clone()) else { return };
        if !detect::is_template(latest) {
            return;
        }
        if let (Some(old), Some(new)) = (&change.old, &change.new)
            && !detect::is_relevant(old, new)
        {
            return;
        }
        self.template_queue.add(TemplateKey { kind: resource.gvk.clone(), key });
    }

    /// A cluster-wide override can concern every binding, a namespaced one those of its namespace.
    fn override_changed(&self, key: &ObjectKey) {
        if key.namespace.is_empty() {
            self.queue_everything();
            return;
        }
        let concerned =
            self.bindings.namespaced.keys().into_iter().filter(|one| one.namespace == key.namespace);
        concerned.for_each(|binding| self.binding_queue.add(binding));
    }

    /// Everything is scheduled again when a cluster comes, goes, or changes in what placement looks at.
    fn cluster_changed(&self, change: &Change<Cluster>) {
        if let (Some(old), Some(new)) = (&change.old, &change.new)
            && old.spec == new.spec
            && old.metadata.labels == new.metadata.labels
            && old.metadata.is_deleting() == new.metadata.is_deleting()
            && old.status.api_enablements == new.status.api_enablements
        {
            return;
        }
        self.queue_everything();
    }

    fn queue_everything(&self) {
        self.bindings.keys().into_iter().for_each(|key| self.binding_queue.add(key));
        self.hub.namespaces.keys().into_iter().for_each(|key| self.namespace_queue.add(key));
    }

    /// A template, from the cache.
    fn template(&self, kind: &GroupVersionKind, key: &ObjectKey) -> Option<Arc<Object>> {
        let cache = self.templates.of_kind(&kind.group_kind())?;
        cache.get(key)
    }
}

/// Whether only status and bookkeeping of a binding changed, which is our own writing.
fn is_own_status(change: &Change<Binding>) -> bool {
    let (Some(old), Some(new)) = (&change.old, &change.new) else { return false };
    old.spec == new.spec
        && old.metadata.labels == new.metadata.labels
        && old.metadata.annotations == new.metadata.annotations
        && old.metadata.finalizers == new.metadata.finalizers
        && old.metadata.deletion_timestamp == new.metadata.deletion_timestamp
}

fn definitions() -> Resource {
    resources::CUSTOM_RESOURCE_DEFINITION.into()
}
