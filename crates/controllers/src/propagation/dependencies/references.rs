//! One independent binding: records the references of its template.

use portolan_api::annotations::binding::DEPENDENCIES;
use portolan_api::multicluster::ServiceImport;
use portolan_api::{Kind, finalizers};
use portolan_object::{Object, ObjectKey};
use portolan_plan::propagation::binding::belongs_to_another;
use portolan_plan::propagation::dependencies::{Recorded, record};
use portolan_runtime::client::{BoxError, Patch};
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::{ClientError, Outcome, Reconciler};
use serde_json::{Value, json};

use crate::missing::ignore_missing;
use crate::propagation::Pipeline;
use crate::propagation::scoped::Binding;

/// Reasons of events on the template (karmada pkg/events/events.go).
const SUCCEEDED: &str = "GetDependenciesSucceed";
const FAILED: &str = "GetDependenciesFailed";

pub(super) struct References(pub(super) Pipeline);

impl Reconciler for References {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        let Some(binding) = self.0.bindings.get(key) else { return Outcome::Done };
        self.reconcile_binding(key, &binding).await.into()
    }
}

impl References {
    async fn reconcile_binding(&self, key: &ObjectKey, binding: &Binding) -> Result<(), BoxError> {
        if !binding.spec.propagate_deps || binding.metadata.is_deleting() {
            return Ok(self.forget(key, binding).await?);
        }
        let template = self.0.template(&binding.template_kind(), &binding.template_key());
        let Some(template) = template.filter(|template| !belongs_to_another(&binding.metadata, template))
        else {
            return Ok(());
        };
        // Discovery makes the Service and the slices of an import in each member; the control plane has none.
        if template.group_version_kind().group_kind() == ServiceImport::gvk().group_kind() {
            return Ok(());
        }
        let found = match self.0.interpreters.dependencies(&template).await {
            Ok(found) => found,
            Err(error) => {
                self.report(&template, error.to_string());
                return Err(error.into());
            }
        };
        let recorded = record(&template, found);
        let text = json!(recorded.references).to_string();
        if binding.metadata.annotation(DEPENDENCIES) == Some(text.as_str()) {
            return Ok(());
        }
        self.write(key, binding, json!({ "annotations": { DEPENDENCIES: text } })).await?;
        self.report_recorded(&template, &recorded);
        Ok(())
    }

    /// Removes the record of a binding that propagates no dependencies, and the finalizer that Karmada gives such bindings.
    /// Attached bindings are computed from what exists, so that nothing must be done before a binding is deleted.
    async fn forget(&self, key: &ObjectKey, binding: &Binding) -> Result<(), ClientError> {
        let mut patch = json!({});
        if !binding.metadata.is_deleting() && binding.metadata.annotation(DEPENDENCIES).is_some() {
            patch["annotations"] = json!({ DEPENDENCIES: null });
        }
        if let Some(finalizers) = binding.metadata.without_finalizers(&[finalizers::DEPENDENCIES]) {
            patch["finalizers"] = json!(finalizers);
        }
        if patch == json!({}) {
            return Ok(());
        }
        ignore_missing(self.write(key, binding, patch).await).map(drop)
    }

    async fn write(&self, key: &ObjectKey, binding: &Binding, mut patch: Value) -> Result<(), ClientError> {
        patch["resourceVersion"] = json!(binding.metadata.resource_version);
        let patch = Patch::Merge(json!({ "metadata": patch }));
        self.0.bindings.written(self.0.bindings.api(key).patch(key, &patch).await?);
        Ok(())
    }

    fn report_recorded(&self, template: &Object, recorded: &Recorded) {
        for outside in &recorded.outside {
            self.report(template, outside.to_string());
        }
        let named = recorded.references.iter().map(|one| format!("{} {}", one.kind, one.name));
        let message = format!("Get dependencies([{}]) succeed.", named.collect::<Vec<_>>().join(", "));
        self.0.hub.events.success(Regarding::object(template), SUCCEEDED, message);
    }

    fn report(&self, template: &Object, message: String) {
        self.0.hub.events.record(Regarding::object(template), Severity::Warning, FAILED, message);
    }
}
