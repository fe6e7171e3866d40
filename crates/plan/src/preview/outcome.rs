//! The manifests that one template has in each cluster, once the controllers have done everything.

use std::collections::{BTreeMap, BTreeSet};

use portolan_api::cluster::Cluster;
use portolan_api::policy::{PropagationSpec, PurgeMode};
use portolan_api::resources;
use portolan_object::{GroupKind, Object, ObjectKey};

use super::Hub;
use crate::propagation::binding::{self, belongs_to_another};
use crate::propagation::claim::Claim;
use crate::propagation::detect::{
    Activation, Decision, Skipped, Taking, activation, claim_of, decide, is_template,
};
use crate::propagation::overrides;
use crate::propagation::reschedule::{is_due, is_schedulable, placement_record};
use crate::propagation::schedule::{Placed, PlacementError};
use crate::propagation::snapshot::{
    Binding, binding_spec, candidates, depends_on_more, place, policy_title, work_of,
};
use crate::propagation::work::targets;
use crate::propagation::{namespace, work};

/// Uids for which equal shares are served in the two possible orders.
const UIDS: [&str; 2] = ["", "b"];

/// What a template is, in the end.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Outcome {
    /// The manifest of each cluster.
    pub(super) manifests: BTreeMap<String, Object>,
    /// Objects in clusters that are no longer targets stay.
    pub(super) keeps_withdrawn: bool,
    /// Clusters in which the object stays as it is.
    pub(super) stays: BTreeSet<String>,
    /// The object and the clusters to which nothing is sent.
    pub(super) suspended: BTreeSet<(String, String)>,
    pub(super) problems: BTreeSet<String>,
    pub(super) notes: BTreeSet<String>,
}

/// The outcome of one template.
pub(super) fn of(hub: &Hub, key: &(GroupKind, ObjectKey)) -> Outcome {
    let mut outcome = Outcome::default();
    let Some(template) = hub.templates.get(key) else { return outcome };
    if resources::NAMESPACE.is_kind_of(template) {
        outcome.namespace(hub, template);
    }
    let skipped = Skipped::default();
    if skipped.has_kind(&template.group_version_kind())
        || !is_template(template, &skipped)
        || template.is_deleting()
    {
        return outcome;
    }
    if let Some(binding) = outcome.bind(hub, template) {
        outcome.dispatch(hub, template, &binding);
    }
    outcome
}

impl Outcome {
    fn namespace(&mut self, hub: &Hub, template: &Object) {
        let policies: Vec<overrides::Policy<'_>> = hub
            .overrides
            .iter()
            .filter(|one| one.metadata.namespace.is_empty())
            .map(|one| overrides::Policy { metadata: &one.metadata, spec: &one.spec })
            .collect();
        let is_propagated = namespace::is_propagated(template);
        for cluster in hub.clusters.iter().filter(|cluster| !cluster.metadata.is_deleting()) {
            if !is_propagated {
                // The label stops the propagation; what is there stays.
                self.stay(hub, template, &cluster.metadata.name);
                continue;
            }
            match namespace::work(template, cluster, &policies, "") {
                Ok(work) => self.add(cluster, work.spec.workload.manifests.into_iter().next().map(Object)),
                Err(error) => {
                    self.problems.insert(error.to_string());
                    self.stay(hub, template, &cluster.metadata.name);
                }
            }
        }
    }

    /// The object of a cluster stays as it is, if it is there.
    fn stay(&mut self, hub: &Hub, template: &Object, cluster: &str) {
        self.stays.insert(cluster.to_owned());
        let present = hub.works.get(&work::key(template, cluster));
        if let Some(manifest) = present.and_then(|work| work.spec.workload.manifests.first()) {
            self.manifests.insert(cluster.to_owned(), Object(manifest.clone()));
        }
    }

    fn add(&mut self, cluster: &Cluster, manifest: Option<Object>) {
        if let Some(manifest) = manifest {
            self.manifests.insert(cluster.metadata.name.clone(), manifest);
        }
    }

    /// The binding after the controllers have followed template and policies.
    fn bind(&mut self, hub: &Hub, template: &Object) -> Option<Binding> {
        let present =
            hub.binding(template).filter(|binding| !belongs_to_another(&binding.metadata, template));
        let (namespaced, cluster) = candidates(&hub.policies, template.namespace());
        let (policy, claim) = match decide(template, &namespaced, &cluster) {
            Decision::Follow(policy) => (policy, claim_of(policy.metadata)),
            Decision::Take(Taking { policy, claim, .. }) => {
                if let Some(missing) = missing_override(hub, &policy.metadata.namespace, policy.spec) {
                    let title = policy_title(policy.metadata);
                    let object = format!("{} {}", template.kind(), template.key());
                    self.problems.insert(format!(
                        "{object} waits: {title} needs OverridePolicy {missing}, which does not exist"
                    ));
                    return present.cloned();
                }
                (policy, claim)
            }
            Decision::Release(_) => return present.map(released),
            Decision::Wait | Decision::Nothing => return present.cloned(),
        };
        let is_first = Claim::on(template).is_none();
        if let Activation::Wait | Activation::WaitAndRecord(_) =
            activation(template, policy, is_first, present.is_some())
        {
            return present.cloned();
        }
        let spec = policy.spec;
        self.note_dependencies(template, spec);
        let mut binding = followed(template, spec, &claim, present);
        self.schedule(hub, template, &mut binding);
        Some(binding)
    }

    /// Chooses the clusters, if that is due.
    fn schedule(&mut self, hub: &Hub, template: &Object, binding: &mut Binding) {
        let clusters: Vec<&Cluster> = hub.clusters.iter().collect();
        let is_leaving = |name: &str| {
            let cluster = clusters.iter().find(|cluster| cluster.metadata.name == name);
            cluster.is_none_or(|cluster| cluster.metadata.is_deleting())
        };
        if !is_schedulable(binding.view()) || !is_due(binding.view(), is_leaving) {
            return;
        }
        self.note_capacity(template, binding);
        match place(binding.view(), &clusters) {
            Ok(placed) => {
                self.note_ties(template, binding, &clusters, &placed);
                binding.spec.clusters = placed.clusters;
                if let Some(placement) = &binding.spec.placement {
                    let name = portolan_api::annotations::policy::APPLIED_PLACEMENT.to_owned();
                    binding.metadata.annotations.insert(name, placement_record(placement));
                }
            }
            Err(error) => {
                self.problems.insert(format!(
                    "{} {} is not scheduled: {error}",
                    template.kind(),
                    template.key()
                ));
                match error {
                    PlacementError::NoFit(_) => binding.spec.clusters.clear(),
                    PlacementError::UnknownClusters(_) => {
                        binding.spec.clusters.retain(|target| !is_leaving(&target.name));
                    }
                    PlacementError::Spread(_)
                    | PlacementError::NotEnough { .. }
                    | PlacementError::NoPlacement
                    | PlacementError::Quota(_) => {}
                }
            }
        }
    }

    /// The uid of a new template decides which of several equal clusters get the odd replicas.
    fn note_ties(&mut self, template: &Object, binding: &Binding, clusters: &[&Cluster], placed: &Placed) {
        if !template.resource_version().is_empty() {
            return;
        }
        let differs = UIDS.iter().any(|uid| {
            let mut other = binding.clone();
            other.spec.resource.uid = (*uid).to_owned();
            place(other.view(), clusters).is_ok_and(|other| other.clusters != placed.clusters)
        });
        if differs {
            let object = format!("{} {}", template.kind(), template.key());
            self.notes.insert(format!(
                "{object} is new: its uid decides which of the equal clusters get one replica more"
            ));
        }
    }

    fn note_capacity(&mut self, template: &Object, binding: &Binding) {
        if depends_on_more(&binding.spec) {
            let object = format!("{} {}", template.kind(), template.key());
            self.notes.insert(format!(
                "{object} is placed by the free capacity of the clusters or by other workloads, which this plan does not \
                 know: its clusters and replicas can differ"
            ));
        }
    }

    fn note_dependencies(&mut self, template: &Object, policy: &PropagationSpec) {
        if policy.propagate_deps {
            let object = format!("{} {}", template.kind(), template.key());
            self.notes.insert(format!(
                "{object} takes along what it refers to (propagateDeps), which is not in this plan"
            ));
        }
    }

    /// The manifests of the targets.
    fn dispatch(&mut self, hub: &Hub, template: &Object, binding: &Binding) {
        self.keeps_withdrawn = binding.spec.preserve_resources_on_deletion == Some(true);
        let object = format!("{} {}", template.kind(), template.key());
        for target in targets(&binding.spec) {
            let Some(cluster) = hub.clusters.iter().find(|one| one.metadata.name == target.name) else {
                continue;
            };
            let present = hub.works.get(&work::key(template, &target.name));
            match work_of(template, binding.view(), &hub.overrides, &target, cluster, present) {
                Ok(made) if made.spec.suspend_dispatching == Some(true) => {
                    let name = &target.name;
                    self.suspended.insert((object.clone(), name.clone()));
                    self.stay(hub, template, name);
                }
                Ok(made) => self.add(cluster, made.spec.workload.manifests.into_iter().next().map(Object)),
                Err(error) => {
                    self.problems.insert(error.to_string());
                    self.stay(hub, template, &target.name);
                }
            }
        }
        let evicting = binding.spec.graceful_eviction_tasks.iter();
        for task in evicting.filter(|task| task.purge_mode != Some(PurgeMode::Directly)) {
            if !self.manifests.contains_key(&task.from_cluster) {
                self.stay(hub, template, &task.from_cluster);
            }
        }
    }
}

fn missing_override(hub: &Hub, namespace: &str, spec: &PropagationSpec) -> Option<ObjectKey> {
    let keys = spec.dependent_overrides.iter().map(|name| ObjectKey::namespaced(namespace, &**name));
    keys.into_iter().find(|key| !hub.overrides.iter().any(|one| one.metadata.key() == *key))
}

/// The binding with the fields of template and policy.
fn followed(
    template: &Object,
    policy: &PropagationSpec,
    claim: &Claim,
    present: Option<&Binding>,
) -> Binding {
    let spec = binding_spec(template, policy, present.map(|binding| &binding.spec));
    let mut followed = match present {
        Some(present) => present.clone(),
        None => Binding { metadata: binding::metadata(template, claim, ""), ..Binding::default() },
    };
    followed.spec = spec;
    followed.metadata.labels.extend(claim.labels());
    followed
}

/// The binding without the claim of its policy: nothing schedules it any more.
fn released(binding: &Binding) -> Binding {
    let mut released = binding.clone();
    crate::propagation::claim::LABELS.iter().for_each(|label| drop(released.metadata.labels.remove(*label)));
    released
}
