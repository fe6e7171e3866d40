//! Forwarding rules of one Service, computed from the Service and its EndpointSlices.
//!
//! Pure; follows kube-proxy. Endpoints are matched by the *name* of a port, so an imported slice may use another number
//! than the Service. Ready endpoints get traffic; if there are none, endpoints that serve while they terminate do.
//! `balance` chooses one of the endpoints, `proxy` stores the rules of a cluster.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use portolan_object::Object;
use serde::Deserialize;
use serde_json::Value;

use crate::network::address::{Frontend, Protocol};

/// Label of a slice with the name of its Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// Services with this label are left to another proxy.
const PROXY_NAME: &str = "service.kubernetes.io/service-proxy-name";
/// Default of `sessionAffinityConfig.clientIP.timeoutSeconds`.
const AFFINITY_SECONDS: u64 = 10_800;

/// One endpoint of a Service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    /// `nodeName` of the slice.
    pub(crate) node: Option<Arc<str>>,
}

/// Endpoints of one frontend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Backend {
    /// Sorted by address, without duplicates. Empty: connections are refused.
    pub(crate) endpoints: Vec<Endpoint>,
    /// Time that a client keeps its endpoint after its last connection (`sessionAffinity: ClientIP`).
    pub(crate) affinity: Option<Duration>,
    /// Whether only endpoints on the client's node are used (`internalTrafficPolicy: Local`).
    pub(crate) same_node: bool,
}

/// All rules of one Service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ServiceRules {
    pub(crate) frontends: BTreeMap<Frontend, Backend>,
}

/// Computes the rules of `service` from the EndpointSlices of its namespace; slices of other Services are skipped.
///
/// `nodes` are the addresses with node ports. Ports with an unknown protocol are left out.
pub(crate) fn service_rules<'a>(
    service: &Object,
    slices: impl IntoIterator<Item = &'a Object>,
    nodes: &[IpAddr],
) -> ServiceRules {
    let spec: ServiceSpec = part(service, "spec");
    if spec.r#type == "ExternalName" {
        return ServiceRules::default();
    }
    let slices: Vec<Slice> = slices
        .into_iter()
        .filter(|slice| slice.namespace() == service.namespace())
        .filter(|slice| slice.label(SERVICE_NAME) == Some(service.name()))
        .filter_map(|slice| Slice::deserialize(&slice.0).ok())
        .filter(|slice| slice.address_type != "FQDN")
        .collect();
    let cluster_addresses = spec.cluster_addresses();
    if cluster_addresses.is_empty() {
        return ServiceRules::default();
    }
    let mut rules = ServiceRules::default();
    if service.label(PROXY_NAME).is_some() {
        return rules;
    }
    let status: ServiceStatus = part(service, "status");
    let public = spec.external_addresses.iter().copied().chain(status.ingress_addresses());
    let addresses: Vec<IpAddr> = cluster_addresses.iter().copied().chain(public).collect();
    for port in &spec.ports {
        let Some(protocol) = Protocol::parse(&port.protocol) else { continue };
        for address in &addresses {
            let backend = spec.backend(port, *address, &slices, cluster_addresses.contains(address));
            rules
                .frontends
                .insert(Frontend { address: SocketAddr::new(*address, port.port), protocol }, backend);
        }
        for node in nodes.iter().filter(|_| port.node_port > 0) {
            let backend = spec.backend(port, *node, &slices, false);
            rules
                .frontends
                .insert(Frontend { address: SocketAddr::new(*node, port.node_port), protocol }, backend);
        }
    }
    rules
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ServiceSpec {
    r#type: String,
    #[serde(rename = "clusterIP")]
    cluster_ip: String,
    #[serde(rename = "clusterIPs", deserialize_with = "lenient_addresses")]
    cluster_ips: Vec<IpAddr>,
    #[serde(rename = "externalIPs", deserialize_with = "lenient_addresses")]
    external_addresses: Vec<IpAddr>,
    ports: Vec<ServicePort>,
    session_affinity: String,
    session_affinity_config: AffinityConfig,
    internal_traffic_policy: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ServicePort {
    name: String,
    protocol: String,
    port: u16,
    node_port: u16,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct AffinityConfig {
    #[serde(rename = "clientIP")]
    client_ip: Option<AffinityTimeout>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct AffinityTimeout {
    timeout_seconds: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ServiceStatus {
    load_balancer: LoadBalancer,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LoadBalancer {
    ingress: Vec<Ingress>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Ingress {
    ip: String,
    ip_mode: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Slice {
    #[serde(default)]
    address_type: String,
    #[serde(default, deserialize_with = "null_is_empty")]
    endpoints: Vec<SliceEndpoint>,
    #[serde(default, deserialize_with = "null_is_empty")]
    ports: Vec<SlicePort>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SliceEndpoint {
    #[serde(default)]
    addresses: Vec<String>,
    #[serde(default)]
    conditions: Conditions,
    #[serde(default)]
    node_name: Option<Arc<str>>,
}

#[derive(Debug, Default, Deserialize)]
struct Conditions {
    ready: Option<bool>,
    serving: Option<bool>,
    terminating: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct SlicePort {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    protocol: Option<String>,
    #[serde(default)]
    port: Option<u16>,
}

impl ServiceSpec {
    fn cluster_addresses(&self) -> Vec<IpAddr> {
        let first = self.cluster_ip.parse().ok();
        let mut addresses: Vec<IpAddr> = first.into_iter().chain(self.cluster_ips.iter().copied()).collect();
        addresses.dedup();
        addresses
    }

    fn affinity(&self) -> Option<Duration> {
        let given = self.session_affinity_config.client_ip.as_ref().and_then(|config| config.timeout_seconds);
        (self.session_affinity == "ClientIP").then(|| Duration::from_secs(given.unwrap_or(AFFINITY_SECONDS)))
    }

    fn backend(&self, port: &ServicePort, address: IpAddr, slices: &[Slice], internal: bool) -> Backend {
        Backend {
            endpoints: endpoints_of(port, address, slices),
            affinity: self.affinity(),
            same_node: internal && self.internal_traffic_policy == "Local",
        }
    }
}

impl ServiceStatus {
    /// Ingress addresses that a cluster's own proxy serves; `ipMode: Proxy` leaves the traffic to the balancer.
    fn ingress_addresses(&self) -> impl Iterator<Item = IpAddr> {
        let served = self.load_balancer.ingress.iter().filter(|ingress| ingress.ip_mode != "Proxy");
        served.filter_map(|ingress| ingress.ip.parse().ok())
    }
}

impl Conditions {
    /// An unset condition counts as ready (EndpointSlice API, `endpoints.conditions`).
    fn is_ready(&self) -> bool {
        self.ready.unwrap_or(true)
    }

    fn serves_while_terminating(&self) -> bool {
        self.serving.unwrap_or_else(|| self.is_ready()) && self.terminating.unwrap_or(false)
    }
}

fn endpoints_of(port: &ServicePort, frontend: IpAddr, slices: &[Slice]) -> Vec<Endpoint> {
    let matching: Vec<(Endpoint, &Conditions)> = slices
        .iter()
        .flat_map(|slice| {
            slice.ports.iter().filter(|other| port.is_served_by(other)).map(move |p| (slice, p))
        })
        .filter_map(|(slice, slice_port)| Some((slice, slice_port.port.filter(|number| *number > 0)?)))
        .flat_map(|(slice, number)| slice.endpoints.iter().filter_map(move |e| e.at_port(number)))
        .filter(|(endpoint, _)| endpoint.address.is_ipv4() == frontend.is_ipv4())
        .collect();
    let select = |wanted: fn(&Conditions) -> bool| {
        let mut chosen: Vec<Endpoint> =
            matching.iter().filter(|(_, conditions)| wanted(conditions)).map(|(e, _)| e.clone()).collect();
        chosen.sort();
        chosen.dedup_by(|a, b| a.address == b.address);
        chosen
    };
    match select(Conditions::is_ready) {
        ready if ready.is_empty() => select(Conditions::serves_while_terminating),
        ready => ready,
    }
}

impl ServicePort {
    fn is_served_by(&self, other: &SlicePort) -> bool {
        other.name.as_deref().unwrap_or_default() == self.name
            && Protocol::parse(other.protocol.as_deref().unwrap_or_default())
                == Protocol::parse(&self.protocol)
    }
}

impl SliceEndpoint {
    fn at_port(&self, port: u16) -> Option<(Endpoint, &Conditions)> {
        let address = SocketAddr::new(self.addresses.first()?.parse().ok()?, port);
        Some((Endpoint { address, node: self.node_name.clone() }, &self.conditions))
    }
}

/// A part of an object; an object that an API server accepted has the right shape, anything else counts as empty.
fn part<T: for<'de> Deserialize<'de> + Default>(object: &Object, name: &str) -> T {
    object.at(&[name]).and_then(|value| T::deserialize(value).ok()).unwrap_or_default()
}

fn null_is_empty<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Addresses among the strings of a list: `None` (a headless Service) is not one.
fn lenient_addresses<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<IpAddr>, D::Error> {
    let values: Vec<Value> = null_is_empty(deserializer)?;
    Ok(values.iter().filter_map(|value| value.as_str()?.parse().ok()).collect())
}

#[cfg(test)]
mod tests;
