//! From templates and policies to objects in members, and their status back.
//!
//! The decisions are in `portolan_plan::propagation`. The controllers here read caches, call these functions, and write
//! the results. One policy takes these steps:
//!
//! | # | step | file | decided in |
//! | --- | --- | --- | --- |
//! | 1 | The API server admits and stores the policy and the template. | `controlplane/src/admission.rs` | `api::admission::propagation` |
//! | 2 | The caches of all propagatable kinds, policies, overrides and bindings deliver the change. | `propagation.rs`, `collections.rs` | `plan::propagation::detect` |
//! | 3 | The policy gets a permanent id and queues the templates that it selects. | `propagation/policies.rs` | `matching` |
//! | 4 | The template gets the claim of its policy and a binding. | `propagation/templates.rs`, `claims.rs`, `bind.rs` | `detect`, `claim`, `binding` |
//! | 5 | The binding gets its target clusters and replicas. | `propagation/schedule.rs` | `schedule`, `reschedule`, `division` |
//! | 6 | One Work per target is written: the template, pruned and overridden for its cluster. | `propagation/works.rs` | `work`, `prune`, `overrides` |
//! | 7 | The Work is applied to the member: created, or updated with the fields that the member keeps. | `propagation/execution/apply.rs` | `retain`, `covers` |
//! | 8 | A status change in the member queues the Work, and its status is written to the Work. | `propagation/execution.rs`, `execution/apply.rs` | `status`, `reflect`, `health` |
//! | 9 | The statuses of all Works are collected in the binding. | `propagation/report.rs` | `status` |
//! | 10 | The status of the template is aggregated from the binding. | `propagation/report.rs` | `aggregate` |
//! | 11 | A deleted template or binding deletes its Works; the object in the member is deleted first. | `propagation/bindings.rs`, `execution/remove.rs` | |
//! | | Clusters are left, by taints and failed workloads; this queues the binding again. | `propagation/failover.rs` | `plan::failover` |
//! | | A template without a policy that a Federation selects gets a binding to every cluster. | `propagation/federated.rs` | `plan::federation` |
//! | | A policy without effect says so by an event. | `propagation/effects.rs` | `effect` |
//! | 12 | A binding that is deleted while its template is claimed is made again, over the same Works. | `propagation/lost_bindings.rs` | |
//! | 13 | A Work that is deleted by hand is made again; like a binding after a second without it (`released.rs`). | `propagation/remade_works.rs` | `remade` |
//!
//! With `propagateDeps` in its policy, a template takes the objects along that it refers to (`propagation/dependencies.rs`): each
//! of them has a binding, too, which lists the bindings that require it.
//!
//! The rules of single kinds for steps 4 to 10 are in `plan::propagation::interpreter`, and in customised interpreters;
//! all controllers ask `propagation/interpreters.rs`, which chooses. Namespaces take a short cut:
//! each namespace of the hub has a Work in every cluster (`propagation/namespaces.rs`).
//!
//! Each object has one writer: `policies` writes policies, `templates` the claims and new bindings, `dependencies` which
//! bindings require which, `bindings` all else of bindings and the spec of Works, `execution` the status and the finalizer of Works (`bindings` ends those that a user deleted). The result of every write goes
//! into the cache at once, so that the next pass does not act on the object before the write.

mod bind;
mod bindings;
mod claims;
mod dependencies;
mod effects;
mod execution;
mod failover;
mod federated;
mod fresh_policies;
mod interpreters;
mod leaving_overrides;
mod lost_bindings;
mod namespaces;
mod override_effects;
mod policies;
mod remade_works;
mod report;
mod schedule;
mod scoped;
mod source;
mod templates;
mod uncounted;
mod works;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use portolan_api::cluster::Cluster;
use portolan_api::{kubefed, labels, resources};
use portolan_object::{GroupKind, GroupVersionKind, Object, ObjectKey};
use portolan_plan::failover::Settings;
use portolan_plan::propagation::binding::belongs_to_another;
use portolan_plan::propagation::reschedule::{View, is_concerned};
use portolan_plan::propagation::{autoscaled, claim, detect, namespace};
use portolan_runtime::cache::Change;
use portolan_runtime::driver;
use portolan_runtime::scope::spawn_until_stop;
use portolan_runtime::{Cache, Queue, Resource};

use crate::collections::{Collections, Extent, trim_template};
use crate::hub::{Hub, binding_of};
pub(crate) use bind::binding_key;
pub use execution::BrakeOptions;
use interpreters::Interpreters;
pub(crate) use scoped::Binding;
use scoped::{Override, Policy, Scoped};
pub(crate) use works::of_binding;

/// Workers of each controller. They wait for the hub's API server, which commits concurrent writes with one disk sync.
const WORKERS: usize = 48;
/// Time for which status changes of one binding's Works are batched.
const STATUS_BATCH: Duration = Duration::from_millis(20);
/// Index of bindings, policies and templates by the permanent id of the policy.
const BY_ID: &str = "id";
/// Index of propagated autoscalers by their target.
const BY_SCALE_TARGET: &str = "scale-target";

/// Kind, namespace and name of a template.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct TemplateKey {
    pub(crate) kind: GroupVersionKind,
    pub(crate) key: ObjectKey,
}

impl fmt::Display for TemplateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.kind, self.key)
    }
}

/// The caches and queues that all propagation controllers share. Clones share state.
#[derive(Clone)]
pub(crate) struct Pipeline {
    hub: Hub,
    templates: Collections,
    policies: Scoped<Policy>,
    overrides: Scoped<Override>,
    leaving_overrides: leaving_overrides::LeavingOverrides,
    interpreters: Interpreters,
    bindings: Scoped<Binding>,
    template_queue: Queue<TemplateKey>,
    policy_queue: Queue<ObjectKey>,
    effect_queue: Queue<ObjectKey>,
    override_effect_queue: Queue<ObjectKey>,
    binding_queue: Queue<ObjectKey>,
    namespace_queue: Queue<ObjectKey>,
    dependencies: dependencies::Queues,
    first_reports: report::FirstReports,
    triggers: schedule::Triggers,
    failover: failover::Failover,
    fresh_policies: fresh_policies::FreshPolicies,
    uncounted: uncounted::Uncounted,
}

/// Starts all propagation controllers. Returns their caches.
pub(crate) fn start(hub: &Hub, brake: BrakeOptions, failover: Settings) -> Pipeline {
    let pipeline = Pipeline::new(hub, failover);
    let started = pipeline.clone();
    execution::start(hub, &pipeline.interpreters, brake);
    pipeline.observe_caches();
    let (hub, scope) = (hub.clone(), hub.scope.clone());
    spawn_until_stop(&scope, async move {
        // Do nothing until all caches are synced; otherwise missing looks like deleted.
        if !pipeline.synced().await {
            return;
        }
        crate::quota::start(&hub);
        let scope = &hub.scope;
        driver::run(Arc::new(policies::Policies(pipeline.clone())), &pipeline.policy_queue, WORKERS, scope);
        driver::run(Arc::new(effects::Effects(pipeline.clone())), &pipeline.effect_queue, 1, scope);
        let overrides = Arc::new(override_effects::OverrideEffects(pipeline.clone()));
        driver::run(overrides, &pipeline.override_effect_queue, 1, scope);
        driver::run(
            Arc::new(templates::Templates(pipeline.clone())),
            &pipeline.template_queue,
            WORKERS,
            scope,
        );
        driver::run(Arc::new(bindings::Bindings(pipeline.clone())), &pipeline.binding_queue, WORKERS, scope);
        driver::run(Arc::new(namespaces::Namespaces(pipeline.clone())), &pipeline.namespace_queue, 4, scope);
        dependencies::start(&pipeline);
    });
    started
}

/// Starts the execution of Works alone, for the members of an agent.
pub(crate) fn start_execution(hub: &Hub, brake: BrakeOptions) {
    execution::start(hub, &Interpreters::start(hub), brake);
}

impl Pipeline {
    fn new(hub: &Hub, failover: Settings) -> Self {
        let (client, scope) = (&hub.client, &hub.scope);
        let metrics = client.metrics();
        let definitions = Cache::of_objects(client, definitions()).start(scope);
        let skipped = hub.skipped.clone();
        let is_wanted = move |found: &portolan_runtime::client::Discovered| {
            !skipped.has_kind(&found.resource.gvk) && found.allows(&["delete"])
        };
        let templates = Collections::start(client, &definitions, is_wanted, Extent::Whole, scope);
        templates.index(BY_ID, claim::ids);
        templates.index(BY_SCALE_TARGET, autoscaled::index_values);
        let bindings = Scoped::start(
            client,
            scope,
            &[
                (BY_ID, templates::claim_ids),
                (schedule::BY_GROUP, |binding| schedule::groups(&binding.metadata, &binding.spec)),
            ],
        );
        Self {
            hub: hub.clone(),
            templates,
            policies: Scoped::start(client, scope, &[(BY_ID, policies::ids)]),
            overrides: Scoped::start(client, scope, &[]),
            leaving_overrides: leaving_overrides::LeavingOverrides::default(),
            interpreters: Interpreters::start(hub),
            bindings: bindings.clone(),
            template_queue: metrics.queue("templates", None),
            policy_queue: metrics.queue("policies", None),
            effect_queue: metrics.queue("policy-effects", None),
            override_effect_queue: metrics.queue("override-effects", None),
            binding_queue: metrics.prioritized_queue("bindings", move |key| {
                let priority = bindings.get(key).and_then(|one| one.spec.schedule_priority.clone());
                priority.unwrap_or_default().priority
            }),
            namespace_queue: metrics.queue("namespaces", None),
            dependencies: dependencies::Queues::new(hub),
            first_reports: report::FirstReports::default(),
            triggers: schedule::Triggers::default(),
            failover: failover::Failover::new(failover),
            fresh_policies: fresh_policies::FreshPolicies::default(),
            uncounted: uncounted::Uncounted::default(),
        }
    }

    pub(crate) async fn synced(&self) -> bool {
        self.hub.clusters.synced().await
            && self.hub.namespaces.synced().await
            && self.hub.works.synced().await
            && self.hub.federated_types.synced().await
            && self.policies.synced().await
            && self.overrides.synced().await
            && self.bindings.synced().await
            && self.hub.federations.synced().await
            && self.templates.synced().await
    }

    /// Queues keys for every change.
    fn observe_caches(&self) {
        dependencies::observe(self);
        let pipeline = self.clone();
        self.templates.observe(move |resource, change| pipeline.template_changed(resource, change));
        let pipeline = self.clone();
        self.interpreters.observe(move |kind| pipeline.interpreter_changed(kind));
        let pipeline = self.clone();
        self.policies.observe(move |change| pipeline.policy_changed(change));
        let hub = self.hub.clone();
        self.bindings.observe(move |change| note_binding(&hub, &change.key, change.new.as_deref()));
        let pipeline = self.clone();
        self.overrides.observe(move |change| pipeline.override_changed(change));
        let pipeline = self.clone();
        self.bindings.observe(move |change| pipeline.binding_changed(change));
        let (queue, namespaces) = (self.binding_queue.clone(), self.namespace_queue.clone());
        let released = self.hub.released.clone();
        self.hub.works.observe(move |change| {
            if change.new.is_none() {
                released.ended(&change.key);
            }
            let Some(work) = change.latest() else { return };
            if change.new.is_none()
                && let Some(name) = namespace::of_work(work)
            {
                namespaces.add(ObjectKey::cluster(name));
            }
            let Some(binding) = binding_of(work) else { return };
            match (&change.old, &change.new) {
                // The binding's own pass created it.
                (None, Some(_)) if change.is_own => {}
                // Deletions and changes of the spec: without delay. Status and creations: batched.
                (_, None) => queue.add(binding),
                (Some(old), Some(new)) if old.spec != new.spec => queue.add(binding),
                _ => queue.add_after(binding, STATUS_BATCH),
            }
        });
        let queue = self.namespace_queue.clone();
        self.hub.namespaces.observe(move |change| queue.add(change.key.clone()));
        let pipeline = self.clone();
        self.hub.namespaces.observe(move |change| federated::namespace_changed(&pipeline, change));
        let pipeline = self.clone();
        self.hub.federations.observe(move |change| federated::federation_changed(&pipeline, change));
        let pipeline = self.clone();
        self.hub.clusters.observe(move |change| pipeline.cluster_changed(change));
    }

    fn template_changed(&self, resource: &Resource, change: &Change<Object>) {
        let (Some(latest), key) = (change.latest(), change.key.clone()) else { return };
        if change.new.is_none() && resource.gvk == self.hub.federated_types.namespace_kind() {
            // Without a FederatedNamespace, the namespace goes to every cluster.
            self.namespace_queue.add(ObjectKey::cluster(&*key.namespace));
        }
        if resources::PRIORITY_CLASS.is_kind(&resource.gvk) {
            policies::queue_waiting(self, |policy| {
                let asked = policy.spec.schedule_priority.as_ref();
                asked.is_some_and(|asked| asked.priority_class_name == key.name)
            });
        }
        for autoscaler in change.old.iter().chain(&change.new) {
            if let Some((kind, key)) = autoscaled::target(autoscaler) {
                self.template_queue.add(TemplateKey { kind, key });
            }
        }
        if !detect::is_template(latest, &self.hub.skipped) {
            return;
        }
        if let (Some(old), Some(new)) = (&change.old, &change.new)
            && !detect::is_relevant(old, new)
        {
            // Only a binding's pass writes the status of its template. It puts another client's status right.
            if !change.is_own && old.0.get("status") != new.0.get("status") {
                self.status_changed(resource, &key);
            }
            return;
        }
        dependencies::template_changed(self, resource, change);
        self.template_queue.add(TemplateKey { kind: resource.gvk.clone(), key });
    }

    /// A binding that is gone, or lost its claim by another hand, is made again if the template is still claimed.
    fn binding_changed(&self, change: &Change<Binding>) {
        let claims = |binding: &Arc<Binding>| templates::claim_ids(binding);
        let lost_claim = !change.is_own
            && change.new.is_some()
            && change.old.as_ref().map(claims) != change.new.as_ref().map(claims);
        if change.new.is_none() {
            self.hub.released.ended(&change.key);
        }
        if let Some(old) = &change.old
            && (change.new.is_none() || lost_claim)
        {
            self.template_queue.add(TemplateKey { kind: old.template_kind(), key: old.template_key() });
        }
        if !is_own_status(change) {
            self.binding_queue.add(change.key.clone());
            self.group_changed(change);
        }
    }

    /// A policy that is gone leaves its templates to others, also when nothing removed its claims before.
    fn policy_changed(&self, change: &Change<Policy>) {
        if change.new.is_none() {
            change.old.iter().for_each(|policy| policies::queue_held(self, policy));
        } else if !policies::is_own_identity(change) {
            self.policy_queue.add(change.key.clone());
            self.effect_queue.add_after(change.key.clone(), effects::SETTLING);
        }
    }

    /// The status of a template was changed by another client.
    fn status_changed(&self, resource: &Resource, template: &ObjectKey) {
        let binding = bind::binding_key(&resource.gvk.kind, template);
        if self.bindings.get(&binding).is_some() {
            self.binding_queue.add_after(binding, STATUS_BATCH);
        }
    }

    /// Everything of a kind is interpreted again when an interpreter of it changes; of every kind if `kind` is `None`.
    fn interpreter_changed(&self, kind: Option<&GroupVersionKind>) {
        let is_concerned =
            |found: &GroupVersionKind| kind.is_none_or(|kind| kind.group_kind() == found.group_kind());
        for cache in self.templates.all() {
            let kind = &cache.resource().gvk;
            if is_concerned(kind) {
                let keys = cache.keys().into_iter();
                keys.for_each(|key| self.template_queue.add(TemplateKey { kind: kind.clone(), key }));
            }
        }
        let of_kind = |key: &ObjectKey| {
            self.bindings.get(key).is_some_and(|binding| is_concerned(&binding.template_kind()))
        };
        let bindings = self.bindings.keys().into_iter().filter(of_kind);
        bindings.for_each(|key| self.binding_queue.add(key));
    }

    /// A cluster-scoped override can apply to every binding and namespace, a namespaced one to the bindings of its namespace.
    fn override_changed(&self, change: &Change<Override>) {
        self.leaving_overrides.changed(change);
        if change.old.is_none() {
            let (namespace, name) = (&change.key.namespace, &change.key.name);
            policies::queue_waiting(self, |policy| {
                policy.metadata.namespace == *namespace && policy.spec.dependent_overrides.contains(name)
            });
        }
        if change.new.is_some() {
            self.override_effect_queue.add_after(change.key.clone(), effects::SETTLING);
        }
        let delay = if change.new.is_none() { leaving_overrides::LEAVING } else { Duration::ZERO };
        let namespace = &change.key.namespace;
        let concerned = self
            .bindings
            .keys()
            .into_iter()
            .filter(|binding| namespace.is_empty() || binding.namespace == *namespace);
        concerned.for_each(|binding| self.binding_queue.add_after(binding, delay));
        if namespace.is_empty() {
            let namespaces = self.hub.namespaces.keys();
            namespaces.into_iter().for_each(|key| self.namespace_queue.add_after(key, delay));
        }
    }

    /// All bindings are scheduled again when a cluster is added, removed, or changes in a field that placement reads.
    fn cluster_changed(&self, change: &Change<Cluster>) {
        federated::cluster_changed(self, change);
        let (Some(old), Some(new)) = (&change.old, &change.new) else { return self.queue_everything() };
        if old.spec == new.spec
            && old.metadata.labels == new.metadata.labels
            && old.metadata.is_deleting() == new.metadata.is_deleting()
            && old.status.api_enablements == new.status.api_enablements
        {
            if old.status.resource_summary != new.status.resource_summary {
                self.triggers.waiting().into_iter().for_each(|key| self.binding_queue.add(key));
            }
            return;
        }
        // One binding at a time is decoded.
        for binding in self.bindings.keys().iter().filter_map(|key| self.bindings.get(key)) {
            let view = View { metadata: &binding.metadata, spec: &binding.spec, status: &binding.status };
            if is_concerned(view, old, new) {
                self.triggers.ask(binding.metadata.key());
            }
        }
        self.queue_everything();
    }

    /// Queues the other workloads of a binding's affinity groups when its targets change.
    fn group_changed(&self, change: &Change<Binding>) {
        let targets = |binding: &Option<Arc<Binding>>| binding.as_ref().map(|one| one.spec.clusters.clone());
        let Some(binding) = change.latest() else { return };
        let groups = schedule::groups(&binding.metadata, &binding.spec);
        if groups.is_empty() || targets(&change.old) == targets(&change.new) {
            return;
        }
        for group in groups {
            let peers = self.bindings.namespaced.keys_by_index(schedule::BY_GROUP, &group);
            peers
                .into_iter()
                .filter(|peer| *peer != change.key)
                .for_each(|peer| self.binding_queue.add(peer));
        }
    }

    fn queue_everything(&self) {
        self.bindings.keys().into_iter().for_each(|key| self.binding_queue.add(key));
        self.hub.namespaces.keys().into_iter().for_each(|key| self.namespace_queue.add(key));
    }

    /// Takes back what was decided for a binding and could not be written.
    fn drop_decision(&self, key: &ObjectKey) {
        note_binding(&self.hub, key, self.bindings.get(key).as_deref());
    }

    /// Whether a policy or a federation that exists claims a binding, or another binding depends on it, or it is that of a
    /// federated object of KubeFed or of a MultiClusterService.
    fn is_governed(&self, binding: &Binding) -> bool {
        if kubefed::is_federated(&binding.template_kind()) {
            return true;
        }
        let policy = claim::policy(&binding.metadata).and_then(|key| self.policies.get(&key));
        policy.is_some_and(|policy| !policy.metadata.is_deleting())
            || federated::is_federated(self, binding)
            || binding.metadata.label(labels::binding::MANAGED_BY).is_some()
            || !binding.spec.required_by.is_empty()
    }

    /// The FederatedNamespace of a namespace, which says in which clusters the namespace is.
    pub(crate) fn federated_namespace(&self, namespace: &str) -> Option<Arc<Object>> {
        let key = ObjectKey::namespaced(namespace, namespace);
        self.template(&self.hub.federated_types.namespace_kind(), &key)
    }

    /// A template or federated object, from the cache.
    pub(crate) fn template(&self, kind: &GroupVersionKind, key: &ObjectKey) -> Option<Arc<Object>> {
        let cache = self.templates.of_kind(&kind.group_kind())?;
        cache.get(key)
    }

    /// The resource of a kind, in the version of the caches.
    pub(crate) fn resource_of(&self, kind: &GroupVersionKind) -> Option<Resource> {
        Some(self.templates.of_kind(&kind.group_kind())?.resource().clone())
    }

    /// Whether objects of a kind are in namespaces; `None` for a kind that is not served or never propagated.
    pub(crate) fn is_namespaced(&self, kind: &GroupKind) -> Option<bool> {
        Some(self.templates.of_kind(kind)?.resource().namespaced)
    }

    /// The bindings of a federation.
    pub(crate) fn federated(&self, federation: &str) -> Vec<Arc<Binding>> {
        self.bindings.namespaced.by_index(BY_ID, federation)
    }

    /// The federation of a template, by its binding.
    pub(crate) fn federation_of(&self, kind: &GroupVersionKind, template: &ObjectKey) -> Option<String> {
        let binding = self.bindings.get(&bind::binding_key(&kind.kind, template))?;
        (binding.template_kind() == *kind)
            .then(|| binding.metadata.label(labels::federation::NAME).map(str::to_owned))?
    }

    /// Calls `observer` with every change of a binding.
    pub(crate) fn observe_binding_changes(
        &self,
        observer: impl Fn(&Change<Binding>) + Send + Sync + Clone + 'static,
    ) {
        self.bindings.observe(observer);
    }

    /// The objects of a kind, from the cache.
    pub(crate) fn templates_of(&self, kind: &GroupVersionKind) -> Vec<Arc<Object>> {
        self.templates.of_kind(&kind.group_kind()).map(|cache| cache.list()).unwrap_or_default()
    }

    /// Inserts the result of our own write of a template or federated object before the watch delivers it.
    pub(crate) fn template_written(&self, mut object: Object) {
        let Some(cache) = self.templates.of_kind(&object.group_version_kind().group_kind()) else { return };
        trim_template(&mut object);
        let version = object.resource_version().to_owned();
        cache.written(object.key(), &version, object);
    }

    /// What all controllers share.
    pub(crate) fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Queues the pass that writes the Works of a binding.
    pub(crate) fn queue_binding(&self, key: ObjectKey) {
        self.binding_queue.add(key);
    }

    /// The bindings, for the controller of federated objects, which writes theirs.
    pub(crate) fn bindings(&self) -> &Scoped<Binding> {
        &self.bindings
    }

    /// The binding of a template, from the cache.
    pub(crate) fn binding_of(&self, template: &Object) -> Option<Arc<Binding>> {
        let binding = self.bindings.get(&bind::binding_key(template.kind(), &template.key()))?;
        (!belongs_to_another(&binding.metadata, template)).then_some(binding)
    }

    /// Calls `observer` for every template and every change of one.
    pub(crate) fn observe_templates(
        &self,
        observer: impl Fn(&Resource, &Change<Object>) + Send + Sync + 'static,
    ) {
        self.templates.observe(observer);
    }

    /// Calls `observer` with the template of every binding, and of every binding that changes.
    pub(crate) fn observe_bindings(
        &self,
        observer: impl Fn(&GroupVersionKind, &ObjectKey) + Send + Sync + Clone + 'static,
    ) {
        self.bindings.observe(move |change| {
            if let Some(binding) = change.latest() {
                observer(&binding.template_kind(), &binding.template_key());
            }
        });
    }
}

/// Takes note of what a binding has in flight and uses of quotas.
fn note_binding(hub: &Hub, key: &ObjectKey, binding: Option<&Binding>) {
    hub.quotas.note(key, binding.map(|binding| &binding.spec));
    match binding {
        Some(binding) => hub.estimator.note(key, &binding.spec, &binding.status),
        None => hub.estimator.forget(key),
    }
}

/// Whether only the status of a binding changed, which only this controller writes.
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
