//! Removing a Work: its object in the member first, its finalizer last (karmada
//! pkg/controllers/execution/execution_controller.go).

use portolan_api::work::Work;
use portolan_api::{annotations, finalizers, labels, names};
use portolan_object::{Object, ObjectKey};
use portolan_plan::clusters::ownership::is_own;
use portolan_plan::propagation::claim::{ANNOTATIONS, LABELS};
use portolan_plan::propagation::work::is_named_after_manifest;
use portolan_runtime::client::{Delete, Patch};
use portolan_runtime::{Api, ClientError, ClusterName, Outcome, Reconciler};
use serde_json::{Value, json};

use super::{Executor, manifest, work_of};
use crate::hub::Hub;
use crate::missing::ignore_missing;

/// Labels that are removed from a preserved object.
const MARK_LABELS: &[&str] = &[
    labels::MANAGED,
    labels::CONTROL_PLANE,
    labels::work::PERMANENT_ID,
    labels::binding::PERMANENT_ID,
    labels::cluster_binding::PERMANENT_ID,
];
/// Annotations that are removed from a preserved object.
const MARK_ANNOTATIONS: &[&str] = &[
    annotations::work::NAMESPACE,
    annotations::work::NAME,
    annotations::work::CONFLICT_RESOLUTION,
    annotations::binding::NAMESPACE,
    annotations::binding::NAME,
    annotations::cluster_binding::NAME,
    annotations::template::UID,
    annotations::template::GENERATION,
    annotations::template::MANAGED_LABELS,
    annotations::template::MANAGED_ANNOTATIONS,
];

impl Executor {
    /// Deletes the object of a Work, or preserves it without marks; then releases the Work.
    pub(super) async fn remove(&self, work: &Work) -> Result<Outcome, ClientError> {
        if !work.metadata.has_finalizer(finalizers::EXECUTION) {
            return Ok(Outcome::Done);
        }
        let Some(own) = self.member.hold().holder() else {
            // A change of the hold queues the Work again.
            return Ok(Outcome::Done);
        };
        if let Some(manifest) = manifest(work)
            && let Some(resource) = self.member.resource(&manifest.group_version_kind())
        {
            let api = self.member.client().resource::<Object>(&resource);
            // An object that the Work was not made for does not stay.
            if work.spec.preserve_resources_on_deletion == Some(true) && is_named_after_manifest(work) {
                unmark(&api, &manifest.key(), work, &own).await?;
            } else {
                delete(&api, &manifest.key(), work, &own).await?;
            }
        }
        release(&self.hub, work).await?;
        Ok(Outcome::Done)
    }
}

/// The object in the member, if it belongs to `work` of control plane `own`.
async fn owned_object(
    api: &Api<Object>,
    key: &ObjectKey,
    work: &Work,
    own: &str,
) -> Result<Option<Object>, ClientError> {
    let Some(object) = ignore_missing(api.get(key).await)? else { return Ok(None) };
    let is_marked = object.label(labels::MANAGED) == Some(labels::TRUE);
    let work_key = work.metadata.key();
    // Another Work may have taken over the object.
    Ok(Some(object).filter(|object| {
        is_marked && is_own(object, own) && work_of(object).is_none_or(|owner| owner == work_key)
    }))
}

async fn delete(api: &Api<Object>, key: &ObjectKey, work: &Work, own: &str) -> Result<(), ClientError> {
    let Some(object) = owned_object(api, key, work, own).await? else { return Ok(()) };
    ignore_missing(api.delete(key, &Delete::background().uid(object.uid())).await).map(drop)
}

async fn unmark(api: &Api<Object>, key: &ObjectKey, work: &Work, own: &str) -> Result<(), ClientError> {
    if owned_object(api, key, work, own).await?.is_none() {
        return Ok(());
    }
    let nulls = |keys: &[&[&str]]| -> Value {
        keys.concat().into_iter().map(|key| (key.to_owned(), Value::Null)).collect()
    };
    let patch = json!({ "metadata": {
        "labels": nulls(&[MARK_LABELS, LABELS]),
        "annotations": nulls(&[MARK_ANNOTATIONS, ANNOTATIONS]),
    } });
    ignore_missing(api.patch(key, &Patch::Merge(patch)).await).map(drop)
}

/// Removes the finalizer.
async fn release(hub: &Hub, work: &Work) -> Result<(), ClientError> {
    let Some(finalizers) = work.metadata.without_finalizers(&[finalizers::EXECUTION]) else { return Ok(()) };
    let patch = json!({ "metadata": {
        "resourceVersion": work.metadata.resource_version, "finalizers": finalizers } });
    let key = work.metadata.key();
    ignore_missing(hub.client.kind::<Work>().patch(&key, &Patch::Merge(patch)).await).map(drop)
}

/// Handles a Work that is being deleted while its cluster cannot be reached. It waits for the cluster, unless the cluster
/// is being removed; then the object stays in the member.
pub(super) async fn abandon_if_leaving(
    hub: &Hub,
    cluster: &ClusterName,
    work: &Work,
) -> Result<Outcome, ClientError> {
    let is_leaving = hub.cluster(cluster).is_none_or(|cluster| cluster.metadata.is_deleting());
    if is_leaving && work.metadata.has_finalizer(finalizers::EXECUTION) {
        let key = work.metadata.key();
        tracing::info!(%cluster, work = %key, "the object stays in the member, which cannot be reached and is leaving");
        release(hub, work).await?;
    }
    Ok(Outcome::Done)
}

/// Releases the Works of removed clusters.
pub(super) struct Abandoned(pub(super) Hub);

impl Reconciler for Abandoned {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        let hub = &self.0;
        let Some(work) = hub.works.get(key) else { return Outcome::Done };
        let Some(cluster) = names::cluster_of_execution_namespace(&key.namespace) else {
            return Outcome::Done;
        };
        if !work.metadata.is_deleting() || !hub.clusters.is_synced() {
            return Outcome::Done;
        }
        let cluster = ClusterName::new(cluster);
        // A cluster with a Cluster object and no member is about to be connected, or applies its Works itself (pull).
        if hub.cluster(&cluster).is_some() {
            return Outcome::Done;
        }
        abandon_if_leaving(hub, &cluster, &work).await.into()
    }
}
