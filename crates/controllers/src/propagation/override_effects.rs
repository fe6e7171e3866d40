//! One override policy: says by events on the policy why it has less effect than its author expects.

use std::sync::Arc;

use portolan_api::policy::OverrideSpec;
use portolan_api::resources;
use portolan_object::{Object, ObjectKey};
use portolan_plan::propagation::effect::{Fault, idle_overrides, override_faults};
use portolan_plan::propagation::matching::rank;
use portolan_runtime::{Outcome, Reconciler};

use crate::propagation::Pipeline;
use crate::propagation::effects::{Existing, MAX_SELECTED, report};
use crate::propagation::policies::fitting;
use crate::propagation::scoped::Override;

pub(super) struct OverrideEffects(pub(super) Pipeline);

impl Reconciler for OverrideEffects {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        let Some(policy) = self.0.overrides.get(key) else { return Outcome::Done };
        if policy.metadata.is_deleting() {
            return Outcome::Done;
        }
        let mut existing = Existing::of(&self.0);
        // Namespaces go to members without a policy, and can be overridden.
        existing.kinds.push(resources::NAMESPACE.gvk());
        existing.cluster_kinds.insert(resources::NAMESPACE.gvk().group_kind());
        let facts = existing.facts(&self.0, &policy.metadata.namespace);
        let mut faults = override_faults(&policy.spec, facts);
        let selected = self.selected(&policy);
        let is_idle = selected.is_empty() && faults.is_empty() && selects_templates(&policy.spec);
        faults.extend(is_idle.then_some(Fault::NothingSelected));
        faults.extend(idle_overrides(&policy.spec, &self.0.hub.clusters.list(), &selected));
        report(&self.0, &policy.regarding(), &faults);
        Outcome::Done
    }
}

impl OverrideEffects {
    /// The first templates that the policy selects.
    fn selected(&self, policy: &Override) -> Vec<Arc<Object>> {
        let selectors = policy.spec.resource_selectors.iter();
        let objects = selectors.flat_map(|selector| {
            fitting(&self.0, selector, &policy.metadata.namespace)
                .filter(|(_, object)| rank(selector, object).is_some())
        });
        objects.map(|(_, object)| object).take(MAX_SELECTED).collect()
    }
}

/// Whether a policy names what it is about, and that are templates: one without selectors is about everything, and
/// namespaces are no templates.
fn selects_templates(spec: &OverrideSpec) -> bool {
    let selectors = &spec.resource_selectors;
    !selectors.is_empty() && !selectors.iter().any(|selector| selector.kind == resources::NAMESPACE.kind)
}
