//! The interpreters of all kinds: each operation on a kind is answered by the first provider that supports it.
//!
//! All controllers ask here, so that they need not know whether a rule is built in. Built-in rules run where they are
//! called, without waiting.

use portolan_api::config::DependentObjectReference;
use portolan_api::kubernetes::ViewError;
use portolan_api::work::{AggregatedStatusItem, ResourceBindingSpec, ResourceHealth, TargetCluster};
use portolan_object::Object;
use portolan_plan::propagation::aggregate::aggregate;
use portolan_plan::propagation::health::health;
use portolan_plan::propagation::reflect::reflect;
use portolan_plan::propagation::replicas::{Demand, demand};
use portolan_plan::propagation::retain::{retain_fields, retain_metadata};
use portolan_plan::propagation::status::reports;
use portolan_plan::propagation::{references, work};
use serde_json::Value;

/// An operation on an object failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InterpretError {
    /// A field that a built-in rule reads has a wrong type.
    #[error(transparent)]
    Unreadable(#[from] ViewError),
}

/// All interpreters. Clones share state.
#[derive(Debug, Clone)]
pub(crate) struct Interpreters {}

impl Interpreters {
    pub(crate) fn new() -> Self {
        Self {}
    }

    /// What a template wants from the scheduler.
    pub(crate) async fn demand(&self, template: &Object) -> Result<Demand, InterpretError> {
        Ok(demand(template))
    }

    /// The template with the replicas of one target.
    pub(crate) async fn revise(
        &self,
        template: &Object,
        spec: &ResourceBindingSpec,
        target: &TargetCluster,
    ) -> Result<Object, InterpretError> {
        Ok(work::revised(template, spec, target))
    }

    /// The manifest with the fields that the member keeps.
    pub(crate) async fn retain(
        &self,
        mut manifest: Object,
        observed: &Object,
    ) -> Result<Object, InterpretError> {
        retain_metadata(&mut manifest, observed);
        retain_fields(&mut manifest, observed);
        Ok(manifest)
    }

    /// The status to report for an object in a member; `None` to report nothing.
    pub(crate) async fn reflect(&self, observed: &Object) -> Result<Option<Value>, InterpretError> {
        Ok(reflect(observed))
    }

    /// Whether an object does its job in a member.
    pub(crate) async fn health(&self, observed: &Object) -> Result<ResourceHealth, InterpretError> {
        Ok(health(observed))
    }

    /// The new status of a template; `None` to leave it as it is. `items` are sorted by cluster.
    pub(crate) async fn aggregate(
        &self,
        template: &Object,
        items: &[AggregatedStatusItem],
    ) -> Result<Option<Value>, InterpretError> {
        Ok(aggregate(template, &reports(items)))
    }

    /// Other objects that a template refers to.
    pub(crate) async fn dependencies(
        &self,
        template: &Object,
    ) -> Result<Vec<DependentObjectReference>, InterpretError> {
        Ok(references::dependencies(template)?)
    }
}
