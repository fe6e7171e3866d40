//! One binding: scheduling, Works, status; or its removal.
//!
//! One controller does all three, so that a binding has one writer and its status is written once per change.

use std::sync::Arc;

use portolan_api::kubefed::is_federated;
use portolan_api::work::Work;
use portolan_api::{finalizers, names};
use portolan_object::{Object, ObjectKey};
use portolan_plan::kubefed::binding::is_orphaned;
use portolan_plan::propagation::binding::belongs_to_another;
use portolan_plan::propagation::namespace::{handed_over, is_propagated};
use portolan_plan::propagation::removal::Cause;
use portolan_runtime::client::{BoxError, Delete, Patch};
use portolan_runtime::{ClientError, Outcome, Reconciler};
use serde_json::json;

use crate::failures::Failures;
use crate::missing::ignore_missing;
use crate::propagation::Pipeline;
use crate::propagation::failover::{forget_failures, reconcile_failover};
use crate::propagation::remade_works::remake;
use crate::propagation::scoped::Binding;
use crate::propagation::source::Source;
use crate::propagation::{dependencies, lost_bindings, report, schedule, templates, works};
use crate::removal::remove;

pub(super) struct Bindings(pub(super) Pipeline);

impl Reconciler for Bindings {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        let Some(binding) = self.0.bindings.get(key) else {
            self.0.first_reports.forget(key);
            self.0.uncounted.forget(key);
            self.0.triggers.forget(key);
            self.0.failover.forget(key);
            return lost_bindings::without_binding(&self.0, key).await.into();
        };
        if binding.metadata.is_deleting() {
            return self.leave(key, &binding).await.into();
        }
        self.reconcile_binding(key, &binding).await.into()
    }
}

impl Bindings {
    async fn reconcile_binding(&self, key: &ObjectKey, binding: &Arc<Binding>) -> Result<Outcome, BoxError> {
        let source = match Source::of(&self.0, binding) {
            Ok(Some(source)) if !belongs_to_another(&binding.metadata, source.object()) => source,
            Ok(_) => return self.without_template(key, binding).await,
            // Members keep what they have; the federated object says why.
            Err(_) => return Ok(Outcome::Done),
        };
        let binding = &match source.is_template() {
            true => forget_failures(&self.0, key, binding, source.object()).await?,
            false => binding.clone(),
        };
        let (binding, scheduled) = schedule::reconcile_schedule(&self.0, key, (**binding).clone()).await?;
        let works = works::sync_works(&self.0, key, &binding, &source).await;
        if let Some(delay) = works.again {
            // Until then the status stays as the Works had it.
            works.result?;
            return Ok(Outcome::RequeueAfter(works.held.map_or(delay, |held| held.min(delay))));
        }
        let decided = report::Decided {
            scheduled,
            failed_overrides: works.failed_overrides,
            not_made: works.not_made.into_iter().chain(self.0.uncounted.failure(key)).collect(),
            dependencies: dependencies::found(&self.0, &binding),
        };
        let reported = report::aggregate_status(&self.0, key, &binding, &source, decided).await?;
        let again = match source.is_template() {
            true => reconcile_failover(&self.0, key, source.object()).await?,
            // The placement of a federated object knows no taints.
            false => None,
        };
        works.result?;
        let again = again.into_iter().chain(works.held).min();
        Ok(match (reported, again) {
            (Outcome::Done, Some(delay)) => Outcome::RequeueAfter(delay),
            (Outcome::RequeueAfter(first), Some(second)) => Outcome::RequeueAfter(first.min(second)),
            (reported, _) => reported,
        })
    }

    /// Handles a binding when its template is not in the cache. The binding is deleted only if the API server says that the
    /// template does not exist, because a cache can lack an object for other reasons.
    async fn without_template(&self, key: &ObjectKey, binding: &Binding) -> Result<Outcome, BoxError> {
        // An orphaned template takes the owner of its binding along, and a policy that was deleted before it the claim.
        let is_ours = binding.metadata.finalizers.iter().any(|one| OURS.contains(&one.as_str()));
        if !is_ours && !templates::is_claimed(binding) && binding.metadata.owner_references.is_empty() {
            return Ok(Outcome::Done);
        }
        match self.look_up_template(binding).await? {
            // The cache is behind.
            Template::Found(found) if found.uid() == binding.spec.resource.uid => return Ok(Outcome::Stale),
            Template::Unknown => return Ok(Outcome::Done),
            Template::Found(_) | Template::Gone => {}
        }
        // At this version only: the garbage collector may have taken the owner away since, to orphan the binding.
        let options = Delete {
            uid: Some(binding.metadata.uid.clone()),
            resource_version: Some(binding.metadata.resource_version.clone()),
            ..Delete::default()
        };
        ignore_missing(self.0.bindings.api(key).delete(key, &options).await)?;
        Ok(Outcome::Done)
    }

    /// Deletes the Works first, unless the binding is made again. Each is released after its object in the member is deleted,
    /// which queues this key again.
    async fn leave(&self, key: &ObjectKey, binding: &Binding) -> Result<(), BoxError> {
        let works = works::of_binding(&self.0.hub, key);
        let template = self.look_up_template(binding).await?;
        let Some(cause) = self.cause_of_leaving(binding, &template) else {
            return Ok(self.release_to_next(key, binding, &works).await?);
        };
        if let Some(namespace) = self.namespace_without(binding) {
            return self.hand_over(key, binding, &works, &namespace).await;
        }
        remake(&self.0, key, binding, &works, &[]).await?;
        let works = works::of_binding(&self.0.hub, key);
        if !works.is_empty() {
            let removals = works.iter().filter(|work| !is_removed(work, cause));
            return Failures::of_all(removals.map(|work| remove(&self.0.hub, work, cause)))
                .await
                .into_result();
        }
        Ok(self.release(key, binding).await?)
    }

    /// Releases a binding that is made again. What it knows of Works that were deleted by hand does not pass to the next
    /// binding: these Works end first, and others stand in for them.
    async fn release_to_next(
        &self,
        key: &ObjectKey,
        binding: &Binding,
        works: &[Arc<Work>],
    ) -> Result<(), ClientError> {
        if works.iter().any(|work| work.metadata.is_deleting() && Cause::of(work).is_none()) {
            let clusters: Vec<&str> = works
                .iter()
                .filter_map(|work| names::cluster_of_execution_namespace(&work.metadata.namespace))
                .collect();
            // The end of the last one queues the binding again.
            return remake(&self.0, key, binding, works, &clusters).await;
        }
        remake(&self.0, key, binding, works, &[]).await?;
        self.0.hub.released.note(key.clone());
        self.release(key, binding).await
    }

    /// The namespace of the hub that goes to every cluster when its FederatedNamespace is gone.
    fn namespace_without(&self, binding: &Binding) -> Option<Arc<Object>> {
        if binding.template_kind() != self.0.hub.federated_types.namespace_kind() {
            return None;
        }
        let key = ObjectKey::cluster(&*binding.spec.resource.namespace);
        let namespace = self.0.hub.namespaces.get(&key)?;
        (is_propagated(&namespace) && !self.0.hub.skipped.has_namespace(&key.name)).then_some(namespace)
    }

    /// Passes the Works of a FederatedNamespace to the namespace of the hub, so that the members keep theirs.
    async fn hand_over(
        &self,
        key: &ObjectKey,
        binding: &Binding,
        works: &[Arc<Work>],
        namespace: &Object,
    ) -> Result<(), BoxError> {
        let api = self.0.hub.client.kind::<Work>();
        for work in works.iter().filter(|work| !works::write::is_removed(work)) {
            let handed = handed_over(work, namespace);
            if let Some(written) = ignore_missing(api.replace(&handed).await)? {
                self.0.hub.work_written(written);
            }
        }
        self.release(key, binding).await?;
        self.0.namespace_queue.add(ObjectKey::cluster(namespace.name()));
        Ok(())
    }

    /// Removes the finalizer of a binding that is being deleted.
    async fn release(&self, key: &ObjectKey, binding: &Binding) -> Result<(), ClientError> {
        let Some(finalizers) = binding.metadata.without_finalizers(&OURS) else { return Ok(()) };
        let patch = json!({ "metadata": {
            "resourceVersion": binding.metadata.resource_version, "finalizers": finalizers } });
        ignore_missing(self.0.bindings.api(key).patch(key, &Patch::Merge(patch)).await).map(drop)
    }

    /// Why the Works of a binding go with it. `None` if it is made again, because its template and its policy, or a binding that
    /// depends on it, still want it: the Works stay for the next one. Without them, nothing would tell which members have the
    /// object if the template is deleted before that.
    fn cause_of_leaving(&self, binding: &Binding, template: &Template) -> Option<Cause> {
        let uid = &binding.spec.resource.uid;
        let has_owner = binding.metadata.owner_references.iter().any(|owner| owner.uid == *uid);
        let deleted = if has_owner { Cause::TemplateDeleted } else { Cause::TemplateOrphaned };
        let Template::Found(template) = template else { return Some(deleted) };
        if lost_bindings::is_needed(&self.0, binding, template) {
            return None;
        }
        if template.uid() != *uid {
            return Some(deleted);
        }
        if template.is_deleting() {
            let is_orphaning = template.finalizers().any(|name| name == ORPHAN)
                || (is_federated(&binding.template_kind()) && is_orphaned(template));
            return Some(if is_orphaning { Cause::TemplateOrphaned } else { Cause::TemplateDeleted });
        }
        (!self.0.is_governed(binding)).then_some(Cause::BindingDeleted)
    }

    /// Asks the API server for the template of a binding. A cache may be behind: with its template the Works could stay for ever.
    async fn look_up_template(&self, binding: &Binding) -> Result<Template, ClientError> {
        let kind = binding.template_kind();
        let Some(cache) = self.0.templates.of_kind(&kind.group_kind()) else { return Ok(Template::Unknown) };
        let api = self.0.hub.client.resource::<Object>(cache.resource());
        match api.get(&binding.template_key()).await {
            Ok(found) => Ok(Template::Found(found)),
            // The status names the object, so the type is served and the object does not exist.
            Err(ClientError::NotFound(status))
                if status.details.as_ref().is_some_and(|details| !details.name.is_empty()) =>
            {
                Ok(Template::Gone)
            }
            Err(error) => Err(error),
        }
    }
}

/// Finalizers of the bindings that the control plane made.
const OURS: [&str; 2] = [finalizers::BINDING, finalizers::CLUSTER_BINDING];

/// Finalizer of an object that is deleted with `propagationPolicy: Orphan`: its dependents stay (kubernetes metav1
/// `FinalizerOrphanDependents`).
const ORPHAN: &str = "orphan";

/// A template, as the API server has it now.
enum Template {
    /// The object of its name, which may be a later one.
    Found(Object),
    /// It does not exist.
    Gone,
    /// Its kind is not served.
    Unknown,
}

/// Whether a Work is being deleted with this cause.
fn is_removed(work: &Work, cause: Cause) -> bool {
    work.metadata.is_deleting() && Cause::of(work) == Some(cause)
}
