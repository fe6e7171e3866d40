//! The load balancers of a member: gives every Service of type LoadBalancer an address, as a cloud does.
//!
//! The addresses are of the range for benchmarks (RFC 2544), a part for each member. In namespaces mode the pods of the
//! member reach the Service there; in the loopback network the address is only written.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

use portolan_api::kubernetes::{Service, View};
use portolan_api::resources;
use portolan_net::Shutdown;
use portolan_object::{Object, ObjectKey};
use portolan_runtime::cache::Caches;
use portolan_runtime::client::Patch;
use portolan_runtime::{Cache, Client, ClientError, Outcome, Queue, Reconciler, driver};
use serde_json::json;

struct LoadBalancers {
    client: Client,
    services: Cache<Object>,
    member_index: u8,
}

/// Starts the load balancers of the member with this position in the configuration.
pub(super) fn start(client: &Client, caches: &Caches, member_index: u8, scope: &Shutdown) {
    let services = caches.of(&resources::SERVICE.into());
    let queue: Queue<ObjectKey> = client.metrics().queue("load-balancers", None);
    let changed = queue.clone();
    services.observe(move |change| changed.add(change.key.clone()));
    // One worker, so that no two Services get one address.
    let balancers = LoadBalancers { client: client.clone(), services, member_index };
    driver::run(Arc::new(balancers), &queue, 1, scope);
}

impl Reconciler for LoadBalancers {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        if !self.services.synced().await {
            return Outcome::Done;
        }
        let Some(service) = self.services.get(key).filter(|service| !service.is_deleting()) else {
            return Outcome::Done;
        };
        self.balance(key, &service).await.into()
    }
}

impl LoadBalancers {
    async fn balance(&self, key: &ObjectKey, service: &Object) -> Result<(), ClientError> {
        let Ok(view) = Service::read(service) else { return Ok(()) };
        let ingress = match (view.spec.kind == "LoadBalancer", view.status.has_address()) {
            (true, false) => {
                let services = self.services.list();
                match free_address(self.member_index, services.iter().map(AsRef::as_ref)) {
                    Some(address) => json!([{ "ip": address.to_string() }]),
                    None => return Ok(()),
                }
            }
            (false, true) => json!(null),
            _ => return Ok(()),
        };
        let patch = json!({ "metadata": { "resourceVersion": service.resource_version() },
            "status": { "loadBalancer": { "ingress": ingress } } });
        let api = self.client.resource::<Object>(&resources::SERVICE.into());
        match api.patch_status(key, &Patch::Merge(patch)).await {
            Ok(written) => {
                let version = written.resource_version().to_owned();
                self.services.written(key.clone(), &version, written);
                Ok(())
            }
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The lowest address of a member that no Service has; `None` when all are used.
fn free_address<'a>(member_index: u8, services: impl Iterator<Item = &'a Object>) -> Option<Ipv4Addr> {
    let views = services.filter_map(|service| Service::read(service).ok());
    let used: BTreeSet<Ipv4Addr> = views
        .flat_map(|service| service.status.load_balancer.ingress)
        .filter_map(|ingress| ingress.ip.parse().ok())
        .collect();
    let addresses = (1..=254).map(|host| Ipv4Addr::new(198, 18, member_index, host));
    addresses.into_iter().find(|address| !used.contains(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_of_a_member_has_another_address() {
        let service = |ip: &str| {
            Object(
                json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web", "namespace": "shop" },
                "spec": { "type": "LoadBalancer" }, "status": { "loadBalancer": { "ingress": [{ "ip": ip }] } } }),
            )
        };
        let used = [service("198.18.3.1"), service("198.18.3.3")];
        assert_eq!(free_address(3, used.iter()), Some(Ipv4Addr::new(198, 18, 3, 2)));
        let full: Vec<Object> = (1..=254).map(|host| service(&format!("198.18.3.{host}"))).collect();
        assert_eq!(free_address(3, full.iter()), None);
    }
}
