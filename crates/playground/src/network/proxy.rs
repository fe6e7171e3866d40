//! The forwarding rules of one cluster, by Service.
//!
//! `node::service_proxy` replaces the rules of a Service when it or its EndpointSlices change; `routing` reads them for
//! every new connection. `rules` computes them.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use parking_lot::Mutex;
use portolan_object::ObjectKey;
use tokio::time::Instant;

use crate::network::address::Frontend;
use crate::network::balance::{Balance, Caller};
use crate::network::rules::ServiceRules;

/// Rules and balancing state of one cluster.
#[derive(Debug, Default)]
pub(crate) struct Proxy {
    state: Mutex<ProxyState>,
}

#[derive(Debug, Default)]
struct ProxyState {
    services: BTreeMap<ObjectKey, ServiceRules>,
    /// The Service of each frontend; the first Service with it keeps it.
    owners: BTreeMap<Frontend, ObjectKey>,
    balance: Balance,
}

/// Decision about a new connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No Service has this frontend.
    Unknown,
    /// The Service has no endpoint.
    Refuse,
    /// Connect to this endpoint.
    Forward(SocketAddr),
}

impl Proxy {
    /// Replaces the rules of `service`; `None` removes them.
    pub(crate) fn replace(&self, service: &ObjectKey, rules: Option<ServiceRules>) {
        let mut state = self.state.lock();
        let ProxyState { services, owners, balance } = &mut *state;
        let old = services.remove(service).unwrap_or_default();
        let new = rules.unwrap_or_default();
        for frontend in old.frontends.keys().filter(|frontend| !new.frontends.contains_key(frontend)) {
            if owners.get(frontend) == Some(service) {
                owners.remove(frontend);
                balance.forget(*frontend);
            }
        }
        for frontend in new.frontends.keys() {
            owners.entry(*frontend).or_insert_with(|| service.clone());
        }
        if new != ServiceRules::default() {
            services.insert(service.clone(), new);
        }
    }

    /// The rules of a Service, without frontends that belong to another Service.
    pub(crate) fn owned(&self, service: &ObjectKey) -> ServiceRules {
        let state = self.state.lock();
        let mut rules = state.services.get(service).cloned().unwrap_or_default();
        rules.frontends.retain(|frontend, _| state.owners.get(frontend) == Some(service));
        rules
    }

    /// Chooses the endpoint of a new connection to `frontend`.
    pub(crate) fn choose(&self, frontend: Frontend, caller: Caller<'_>, now: Instant) -> Verdict {
        let mut state = self.state.lock();
        let ProxyState { services, owners, balance } = &mut *state;
        let backend = owners.get(&frontend).and_then(|owner| services.get(owner)?.frontends.get(&frontend));
        match backend {
            None => Verdict::Unknown,
            Some(backend) => {
                balance.choose(frontend, backend, caller, now).map_or(Verdict::Refuse, Verdict::Forward)
            }
        }
    }

    /// Whether `endpoint` is still an endpoint of `frontend`.
    pub(crate) fn still_serves(&self, frontend: Frontend, endpoint: SocketAddr) -> bool {
        let state = self.state.lock();
        let backend =
            state.owners.get(&frontend).and_then(|owner| state.services.get(owner)?.frontends.get(&frontend));
        backend.is_some_and(|backend| backend.endpoints.iter().any(|other| other.address == endpoint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::address::Protocol;
    use crate::network::rules::{Backend, Endpoint};

    fn frontend(address: &str) -> Frontend {
        Frontend { address: address.parse().expect("address"), protocol: Protocol::Tcp }
    }

    fn rules(frontends: &[(&str, &[&str])]) -> Option<ServiceRules> {
        let backend = |endpoints: &[&str]| Backend {
            endpoints: endpoints
                .iter()
                .map(|address| Endpoint { address: address.parse().expect("address"), node: None })
                .collect(),
            affinity: None,
            same_node: false,
        };
        let frontends =
            frontends.iter().map(|(address, endpoints)| (frontend(address), backend(endpoints))).collect();
        Some(ServiceRules { frontends })
    }

    fn ask(proxy: &Proxy, address: &str) -> Verdict {
        proxy.choose(frontend(address), Caller { address: None, node: None }, Instant::now())
    }

    fn forward(address: &str) -> Verdict {
        Verdict::Forward(address.parse().expect("address"))
    }

    #[test]
    fn rules_follow_their_service() {
        let (proxy, service) = (Proxy::default(), ObjectKey::namespaced("default", "serve"));
        assert_eq!(ask(&proxy, "10.13.0.9:80"), Verdict::Unknown);
        proxy.replace(&service, rules(&[("10.13.0.9:80", &[])]));
        assert_eq!(ask(&proxy, "10.13.0.9:80"), Verdict::Refuse);
        proxy.replace(&service, rules(&[("10.13.0.9:80", &["10.10.0.5:8080"])]));
        assert_eq!(ask(&proxy, "10.13.0.9:80"), forward("10.10.0.5:8080"));
        assert!(proxy.still_serves(frontend("10.13.0.9:80"), "10.10.0.5:8080".parse().expect("address")));
        proxy.replace(&service, rules(&[("10.13.0.9:81", &["10.10.0.5:8080"])]));
        assert_eq!(ask(&proxy, "10.13.0.9:80"), Verdict::Unknown);
        assert_eq!(ask(&proxy, "10.13.0.9:81"), forward("10.10.0.5:8080"));
        proxy.replace(&service, None);
        assert_eq!(ask(&proxy, "10.13.0.9:81"), Verdict::Unknown);
    }

    #[test]
    fn a_front_belongs_to_the_first_service_that_claims_it() {
        let proxy = Proxy::default();
        let [first, second] = ["first", "second"].map(|name| ObjectKey::namespaced("default", name));
        proxy.replace(&first, rules(&[("198.51.100.7:80", &["10.10.0.5:1"])]));
        proxy.replace(&second, rules(&[("198.51.100.7:80", &["10.10.0.6:1"])]));
        assert_eq!(ask(&proxy, "198.51.100.7:80"), forward("10.10.0.5:1"));
        proxy.replace(&second, None);
        assert_eq!(ask(&proxy, "198.51.100.7:80"), forward("10.10.0.5:1"));
    }
}
