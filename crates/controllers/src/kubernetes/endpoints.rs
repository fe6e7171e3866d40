//! Runs `plan::kubernetes::endpoints` over the Services of a cluster.

use std::sync::Arc;

use portolan_api::resources;
use portolan_net::Shutdown;
use portolan_object::{Object, ObjectKey};
use portolan_plan::import_marks::service_of_slice;
use portolan_plan::kubernetes::endpoints::{EndpointsAction, PodSelector, legacy, plan};
use portolan_runtime::cache::Caches;
use portolan_runtime::client::{Apply, Delete};
use portolan_runtime::{Api, Cache, ClientError, Outcome, Queue, Reconciler, Resource, driver};

use super::WORKERS;
use super::expectations::{CREATION_TIMEOUT, Expectations};
use crate::missing::ignore_missing;

/// Field manager of the legacy Endpoints objects.
const MANAGER: &str = "endpoint-controller";

struct Endpoints {
    slices_api: Api<Object>,
    legacy_api: Api<Object>,
    services: Cache<Object>,
    slices: Cache<Object>,
    pods: Cache<Object>,
    expectations: Arc<Expectations>,
}

pub(super) fn start(caches: &Caches, pods: &Cache<Object>, scope: &Shutdown) {
    let client = caches.client();
    let services = caches.of(&resources::SERVICE.into());
    let slices_resource = Resource::from(resources::ENDPOINT_SLICE);
    let slices = caches.of(&slices_resource);
    slices.add_index("service", |_, slice| {
        service_of_slice(slice).map(|key| key.to_string()).into_iter().collect()
    });
    super::endpoints_mirror::start(caches, &slices, scope);
    let queue = Queue::new("endpoints");
    let expectations = Arc::new(Expectations::default());
    let adder = queue.clone();
    services.observe(move |change| adder.add(change.key.clone()));
    expectations.observe(&slices, &queue, service_of_slice);
    let (adder, selecting) = (queue.clone(), services.clone());
    pods.observe(move |change| {
        for service in selecting.list_namespace(&change.key.namespace) {
            let selector = PodSelector::of(&service);
            if change.old.iter().chain(&change.new).any(|pod| selector.selects(pod)) {
                adder.add(service.key());
            }
        }
    });
    let controller = Endpoints {
        slices_api: client.resource(&slices_resource),
        legacy_api: client.resource(&resources::ENDPOINTS.into()),
        services,
        slices,
        pods: pods.clone(),
        expectations,
    };
    driver::run(Arc::new(controller), &queue, WORKERS, scope);
}

impl Reconciler for Endpoints {
    type Key = ObjectKey;

    /// Most changes of slices are our own writes, or need no write.
    const LOW_PRIORITY: bool = true;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        if !(self.services.synced().await && self.slices.synced().await && self.pods.synced().await) {
            return Outcome::Done;
        }
        let service = self.services.get(key);
        if service.is_some() && self.expectations.must_wait(key, &self.slices) {
            return Outcome::RequeueAfter(CREATION_TIMEOUT);
        }
        let pods = match &service {
            Some(service) => {
                let mut pods = self.pods.list_namespace(&key.namespace);
                let selector = PodSelector::of(service);
                pods.retain(|pod| selector.selects(pod));
                pods
            }
            None => Vec::new(),
        };
        let pods: Vec<&Object> = pods.iter().map(|pod| &**pod).collect();
        let slices = self.slices.by_index("service", &key.to_string());
        let slices: Vec<&Object> = slices.iter().map(|slice| &**slice).collect();
        let actions = plan(service.as_deref(), &pods, &slices);
        let changed = !actions.is_empty();
        for action in actions {
            if let Err(error) = self.take(key, action).await {
                return Outcome::retry(error);
            }
        }
        match service.filter(|_| changed).and_then(|service| legacy(&service, &pods)) {
            Some(endpoints) => self.mirror(&endpoints).await.into(),
            None => Outcome::Done,
        }
    }
}

impl Endpoints {
    async fn take(&self, key: &ObjectKey, action: EndpointsAction) -> Result<(), ClientError> {
        match action {
            EndpointsAction::Create(slice) => {
                let created = self.slices_api.create(&slice).await?;
                self.expectations.created(key, &created, &self.slices);
            }
            EndpointsAction::Replace(slice) => {
                self.slices_api.replace(&slice).await?;
            }
            EndpointsAction::Delete(slice) => {
                ignore_missing(self.slices_api.delete(&slice, &Delete::background()).await).map(drop)?
            }
        }
        Ok(())
    }

    /// Writes the Endpoints object for old clients.
    async fn mirror(&self, endpoints: &Object) -> Result<(), ClientError> {
        let options = Apply { manager: MANAGER.to_owned(), force: true };
        self.legacy_api.apply(endpoints, &options).await.map(drop)
    }
}
