//! The objects below an object, by owner references: ReplicaSets, Jobs and Pods of workloads.

use std::collections::BTreeSet;

use portolan_api::resources::{self, StaticResource};
use portolan_object::Object;
use portolan_plan::explain::Read;
use portolan_runtime::Client;
use portolan_runtime::client::{Discovery, Selection};
use serde_json::Value;

use super::list_if_served;

/// Reads the descendants of `root`, parents before children.
///
/// # Errors
/// When one of the kinds cannot be listed.
pub async fn descendants(client: &Client, discovery: &Discovery, root: &Object) -> Read<Vec<Object>> {
    let selection = Selection {
        namespace: root.namespace().to_owned(),
        labels: selector(root).unwrap_or_default(),
        ..Selection::default()
    };
    let mut known = BTreeSet::from([root.uid().to_owned()]);
    let mut below = Vec::new();
    for kind in levels(root) {
        let objects = list_if_served(client, discovery, (kind.group, kind.kind), &selection).await?;
        let mut owned: Vec<Object> =
            objects.into_iter().filter(|object| owners(object).any(|owner| known.contains(owner))).collect();
        owned.sort_by(|one, other| one.name().cmp(other.name()));
        known.extend(owned.iter().map(|object| object.uid().to_owned()));
        below.extend(owned);
    }
    Ok(below)
}

/// The uids of the owners of an object.
pub fn owners(object: &Object) -> impl Iterator<Item = &str> {
    let references = object.at(&["metadata", "ownerReferences"]).and_then(Value::as_array);
    references.into_iter().flatten().filter_map(|owner| owner["uid"].as_str())
}

/// The kinds below a kind, from the top. Kinds that Kubernetes does not have may own any of them.
fn levels(root: &Object) -> &'static [StaticResource] {
    const PODS: &[StaticResource] = &[resources::POD];
    match (root.api_version(), root.kind()) {
        ("apps/v1", "Deployment") => &[resources::REPLICA_SET, resources::POD],
        ("apps/v1", "ReplicaSet" | "StatefulSet" | "DaemonSet") | ("batch/v1", "Job") => PODS,
        ("batch/v1", "CronJob") => &[resources::JOB, resources::POD],
        (version, _) if version.contains('.') && !version.contains("k8s.io/") => &[
            resources::DEPLOYMENT,
            resources::STATEFUL_SET,
            resources::REPLICA_SET,
            resources::JOB,
            resources::POD,
        ],
        _ => &[],
    }
}

/// The selector by which a workload finds its pods, if it has only equalities; its ReplicaSets have the same labels.
fn selector(root: &Object) -> Option<String> {
    let is_workload = matches!(root.api_version(), "apps/v1");
    let labels = root.at(&["spec", "selector", "matchLabels"])?.as_object().filter(|_| is_workload)?;
    let terms = labels.iter().map(|(key, value)| Some(format!("{key}={}", value.as_str()?)));
    Some(terms.collect::<Option<Vec<String>>>()?.join(","))
}
