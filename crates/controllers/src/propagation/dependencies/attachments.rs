//! One object that bindings refer to: writes its attached binding.

use std::collections::BTreeSet;

use portolan_api::Kind;
use portolan_api::work::ResourceBinding;
use portolan_object::{Object, ObjectKey};
use portolan_plan::propagation::dependencies::{
    Attached, Independent, Required, Requirements, Step, attach, object_index_values,
};
use portolan_plan::propagation::detect::is_template;
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::{ClientError, Outcome, Reconciler};

use super::BY_REFERENCE;
use crate::propagation::scoped::Binding;
use crate::propagation::{Pipeline, TemplateKey, bind};

/// Reasons of events on the independent bindings, and on the attached one (karmada pkg/events/events.go).
const SUCCEEDED: &str = "SyncScheduleResultToDependenciesSucceed";
const FAILED: &str = "SyncScheduleResultToDependenciesFailed";
const CONFLICT: &str = "DependencyPolicyConflict";

pub(super) struct Attachments(pub(super) Pipeline);

impl Reconciler for Attachments {
    type Key = TemplateKey;

    async fn reconcile(&self, key: &TemplateKey) -> Outcome {
        let Some(object) = self.0.template(&key.kind, &key.key) else { return Outcome::Done };
        if !is_template(&object, &self.0.hub.skipped) {
            return Outcome::Done;
        }
        self.reconcile_object(&object).await.into()
    }
}

impl Attachments {
    async fn reconcile_object(&self, object: &Object) -> Result<Outcome, ClientError> {
        let (required, independents) = self.required(object);
        let key = bind::binding_key(object.kind(), &object.key());
        let present = self.0.bindings.get(&key);
        let compared = present
            .as_deref()
            .map(|binding| Attached { metadata: binding.metadata.clone(), spec: binding.spec.clone() });
        let step = attach(object, compared.as_ref(), &required, &uuid::Uuid::new_v4().to_string());
        let written = match step {
            Step::Wait => return Ok(Outcome::Stale),
            Step::Nothing => {
                present.iter().for_each(|binding| self.report_conflict(binding, &required));
                // The binding is up to date, but its Works may not be.
                let is_behind =
                    |binding: &Binding| binding.spec.resource.resource_version != object.resource_version();
                if present.as_deref().is_some_and(is_behind) {
                    self.0.binding_queue.add(key);
                }
                return Ok(Outcome::Done);
            }
            Step::Create(attached) => self.0.bindings.api(&key).create(&binding(*attached)).await,
            Step::Replace(attached) => self.0.bindings.api(&key).replace(&binding(*attached)).await,
        };
        match written {
            Ok(written) => {
                self.report_conflict(&written, &required);
                self.report_written(independents);
                self.0.bindings.written(written);
                Ok(Outcome::Done)
            }
            Err(error) => {
                self.report_failure(&key, &error, independents);
                Err(error)
            }
        }
    }

    /// What the bindings that can refer to an object require, and those bindings. One at a time is decoded: an object may have
    /// thousands of them.
    fn required(&self, object: &Object) -> (Required, Vec<Regarding>) {
        let kind = object.group_version_kind();
        let bindings = &self.0.bindings.namespaced;
        let values = object_index_values(&kind.group, &kind.kind, &object.key());
        let keys: BTreeSet<ObjectKey> =
            values.iter().flat_map(|value| bindings.keys_by_index(BY_REFERENCE, value)).collect();
        let mut requirements = Requirements::new(object);
        let mut found = Vec::with_capacity(keys.len());
        for binding in keys.iter().filter_map(|key| bindings.get(key)) {
            requirements.add(Independent { metadata: &binding.metadata, spec: &binding.spec });
            found.push(regarding(&binding));
        }
        (requirements.finish(), found)
    }

    /// Tells that the independent bindings disagree, also if the attached binding is as it was: the settings in which they
    /// disagree may have changed. Equal events are counted.
    fn report_conflict(&self, attached: &Binding, required: &Required) {
        if !required.disagreements.is_empty() && attached.spec.placement.is_none() {
            let settings = required.disagreements.join("; ");
            let message = format!("Dependency policy conflict detected: {settings}.");
            self.0.hub.events.record(regarding(attached), Severity::Warning, CONFLICT, message);
        }
    }

    fn report_written(&self, independents: Vec<Regarding>) {
        for independent in independents {
            let message = "Sync schedule results to dependencies succeed.";
            self.0.hub.events.success(independent, SUCCEEDED, message);
        }
    }

    /// A lost race is repeated at once and is no failure.
    fn report_failure(&self, key: &ObjectKey, error: &ClientError, independents: Vec<Regarding>) {
        if error.is_race() {
            return;
        }
        for independent in independents {
            let message = format!("the binding {key} of a dependency cannot be written: {error}");
            self.0.hub.events.record(independent, Severity::Warning, FAILED, message);
        }
    }
}

fn binding(attached: Attached) -> Binding {
    let Attached { metadata, spec } = attached;
    let gvk = ResourceBinding::gvk();
    Binding { api_version: gvk.api_version(), kind: gvk.kind, metadata, spec, ..Binding::default() }
}

fn regarding(binding: &Binding) -> Regarding {
    let (key, uid) = (binding.metadata.key(), binding.metadata.uid.clone());
    Regarding { gvk: ResourceBinding::gvk(), key, uid }
}
