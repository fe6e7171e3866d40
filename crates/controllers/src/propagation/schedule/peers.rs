//! Bindings of the same namespace and workload affinity group.

use std::sync::Arc;

use portolan_api::meta::ObjectMeta;
use portolan_api::work::{ResourceBindingSpec, TargetCluster};
use portolan_plan::propagation::reschedule::View;
use portolan_plan::propagation::schedule;

use crate::propagation::Pipeline;
use crate::propagation::scoped::Binding;

/// Index of bindings by affinity group.
pub(in crate::propagation) const BY_GROUP: &str = "group";

/// The groups of a binding, as values of [`BY_GROUP`].
pub(in crate::propagation) fn groups(metadata: &ObjectMeta, spec: &ResourceBindingSpec) -> Vec<String> {
    [together(metadata, spec), apart(metadata, spec)].into_iter().flatten().collect()
}

fn together(metadata: &ObjectMeta, spec: &ResourceBindingSpec) -> Option<String> {
    let group = &spec.workload_affinity_groups.as_ref()?.affinity_group;
    (!group.is_empty()).then(|| format!("{}/together/{group}", metadata.namespace))
}

fn apart(metadata: &ObjectMeta, spec: &ResourceBindingSpec) -> Option<String> {
    let group = &spec.workload_affinity_groups.as_ref()?.anti_affinity_group;
    (!group.is_empty()).then(|| format!("{}/apart/{group}", metadata.namespace))
}

/// The other bindings of a binding's groups.
pub(super) struct Peers {
    together: Vec<Arc<Binding>>,
    apart: Vec<Arc<Binding>>,
}

/// Reads the peers of a binding from the cache.
pub(super) fn of(pipeline: &Pipeline, view: View<'_>) -> Peers {
    let others = |group: Option<String>| -> Vec<Arc<Binding>> {
        let members = group.map(|group| pipeline.bindings.namespaced.by_index(BY_GROUP, &group));
        let members = members.unwrap_or_default().into_iter();
        members.filter(|other| other.metadata.name != view.metadata.name).collect()
    };
    Peers {
        together: others(together(view.metadata, view.spec)),
        apart: others(apart(view.metadata, view.spec)),
    }
}

impl Peers {
    pub(super) fn targets(&self) -> schedule::Peers<'_> {
        schedule::Peers { together: targets(&self.together), apart: targets(&self.apart) }
    }
}

fn targets(bindings: &[Arc<Binding>]) -> Vec<&[TargetCluster]> {
    bindings.iter().map(|binding| binding.spec.clusters.as_slice()).collect()
}
