//! One namespace of the hub: its Work for every cluster.

use std::collections::BTreeSet;

use portolan_api::work::Work;
use portolan_api::{labels, names};
use portolan_object::ObjectKey;
use portolan_plan::propagation::removal::{Cause, Origin};
use portolan_plan::propagation::{namespace, work};
use portolan_runtime::client::BoxError;
use portolan_runtime::{Outcome, Reconciler};

use crate::failures::Failures;
use crate::propagation::Pipeline;
use crate::propagation::works::events::report_failed_override;
use crate::propagation::works::views;
use crate::propagation::works::write::{send, write_for};
use crate::removal::remove;

pub(super) struct Namespaces(pub(super) Pipeline);

impl Reconciler for Namespaces {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        self.sync_works(key).await.into()
    }
}

impl Namespaces {
    async fn sync_works(&self, key: &ObjectKey) -> Result<Outcome, BoxError> {
        let hub = &self.0.hub;
        // Absent from the cache is no proof of deletion. The Works are garbage-collected with the namespace.
        let Some(object) = hub.namespaces.get(key) else { return Ok(Outcome::Done) };
        if object.is_deleting() {
            self.withdraw(key).await?;
            return Ok(Outcome::Done);
        }
        if !namespace::is_propagated(&object) || hub.skipped.has_namespace(&key.name) {
            // The label and the flag stop propagation; existing copies stay.
            return Ok(Outcome::Done);
        }
        if self.0.federated_namespace(&key.name).is_some() {
            // It says in which clusters the namespace is.
            return Ok(Outcome::Done);
        }
        let in_effect = self.0.overrides_in_effect("");
        let policies = views(&in_effect);
        let mut writes = Vec::new();
        let leaving = &self.0.leaving_overrides;
        let mut again = leaving.wait(&object);
        let mut failures = Failures::default();
        for cluster in hub.clusters.list() {
            if cluster.metadata.is_deleting() {
                continue;
            }
            let old = hub.works.get(&work::key(&object, &cluster.metadata.name));
            if old.as_ref().is_some_and(|old| Origin::of(old) == Origin::Binding) {
                // A deleted FederatedNamespace takes it away first, which queues the key again.
                continue;
            }
            if let Some(wait) = old.as_ref().and_then(|old| leaving.hold(&old.metadata, "", &in_effect)) {
                again = again.max(Some(wait));
                continue;
            }
            let id = old.as_ref().and_then(|old| old.metadata.label(labels::work::PERMANENT_ID));
            let id = id.map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned);
            match namespace::work(&object, &cluster, &policies, &id) {
                Ok(new) => {
                    let write = write_for(old.as_deref(), new, &object);
                    match write.as_ref().and_then(|write| write.wait(hub)) {
                        Some(wait) => again = again.max(Some(wait)),
                        None => writes.extend(write.map(|write| send(hub, write))),
                    }
                }
                Err(error) => {
                    report_failed_override(hub, &object, &error);
                    failures.push(error);
                }
            }
        }
        failures.append(Failures::of_all(writes).await);
        failures.into_result()?;
        Ok(again.map_or(Outcome::Done, Outcome::RequeueAfter))
    }

    /// Deletes the copies of a namespace that is being deleted on the hub, where Portolan created them.
    async fn withdraw(&self, key: &ObjectKey) -> Result<(), BoxError> {
        let hub = &self.0.hub;
        let name = names::work("Namespace", &key.name, "");
        let clusters: BTreeSet<String> =
            hub.clusters.keys().into_iter().map(|cluster| cluster.name).collect();
        for cluster in clusters {
            let work_key = ObjectKey::namespaced(names::execution_namespace(&cluster), &*name);
            let is_concerned = |work: &Work| {
                let is_removed = work.metadata.is_deleting() && Cause::of(work).is_some();
                !is_removed && Origin::of(work) != Origin::Binding
            };
            if let Some(work) = hub.works.get(&work_key).filter(|work| is_concerned(work)) {
                remove(hub, &work, Cause::NamespaceDeleted).await?;
            }
        }
        Ok(())
    }
}
