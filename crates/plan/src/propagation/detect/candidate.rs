//! A policy that could claim a template.

use portolan_api::labels;
use portolan_api::meta::ObjectMeta;
use portolan_api::policy::{PreemptionBehavior, PropagationSpec};
use portolan_object::{Object, ObjectKey};

use crate::propagation::claim::Claim;
use crate::propagation::matching::{Rank, best_rank};

/// The parts of a policy of either type that decide.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Its metadata; a namespace makes it a PropagationPolicy.
    pub metadata: &'a ObjectMeta,
    /// Its spec.
    pub spec: &'a PropagationSpec,
}

impl<'a> Candidate<'a> {
    /// Namespace and name; no namespace for a ClusterPropagationPolicy.
    pub fn key(&self) -> ObjectKey {
        ObjectKey::namespaced(&*self.metadata.namespace, &*self.metadata.name)
    }

    /// Whether it is a ClusterPropagationPolicy.
    pub fn is_cluster_wide(&self) -> bool {
        self.metadata.namespace.is_empty()
    }

    /// Whether a claim names this policy; its id may be that of an earlier policy of the name.
    pub fn is_named_by(&self, claim: &Claim) -> bool {
        match claim {
            Claim::Namespaced { policy, .. } => {
                self.metadata.name == policy.name && self.metadata.namespace == policy.namespace
            }
            Claim::Cluster { policy, .. } => self.is_cluster_wide() && self.metadata.name == *policy,
            Claim::Federation { .. } => false,
        }
    }

    /// How closely it selects a template; `None` if it does not.
    pub fn rank(&self, template: &Object) -> Option<Rank> {
        best_rank(&self.spec.resource_selectors, template)
    }

    /// Whether it takes templates from other policies.
    pub fn may_preempt(&self) -> bool {
        self.spec.preemption == PreemptionBehavior::Always
    }
}

/// The claim that a policy makes. A policy without a permanent id yet gets its uid as one, so that the id can be
/// written onto the policy and onto templates in any order.
pub fn claim_of(policy: &ObjectMeta) -> Claim {
    Claim::by(policy).unwrap_or_else(|| {
        let mut identified = policy.clone();
        let label = permanent_id_label(policy);
        identified.labels.insert(label.to_owned(), policy.uid.clone());
        Claim::by(&identified).expect("the line above set the id")
    })
}

/// The label that holds a policy's permanent id.
pub fn permanent_id_label(policy: &ObjectMeta) -> &'static str {
    if policy.namespace.is_empty() {
        labels::cluster_propagation_policy::PERMANENT_ID
    } else {
        labels::propagation_policy::PERMANENT_ID
    }
}
