//! The forwarding rules of one cluster, kept per Service.
//!
//! `feed` replaces the rules of a Service when it or its EndpointSlices change; `fabric` asks for every new
//! connection. Nothing here knows how rules are computed or how bytes travel.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use parking_lot::Mutex;
use portolan_object::ObjectKey;
use tokio::time::Instant;

use crate::network::balance::{Balance, Caller};
use crate::network::rules::{Front, ServiceRules};

/// Rules and balancing state of one cluster.
#[derive(Debug, Default)]
pub(crate) struct Proxy {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    services: BTreeMap<ObjectKey, ServiceRules>,
    /// Which Service answers on a front; the first one to claim it keeps it.
    owners: BTreeMap<Front, ObjectKey>,
    balance: Balance,
}

/// What the rules say about an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No Service answers there.
    Unknown,
    /// A Service answers there and has no endpoint.
    Refuse,
    /// The connection goes to this endpoint.
    Forward(SocketAddr),
}

impl Proxy {
    /// Puts the rules of `service` in place of the ones it had; `None` when it is gone.
    pub(crate) fn replace(&self, service: &ObjectKey, rules: Option<ServiceRules>) {
        let mut state = self.state.lock();
        let State { services, owners, balance } = &mut *state;
        let old = services.remove(service).unwrap_or_default();
        let new = rules.unwrap_or_default();
        for front in old.fronts.keys().filter(|front| !new.fronts.contains_key(front)) {
            if owners.get(front) == Some(service) {
                owners.remove(front);
                balance.forget(*front);
            }
        }
        for front in new.fronts.keys() {
            owners.entry(*front).or_insert_with(|| service.clone());
        }
        if new != ServiceRules::default() {
            services.insert(service.clone(), new);
        }
    }

    /// The rules of a Service for the fronts that are its own.
    pub(crate) fn owned(&self, service: &ObjectKey) -> ServiceRules {
        let state = self.state.lock();
        let mut rules = state.services.get(service).cloned().unwrap_or_default();
        rules.fronts.retain(|front, _| state.owners.get(front) == Some(service));
        rules
    }

    /// Decides where a new connection to `front` goes.
    pub(crate) fn choose(&self, front: Front, caller: Caller<'_>, now: Instant) -> Verdict {
        let mut state = self.state.lock();
        let State { services, owners, balance } = &mut *state;
        let backend = owners.get(&front).and_then(|owner| services.get(owner)?.fronts.get(&front));
        match backend {
            None => Verdict::Unknown,
            Some(backend) => {
                balance.choose(front, backend, caller, now).map_or(Verdict::Refuse, Verdict::Forward)
            }
        }
    }

    /// Whether `endpoint` is still among those of `front`: a datagram flow keeps its endpoint that long.
    pub(crate) fn still_serves(&self, front: Front, endpoint: SocketAddr) -> bool {
        let state = self.state.lock();
        let backend =
            state.owners.get(&front).and_then(|owner| state.services.get(owner)?.fronts.get(&front));
        backend.is_some_and(|backend| backend.endpoints.iter().any(|other| other.address == endpoint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Protocol;
    use crate::network::rules::{Backend, Endpoint};

    fn front(address: &str) -> Front {
        Front { address: address.parse().expect("address"), protocol: Protocol::Tcp }
    }

    fn rules(fronts: &[(&str, &[&str])]) -> Option<ServiceRules> {
        let backend = |endpoints: &[&str]| Backend {
            endpoints: endpoints
                .iter()
                .map(|address| Endpoint { address: address.parse().expect("address"), node: None })
                .collect(),
            affinity: None,
            same_node: false,
        };
        let fronts = fronts.iter().map(|(address, endpoints)| (front(address), backend(endpoints))).collect();
        Some(ServiceRules { fronts })
    }

    fn ask(proxy: &Proxy, address: &str) -> Verdict {
        proxy.choose(front(address), Caller { address: None, node: None }, Instant::now())
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
        assert!(proxy.still_serves(front("10.13.0.9:80"), "10.10.0.5:8080".parse().expect("address")));
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
