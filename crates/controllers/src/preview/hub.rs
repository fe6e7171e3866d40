//! The objects of the hub that the plan of some manifests concerns.

use std::collections::{BTreeMap, BTreeSet};

use portolan_api::Kind;
use portolan_api::cluster::Cluster;
use portolan_api::policy::{
    ClusterOverridePolicy, ClusterPropagationPolicy, OverridePolicy, PropagationPolicy,
};
use portolan_api::resources;
use portolan_api::work::{ClusterResourceBinding, ResourceBinding, Work};
use portolan_object::{GroupKind, GroupVersion, Object, ObjectKey};
use portolan_plan::preview::Hub;
use portolan_plan::propagation::node_ports::note_allocated;
use portolan_plan::propagation::snapshot::{Binding, Override, Policy};
use portolan_runtime::client::{Discovery, Selection};
use portolan_runtime::{Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::PlanError;
use super::manifests::Applied;

/// Reads the hub. With a policy, override or cluster among the manifests, all propagated objects are read; otherwise
/// only those of the manifests.
pub(super) async fn read(hub: &Client, discovery: &Discovery, applied: &[Applied]) -> Result<Hub, PlanError> {
    let (clusters, policies, overrides, bindings, works) = tokio::try_join!(
        list::<Cluster>(hub, Resource::of::<Cluster>()),
        both::<Policy, PropagationPolicy, ClusterPropagationPolicy>(hub),
        both::<Override, OverridePolicy, ClusterOverridePolicy>(hub),
        both::<Binding, ResourceBinding, ClusterResourceBinding>(hub),
        list::<Work>(hub, Resource::of::<Work>()),
    )?;
    let mut read = Hub {
        clusters,
        policies,
        overrides,
        templates: templates_of(applied),
        bindings: bindings.into_iter().map(|binding| (binding.metadata.key(), binding)).collect(),
        works: works.into_iter().map(|work| (work.metadata.key(), work)).collect(),
    };
    if applied.iter().any(|one| decides(&one.object)) {
        for kind in concerned(&read, applied) {
            let Some(found) = discovery.find(&kind.group, &kind.kind) else { continue };
            for object in list::<Object>(hub, found.resource.clone()).await? {
                read.templates.insert((kind.clone(), object.key()), object);
            }
        }
    }
    read.templates.values_mut().for_each(note_allocated);
    Ok(read)
}

/// The objects of the manifests, as they are.
fn templates_of(applied: &[Applied]) -> BTreeMap<(GroupKind, ObjectKey), Object> {
    let present = applied.iter().filter_map(|one| one.present.as_ref()).filter(|object| !decides(object));
    present.map(|object| ((object.group_version_kind().group_kind(), object.key()), object.clone())).collect()
}

/// Whether an object decides about others: a policy, an override or a cluster.
fn decides(object: &Object) -> bool {
    let kind = object.group_version_kind().group_kind();
    let deciding = [
        PropagationPolicy::gvk(),
        ClusterPropagationPolicy::gvk(),
        OverridePolicy::gvk(),
        ClusterOverridePolicy::gvk(),
        Cluster::gvk(),
    ];
    deciding.iter().any(|one| one.group_kind() == kind)
}

/// The kinds of all propagated objects, and those that the policies of the manifests select, now or before.
fn concerned(hub: &Hub, applied: &[Applied]) -> BTreeSet<GroupKind> {
    let selectors = applied.iter().flat_map(|one| [Some(&one.object), one.present.as_ref()]).flatten();
    let selected = selectors.filter_map(|object| object.to_typed::<Policy>().ok()).flat_map(|policy| {
        policy.spec.resource_selectors.into_iter().filter_map(|selector| {
            let version: GroupVersion = selector.api_version.parse().ok()?;
            Some(version.kind(selector.kind).group_kind())
        })
    });
    let mut kinds: BTreeSet<GroupKind> = selected.collect();
    kinds.extend(hub.bindings.values().map(|binding| binding.template_kind().group_kind()));
    kinds.insert(resources::NAMESPACE.gvk().group_kind());
    kinds
}

async fn both<T, N: Kind, C: Kind>(hub: &Client) -> Result<Vec<T>, PlanError>
where
    T: DeserializeOwned + Serialize + Send,
{
    let (namespaced, cluster) =
        tokio::try_join!(list::<T>(hub, Resource::of::<N>()), list::<T>(hub, Resource::of::<C>()))?;
    Ok(namespaced.into_iter().chain(cluster).collect())
}

async fn list<T>(hub: &Client, resource: Resource) -> Result<Vec<T>, PlanError>
where
    T: DeserializeOwned + Serialize + Send,
{
    let listed = hub.resource::<T>(&resource).list(&Selection::all()).await;
    let listed = listed.map_err(|source| PlanError::Unread { what: resource.plural.clone(), source })?;
    Ok(listed.items.into_iter().map(|seen| seen.object).collect())
}
