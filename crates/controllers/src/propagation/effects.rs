//! One policy: says by events on the policy why it has less effect than its author expects.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use portolan_object::{GroupVersionKind, Object, ObjectKey};
use portolan_plan::propagation::detect::{Candidate, exclusion, explain};
use portolan_plan::propagation::effect::{Facts, Selected, faults};
use portolan_plan::propagation::matching::rank;
use portolan_runtime::events::Severity;
use portolan_runtime::{Outcome, Reconciler};

use crate::propagation::Pipeline;
use crate::propagation::policies::fitting;
use crate::propagation::scoped::Policy;

/// Time after a change of a policy in which its objects are claimed, and objects that are written together with it
/// arrive.
pub(super) const SETTLING: Duration = Duration::from_millis(700);
/// Objects that are looked at, at most.
const MAX_SELECTED: usize = 100;

pub(super) struct Effects(pub(super) Pipeline);

impl Reconciler for Effects {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        let Some(policy) = self.0.policies.get(key) else { return Outcome::Done };
        if policy.metadata.is_deleting() {
            return Outcome::Done;
        }
        let kinds: Vec<GroupVersionKind> =
            self.0.templates.all().iter().map(|cache| cache.resource().gvk.clone()).collect();
        let clusters: BTreeSet<String> =
            self.0.hub.clusters.keys().into_iter().map(|cluster| cluster.name).collect();
        let facts = Facts {
            namespace: &policy.metadata.namespace,
            kinds: &kinds,
            clusters: &clusters,
            skipped: &self.0.hub.skipped,
        };
        for fault in faults(&policy.spec, facts, &self.selected(&policy)) {
            let severity = if fault.is_expected() { Severity::Normal } else { Severity::Warning };
            self.0.hub.events.record(policy.regarding(), severity, fault.reason(), fault.to_string());
        }
        Outcome::Done
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
