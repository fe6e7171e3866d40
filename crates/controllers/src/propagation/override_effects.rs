//! One override policy: says by events on the policy why it has less effect than its author expects.

use std::collections::BTreeSet;

use portolan_api::resources;
use portolan_object::{GroupVersionKind, ObjectKey};
use portolan_plan::propagation::effect::{Facts, override_faults};
use portolan_runtime::events::Severity;
use portolan_runtime::{Outcome, Reconciler};

use crate::propagation::Pipeline;

pub(super) struct OverrideEffects(pub(super) Pipeline);

impl Reconciler for OverrideEffects {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        let Some(policy) = self.0.overrides.get(key) else { return Outcome::Done };
        if policy.metadata.is_deleting() {
            return Outcome::Done;
        }
        let served = self.0.templates.all();
        let mut kinds: Vec<GroupVersionKind> =
            served.iter().map(|cache| cache.resource().gvk.clone()).collect();
        // Namespaces go to members without a policy, and can be overridden.
        kinds.push(resources::NAMESPACE.gvk());
        let clusters: BTreeSet<String> =
            self.0.hub.clusters.keys().into_iter().map(|cluster| cluster.name).collect();
        let facts = Facts {
            namespace: &policy.metadata.namespace,
            kinds: &kinds,
            clusters: &clusters,
            skipped: &self.0.hub.skipped,
        };
        for fault in override_faults(&policy.spec, facts) {
            let about = policy.regarding();
            self.0.hub.events.record(about, Severity::Warning, fault.reason(), fault.to_string());
        }
        Outcome::Done
    }
}
