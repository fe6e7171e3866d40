//! Bindings of the same namespace and workload affinity group.

use std::sync::Arc;

use portolan_api::meta::ObjectMeta;
use portolan_api::work::ResourceBindingSpec;
use portolan_plan::propagation::reschedule::View;

use crate::propagation::Pipeline;
use crate::propagation::scoped::Binding;

/// Index of bindings by affinity group.
pub(in crate::propagation) const BY_GROUP: &str = "group";

/// The groups of a binding, as values of [`BY_GROUP`].
pub(in crate::propagation) fn groups(metadata: &ObjectMeta, spec: &ResourceBindingSpec) -> Vec<String> {
    let Some(groups) = &spec.workload_affinity_groups else { return Vec::new() };
    let named = [("together", &groups.affinity_group), ("apart", &groups.anti_affinity_group)];
    let named = named.into_iter().filter(|(_, group)| !group.is_empty());
    named.map(|(relation, group)| format!("{}/{relation}/{group}", metadata.namespace)).collect()
}

/// The bindings that share a group with this one, and itself.
pub(super) fn members(pipeline: &Pipeline, view: View<'_>) -> Vec<Arc<Binding>> {
    let of_group = |group: String| pipeline.bindings.namespaced.by_index(BY_GROUP, &group);
    let mut members: Vec<_> = groups(view.metadata, view.spec).into_iter().flat_map(of_group).collect();
    members.sort_by(|one, other| one.metadata.name.cmp(&other.metadata.name));
    members.dedup_by(|one, other| one.metadata.name == other.metadata.name);
    members
}
