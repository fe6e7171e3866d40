//! FederatedHPAs, CronFederatedHPAs, and templates that follow autoscalers of the members.
//!
//! The decisions are in `portolan_plan::autoscaling`. `federated` reads the pods and metrics of the members every 15 s; they
//! are not watched.

mod cron;
mod federated;
mod members;
mod scale;
mod template;

use portolan_runtime::scope::spawn_until_stop;

use crate::hub::Hub;
use crate::propagation::Pipeline;

/// Starts the controllers. `pipeline` has the templates and bindings.
pub(crate) fn start(hub: &Hub, pipeline: &Pipeline) {
    let (hub, pipeline, scope) = (hub.clone(), pipeline.clone(), hub.scope.clone());
    spawn_until_stop(&scope, async move {
        // Missing looks like deleted until all caches are synced.
        if pipeline.synced().await {
            cron::start(&hub, &pipeline);
            federated::start(&hub, &pipeline);
            template::start(&hub, &pipeline);
        }
    });
}
