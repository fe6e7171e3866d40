//! Ready endpoints of EndpointSlices, and the records of headless services.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use portolan_api::kubernetes::{Endpoint, EndpointPort, EndpointSlice, ServicePort, View};
use portolan_api::labels::endpoint_slice::SOURCE_CLUSTER;
use portolan_object::Object;
use portolan_object::dns_label::{LABEL_LIMIT, is_host_label, is_host_name};
use serde_json::Value;

use super::names::dashed;
use super::problem::Problem;
use super::record::{RecordData, ServiceRecords};

/// Maximum endpoints in the answer for the name of a service. Limited by 64 KiB of AAAA records; A answers have the same
/// limit, so that both contain the same endpoints.
pub(super) const MAX_ENDPOINTS: usize = 2000;

/// A valid port of a service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Port {
    /// Name; empty for a single unnamed port.
    pub(super) name: String,
    /// `tcp`, `udp` or `sctp`.
    pub(super) protocol: &'static str,
    pub(super) number: u16,
}

impl Port {
    /// Prefix of the port's SRV records; `None` for an unnamed port.
    pub(super) fn prefix(&self) -> Option<String> {
        (!self.name.is_empty()).then(|| format!("_{}._{}", self.name.to_ascii_lowercase(), self.protocol))
    }
}

/// A ready endpoint with its name in DNS.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct NamedEndpoint {
    /// Id of the exporting cluster; empty in the zone of a single cluster.
    cluster: String,
    hostname: String,
    address: IpAddr,
    ports: Vec<Port>,
}

impl NamedEndpoint {
    fn prefix(&self) -> String {
        match self.cluster.as_str() {
            "" => self.hostname.clone(),
            cluster => format!("{}.{cluster}", self.hostname),
        }
    }
}

/// Whether the names of endpoints contain the id of their cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    WithCluster,
    WithoutCluster,
}

/// A port as an object lists it.
pub(super) struct ListedPort<'a> {
    name: &'a str,
    /// `None` stands for all ports.
    number: Option<i64>,
    protocol: &'a str,
}

impl<'a> From<&ServicePort<'a>> for ListedPort<'a> {
    fn from(port: &ServicePort<'a>) -> Self {
        Self { name: port.name, number: Some(port.port), protocol: port.protocol.unwrap_or_default() }
    }
}

impl<'a> From<&EndpointPort<'a>> for ListedPort<'a> {
    fn from(port: &EndpointPort<'a>) -> Self {
        let (name, protocol) = (port.name.unwrap_or_default(), port.protocol.unwrap_or_default());
        Self { name, number: port.port, protocol }
    }
}

impl ListedPort<'_> {
    /// The port if it can have SRV records; an EndpointSlice port without number has none.
    fn check(&self) -> Option<Result<Port, Problem>> {
        let number = self.number?;
        let problem = |reason| {
            let (name, protocol) = (self.name.to_owned(), self.protocol.to_owned());
            Some(Err(Problem::Port { name, number, protocol, reason }))
        };
        let protocol = match self.protocol {
            // TCP is the default of the other two APIs; the ServiceImport API has none.
            "" | "TCP" => "tcp",
            "UDP" => "udp",
            "SCTP" => "sctp",
            _ => return problem("its protocol is neither TCP, UDP nor SCTP"),
        };
        // The underscore in front of the name is part of the label.
        if !(self.name.is_empty() || is_host_label(self.name) && self.name.len() < LABEL_LIMIT) {
            return problem("its name is not a DNS label of at most 62 characters");
        }
        match u16::try_from(number).ok().filter(|&number| number > 0) {
            Some(number) => Some(Ok(Port { name: self.name.to_owned(), protocol, number })),
            None => problem("its number is not between 1 and 65535"),
        }
    }
}

/// Ports of a Service, a ServiceImport or an EndpointSlice, without invalid ones, which are reported as problems.
pub(super) fn ports<'a>(
    listed: impl Iterator<Item = ListedPort<'a>>,
    problems: &mut Vec<Problem>,
) -> Vec<Port> {
    let checked = listed.filter_map(|port| port.check());
    checked.filter_map(|port| port.map_err(|problem| problems.push(problem)).ok()).collect()
}

/// Adds the records of a headless service: its addresses, one name per endpoint, and SRV records for every port.
///
/// `default_ports` are the ports of slices without `ports`.
pub(super) fn add_headless(
    records: &mut ServiceRecords,
    slices: &[&Object],
    naming: Naming,
    default_ports: &[Port],
) {
    let endpoints = ready(slices, naming, default_ports, &mut records.problems);
    for endpoint in &endpoints {
        records.add(endpoint.prefix(), RecordData::Address(endpoint.address));
        if naming == Naming::WithoutCluster {
            records.reverse.push((endpoint.address, endpoint.prefix()));
        }
    }
    for endpoint in published(&endpoints, &mut records.problems) {
        records.add("", RecordData::Address(endpoint.address));
        let target = endpoint.prefix();
        for port in &endpoint.ports {
            let data = |port: &Port| RecordData::Server {
                priority: 0,
                weight: 0,
                port: port.number,
                target: target.clone(),
            };
            // The name of the service has the SRV records of all ports; `finish` removes duplicates.
            records.add("", data(port));
            if let Some(prefix) = port.prefix() {
                records.add(prefix, data(port));
            }
        }
    }
}

/// All ready endpoints, sorted, without duplicates.
fn ready(
    slices: &[&Object],
    naming: Naming,
    default_ports: &[Port],
    problems: &mut Vec<Problem>,
) -> Vec<NamedEndpoint> {
    let mut found = BTreeSet::new();
    for slice in slices {
        let place = format!("EndpointSlice {}", slice.key());
        let family = match EndpointSlice::address_type(slice) {
            family @ ("IPv4" | "IPv6") => family,
            // Slices of type FQDN are not exported.
            _ => continue,
        };
        let Some(cluster) = cluster(slice, naming, &place, problems) else { continue };
        let view = match EndpointSlice::read(slice) {
            Ok(view) => view,
            Err(error) => {
                problems.push(Problem::Unreadable { message: error.to_string() });
                continue;
            }
        };
        let ports = if slice.0.get("ports").is_some_and(Value::is_array) {
            ports(view.ports.iter().map(ListedPort::from), problems)
        } else {
            default_ports.to_vec()
        };
        for endpoint in view.endpoints.iter().filter(|endpoint| endpoint.is_ready()) {
            let Some(hostname) = hostname(endpoint, &place, problems) else { continue };
            for address in addresses(endpoint, family, &place, problems) {
                let hostname = hostname.clone().unwrap_or_else(|| dashed(address));
                let (cluster, ports) = (cluster.clone(), ports.clone());
                found.insert(NamedEndpoint { cluster, hostname, address, ports });
            }
        }
    }
    found.into_iter().collect()
}

/// The cluster id in the names of a slice's endpoints; `None` if it is missing or invalid.
fn cluster(slice: &Object, naming: Naming, place: &str, problems: &mut Vec<Problem>) -> Option<String> {
    if naming == Naming::WithoutCluster {
        return Some(String::new());
    }
    let Some(id) = slice.label(SOURCE_CLUSTER).filter(|id| !id.is_empty()) else {
        problems.push(Problem::NoClusterId { place: place.to_owned() });
        return None;
    };
    if !is_host_name(id) {
        problems.push(Problem::ClusterId { id: id.to_owned(), place: place.to_owned() });
        return None;
    }
    Some(id.to_ascii_lowercase())
}

/// Host name of an endpoint, if it has one; the outer `None` means that it is invalid.
fn hostname(endpoint: &Endpoint<'_>, place: &str, problems: &mut Vec<Problem>) -> Option<Option<String>> {
    match endpoint.hostname.unwrap_or_default() {
        "" => Some(None),
        hostname if is_host_label(hostname) => Some(Some(hostname.to_ascii_lowercase())),
        hostname => {
            problems.push(Problem::Hostname { hostname: hostname.to_owned(), place: place.to_owned() });
            None
        }
    }
}

fn addresses(endpoint: &Endpoint<'_>, family: &str, place: &str, problems: &mut Vec<Problem>) -> Vec<IpAddr> {
    let expected = if family == "IPv4" { "IPv4" } else { "IPv6" };
    let parse = |text: &&str| {
        let address = text.parse().ok().filter(|address: &IpAddr| address.is_ipv4() == (family == "IPv4"));
        if address.is_none() {
            problems.push(Problem::Address { text: (*text).to_owned(), place: place.to_owned(), expected });
        }
        address
    };
    endpoint.addresses.iter().filter_map(parse).collect()
}

/// Endpoints in the answer for the name of the service: all, or [`MAX_ENDPOINTS`] taken evenly from all clusters.
fn published<'a>(endpoints: &'a [NamedEndpoint], problems: &mut Vec<Problem>) -> Vec<&'a NamedEndpoint> {
    if endpoints.len() <= MAX_ENDPOINTS {
        return endpoints.iter().collect();
    }
    problems.push(Problem::TooManyEndpoints { have: endpoints.len(), limit: MAX_ENDPOINTS });
    // Take all addresses of a host name together, so that A and AAAA answers contain the same pods; one host name of each
    // cluster in turn.
    let mut clusters: BTreeMap<&str, BTreeMap<&str, Vec<&NamedEndpoint>>> = BTreeMap::new();
    for endpoint in endpoints {
        let hosts = clusters.entry(&endpoint.cluster).or_default();
        hosts.entry(&endpoint.hostname).or_default().push(endpoint);
    }
    let mut turns: Vec<_> = clusters.into_values().map(BTreeMap::into_values).collect();
    let mut chosen = Vec::new();
    loop {
        let before = chosen.len();
        for hosts in &mut turns {
            let Some(host) = hosts.next() else { continue };
            if chosen.len() + host.len() > MAX_ENDPOINTS {
                return chosen;
            }
            chosen.extend(host);
        }
        if chosen.len() == before {
            return chosen;
        }
    }
}
