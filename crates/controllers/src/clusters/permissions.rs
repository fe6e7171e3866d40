//! Reads and writes the rights of the control plane and its agent in a cluster, for `portolan cluster permissions`.
//!
//! `portolan_plan::clusters::permissions` decides what is needed.

use std::collections::BTreeSet;

use portolan_api::policy::{ClusterPropagationPolicy, PropagationPolicy, PropagationSpec};
use portolan_api::work::Work;
use portolan_api::{names, resources};
use portolan_object::{GroupVersion, Object, ObjectKey};
use portolan_plan::clusters::permissions::{GroupResource, dependencies};
use portolan_runtime::client::{Discovery, Patch, Selection};
use portolan_runtime::{Client, ClientError};
use serde_json::{Value, json};

/// What policies name and what Works of the cluster hold, by the names that the cluster or the control plane serves it under.
/// Without a client of the cluster, kinds that the control plane does not serve are left out.
///
/// # Errors
/// When one of the collections cannot be read.
pub async fn placed(
    hub: &Client,
    member: Option<&Client>,
    cluster: &str,
) -> Result<BTreeSet<GroupResource>, ClientError> {
    let everywhere = Selection::all();
    let namespaced = hub.kind::<PropagationPolicy>().list(&everywhere).await?;
    let cluster_wide = hub.kind::<ClusterPropagationPolicy>().list(&everywhere).await?;
    let specs = namespaced.items.iter().map(|seen| &seen.object.spec);
    let specs: Vec<&PropagationSpec> =
        specs.chain(cluster_wide.items.iter().map(|seen| &seen.object.spec)).collect();
    let of_cluster = Selection::namespace(names::execution_namespace(cluster));
    let works = hub.kind::<Work>().list(&of_cluster).await?;
    let mut kinds: BTreeSet<(String, String)> = BTreeSet::new();
    for selector in specs.iter().flat_map(|spec| &spec.resource_selectors) {
        if let Ok(version) = selector.api_version.parse::<GroupVersion>() {
            kinds.insert((version.kind(&selector.kind).group, selector.kind.clone()));
        }
    }
    for manifest in works.items.iter().flat_map(|seen| &seen.object.spec.workload.manifests) {
        let object = Object(manifest.clone());
        // The rights of the impersonator are a part of what the control plane itself needs.
        if object.name() != names::IMPERSONATOR {
            let kind = object.group_version_kind();
            kinds.insert((kind.group, kind.kind));
        }
    }
    let mut served: Vec<Discovery> = Vec::new();
    for client in member.into_iter().chain([hub]) {
        served.push(client.discover().await?);
    }
    let mut placed: BTreeSet<GroupResource> = kinds
        .into_iter()
        .filter_map(|(group, kind)| {
            let found = served.iter().find_map(|discovery| discovery.find(&group, &kind))?;
            Some(GroupResource::new(&group, &found.resource.plural))
        })
        .collect();
    if specs.iter().any(|spec| spec.propagate_deps) {
        placed.extend(dependencies());
    }
    Ok(placed)
}

/// Replaces the rules of a ClusterRole in a cluster.
///
/// # Errors
/// When the role does not exist, or the client may not grant these rights.
pub async fn grant(member: &Client, role: &str, rules: &[Value]) -> Result<(), ClientError> {
    let patch = Patch::Merge(json!({ "rules": rules }));
    let roles = member.resource::<Object>(&resources::CLUSTER_ROLE.into());
    roles.patch(&ObjectKey::cluster(role), &patch).await.map(drop)
}
