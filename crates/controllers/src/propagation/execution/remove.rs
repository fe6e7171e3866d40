//! A Work that goes: its object in the member first, its finalizer last (karmada-behaviour 4.2).

use portolan_api::work::Work;
use portolan_api::{annotations, finalizers, labels, names};
use portolan_object::{Object, ObjectKey};
use portolan_plan::propagation::claim::{ANNOTATIONS, LABELS};
use portolan_runtime::client::{Delete, Patch};
use portolan_runtime::{Api, ClientError, ClusterName, Outcome, Reconciler};
use serde_json::{Value, json};

use super::{Executor, manifest, work_of};
use crate::hub::Hub;

/// Labels that a preserved object loses.
const MARK_LABELS: &[&str] = &[
    labels::MANAGED,
    labels::work::PERMANENT_ID,
    labels::binding::PERMANENT_ID,
    labels::cluster_binding::PERMANENT_ID,
];
/// Annotations that a preserved object loses.
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
    /// Removes the object that came from a Work, or lets it stay without marks; then releases the Work.
    pub(super) async fn remove(&self, work: &Work) -> Result<Outcome, ClientError> {
        if !has_finalizer(work) {
            return Ok(Outcome::Done);
        }
        if let Some(manifest) = manifest(work)
            && let Some(resource) = self.member.resource(&manifest.group_version_kind())
        {
            let api = self.member.client().resource::<Object>(&resource);
            if work.spec.preserve_resources_on_deletion == Some(true) {
                unmark(&api, &manifest.key(), work).await?;
            } else {
                delete(&api, &manifest.key(), work).await?;
            }
        }
        release(&self.hub, work).await?;
        Ok(Outcome::Done)
    }
}

/// The object as it is now, when it is the one that came from `work`.
async fn ours(api: &Api<Object>, key: &ObjectKey, work: &Work) -> Result<Option<Object>, ClientError> {
    let object = match api.get(key).await {
        Err(error) if error.is_not_found() => return Ok(None),
        result => result?,
    };
    let is_marked = object.label(labels::MANAGED) == Some(labels::TRUE);
    let work_key = work.metadata.key();
    // An object that another Work has taken over since is that one's.
    Ok(Some(object).filter(|object| is_marked && work_of(object).is_none_or(|owner| owner == work_key)))
}

async fn delete(api: &Api<Object>, key: &ObjectKey, work: &Work) -> Result<(), ClientError> {
    let Some(object) = ours(api, key, work).await? else { return Ok(()) };
    match api.delete(key, &Delete::background().uid(object.uid())).await {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}

async fn unmark(api: &Api<Object>, key: &ObjectKey, work: &Work) -> Result<(), ClientError> {
    if ours(api, key, work).await?.is_none() {
        return Ok(());
    }
    let nulls = |keys: &[&[&str]]| -> Value {
        keys.concat().into_iter().map(|key| (key.to_owned(), Value::Null)).collect()
    };
    let patch = json!({ "metadata": {
        "labels": nulls(&[MARK_LABELS, LABELS]),
        "annotations": nulls(&[MARK_ANNOTATIONS, ANNOTATIONS]),
    } });
    match api.patch(key, &Patch::Merge(patch)).await {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}

fn has_finalizer(work: &Work) -> bool {
    work.metadata.finalizers.iter().any(|held| held == finalizers::EXECUTION)
}

/// Takes the finalizer off.
async fn release(hub: &Hub, work: &Work) -> Result<(), ClientError> {
    let mut finalizers = work.metadata.finalizers.clone();
    finalizers.retain(|held| held != finalizers::EXECUTION);
    let patch = json!({ "metadata": {
        "resourceVersion": work.metadata.resource_version, "finalizers": finalizers } });
    let key = work.metadata.key();
    match hub.client.kind::<Work>().patch(&key, &Patch::Merge(patch)).await {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}

/// A Work whose cluster cannot be reached: it waits for the cluster, unless the cluster is leaving for good. Then the
/// object in the member is left as it is.
pub(super) async fn abandon_if_leaving(
    hub: &Hub,
    cluster: &ClusterName,
    work: &Work,
) -> Result<Outcome, ClientError> {
    let is_leaving = hub.cluster(cluster).is_none_or(|cluster| cluster.metadata.is_deleting());
    if is_leaving && has_finalizer(work) {
        let key = work.metadata.key();
        tracing::info!(%cluster, work = %key, "the object stays in the member, which cannot be reached and is leaving");
        release(hub, work).await?;
    }
    Ok(Outcome::Done)
}

/// Releases Works of clusters that have no member: those of clusters that are gone.
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
        // With a Cluster object and no member yet, the member is about to come, or works for itself (pull).
        if hub.cluster(&cluster).is_some() {
            return Outcome::Done;
        }
        abandon_if_leaving(hub, &cluster, &work).await.into()
    }
}
