//! Removing a Work: its object in the member first, its finalizer last (karmada
//! pkg/controllers/execution/execution_controller.go).

use portolan_api::cluster::SyncMode;
use portolan_api::policy::protected::PROPAGATION_ANNOTATIONS;
use portolan_api::work::Work;
use portolan_api::{annotations, finalizers, kubefed, labels, names, resources};
use portolan_object::{Object, ObjectKey};
use portolan_plan::clusters::ownership::is_own;
use portolan_plan::kubefed::is_left_alone;
use portolan_plan::propagation::claim::{ANNOTATIONS, LABELS};
use portolan_plan::propagation::removal::{Origin, Removal, decide, holds_preserved, is_of_same_template};
use portolan_plan::propagation::work::is_named_after_manifest;
use portolan_runtime::client::{Delete, Patch};
use portolan_runtime::{Api, ClientError, ClusterName, Outcome, Reconciler};
use serde_json::{Value, json};

use super::facts::facts;
use super::{Executor, manifest, of_agents, work_of};
use crate::hub::{Hub, KEEPING_WORKS};
use crate::missing::ignore_missing;
use crate::removal::release;

/// Labels that are removed from a preserved object.
const MARK_LABELS: &[&str] = &[
    labels::MANAGED,
    labels::CONTROL_PLANE,
    labels::work::PERMANENT_ID,
    labels::binding::PERMANENT_ID,
    labels::cluster_binding::PERMANENT_ID,
    kubefed::MANAGED,
];
/// Annotations that are removed from a preserved object, besides [`PROPAGATION_ANNOTATIONS`].
const MARK_ANNOTATIONS: &[&str] = &[annotations::namespace::HOLDS_PRESERVED];

impl Executor {
    /// Deletes the object of a Work, preserves it without marks, or keeps it; then releases the Work.
    pub(super) async fn remove(&self, work: &Work) -> Result<Outcome, ClientError> {
        if !work.metadata.has_finalizer(finalizers::EXECUTION) {
            return Ok(Outcome::Done);
        }
        let Some(own) = self.member.hold().holder() else {
            // A change of the hold queues the Work again.
            return Ok(Outcome::Done);
        };
        let facts = facts(&self.hub, self.member.name(), work).await?;
        let removal = decide(work, facts);
        tracing::debug!(cluster = %self.member.name(), work = %work.metadata.key(), ?removal, "a work is being deleted");
        if removal == Removal::Wait {
            // What is written about the binding queues the Work again.
            return Ok(Outcome::Done);
        }
        if let Removal::Delete(_) = removal {
            self.brake.ask(&self.hub, self.member.name()).await?;
            if let Some(outcome) = self.brake.delay(&self.hub, self.member.name(), work) {
                return Ok(outcome);
            }
        }
        if let Some(manifest) = manifest(work)
            && let Some(resource) = self.member.resource(&manifest.group_version_kind())
        {
            let object = MemberObject {
                api: self.member.client().resource::<Object>(&resource),
                key: manifest.key(),
                work,
                own: &own,
            };
            self.remove_object(&object, removal).await?;
        }
        release(&self.hub, work).await?;
        Ok(Outcome::Done)
    }

    async fn remove_object(&self, object: &MemberObject<'_>, removal: Removal) -> Result<(), ClientError> {
        let (cluster, key) = (self.member.name(), &object.key);
        match removal {
            Removal::Wait => Ok(()),
            Removal::Keep => {
                tracing::info!(%cluster, object = %key, "the work was deleted by hand, the object stays and the work is made again");
                Ok(())
            }
            // An object that the Work was not made for does not stay.
            Removal::Preserve if is_named_after_manifest(object.work) => self.preserve(object).await,
            Removal::Preserve => object.delete().await,
            Removal::Delete(_) if self.holds_preserved(object).await? => {
                tracing::info!(%cluster, namespace = %key, "the namespace stays, it holds preserved objects");
                self.preserve(object).await
            }
            Removal::Delete(_) => object.delete().await,
        }
    }

    /// Whether the object is a namespace in which others were preserved, or are about to be.
    async fn holds_preserved(&self, object: &MemberObject<'_>) -> Result<bool, ClientError> {
        if !matches!(Origin::of(object.work), Origin::Namespace { .. }) {
            return Ok(false);
        }
        let kept = format!("{}/{}", object.work.metadata.namespace, object.key.name);
        if self.hub.works.count_by_index(KEEPING_WORKS, &kept) > 0 {
            return Ok(true);
        }
        // A Work is released only after its namespace in the member was noted.
        Ok(object.owned().await?.is_some_and(|namespace| holds_preserved(&namespace)))
    }

    /// Notes on its namespace that the object stays there, and removes its marks.
    async fn preserve(&self, object: &MemberObject<'_>) -> Result<(), ClientError> {
        let namespace = ObjectKey::cluster(&*object.key.namespace);
        if !object.key.namespace.is_empty()
            && let Some(resource) = self.member.resource(&resources::NAMESPACE.gvk())
            && let Some(found) = self.managed(&resource).get(&namespace)
            && !holds_preserved(&found)
        {
            let patch = json!({ "metadata": { "annotations": {
                annotations::namespace::HOLDS_PRESERVED: labels::TRUE } } });
            let api = self.member.client().resource::<Object>(&resource);
            ignore_missing(api.patch(&namespace, &Patch::Merge(patch)).await)?;
        }
        object.unmark().await
    }
}

/// The object of a Work in the member of control plane `own`.
struct MemberObject<'a> {
    api: Api<Object>,
    key: ObjectKey,
    work: &'a Work,
    own: &'a str,
}

impl MemberObject<'_> {
    /// The object, if it belongs to the Work.
    async fn owned(&self) -> Result<Option<Object>, ClientError> {
        let Some(object) = ignore_missing(self.api.get(&self.key).await)? else { return Ok(None) };
        let is_marked = object.label(labels::MANAGED) == Some(labels::TRUE);
        let work_key = self.work.metadata.key();
        // Another Work may have taken over the object.
        let is_left_alone = manifest(self.work).is_some_and(|manifest| is_left_alone(&manifest, &object));
        Ok(Some(object).filter(|object| {
            is_marked
                && !is_left_alone
                && is_own(object, self.own)
                && work_of(object).is_none_or(|owner| owner == work_key)
        }))
    }

    async fn delete(&self) -> Result<(), ClientError> {
        let Some(object) = self.owned().await? else { return Ok(()) };
        if !is_of_same_template(self.work, &object) {
            tracing::warn!(object = %self.key, "the object was made from another template than the work, it stays");
            return Ok(());
        }
        ignore_missing(self.api.delete(&self.key, &Delete::background().uid(object.uid())).await).map(drop)
    }

    async fn unmark(&self) -> Result<(), ClientError> {
        if self.owned().await?.is_none() {
            return Ok(());
        }
        let nulls = |keys: &[&[&str]]| -> Value {
            keys.concat().into_iter().map(|key| (key.to_owned(), Value::Null)).collect()
        };
        let patch = json!({ "metadata": {
            "labels": nulls(&[MARK_LABELS, LABELS]),
            "annotations": nulls(&[PROPAGATION_ANNOTATIONS, MARK_ANNOTATIONS, ANNOTATIONS]),
        } });
        ignore_missing(self.api.patch(&self.key, &Patch::Merge(patch)).await).map(drop)
    }
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
        // A cluster with a Cluster object and no member is about to be connected, or has an agent.
        if let Some(known) = hub.cluster(&cluster) {
            return match known.spec.sync_mode {
                SyncMode::Pull => of_agents::settle(hub, &known, &work).await.into(),
                SyncMode::Push => Outcome::Done,
            };
        }
        abandon_if_leaving(hub, &cluster, &work).await.into()
    }
}
