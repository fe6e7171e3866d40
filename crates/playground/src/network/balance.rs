//! Chooses the endpoint of a Service for a new connection.
//!
//! Round robin. With `sessionAffinity: ClientIP` a client keeps its endpoint while it exists and the last connection is
//! more recent than the timeout. Pure: time is a parameter.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::time::Instant;

use crate::network::address::Frontend;
use crate::network::rules::{Backend, Endpoint};

/// Clients with session affinity per cluster; beyond it the least recently used one is dropped.
const MAX_STICKY_CLIENTS: usize = 4096;

/// Balancing state of all frontends of one cluster.
#[derive(Debug, Default)]
pub(crate) struct Balance {
    turns: BTreeMap<Frontend, usize>,
    sticky: BTreeMap<(Frontend, IpAddr), Sticky>,
}

/// Address and node of a client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller<'a> {
    pub(crate) address: Option<IpAddr>,
    pub(crate) node: Option<&'a str>,
}

#[derive(Debug)]
struct Sticky {
    endpoint: SocketAddr,
    used: Instant,
    timeout: Duration,
}

impl Sticky {
    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.used) >= self.timeout
    }
}

impl Balance {
    /// The endpoint of a new connection from `caller`; `None` when no endpoint is usable.
    pub(crate) fn choose(
        &mut self,
        frontend: Frontend,
        backend: &Backend,
        caller: Caller<'_>,
        now: Instant,
    ) -> Option<SocketAddr> {
        let usable: Vec<&Endpoint> = backend
            .endpoints
            .iter()
            .filter(|endpoint| !backend.same_node || endpoint.node.as_deref() == caller.node)
            .collect();
        let key =
            caller.address.zip(backend.affinity).map(|(address, timeout)| ((frontend, address), timeout));
        if let Some((key, timeout)) = key
            && let Some(kept) = self.sticky.get_mut(&key)
            && !kept.is_over(now)
            && usable.iter().any(|endpoint| endpoint.address == kept.endpoint)
        {
            kept.used = now;
            kept.timeout = timeout;
            return Some(kept.endpoint);
        }
        let endpoint = self.take_turn(frontend, &usable)?;
        if let Some((key, timeout)) = key {
            self.remember(key, Sticky { endpoint, used: now, timeout }, now);
        }
        Some(endpoint)
    }

    /// Drops the state of a frontend.
    pub(crate) fn forget(&mut self, frontend: Frontend) {
        self.turns.remove(&frontend);
        self.sticky.retain(|(other, _), _| *other != frontend);
    }

    fn take_turn(&mut self, frontend: Frontend, usable: &[&Endpoint]) -> Option<SocketAddr> {
        if usable.is_empty() {
            return None;
        }
        let turn = self.turns.entry(frontend).or_default();
        let chosen = usable[*turn % usable.len()].address;
        *turn = turn.wrapping_add(1);
        Some(chosen)
    }

    fn remember(&mut self, key: (Frontend, IpAddr), sticky: Sticky, now: Instant) {
        if self.sticky.len() >= MAX_STICKY_CLIENTS && !self.sticky.contains_key(&key) {
            self.sticky.retain(|_, other| !other.is_over(now));
            if self.sticky.len() >= MAX_STICKY_CLIENTS
                && let Some(oldest) = self.sticky.iter().min_by_key(|(_, s)| s.used).map(|(key, _)| *key)
            {
                self.sticky.remove(&oldest);
            }
        }
        self.sticky.insert(key, sticky);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::address::Protocol;

    const FRONTEND: &str = "10.13.0.9:80";

    fn frontend() -> Frontend {
        Frontend { address: FRONTEND.parse().expect("address"), protocol: Protocol::Tcp }
    }

    fn backend(endpoints: &[(&str, &str)]) -> Backend {
        let endpoint = |(address, node): &(&str, &str)| Endpoint {
            address: address.parse().expect("address"),
            node: Some((*node).into()),
        };
        Backend { endpoints: endpoints.iter().map(endpoint).collect(), affinity: None, same_node: false }
    }

    fn two() -> Backend {
        backend(&[("10.10.0.5:80", "one"), ("10.10.0.6:80", "two")])
    }

    fn picks(balance: &mut Balance, backend: &Backend, caller: Caller<'_>, now: Instant, n: usize) -> String {
        let picks = (0..n).map(|_| match balance.choose(frontend(), backend, caller, now) {
            Some(address) => address.to_string(),
            None => "refused".to_owned(),
        });
        picks.collect::<Vec<_>>().join(" ")
    }

    fn client(address: &str) -> Caller<'static> {
        Caller { address: Some(address.parse().expect("address")), node: Some("two") }
    }

    #[test]
    fn endpoints_take_turns() {
        let (mut balance, now) = (Balance::default(), Instant::now());
        let got = picks(&mut balance, &two(), client("10.12.0.5"), now, 3);
        assert_eq!(got, "10.10.0.5:80 10.10.0.6:80 10.10.0.5:80");
    }

    #[test]
    fn a_service_without_endpoints_refuses() {
        let (mut balance, now) = (Balance::default(), Instant::now());
        assert_eq!(picks(&mut balance, &backend(&[]), client("10.12.0.5"), now, 1), "refused");
    }

    #[test]
    fn local_traffic_stays_on_the_node() {
        let (mut balance, now) = (Balance::default(), Instant::now());
        let local = Backend { same_node: true, ..two() };
        assert_eq!(picks(&mut balance, &local, client("10.12.0.5"), now, 2), "10.10.0.6:80 10.10.0.6:80");
        let elsewhere = Caller { address: None, node: None };
        assert_eq!(picks(&mut balance, &local, elsewhere, now, 1), "refused");
    }

    #[test]
    fn a_client_keeps_its_endpoint_until_the_timeout() {
        let (mut balance, start) = (Balance::default(), Instant::now());
        let sticky = Backend { affinity: Some(Duration::from_secs(10)), ..two() };
        let (a, b) = (client("10.12.0.5"), client("10.12.0.6"));
        assert_eq!(picks(&mut balance, &sticky, a, start, 2), "10.10.0.5:80 10.10.0.5:80");
        assert_eq!(picks(&mut balance, &sticky, b, start, 1), "10.10.0.6:80");
        let within = start + Duration::from_secs(9);
        assert_eq!(picks(&mut balance, &sticky, b, within, 1), "10.10.0.6:80", "each use renews");
        let later = start + Duration::from_secs(18);
        assert_eq!(picks(&mut balance, &sticky, b, later, 1), "10.10.0.6:80");
        assert_eq!(picks(&mut balance, &sticky, a, later, 2), "10.10.0.5:80 10.10.0.5:80");
    }

    #[test]
    fn a_client_moves_when_its_endpoint_leaves() {
        let (mut balance, now) = (Balance::default(), Instant::now());
        let sticky = Backend { affinity: Some(Duration::from_secs(10)), ..two() };
        assert_eq!(picks(&mut balance, &sticky, client("10.12.0.5"), now, 1), "10.10.0.5:80");
        let rest = Backend { affinity: sticky.affinity, ..backend(&[("10.10.0.6:80", "two")]) };
        assert_eq!(picks(&mut balance, &rest, client("10.12.0.5"), now, 1), "10.10.0.6:80");
    }

    #[test]
    fn remembered_clients_are_bounded() {
        let (mut balance, start) = (Balance::default(), Instant::now());
        let sticky = Backend { affinity: Some(Duration::from_secs(10_800)), ..two() };
        for number in 0..(MAX_STICKY_CLIENTS as u32 + 10) {
            let caller = Caller { address: Some(IpAddr::V4((0x0a0c_0000 + number).into())), node: None };
            balance.choose(frontend(), &sticky, caller, start + Duration::from_millis(number.into()));
        }
        assert_eq!(balance.sticky.len(), MAX_STICKY_CLIENTS);
        balance.forget(frontend());
        assert!(balance.sticky.is_empty());
    }
}
