//! Reads for `portolan plan`: the hub as it is, and as it would be with manifests applied. Nothing is written; the API
//! server gives the manifests their defaults in a dry run.

mod federations;
mod hub;
mod manifests;

use std::collections::BTreeSet;

use portolan_api::Kind;
use portolan_api::cluster::Cluster;
use portolan_api::policy::{
    ClusterOverridePolicy, ClusterPropagationPolicy, OverridePolicy, PropagationPolicy,
};
use portolan_object::Object;
use portolan_plan::preview::apply::MergeError;
use portolan_plan::preview::{Hub, Preview, preview};
use portolan_plan::propagation::node_ports::note_allocated;
use portolan_runtime::{Client, ClientError};
use serde::Serialize;

pub use manifests::Written;

/// The plan of some manifests.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// What happens to the objects of the manifests on the hub.
    pub hub: Vec<HubChange>,
    /// What changes in the members.
    #[serde(flatten)]
    pub members: Preview,
}

/// A change of one object on the hub.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HubChange {
    /// Kind, namespace and name.
    pub object: String,
    /// What happens to it.
    pub written: Written,
}

impl Plan {
    /// Whether applying the manifests changes anything.
    pub fn is_empty(&self) -> bool {
        self.members.changes.is_empty() && self.hub.iter().all(|change| change.written == Written::Unchanged)
    }
}

/// A plan cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The hub has no such kind.
    #[error(
        "{object}: the control plane does not serve this kind: apply its CustomResourceDefinition first, or correct \
         apiVersion and kind"
    )]
    NotServed {
        /// Kind, namespace and name.
        object: String,
    },
    /// The API server refuses the manifest.
    #[error("{object} would be refused: {source}")]
    Refused {
        /// Kind, namespace and name.
        object: String,
        /// The answer.
        source: ClientError,
    },
    /// The manifest cannot be merged.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// Something on the hub cannot be read.
    #[error("cannot read {what} of the control plane: {source}")]
    Unread {
        /// The kind.
        what: String,
        /// The answer.
        source: ClientError,
    },
    /// The answer is not of its kind.
    #[error("{object} is not readable: {source}")]
    Unreadable {
        /// Kind, namespace and name.
        object: String,
        /// The field and its problem.
        source: serde_json::Error,
    },
}

/// Makes the plan of `manifests`, as `kubectl apply` would apply them: those without a namespace are in `namespace`.
///
/// # Errors
/// When a manifest would be refused, or the hub cannot be read.
pub async fn plan(hub: &Client, namespace: &str, manifests: Vec<Object>) -> Result<Plan, PlanError> {
    let discovery = hub.discover().await;
    let discovery = discovery.map_err(|source| PlanError::Unread { what: "the kinds".to_owned(), source })?;
    let mut applied = manifests::dry_run(hub, &discovery, namespace, manifests).await?;
    let before = hub::read(hub, &discovery, &applied).await?;
    let mut after = before.clone();
    let mut changes = Vec::new();
    for one in &mut applied {
        changes.push(HubChange { object: title(&one.object), written: one.written });
        put(&mut after, &one.object)?;
    }
    let mut members = preview(&before, &after);
    members.notes.extend(unknown_kinds(&applied));
    members.notes.extend(federations::notes(hub, &discovery, &applied).await?);
    Ok(Plan { hub: changes, members })
}

/// Kind, namespace and name.
fn title(object: &Object) -> String {
    format!("{} {}", object.kind(), object.key())
}

/// Puts an object into the hub as it would be.
fn put(hub: &mut Hub, object: &Object) -> Result<(), PlanError> {
    let kind = object.group_version_kind();
    let is = |one: portolan_object::GroupVersionKind| one.group_kind() == kind.group_kind();
    if is(PropagationPolicy::gvk()) || is(ClusterPropagationPolicy::gvk()) {
        let policy: portolan_plan::propagation::snapshot::Policy = typed(object)?;
        hub.policies.retain(|one| one.metadata.key() != policy.metadata.key());
        hub.policies.push(policy);
    } else if is(OverridePolicy::gvk()) || is(ClusterOverridePolicy::gvk()) {
        let policy: portolan_plan::propagation::snapshot::Override = typed(object)?;
        hub.overrides.retain(|one| one.metadata.key() != policy.metadata.key());
        hub.overrides.push(policy);
    } else if is(Cluster::gvk()) {
        let cluster: Cluster = typed(object)?;
        hub.clusters.retain(|one| one.metadata.name != cluster.metadata.name);
        hub.clusters.push(cluster);
    } else {
        let mut template = object.clone();
        note_allocated(&mut template);
        hub.templates.insert((kind.group_kind(), template.key()), template);
    }
    Ok(())
}

fn typed<T: serde::de::DeserializeOwned>(object: &Object) -> Result<T, PlanError> {
    object.to_typed().map_err(|source| PlanError::Unreadable { object: title(object), source })
}

/// A note for each kind of the federation that acts in another way than by policies.
fn unknown_kinds(applied: &[manifests::Applied]) -> Vec<String> {
    let planned = [
        PropagationPolicy::KIND,
        ClusterPropagationPolicy::KIND,
        OverridePolicy::KIND,
        ClusterOverridePolicy::KIND,
    ];
    let groups = ["karmada.io", "kubefed.io", "portolan.dev"];
    let kinds: BTreeSet<String> = applied
        .iter()
        .map(|one| one.object.group_version_kind())
        .filter(|kind| {
            groups.iter().any(|group| kind.group == *group || kind.group.ends_with(&format!(".{group}")))
        })
        .filter(|kind| kind.group != Cluster::GROUP && !planned.contains(&kind.kind.as_str()))
        .map(|kind| kind.kind)
        .collect();
    kinds.into_iter().map(|kind| format!("what a {kind} does in the members is not in this plan")).collect()
}
