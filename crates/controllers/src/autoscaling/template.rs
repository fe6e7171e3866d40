//! Deployments that autoscalers scale in the members: `spec.replicas` of the template is set to the sum of the members.

use std::sync::Arc;

use portolan_api::labels::template::RETAIN_REPLICAS;
use portolan_api::resources;
use portolan_object::{Object, ObjectKey};
use portolan_plan::autoscaling::template::replicas_of_members;
use portolan_runtime::client::Patch;
use portolan_runtime::{ClientError, Outcome, Reconciler, driver};
use serde_json::json;

use crate::hub::Hub;
use crate::propagation::Pipeline;

const WORKERS: usize = 2;

struct Templates {
    hub: Hub,
    pipeline: Pipeline,
}

/// Starts the controller. Its keys are Deployments.
pub(super) fn start(hub: &Hub, pipeline: &Pipeline) {
    let queue = hub.client.metrics().queue("autoscaled-templates", None);
    let is_autoscaled = |template: &Object| template.label(RETAIN_REPLICAS) == Some("true");
    let changed = queue.clone();
    pipeline.observe_templates(move |resource, change| {
        if resources::DEPLOYMENT.is_kind(&resource.gvk) && change.new.as_deref().is_some_and(is_autoscaled) {
            changed.add(change.key.clone());
        }
    });
    let (changed, templates) = (queue.clone(), pipeline.clone());
    pipeline.observe_bindings(move |kind, template| {
        let found = resources::DEPLOYMENT.is_kind(kind).then(|| templates.template(kind, template)).flatten();
        if found.as_deref().is_some_and(is_autoscaled) {
            changed.add(template.clone());
        }
    });
    let reconciler = Templates { hub: hub.clone(), pipeline: pipeline.clone() };
    driver::run(Arc::new(reconciler), &queue, WORKERS, &hub.scope);
}

impl Reconciler for Templates {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        let Some(template) = self.pipeline.template(&resources::DEPLOYMENT.gvk(), key) else {
            return Outcome::Done;
        };
        self.follow(key, &template).await.into()
    }
}

impl Templates {
    async fn follow(&self, key: &ObjectKey, template: &Object) -> Result<(), ClientError> {
        let Some(binding) = self.pipeline.binding_of(template) else { return Ok(()) };
        let generation = binding.metadata.generation;
        let wanted = replicas_of_members(template, &binding.spec, &binding.status, generation);
        let Some(replicas) = wanted else { return Ok(()) };
        let patch = json!({ "metadata": { "resourceVersion": template.resource_version() },
            "spec": { "replicas": replicas } });
        let api = self.hub.client.resource::<Object>(&resources::DEPLOYMENT.into());
        api.patch(key, &Patch::Merge(patch)).await?;
        tracing::info!(deployment = %key, replicas, "the template follows the autoscalers of its members");
        Ok(())
    }
}
