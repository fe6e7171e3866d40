//! The interpreters of all kinds: each operation on a kind is answered by the first provider that supports it.
//!
//! | order | provider | where it runs |
//! | --- | --- | --- |
//! | 1 | ResourceInterpreterCustomization: a Lua script | a thread that may block, of a limited number |
//! | 2 | ResourceInterpreterWebhookConfiguration | another server |
//! | 3 | built-in rules | where it is called, without waiting |
//!
//! All controllers ask here, so that they need not know which provider a kind has. While the customizations are not known
//! yet, calls wait: a built-in rule in place of a customised one could overwrite what the member owns.

mod customizations;
mod scripts;
mod webhooks;

use portolan_api::config::{DependentObjectReference, InterpreterOperation};
use portolan_api::kubernetes::ViewError;
use portolan_api::work::{AggregatedStatusItem, ResourceBindingSpec, ResourceHealth, TargetCluster};
use portolan_object::{GroupVersionKind, Object};
use portolan_plan::propagation::aggregate::aggregate;
use portolan_plan::propagation::customized::Provider;
use portolan_plan::propagation::health::health;
use portolan_plan::propagation::reflect::reflect;
use portolan_plan::propagation::replicas::{Demand, demand};
use portolan_plan::propagation::retain::{retain_fields, retain_metadata};
use portolan_plan::propagation::status::reports;
use portolan_plan::propagation::{references, work};
use serde_json::Value;

use crate::hub::Hub;
use customizations::Customizations;
use scripts::ScriptError;
use webhooks::{Question, WebhookError};

/// An operation on an object failed. The text names who was asked, and for what.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InterpretError {
    /// A field that a built-in rule reads has a wrong type.
    #[error(transparent)]
    Unreadable(#[from] ViewError),
    /// A script gave no answer.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// A webhook gave no answer.
    #[error(transparent)]
    Webhook(#[from] WebhookError),
}

/// All interpreters. Clones share state.
#[derive(Clone)]
pub(crate) struct Interpreters {
    customizations: Customizations,
    scripts: scripts::Runner,
    webhooks: webhooks::Callers,
}

impl Interpreters {
    /// Starts to follow the customizations of the hub.
    pub(crate) fn start(hub: &Hub) -> Self {
        let customizations = Customizations::start(hub);
        Self { customizations, scripts: scripts::Runner::new(), webhooks: webhooks::Callers::default() }
    }

    /// Calls `observer` with each kind for which an interpreter changes; `None` stands for any kind.
    pub(crate) fn observe(&self, observer: impl Fn(Option<&GroupVersionKind>) + Send + Sync + 'static) {
        self.customizations.observe(Box::new(observer));
    }

    async fn provider(&self, object: &Object, operation: InterpreterOperation) -> Option<Provider> {
        let customized = self.customizations.current().await;
        if customized.is_empty() {
            return None;
        }
        customized.provider(&object.group_version_kind(), operation)
    }

    /// What a template wants from the scheduler: components, if an interpreter of its kind names some, or replicas.
    pub(crate) async fn demand(&self, template: &Object) -> Result<Demand, InterpretError> {
        let (of_components, of_replicas) =
            (InterpreterOperation::InterpretComponent, InterpreterOperation::InterpretReplica);
        let components = match self.provider(template, of_components).await {
            None => Vec::new(),
            Some(Provider::Scripts(scripts)) => {
                self.scripts.first(&scripts, template, portolan_lua::components).await?
            }
            Some(Provider::Webhook(webhook)) => {
                self.webhooks.ask(&webhook, Question::about(of_components, template)).await?.components
            }
        };
        if !components.is_empty() {
            return Ok(Demand { components, ..Demand::default() }.canonical());
        }
        let mut found = match self.provider(template, of_replicas).await {
            None => return Ok(demand(template)),
            Some(Provider::Scripts(scripts)) => {
                let (count, requirements) =
                    self.scripts.first(&scripts, template, portolan_lua::replicas).await?;
                Demand { replicas: Some(count), requirements, components }
            }
            Some(Provider::Webhook(webhook)) => {
                let answer = self.webhooks.ask(&webhook, Question::about(of_replicas, template)).await?;
                let count = answer.replicas.map(i64::from);
                Demand { replicas: count, requirements: answer.replica_requirements, components }
            }
        };
        if let Some(requirements) = found.requirements.as_mut().filter(|one| one.namespace.is_empty()) {
            template.namespace().clone_into(&mut requirements.namespace);
        }
        Ok(found.canonical())
    }

    /// The template with the replicas of one target.
    pub(crate) async fn revise(
        &self,
        template: &Object,
        spec: &ResourceBindingSpec,
        target: &TargetCluster,
    ) -> Result<Object, InterpretError> {
        let operation = InterpreterOperation::ReviseReplica;
        let provider = if spec.replicas > 0 { self.provider(template, operation).await } else { None };
        let share = i64::from(target.replicas);
        match provider {
            None => Ok(work::revised(template, spec, target)),
            Some(Provider::Scripts(scripts)) => {
                let revise = move |script: &str, template: &Object, limits| {
                    portolan_lua::revise(script, template, share, limits)
                };
                Ok(self.scripts.first(&scripts, template, revise).await?)
            }
            Some(Provider::Webhook(webhook)) => {
                let question = Question::about(operation, template).replicas(share);
                Ok(self.webhooks.patched(&webhook, question, template).await?)
            }
        }
    }

    /// The manifest with the fields that the member keeps.
    pub(crate) async fn retain(
        &self,
        mut manifest: Object,
        observed: &Object,
    ) -> Result<Object, InterpretError> {
        let operation = InterpreterOperation::Retain;
        retain_metadata(&mut manifest, observed);
        match self.provider(&manifest, operation).await {
            None => {
                retain_fields(&mut manifest, observed);
                Ok(manifest)
            }
            Some(Provider::Scripts(scripts)) => {
                let observed = observed.clone();
                let retain = move |script: &str, manifest: &Object, limits| {
                    portolan_lua::retain(script, manifest, &observed, limits)
                };
                Ok(self.scripts.first(&scripts, &manifest, retain).await?)
            }
            Some(Provider::Webhook(webhook)) => {
                let question = Question::about(operation, &manifest).observed(observed);
                Ok(self.webhooks.patched(&webhook, question, &manifest).await?)
            }
        }
    }

    /// The status to report for an object in a member; `None` to report nothing.
    pub(crate) async fn reflect(&self, observed: &Object) -> Result<Option<Value>, InterpretError> {
        let operation = InterpreterOperation::InterpretStatus;
        match self.provider(observed, operation).await {
            None => Ok(reflect(observed)),
            Some(Provider::Scripts(scripts)) => {
                Ok(Some(self.scripts.first(&scripts, observed, portolan_lua::reflect).await?))
            }
            Some(Provider::Webhook(webhook)) => {
                let question = Question::about(operation, observed);
                Ok(self.webhooks.ask(&webhook, question).await?.raw_status)
            }
        }
    }

    /// Whether an object does its job in a member.
    pub(crate) async fn health(&self, observed: &Object) -> Result<ResourceHealth, InterpretError> {
        let operation = InterpreterOperation::InterpretHealth;
        let is_healthy = match self.provider(observed, operation).await {
            None => return Ok(health(observed)),
            Some(Provider::Scripts(scripts)) => {
                self.scripts.first(&scripts, observed, portolan_lua::health).await?
            }
            Some(Provider::Webhook(webhook)) => {
                let answer = self.webhooks.ask(&webhook, Question::about(operation, observed)).await?;
                answer.healthy.ok_or_else(|| webhooks::lacks(&webhook, operation, "healthy"))?
            }
        };
        Ok(if is_healthy { ResourceHealth::Healthy } else { ResourceHealth::Unhealthy })
    }

    /// The new status of a template; `None` to leave it as it is. `items` are sorted by cluster.
    pub(crate) async fn aggregate(
        &self,
        template: &Object,
        items: &[AggregatedStatusItem],
    ) -> Result<Option<Value>, InterpretError> {
        let operation = InterpreterOperation::AggregateStatus;
        match self.provider(template, operation).await {
            None => Ok(aggregate(template, &reports(items))),
            Some(Provider::Scripts(scripts)) => {
                let items = items.to_vec();
                let aggregate = move |script: &str, template: &Object, limits| {
                    portolan_lua::aggregate(script, template, &items, limits)
                };
                Ok(Some(self.scripts.first(&scripts, template, aggregate).await?))
            }
            Some(Provider::Webhook(webhook)) => {
                let question = Question::about(operation, template).aggregated(items);
                let mut patched = self.webhooks.patched(&webhook, question, template).await?;
                Ok(Some(patched.0["status"].take()).filter(|status| !status.is_null()))
            }
        }
    }

    /// Other objects that a template refers to.
    pub(crate) async fn dependencies(
        &self,
        template: &Object,
    ) -> Result<Vec<DependentObjectReference>, InterpretError> {
        let operation = InterpreterOperation::InterpretDependency;
        match self.provider(template, operation).await {
            None => Ok(references::dependencies(template)?),
            Some(Provider::Scripts(scripts)) => {
                let mut found = Vec::new();
                for script in &scripts {
                    found.extend(self.scripts.run(script, template, portolan_lua::dependencies).await?);
                }
                Ok(found)
            }
            Some(Provider::Webhook(webhook)) => {
                Ok(self.webhooks.ask(&webhook, Question::about(operation, template)).await?.dependencies)
            }
        }
    }
}
