//! Reads and writes the rights of the control plane's account in a cluster, for `portolan cluster permissions`.
//!
//! `portolan_plan::clusters::permissions` decides what is needed.

use std::collections::BTreeSet;

use portolan_api::policy::{ClusterPropagationPolicy, PropagationPolicy, PropagationSpec};
use portolan_api::work::Work;
use portolan_api::{names, resources};
use portolan_object::{GroupVersion, Object, ObjectKey};
use portolan_plan::clusters::permissions::{DEPENDENCIES, GroupResource};
use portolan_runtime::client::{Discovery, Patch, Selection};
use portolan_runtime::{Client, ClientError};
use serde_json::{Value, json};

/// What policies name and what Works of the cluster hold, by the names that the control plane or the cluster serves it under.
///
/// # Errors
/// When one of the collections cannot be read.
pub async fn placed(
    hub: &Client,
    member: &Client,
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
    let served: [Discovery; 2] = [member.discover().await?, hub.discover().await?];
    let mut placed: BTreeSet<GroupResource> = kinds
        .into_iter()
        .filter_map(|(group, kind)| {
            let found = served.iter().find_map(|discovery| discovery.find(&group, &kind))?;
            Some((group, found.resource.plural.clone()))
        })
        .collect();
    if specs.iter().any(|spec| spec.propagate_deps) {
        placed.extend(DEPENDENCIES.map(|(group, resource)| (group.to_owned(), resource.to_owned())));
    }
    Ok(placed)
}

/// Replaces the rights of the control plane's account in a cluster.
///
/// # Errors
/// When the role does not exist, or the client may not grant these rights.
pub async fn grant(member: &Client, cluster: &str, rules: &[Value]) -> Result<(), ClientError> {
    let key = ObjectKey::cluster(names::cluster_role(cluster));
    let patch = Patch::Merge(json!({ "rules": rules }));
    member.resource::<Object>(&resources::CLUSTER_ROLE.into()).patch(&key, &patch).await.map(drop)
}
