//! Forwarding rules of one Service, computed from the Service and its EndpointSlices.
//!
//! Pure; follows kube-proxy. Endpoints are matched by the *name* of a port, so an imported slice may use another number
//! than the Service. Ready endpoints get traffic; if there are none, endpoints that serve while they terminate do.
//! `balance` chooses one of the endpoints, `proxy` stores the rules of a cluster.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use portolan_api::kubernetes::{
    self, EndpointConditions, EndpointPort, EndpointSlice, Service, ServicePort, ServiceSpec, ServiceStatus,
    View, ViewError,
};
use portolan_api::labels::endpoint_slice::SERVICE_NAME;
use portolan_object::Object;

use crate::network::address::{Frontend, Protocol};

/// Services with this label are left to another proxy.
const PROXY_NAME: &str = "service.kubernetes.io/service-proxy-name";
/// Default of `sessionAffinityConfig.clientIP.timeoutSeconds`.
const DEFAULT_AFFINITY_SECONDS: u64 = 10_800;

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
/// `nodes` are the addresses with node ports. Ports with an unknown protocol are left out. Objects that cannot be read are
/// left out too; the errors name them.
pub(crate) fn service_rules<'a>(
    service: &Object,
    slices: impl IntoIterator<Item = &'a Object>,
    nodes: &[IpAddr],
) -> (ServiceRules, Vec<ViewError>) {
    let mut rules = ServiceRules::default();
    let Service { spec, status } = match Service::read(service) {
        Ok(view) => view,
        Err(error) => return (rules, vec![error]),
    };
    let cluster_ips = cluster_ips(&spec);
    let belongs_to_other_proxy = service.label(PROXY_NAME).is_some();
    if spec.kind == "ExternalName" || cluster_ips.is_empty() || belongs_to_other_proxy {
        return (rules, Vec::new());
    }
    let (slices, errors) = read_slices(service, slices);
    let external = spec.external_ips.iter().filter_map(|address| address.parse().ok());
    let public = external.chain(load_balancer_ips(&status));
    let addresses: Vec<IpAddr> = cluster_ips.iter().copied().chain(public).collect();
    for port in &spec.ports {
        let (Some(protocol), Ok(number)) = (protocol(port.protocol), u16::try_from(port.port)) else {
            continue;
        };
        for address in &addresses {
            let frontend = Frontend { address: SocketAddr::new(*address, number), protocol };
            let backend = backend(&spec, port, *address, &slices, cluster_ips.contains(address));
            rules.frontends.insert(frontend, backend);
        }
        let Ok(node_port @ 1..) = u16::try_from(port.node_port) else { continue };
        for node in nodes {
            let frontend = Frontend { address: SocketAddr::new(*node, node_port), protocol };
            rules.frontends.insert(frontend, backend(&spec, port, *node, &slices, false));
        }
    }
    (rules, errors)
}

/// The readable slices of a Service that have addresses.
fn read_slices<'a>(
    service: &Object,
    slices: impl IntoIterator<Item = &'a Object>,
) -> (Vec<EndpointSlice<'a>>, Vec<ViewError>) {
    let (mut views, mut errors) = (Vec::new(), Vec::new());
    let of_service = slices.into_iter().filter(|slice| {
        slice.namespace() == service.namespace() && slice.label(SERVICE_NAME) == Some(service.name())
    });
    for slice in of_service {
        match EndpointSlice::read(slice) {
            Ok(view) if view.address_type != "FQDN" => views.push(view),
            Ok(_) => {}
            Err(error) => errors.push(error),
        }
    }
    (views, errors)
}

/// The cluster IPs, without `None` of a headless Service.
fn cluster_ips(spec: &ServiceSpec<'_>) -> Vec<IpAddr> {
    let all = std::iter::once(&spec.cluster_ip).chain(&spec.cluster_ips);
    let mut addresses: Vec<IpAddr> = all.filter_map(|address| address.parse().ok()).collect();
    addresses.dedup();
    addresses
}

/// Load balancer addresses that the service proxy handles; with `ipMode: Proxy` the load balancer does.
fn load_balancer_ips(status: &ServiceStatus<'_>) -> impl Iterator<Item = IpAddr> {
    let handled = status.load_balancer.ingress.iter().filter(|ingress| ingress.ip_mode != "Proxy");
    handled.filter_map(|ingress| ingress.ip.parse().ok())
}

fn protocol(name: Option<&str>) -> Option<Protocol> {
    Protocol::parse(name.unwrap_or_default())
}

fn backend(
    spec: &ServiceSpec<'_>,
    port: &ServicePort<'_>,
    address: IpAddr,
    slices: &[EndpointSlice<'_>],
    is_internal: bool,
) -> Backend {
    Backend {
        endpoints: endpoints(port, address, slices),
        affinity: affinity(spec),
        same_node: is_internal && spec.internal_traffic_policy == "Local",
    }
}

fn affinity(spec: &ServiceSpec<'_>) -> Option<Duration> {
    let seconds = spec.session_affinity_config.client_ip.timeout_seconds;
    let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(DEFAULT_AFFINITY_SECONDS);
    (spec.session_affinity == "ClientIP").then(|| Duration::from_secs(seconds))
}

/// An unset condition counts as ready (EndpointSlice API, `endpoints.conditions`).
fn is_ready(conditions: EndpointConditions) -> bool {
    conditions.ready.unwrap_or(true)
}

fn serves_while_terminating(conditions: EndpointConditions) -> bool {
    conditions.serving.unwrap_or_else(|| is_ready(conditions)) && conditions.terminating.unwrap_or(false)
}

/// The endpoints of a port, in the address family of `frontend`.
fn endpoints(port: &ServicePort<'_>, frontend: IpAddr, slices: &[EndpointSlice<'_>]) -> Vec<Endpoint> {
    let matching: Vec<(Endpoint, EndpointConditions)> = slices
        .iter()
        .flat_map(|slice| slice.ports.iter().filter(|other| serves(port, other)).map(move |p| (slice, p)))
        .filter_map(|(slice, slice_port)| Some((slice, u16::try_from(slice_port.port?).ok()?)))
        .filter(|(_, number)| *number > 0)
        .flat_map(|(slice, number)| {
            slice.endpoints.iter().filter_map(move |e| Some((at_port(e, number)?, e.conditions)))
        })
        .filter(|(endpoint, _)| endpoint.address.is_ipv4() == frontend.is_ipv4())
        .collect();
    let select = |wanted: fn(EndpointConditions) -> bool| {
        let mut chosen: Vec<Endpoint> =
            matching.iter().filter(|(_, conditions)| wanted(*conditions)).map(|(e, _)| e.clone()).collect();
        chosen.sort();
        chosen.dedup_by(|a, b| a.address == b.address);
        chosen
    };
    match select(is_ready) {
        ready if ready.is_empty() => select(serves_while_terminating),
        ready => ready,
    }
}

/// Whether a port of a slice belongs to a port of the Service.
fn serves(port: &ServicePort<'_>, slice_port: &EndpointPort<'_>) -> bool {
    slice_port.name.unwrap_or_default() == port.name
        && protocol(slice_port.protocol) == protocol(port.protocol)
}

fn at_port(endpoint: &kubernetes::Endpoint<'_>, port: u16) -> Option<Endpoint> {
    let address = SocketAddr::new(endpoint.addresses.first()?.parse().ok()?, port);
    Some(Endpoint { address, node: endpoint.node_name.map(Arc::from) })
}

#[cfg(test)]
mod tests;
