//! MultiClusterServices in the control plane: the claim and the binding of the Service, and the conditions (karmada
//! pkg/controllers/multiclusterservice).
//!
//! The Service goes to all clusters with endpoints and all with clients, as any template does. The EndpointSlices go from
//! member to member, see `crate::discovery`.

mod controller;
mod dispatches;
mod report;
mod service;
mod services;
mod unapplied;

use std::sync::Arc;

use portolan_api::cluster::Cluster;
use portolan_api::conditions::cluster::READY;
use portolan_api::meta::{Condition, condition};
use portolan_api::networking::MultiClusterService;
use portolan_api::resources;
use portolan_runtime::driver;
use portolan_runtime::scope::spawn_until_stop;

use controller::Controller;
pub(crate) use dispatches::Dispatches;
pub(crate) use services::Services;

use crate::propagation::Pipeline;

/// Workers. They wait for the hub's API server.
const WORKERS: usize = 8;

/// Starts the controller.
pub(crate) fn start(services: &Services, pipeline: &Pipeline) {
    let queue = &services.queue;
    let changed = queue.clone();
    services.cache.observe(move |change| {
        let seen = |service: &Arc<MultiClusterService>| {
            (service.spec.clone(), service.metadata.is_deleting(), service.metadata.finalizers.clone())
        };
        if change.old.as_ref().map(seen) != change.new.as_ref().map(seen) {
            changed.add(change.key.clone());
        }
    });
    let (changed, cache) = (queue.clone(), services.cache.clone());
    pipeline.observe_templates(move |resource, change| {
        if resources::SERVICE.is_kind(&resource.gvk) && cache.contains(&change.key) {
            changed.add(change.key.clone());
        }
    });
    let (changed, cache) = (queue.clone(), services.cache.clone());
    pipeline.observe_bindings(move |kind, key| {
        if resources::SERVICE.is_kind(kind) && cache.contains(key) {
            changed.add(key.clone());
        }
    });
    let (changed, cache) = (queue.clone(), services.cache.clone());
    pipeline.hub().clusters.observe(move |change| {
        let is_ready = |cluster: &Arc<Cluster>| {
            condition(&cluster.status.conditions, READY).is_some_and(Condition::is_true)
        };
        if change.old.as_ref().map(is_ready) != change.new.as_ref().map(is_ready) {
            cache.keys().into_iter().for_each(|key| changed.add(key));
        }
    });
    let (services, pipeline) = (services.clone(), pipeline.clone());
    let scope = pipeline.hub().scope.clone();
    spawn_until_stop(&scope.clone(), async move {
        // Missing looks like deleted until all caches are synced.
        if pipeline.synced().await && services.cache.synced().await {
            let queue = services.queue.clone();
            driver::run(Arc::new(Controller { services, pipeline }), &queue, WORKERS, &scope);
        }
    });
}
