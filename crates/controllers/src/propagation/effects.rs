//! One policy: says by events on the policy why it has less effect than its author expects.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use portolan_object::{GroupKind, GroupVersionKind, Object, ObjectKey};
use portolan_plan::propagation::detect::{Candidate, exclusion, explain};
use portolan_plan::propagation::effect::{Facts, Fault, Selected, faults, idle_weights};
use portolan_plan::propagation::matching::rank;
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::{Outcome, Reconciler};

use crate::propagation::Pipeline;
use crate::propagation::policies::fitting;
use crate::propagation::scoped::Policy;

/// Time after a change of a policy in which its objects are claimed, and objects that are written together with it
/// arrive.
pub(super) const SETTLING: Duration = Duration::from_millis(700);
/// Objects that are looked at, at most.
pub(super) const MAX_SELECTED: usize = 100;

pub(super) struct Effects(pub(super) Pipeline);

impl Reconciler for Effects {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        let Some(policy) = self.0.policies.get(key) else { return Outcome::Done };
        if policy.metadata.is_deleting() {
            return Outcome::Done;
        }
        let existing = Existing::of(&self.0);
        let facts = existing.facts(&self.0, &policy.metadata.namespace);
        let mut found = faults(&policy.spec, facts, &self.selected(&policy));
        found.extend(idle_weights(&policy.spec, &self.0.hub.clusters.list()));
        report(&self.0, &policy.regarding(), &found);
        Outcome::Done
    }
}

/// Says the faults of a policy by events.
pub(super) fn report(pipeline: &Pipeline, policy: &Regarding, faults: &[Fault]) {
    for fault in faults {
        let severity = if fault.is_expected() { Severity::Normal } else { Severity::Warning };
        pipeline.hub.events.record(policy.clone(), severity, fault.reason(), fault.to_string());
    }
}

/// The kinds and clusters that policies can name, at one moment.
pub(super) struct Existing {
    pub(super) kinds: Vec<GroupVersionKind>,
    /// Those of them with objects that have no namespace.
    pub(super) cluster_kinds: BTreeSet<GroupKind>,
    clusters: BTreeSet<String>,
}

impl Existing {
    /// Those of the control plane; the kinds are the kinds of templates.
    pub(super) fn of(pipeline: &Pipeline) -> Self {
        let templates = pipeline.templates.all();
        let clusters = pipeline.hub.clusters.keys();
        let of_cluster =
            templates.iter().map(|cache| cache.resource()).filter(|resource| !resource.namespaced);
        Self {
            cluster_kinds: of_cluster.map(|resource| resource.gvk.group_kind()).collect(),
            kinds: templates.iter().map(|cache| cache.resource().gvk.clone()).collect(),
            clusters: clusters.into_iter().map(|cluster| cluster.name).collect(),
        }
    }

    /// What a policy of a namespace is checked against.
    pub(super) fn facts<'a>(&'a self, pipeline: &'a Pipeline, namespace: &'a str) -> Facts<'a> {
        Facts {
            namespace,
            kinds: &self.kinds,
            cluster_kinds: &self.cluster_kinds,
            clusters: &self.clusters,
            skipped: &pipeline.hub.skipped,
        }
    }
}

impl Effects {
    /// The first objects that the policy selects, with what it is to them.
    fn selected(&self, policy: &Policy) -> Vec<Selected> {
        let selectors = policy.spec.resource_selectors.iter();
        let objects = selectors.flat_map(|selector| {
            fitting(&self.0, selector, &policy.metadata.namespace)
                .filter(|(_, object)| rank(selector, object).is_some())
        });
        let cluster = self.0.policies.cluster.list();
        let mut namespaced: HashMap<String, Vec<Arc<Policy>>> = HashMap::new();
        let key = policy.metadata.key();
        let standing = |(_, object): (GroupVersionKind, Arc<Object>)| {
            let name = format!("{} {}", object.kind(), object.key());
            if let Some(reason) = exclusion(&object, &self.0.hub.skipped) {
                return Some(Selected { object: name, standing: Err(reason) });
            }
            let of_namespace =
                namespaced.entry(object.namespace().to_owned()).or_insert_with(|| match object.namespace() {
                    "" => Vec::new(),
                    namespace => self.0.policies.namespaced.list_namespace(namespace),
                });
            let verdicts = explain(&object, &candidates(of_namespace), &candidates(&cluster));
            let own = verdicts.into_iter().find(|(policy, _)| *policy == key);
            own.map(|(_, verdict)| Selected { object: name, standing: Ok(verdict) })
        };
        objects.take(MAX_SELECTED).filter_map(standing).collect()
    }
}

fn candidates(policies: &[Arc<Policy>]) -> Vec<Candidate<'_>> {
    policies.iter().map(|policy| Candidate { metadata: &policy.metadata, spec: &policy.spec }).collect()
}
