//! Reads the whole federation for `portolan why` without arguments.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use portolan_api::cluster::Cluster;
use portolan_api::policy::{ClusterPropagationPolicy, PropagationPolicy};
use portolan_api::work::{ClusterResourceBinding, ResourceBinding, Work};
use portolan_object::{GroupKind, GroupVersionKind, Object};
use portolan_plan::explain::Read;
use portolan_plan::explain::sweep::{Federation, served};
use portolan_plan::propagation::snapshot::Policy;
use portolan_runtime::client::{Discovery, Selection};
use portolan_runtime::{Client, Resource};

use super::facts::both;
use super::list;

/// Reads clusters, policies, bindings, Works, and the objects of the kinds that policies select.
pub async fn federation(hub: &Client, discovery: &Discovery) -> Federation {
    let everywhere = Selection::all();
    let (of_clusters, of_works) = (Resource::of::<Cluster>(), Resource::of::<Work>());
    let (clusters, policies, bindings, works) = tokio::join!(
        list(hub, &of_clusters, &everywhere),
        both::<_, PropagationPolicy, ClusterPropagationPolicy>(hub, ""),
        both::<_, ResourceBinding, ClusterResourceBinding>(hub, ""),
        list(hub, &of_works, &everywhere),
    );
    let preferred: Vec<_> = discovery.resources.iter().filter(|found| found.preferred).collect();
    let of_cluster = preferred.iter().filter(|found| !found.resource.namespaced);
    let cluster_kinds = of_cluster.map(|found| found.resource.gvk.group_kind()).collect();
    let kinds: Vec<GroupVersionKind> = preferred.iter().map(|found| found.resource.gvk.clone()).collect();
    let templates = templates(hub, discovery, &kinds, policies.as_deref().unwrap_or_default()).await;
    Federation { kinds, cluster_kinds, clusters, policies, templates, bindings, works }
}

/// The objects of each kind that a policy selects.
async fn templates(
    hub: &Client,
    discovery: &Discovery,
    kinds: &[GroupVersionKind],
    policies: &[Policy],
) -> BTreeMap<GroupKind, Read<Vec<Object>>> {
    let mut templates = BTreeMap::new();
    for selector in policies.iter().flat_map(|policy| &policy.spec.resource_selectors) {
        let Some(kind) = served(kinds, selector).map(GroupVersionKind::group_kind) else { continue };
        let Some(found) = discovery.find(&kind.group, &kind.kind) else { continue };
        if let Entry::Vacant(entry) = templates.entry(kind) {
            entry.insert(list::<Object>(hub, &found.resource, &Selection::all()).await);
        }
    }
    templates
}
