//! One binding: scheduling, Works, status; or its removal.
//!
//! One controller does all three, so that a binding has one writer and its status is written once per change.

use std::sync::Arc;

use portolan_api::finalizers;
use portolan_object::{Object, ObjectKey};
use portolan_plan::propagation::binding::belongs_to_another;
use portolan_runtime::client::{BoxError, Delete, Patch};
use portolan_runtime::{ClientError, Outcome, Reconciler};
use serde_json::json;

use crate::missing::ignore_missing;
use crate::propagation::Pipeline;
use crate::propagation::scoped::Binding;
use crate::propagation::{dependencies, report, schedule, templates, works};

pub(super) struct Bindings(pub(super) Pipeline);

impl Reconciler for Bindings {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        let Some(binding) = self.0.bindings.get(key) else {
            self.0.first_reports.forget(key);
            self.0.triggers.forget(key);
            return Outcome::Done;
        };
        if binding.metadata.is_deleting() {
            return self.leave(key, &binding).await.into();
        }
        self.reconcile_binding(key, &binding).await.into()
    }
}

impl Bindings {
    async fn reconcile_binding(&self, key: &ObjectKey, binding: &Arc<Binding>) -> Result<Outcome, BoxError> {
        let template = self.0.template(&binding.template_kind(), &binding.template_key());
        let Some(template) = template.filter(|template| !belongs_to_another(&binding.metadata, template))
        else {
            return self.without_template(key, binding).await;
        };
        let (binding, scheduled) = schedule::reconcile_schedule(&self.0, key, (**binding).clone()).await?;
        let works = works::sync_works(&self.0, key, &binding, &template).await;
        let decided = report::Decided {
            scheduled,
            failed_overrides: works.failed_overrides,
            dependencies: dependencies::found(&self.0, &binding),
        };
        let reported = report::aggregate_status(&self.0, key, &binding, &template, decided).await?;
        works.result?;
        Ok(reported)
    }

    /// Handles a binding when its template is not in the cache. The binding is deleted only if the API server says that the
    /// template does not exist, because a cache can lack an object for other reasons.
    async fn without_template(&self, key: &ObjectKey, binding: &Binding) -> Result<Outcome, BoxError> {
        if !templates::is_claimed(binding) && binding.metadata.owner_references.is_empty() {
            return Ok(Outcome::Done);
        }
        let kind = binding.template_kind();
        let Some(cache) = self.0.templates.of_kind(&kind.group_kind()) else { return Ok(Outcome::Done) };
        let api = self.0.hub.client.resource::<Object>(cache.resource());
        match api.get(&binding.template_key()).await {
            // The cache is behind.
            Ok(found) if found.uid() == binding.spec.resource.uid => return Ok(Outcome::Stale),
            Ok(_) => {}
            // The status names the object, so the type is served and the object does not exist.
            Err(ClientError::NotFound(status))
                if status.details.as_ref().is_some_and(|details| !details.name.is_empty()) => {}
            Err(error) => return Err(error.into()),
        }
        let uid = binding.metadata.uid.clone();
        ignore_missing(self.0.bindings.api(key).delete(key, &Delete::default().uid(uid)).await)?;
        Ok(Outcome::Done)
    }

    /// Deletes the Works first. Each is released after its object in the member is deleted, which queues this key again.
    async fn leave(&self, key: &ObjectKey, binding: &Binding) -> Result<(), ClientError> {
        let works = works::of_binding(&self.0.hub, key);
        for work in works.iter().filter(|work| !work.metadata.is_deleting()) {
            works::remove(&self.0.hub, work).await?;
        }
        if !works.is_empty() {
            return Ok(());
        }
        let ours = [finalizers::BINDING, finalizers::CLUSTER_BINDING];
        let Some(finalizers) = binding.metadata.without_finalizers(&ours) else { return Ok(()) };
        let patch = json!({ "metadata": {
            "resourceVersion": binding.metadata.resource_version, "finalizers": finalizers } });
        ignore_missing(self.0.bindings.api(key).patch(key, &Patch::Merge(patch)).await).map(drop)
    }
}
