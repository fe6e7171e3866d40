//! NetworkPolicies by which clients in other clusters reach an exported service where traffic is denied by default.
//!
//! A NetworkPolicy cannot select pods of another cluster, so their address ranges stand for them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use portolan_api::kubernetes::{EndpointSlice, Service, View};
use portolan_object::Object;
use serde_json::{Value, json};

/// A cluster that exports the service.
#[derive(Debug, Clone)]
pub struct ExportingSide<'a> {
    /// Name of the cluster.
    pub cluster: &'a str,
    /// The Service.
    pub service: &'a Object,
    /// Its EndpointSlices.
    pub slices: Vec<&'a Object>,
    /// Pod address ranges of its nodes, in CIDR notation.
    pub pod_ranges: &'a [String],
}

/// A cluster that imports the service.
#[derive(Debug, Clone)]
pub struct ImportingSide<'a> {
    /// Name of the cluster.
    pub cluster: &'a str,
    /// Addresses of the import there.
    pub addresses: Vec<String>,
    /// Pod address ranges of its nodes, in CIDR notation.
    pub pod_ranges: &'a [String],
}

/// A NetworkPolicy, or why there is none.
#[derive(Debug, Clone, PartialEq)]
pub struct Advice {
    /// The cluster to apply it in.
    pub cluster: String,
    /// The NetworkPolicy; `None` if one cannot be made.
    pub policy: Option<Object>,
    /// What to know before it is applied.
    pub notes: Vec<String>,
}

/// A port that the endpoints listen on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Port {
    protocol: String,
    number: i64,
}

/// The policies for both sides: what lets traffic into the pods of each exporting cluster, and what lets it out of the namespace in
/// each importing one.
pub fn network_policies(exporters: &[ExportingSide<'_>], importers: &[ImportingSide<'_>]) -> Vec<Advice> {
    let ingress = exporters.iter().map(|exporter| ingress(exporter, importers));
    let egress = importers.iter().map(|importer| egress(importer, exporters));
    ingress.chain(egress).collect()
}

fn ingress(exporter: &ExportingSide<'_>, importers: &[ImportingSide<'_>]) -> Advice {
    let cluster = exporter.cluster.to_owned();
    let none = |note: String| Advice { cluster: cluster.clone(), policy: None, notes: vec![note] };
    let service = exporter.service;
    let selector: BTreeMap<&str, &str> = match Service::read(service) {
        Ok(read) => read.spec.selector.into_iter().collect(),
        Err(error) => return none(format!("the Service cannot be read: {error}")),
    };
    if selector.is_empty() {
        return none(
            "the Service has no selector, so that no NetworkPolicy can name its endpoints".to_owned(),
        );
    }
    let others = importers.iter().filter(|importer| importer.cluster != exporter.cluster);
    let (ranges, unknown) = ranges(others.map(|importer| (importer.cluster, importer.pod_ranges)));
    if ranges.is_empty() {
        return none(format!(
            "no other cluster with a known pod address range imports it{}",
            Unknown(&unknown)
        ));
    }
    let mut notes = vec![
        "pods that a NetworkPolicy selects accept nothing that no policy allows: allow clients of this cluster too".to_owned(),
        "where the traffic between the clusters is translated, the address of the gateway has to be allowed".to_owned(),
    ];
    notes.extend(unknown_note(&unknown));
    let spec = json!({
        "podSelector": { "matchLabels": selector },
        "policyTypes": ["Ingress"],
        "ingress": [{ "from": blocks(&ranges), "ports": ports(&exporter.slices) }],
    });
    Advice { cluster, policy: Some(policy(service, "from-other-clusters", spec)), notes }
}

fn egress(importer: &ImportingSide<'_>, exporters: &[ExportingSide<'_>]) -> Advice {
    let cluster = importer.cluster.to_owned();
    let others: Vec<&ExportingSide<'_>> =
        exporters.iter().filter(|exporter| exporter.cluster != importer.cluster).collect();
    let (ranges, unknown) = ranges(others.iter().map(|exporter| (exporter.cluster, exporter.pod_ranges)));
    let Some(first) = others.first().filter(|_| !ranges.is_empty()) else {
        let note = format!("no other cluster with a known pod address range exports it{}", Unknown(&unknown));
        return Advice { cluster, policy: None, notes: vec![note] };
    };
    let slices: Vec<&Object> = others.iter().flat_map(|exporter| exporter.slices.iter().copied()).collect();
    let mut rules = vec![json!({ "to": blocks(&ranges), "ports": ports(&slices) })];
    // Some network plugins check the address of the Service, others that of the endpoint.
    let addresses: BTreeSet<String> = importer.addresses.iter().map(|address| single(address)).collect();
    if !addresses.is_empty() {
        rules.push(json!({ "to": blocks(&addresses), "ports": service_ports(first.service) }));
    }
    let mut notes = vec![
        "only where egress of the namespace is restricted already: otherwise it denies everything else, DNS among it".to_owned(),
    ];
    notes.extend(unknown_note(&unknown));
    let spec = json!({ "podSelector": {}, "policyTypes": ["Egress"], "egress": rules });
    Advice { cluster, policy: Some(policy(first.service, "to-other-clusters", spec)), notes }
}

fn policy(service: &Object, purpose: &str, spec: Value) -> Object {
    Object(json!({ "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": { "name": format!("{}-{purpose}", service.name()), "namespace": service.namespace() }, "spec": spec }))
}

/// The ranges of clusters, and the names of clusters without known ones.
fn ranges<'a>(clusters: impl Iterator<Item = (&'a str, &'a [String])>) -> (BTreeSet<String>, Vec<&'a str>) {
    let (mut ranges, mut unknown) = (BTreeSet::new(), Vec::new());
    for (cluster, found) in clusters {
        ranges.extend(found.iter().cloned());
        if found.is_empty() {
            unknown.push(cluster);
        }
    }
    (ranges, unknown)
}

fn blocks(ranges: &BTreeSet<String>) -> Vec<Value> {
    ranges.iter().map(|range| json!({ "ipBlock": { "cidr": range } })).collect()
}

/// The ports that the endpoints listen on.
fn ports(slices: &[&Object]) -> Vec<Value> {
    let read = slices.iter().filter_map(|slice| EndpointSlice::read(slice).ok());
    let ports: BTreeSet<Port> = read
        .flat_map(|slice| slice.ports)
        .filter_map(|port| {
            Some(Port { protocol: port.protocol.unwrap_or("TCP").to_owned(), number: port.port? })
        })
        .collect();
    ports.into_iter().map(|port| json!({ "protocol": port.protocol, "port": port.number })).collect()
}

fn service_ports(service: &Object) -> Vec<Value> {
    let ports = Service::read(service).map(|service| service.spec.ports).unwrap_or_default();
    ports
        .iter()
        .map(|port| json!({ "protocol": port.protocol.unwrap_or("TCP"), "port": port.port }))
        .collect()
}

/// An address as a range.
fn single(address: &str) -> String {
    format!("{address}/{}", if address.contains(':') { 128 } else { 32 })
}

/// Clusters without a known range, as the end of a sentence.
struct Unknown<'a>(&'a [&'a str]);

impl fmt::Display for Unknown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => Ok(()),
            names => write!(f, ": spec.podCIDRs of the nodes of {} is not set", names.join(", ")),
        }
    }
}

fn unknown_note(unknown: &[&str]) -> Option<String> {
    (!unknown.is_empty()).then(|| {
        format!(
            "add the pod addresses of {}: spec.podCIDRs of the nodes there is not set",
            unknown.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(selector: Value) -> Object {
        Object(json!({ "metadata": { "namespace": "shop", "name": "web" },
            "spec": { "selector": selector, "ports": [{ "name": "http", "port": 80 }] } }))
    }

    fn slice() -> Object {
        Object(
            json!({ "metadata": { "namespace": "shop", "name": "web-1" }, "addressType": "IPv4", "endpoints": [],
            "ports": [{ "name": "http", "port": 8080, "protocol": "TCP" }] }),
        )
    }

    #[test]
    fn each_side_allows_the_pods_of_the_other_one() {
        let (service, slice) = (service(json!({ "app": "web" })), slice());
        let (eu, us) = (["10.1.0.0/16".to_owned()], ["10.2.0.0/16".to_owned(), "fd00:2::/64".to_owned()]);
        let exporters =
            [ExportingSide { cluster: "eu", service: &service, slices: vec![&slice], pod_ranges: &eu }];
        let importers = [
            ImportingSide { cluster: "eu", addresses: vec!["10.91.0.7".to_owned()], pod_ranges: &eu },
            ImportingSide { cluster: "us", addresses: vec!["10.92.0.7".to_owned()], pod_ranges: &us },
            ImportingSide { cluster: "ap", addresses: vec![], pod_ranges: &[] },
        ];
        let advice = network_policies(&exporters, &importers);
        let clusters: Vec<(&str, bool)> =
            advice.iter().map(|advice| (advice.cluster.as_str(), advice.policy.is_some())).collect();
        assert_eq!(clusters, [("eu", true), ("eu", false), ("us", true), ("ap", true)]);
        assert_eq!(
            advice[0].policy.as_ref().map(|policy| &policy.0["spec"]),
            Some(&json!({
                "podSelector": { "matchLabels": { "app": "web" } },
                "policyTypes": ["Ingress"],
                "ingress": [{
                    "from": [{ "ipBlock": { "cidr": "10.2.0.0/16" } }, { "ipBlock": { "cidr": "fd00:2::/64" } }],
                    "ports": [{ "protocol": "TCP", "port": 8080 }],
                }],
            }))
        );
        assert!(
            advice[0].notes.iter().any(|note| note.contains("pod addresses of ap")),
            "{:?}",
            advice[0].notes
        );
        assert_eq!(
            advice[2].policy.as_ref().map(|policy| &policy.0["spec"]["egress"]),
            Some(&json!([
                { "to": [{ "ipBlock": { "cidr": "10.1.0.0/16" } }], "ports": [{ "protocol": "TCP", "port": 8080 }] },
                { "to": [{ "ipBlock": { "cidr": "10.92.0.7/32" } }], "ports": [{ "protocol": "TCP", "port": 80 }] },
            ]))
        );
    }

    #[test]
    fn what_no_policy_can_say_is_said() {
        let (service, range) = (service(json!({})), ["10.1.0.0/16".to_owned()]);
        let exporters = [ExportingSide { cluster: "eu", service: &service, slices: vec![], pod_ranges: &[] }];
        let importers = [ImportingSide { cluster: "us", addresses: vec![], pod_ranges: &range }];
        let advice = network_policies(&exporters, &importers);
        assert!(advice[0].notes[0].contains("no selector"), "{:?}", advice[0]);
        assert!(
            advice[1].notes[0].ends_with("spec.podCIDRs of the nodes of eu is not set"),
            "{:?}",
            advice[1]
        );
        assert!(advice.iter().all(|advice| advice.policy.is_none()));
    }
}
