//! One federated object: finalizer, binding, and status (kubefed pkg/controller/sync/controller.go).

use std::collections::BTreeSet;
use std::sync::Arc;

use portolan_api::kubefed::{FINALIZER, FederatedServiceStatus, FederatedType, TypeName};
use portolan_api::policy::ConflictResolution;
use portolan_object::{Object, ObjectKey};
use portolan_plan::kubefed::binding::{self, Leaving, is_orphaned, leaving};
use portolan_plan::kubefed::type_config::Configured;
use portolan_plan::propagation::binding::{belongs_to_another, differs, unclaimed_metadata};
use portolan_runtime::client::{BoxError, Delete, Patch};
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::{Api, Cache, ClientError, Outcome, Reconciler};
use serde_json::json;

use super::assessment::{Assessment, assess};
use super::waiting::Waiting;
use super::{facts, report, service_status};
use crate::missing::ignore_missing;
use crate::propagation::{Binding, Pipeline, TemplateKey, binding_key};

pub(super) struct FederatedObjects {
    pub(super) pipeline: Pipeline,
    pub(super) waiting: Waiting,
    pub(super) statuses: Cache<FederatedServiceStatus>,
}

impl Reconciler for FederatedObjects {
    type Key = TemplateKey;

    async fn reconcile(&self, key: &TemplateKey) -> Outcome {
        let Some(object) = self.pipeline.template(&key.kind, &key.key) else {
            self.waiting.note(key, false);
            return Outcome::Done;
        };
        if object.is_deleting() {
            return self.leave(key, &object).await.into();
        }
        if let Some(configured) = self.pipeline.hub().federated_types.of_federated(&key.kind.group_kind()) {
            return self.sync(key, &configured, object).await.into();
        }
        let Some(resource) = self.pipeline.resource_of(&key.kind) else { return Outcome::Done };
        let configured = Configured::without_config(TypeName::from(&resource));
        self.sync(key, &configured, object).await.into()
    }
}

impl FederatedObjects {
    async fn sync(
        &self,
        key: &TemplateKey,
        configured: &Configured,
        object: Arc<Object>,
    ) -> Result<Outcome, BoxError> {
        let of = &configured.of;
        let object = self.with_finalizer(key, object).await?;
        let assessment = assess(&self.pipeline, &object, configured);
        if let Some(selected) = &assessment.selected {
            let binding = binding_key(object.kind(), &key.key);
            if let Some(delay) = self.pipeline.hub().released.wait(&binding) {
                return Ok(Outcome::RequeueAfter(delay));
            }
            self.bind(&object, of, selected).await?;
        }
        // With both collections on, KubeFed fills `remoteStatus` only.
        if configured.has_service_status && !assessment.collects_status {
            let (hub, binding) = (self.pipeline.hub(), binding_key(object.kind(), &key.key));
            service_status::write(hub, &self.statuses, &object, &binding, &assessment.clusters).await?;
        }
        self.report(key, of, &object, &assessment).await
    }

    /// Writes the status; requeues the key while answers are awaited.
    async fn report(
        &self,
        key: &TemplateKey,
        of: &FederatedType,
        object: &Object,
        assessment: &Assessment,
    ) -> Result<Outcome, BoxError> {
        let binding = binding_key(object.kind(), &key.key);
        let lasted = self.waiting.lasted(key);
        let reported = report::statuses(&self.pipeline, &binding, assessment, lasted);
        self.waiting.note(key, reported.is_pending);
        if !reported.is_pending {
            report::write(&self.pipeline, of, object, assessment, reported.clusters).await?;
            return Ok(Outcome::Done);
        }
        Ok(Outcome::RequeueAfter(report::wait(lasted)))
    }

    /// Objects with the finalizer are deleted only after their objects in members.
    async fn with_finalizer(
        &self,
        key: &TemplateKey,
        object: Arc<Object>,
    ) -> Result<Arc<Object>, ClientError> {
        if object.finalizers().any(|name| name == FINALIZER) {
            return Ok(object);
        }
        let finalizers: Vec<&str> = object.finalizers().chain([FINALIZER]).collect();
        let patch = json!({ "metadata": {
            "resourceVersion": object.resource_version(), "finalizers": finalizers } });
        let Some(api) = self.api(key) else { return Ok(object) };
        let written = api.patch(&key.key, &Patch::Merge(patch)).await?;
        self.pipeline.template_written(written.clone());
        Ok(Arc::new(written))
    }

    /// Creates or updates the binding; the pass over the binding makes the Works.
    async fn bind(
        &self,
        object: &Object,
        of: &FederatedType,
        selected: &BTreeSet<String>,
    ) -> Result<(), ClientError> {
        let key = binding_key(object.kind(), &object.key());
        let bindings = self.pipeline.bindings();
        // A namespace that others made is used as it is, so that it stays when the federated one goes.
        let adopts = self.pipeline.hub().federated_types.settings().adopts && !of.is_namespace();
        let resolution = if adopts { ConflictResolution::Overwrite } else { ConflictResolution::Abort };
        let Some(present) = bindings.get(&key) else {
            let spec = binding::spec(object, selected, resolution, None);
            let metadata = unclaimed_metadata(object, &uuid::Uuid::new_v4().to_string());
            bindings.written(bindings.api(&key).create(&Binding::new(metadata, spec)).await?);
            return Ok(());
        };
        if present.metadata.is_deleting() {
            // It is made again when it is gone, which queues the federated object.
            return Ok(());
        }
        if belongs_to_another(&present.metadata, object) {
            return self.delete_binding(&key, &present).await;
        }
        let spec = binding::spec(object, selected, resolution, Some(&present.spec));
        if differs(&present.spec, &spec) {
            let changed = Binding { spec, ..Binding::clone(&present) };
            bindings.written(bindings.api(&key).replace(&changed).await?);
        } else {
            self.pipeline.queue_binding(key);
        }
        Ok(())
    }

    /// Deletes the binding, which deletes the objects in members, and then releases the federated object.
    async fn leave(&self, key: &TemplateKey, object: &Object) -> Result<Outcome, BoxError> {
        self.waiting.note(key, false);
        if !object.finalizers().any(|name| name == FINALIZER) {
            return Ok(Outcome::Done);
        }
        let binding = binding_key(object.kind(), &key.key);
        let found = self.pipeline.bindings().get(&binding);
        let found = found.filter(|found| !belongs_to_another(&found.metadata, object));
        let Some(found) = found else { return Ok(self.release(key, object).await?) };
        let is_owned = !found.metadata.owner_references.is_empty();
        if is_orphaned(object) && is_owned {
            // Without an owner, the objects in members stay also when the federated object is gone first.
            self.disown(&binding, &found).await?;
        }
        if !found.metadata.is_deleting() {
            self.delete_binding(&binding, &found).await?;
            return Ok(Outcome::Done);
        }
        let (hub, works) = (self.pipeline.hub(), facts::works(self.pipeline.hub(), &binding));
        let clusters = facts::clusters(hub);
        let is_ready = |name: &str| clusters.get(name).is_some_and(|cluster| facts::is_ready(cluster));
        let works = works.iter().map(|(cluster, work)| (cluster.as_str(), work.as_ref()));
        let Leaving { awaited, left_behind } = leaving(works, is_ready);
        if awaited.is_empty() && !left_behind.is_empty() {
            self.report_left_behind(object, &left_behind);
            return Ok(self.release(key, object).await?);
        }
        // The end of a Work, or of the binding, queues the key again.
        Ok(Outcome::Done)
    }

    fn report_left_behind(&self, object: &Object, clusters: &BTreeSet<String>) {
        let names: Vec<&str> = clusters.iter().map(String::as_str).collect();
        let message = format!(
            "the object stays in {}, which does not answer; it is deleted there when the cluster answers again",
            names.join(", ")
        );
        let about = Regarding::object(object);
        self.pipeline.hub().events.record(about, Severity::Warning, "WaitForRemovalInCluster", message);
    }

    async fn disown(&self, key: &ObjectKey, binding: &Binding) -> Result<(), ClientError> {
        let patch = json!({ "metadata": {
            "resourceVersion": binding.metadata.resource_version, "ownerReferences": null } });
        let bindings = self.pipeline.bindings();
        if let Some(written) = ignore_missing(bindings.api(key).patch(key, &Patch::Merge(patch)).await)? {
            bindings.written(written);
        }
        Ok(())
    }

    async fn delete_binding(&self, key: &ObjectKey, binding: &Binding) -> Result<(), ClientError> {
        let options = Delete::background().uid(binding.metadata.uid.clone());
        ignore_missing(self.pipeline.bindings().api(key).delete(key, &options).await).map(drop)
    }

    async fn release(&self, key: &TemplateKey, object: &Object) -> Result<Outcome, ClientError> {
        let finalizers: Vec<&str> = object.finalizers().filter(|name| *name != FINALIZER).collect();
        let patch = json!({ "metadata": {
            "resourceVersion": object.resource_version(), "finalizers": finalizers } });
        if let Some(api) = self.api(key) {
            ignore_missing(api.patch(&key.key, &Patch::Merge(patch)).await)?;
        }
        Ok(Outcome::Done)
    }

    /// `None` if the kind is not served any more.
    fn api(&self, key: &TemplateKey) -> Option<Api<Object>> {
        Some(self.pipeline.hub().client.resource(&self.pipeline.resource_of(&key.kind)?))
    }
}
