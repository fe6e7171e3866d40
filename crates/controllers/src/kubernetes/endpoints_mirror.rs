//! Runs `plan::kubernetes::endpoints_mirror` over the Endpoints of a cluster.

use std::sync::Arc;

use portolan_api::resources;
use portolan_net::Shutdown;
use portolan_object::{Object, ObjectKey};
use portolan_plan::import_marks::service_of_slice;
use portolan_plan::kubernetes::endpoints::EndpointsAction;
use portolan_plan::kubernetes::endpoints_mirror::plan;
use portolan_runtime::cache::Caches;
use portolan_runtime::client::Delete;
use portolan_runtime::{Api, Cache, ClientError, Outcome, Queue, Reconciler, Resource, driver};

use super::WORKERS;
use crate::missing::ignore_missing;

struct EndpointsMirror {
    api: Api<Object>,
    endpoints: Cache<Object>,
    services: Cache<Object>,
    /// Has the index `service`.
    slices: Cache<Object>,
}

/// Starts the controller; `slices` is a cache with the index `service`.
pub(super) fn start(caches: &Caches, slices: &Cache<Object>, scope: &Shutdown) {
    let queue = Queue::new("mirrored endpoints");
    let endpoints = caches.of(&resources::ENDPOINTS.into());
    let services = caches.of(&resources::SERVICE.into());
    for cache in [&endpoints, &services] {
        let adder = queue.clone();
        cache.observe(move |change| adder.add(change.key.clone()));
    }
    let adder = queue.clone();
    slices.observe(move |change| {
        let concerned = change.old.iter().chain(&change.new).filter_map(|slice| service_of_slice(slice));
        concerned.for_each(|key| adder.add(key));
    });
    let api = caches.client().resource(&Resource::from(resources::ENDPOINT_SLICE));
    let controller = EndpointsMirror { api, endpoints, services, slices: slices.clone() };
    driver::run(Arc::new(controller), &queue, WORKERS, scope);
}

impl Reconciler for EndpointsMirror {
    type Key = ObjectKey;

    /// Most Endpoints belong to Services with a selector and are not mirrored.
    const LOW_PRIORITY: bool = true;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        if !(self.endpoints.synced().await && self.services.synced().await && self.slices.synced().await) {
            return Outcome::Done;
        }
        let (endpoints, service) = (self.endpoints.get(key), self.services.get(key));
        let slices = self.slices.by_index("service", &key.to_string());
        let slices: Vec<&Object> = slices.iter().map(|slice| &**slice).collect();
        for action in plan(endpoints.as_deref(), service.as_deref(), &slices) {
            if let Err(error) = self.take(action).await {
                return Outcome::retry(error);
            }
        }
        Outcome::Done
    }
}

impl EndpointsMirror {
    async fn take(&self, action: EndpointsAction) -> Result<(), ClientError> {
        match action {
            // The cache may not have it yet.
            EndpointsAction::Create(slice) => match self.api.create(&slice).await {
                Ok(_) | Err(ClientError::AlreadyExists(_)) => Ok(()),
                Err(error) => Err(error),
            },
            EndpointsAction::Replace(slice) => self.api.replace(&slice).await.map(drop),
            EndpointsAction::Delete(key) => {
                ignore_missing(self.api.delete(&key, &Delete::background()).await).map(drop)
            }
        }
    }
}
