//! Service proxy (kube-proxy): updates the forwarding rules when Services and EndpointSlices change.
//!
//! `network::rules` computes the rules; this controller calls it for the Service that changed.

use std::net::IpAddr;
use std::sync::Arc;

use portolan_api::resources;
use portolan_net::Shutdown;
use portolan_object::{Object, ObjectKey};
use portolan_plan::import_marks::service_of_slice;
use portolan_runtime::cache::Caches;
use portolan_runtime::driver::{self, Outcome, Reconciler};
use portolan_runtime::{Cache, Queue, Resource};

use crate::network::{ClusterName, Network};

const BY_SERVICE: &str = "service";

/// Starts the service proxy of a cluster. `nodes` are the addresses with node ports.
pub(crate) fn start(
    caches: &Caches,
    services: Cache<Object>,
    network: Network,
    cluster: ClusterName,
    nodes: Vec<IpAddr>,
    scope: &Shutdown,
) -> Cache<Object> {
    let resource = Resource::from(resources::ENDPOINT_SLICE);
    let slices = caches.of(&resource);
    slices
        .add_index(BY_SERVICE, |_, slice| service_of_slice(slice).iter().map(ToString::to_string).collect());
    let queue: Queue<ObjectKey> = Queue::new("service-proxy");
    let changed = queue.clone();
    services.observe(move |change| changed.add(change.key.clone()));
    let changed = queue.clone();
    slices.observe(move |change| {
        // A slice may have moved from one Service to another.
        let objects = change.old.iter().chain(&change.new);
        objects.filter_map(|slice| service_of_slice(slice)).for_each(|service| changed.add(service));
    });
    let proxy = ServiceProxy { services, slices: slices.clone(), network, cluster, nodes };
    driver::run(Arc::new(proxy), &queue, 1, scope);
    slices
}

struct ServiceProxy {
    services: Cache<Object>,
    slices: Cache<Object>,
    network: Network,
    cluster: ClusterName,
    nodes: Vec<IpAddr>,
}

impl Reconciler for ServiceProxy {
    type Key = ObjectKey;

    /// In a real cluster this is a separate process.
    const LOW_PRIORITY: bool = true;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        match self.services.get(key) {
            None => self.network.remove_service(&self.cluster, key),
            Some(service) => {
                let slices = self.slices.by_index(BY_SERVICE, &key.to_string());
                self.network.set_service(
                    &self.cluster,
                    &service,
                    slices.iter().map(AsRef::as_ref),
                    &self.nodes,
                );
            }
        }
        match self.network.program_service(&self.cluster, key).await {
            Ok(()) => Outcome::Done,
            Err(error) => Outcome::Retry(error.into()),
        }
    }
}
