//! What the decisions about a federated object need, from the caches.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use portolan_api::cluster::Cluster;
use portolan_api::conditions::cluster::READY;
use portolan_api::kubefed::{FederatedSpec, FederatedType, SYSTEM_NAMESPACE};
use portolan_api::meta::condition;
use portolan_api::names;
use portolan_api::work::Work;
use portolan_object::{Object, ObjectKey};
use portolan_plan::kubefed::placement::{
    Clusters, NamespaceGate, PlacementError, Selected, is_gated, select,
};
use portolan_plan::kubefed::template::{self, TemplateError};
use portolan_plan::propagation::work;
use portolan_runtime::Resource;
use portolan_runtime::cache::Change;

use crate::hub::{Hub, binding_of};
use crate::propagation::{Pipeline, of_binding};

/// The clusters of a federated object cannot be determined; it stays where it is.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unplaceable {
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error(transparent)]
    Placement(#[from] PlacementError),
    #[error("FederatedNamespace {0}: {1}")]
    Namespace(String, Box<Unplaceable>),
}

/// Whether a cluster changed in a field that placements or the status of federated objects depend on.
pub(super) fn is_relevant(change: &Change<Cluster>) -> bool {
    let (Some(old), Some(new)) = (&change.old, &change.new) else { return true };
    old.metadata.labels != new.metadata.labels
        || old.metadata.is_deleting() != new.metadata.is_deleting()
        || is_ready(old) != is_ready(new)
}

/// The clusters that are not being deleted, by name.
pub(super) fn clusters(hub: &Hub) -> BTreeMap<String, Arc<Cluster>> {
    let staying = hub.clusters.list().into_iter().filter(|cluster| !cluster.metadata.is_deleting());
    staying.map(|cluster| (cluster.metadata.name.clone(), cluster)).collect()
}

/// The resource of the federated objects of a type.
pub(super) fn resource(of: &FederatedType) -> Resource {
    Resource::from(&of.federated)
}

pub(super) fn is_ready(cluster: &Cluster) -> bool {
    condition(&cluster.status.conditions, READY).is_some_and(|ready| ready.is_true())
}

/// The clusters that the placement of a federated object selects.
pub(super) fn selected(
    clusters: &BTreeMap<String, Arc<Cluster>>,
    spec: &FederatedSpec,
) -> Result<Selected, PlacementError> {
    let labels: Clusters<'_> =
        clusters.iter().map(|(name, cluster)| (name.as_str(), &cluster.metadata.labels)).collect();
    select(spec.placement.as_ref(), &labels)
}

/// What the namespace of a federated object says about its clusters.
///
/// # Errors
/// When the placement of the FederatedNamespace cannot be evaluated.
pub(super) fn gate(
    pipeline: &Pipeline,
    clusters: &BTreeMap<String, Arc<Cluster>>,
    federated: &Object,
    of: &FederatedType,
) -> Result<NamespaceGate, Unplaceable> {
    let namespace = federated.namespace();
    if of.is_namespace() || !is_gated(namespace, SYSTEM_NAMESPACE) {
        return Ok(NamespaceGate::Open);
    }
    let Some(found) = pipeline.federated_namespace(namespace).filter(|found| !found.is_deleting()) else {
        let is_required = pipeline.hub().federated_types.settings().requires_namespaces;
        return Ok(if is_required { NamespaceGate::NotFederated } else { NamespaceGate::Open });
    };
    let allowed = template::spec(&found)
        .map_err(Unplaceable::Template)
        .and_then(|spec| selected(clusters, &spec).map_err(Unplaceable::Placement));
    let allowed =
        allowed.map_err(|cause| Unplaceable::Namespace(found.name().to_owned(), Box::new(cause)))?;
    Ok(NamespaceGate::Clusters(allowed.clusters))
}

/// The Works of a binding, each with its cluster.
pub(super) fn works(hub: &Hub, binding: &ObjectKey) -> BTreeMap<String, Arc<Work>> {
    let with_cluster = |work: Arc<Work>| {
        let cluster = names::cluster_of_execution_namespace(&work.metadata.namespace)?.to_owned();
        Some((cluster, work))
    };
    of_binding(hub, binding).into_iter().filter_map(with_cluster).collect()
}

/// The other binding that has the Work of the same object in a cluster.
pub(super) fn taken_by(
    hub: &Hub,
    binding: &ObjectKey,
    template: &Object,
    clusters: &BTreeSet<String>,
) -> BTreeMap<String, ObjectKey> {
    let other = |cluster: &String| {
        let found = hub.works.get(&work::key(template, cluster))?;
        let owner = binding_of(&found).filter(|owner| owner != binding)?;
        Some((cluster.clone(), owner))
    };
    clusters.iter().filter_map(other).collect()
}
