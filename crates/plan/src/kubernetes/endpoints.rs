//! EndpointSlices and Endpoints of a Service from the pods that it selects.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use portolan_api::kubernetes::{EndpointSlice, IntOrString, Pod, Service, ServiceSpec, View};
use portolan_api::labels::endpoint_slice::{LOCAL_MANAGER, MANAGED_BY, SERVICE_NAME};
use portolan_object::{Object, ObjectKey};
use serde_json::{Value, json};

use super::pods::controller_reference;

/// Endpoints in one slice, as in Kubernetes.
const ENDPOINTS_PER_SLICE: usize = 100;

/// One change that brings the slices closer to the pods.
#[derive(Debug, Clone, PartialEq)]
pub enum EndpointsAction {
    /// Create a slice; the API server completes its name.
    Create(Object),
    /// Replace the content of a slice.
    Replace(Object),
    /// Delete a slice.
    Delete(ObjectKey),
}

/// Computes the changes for one Service; `service` is `None` once it is deleted.
///
/// A slice is kept as long as it has an endpoint of its family and ports, so that one change rewrites one slice.
pub fn plan(service: Option<&Object>, pods: &[&Object], slices: &[&Object]) -> Vec<EndpointsAction> {
    let mine: Vec<&Object> =
        slices.iter().copied().filter(|slice| slice.label(MANAGED_BY) == Some(LOCAL_MANAGER)).collect();
    let Some((service, spec)) = service.and_then(with_selector) else {
        return mine.iter().map(|slice| EndpointsAction::Delete(slice.key())).collect();
    };
    let mut actions = Vec::new();
    let mut used = BTreeSet::new();
    for (group, endpoints) in groups(service, &spec, pods) {
        let existing: Vec<&Object> = mine.iter().copied().filter(|slice| belongs(slice, &group)).collect();
        used.extend(existing.iter().map(|slice| slice.name().to_owned()));
        actions.extend(fill(service, &spec, &group, endpoints, &existing));
    }
    let unused = mine.iter().filter(|slice| !used.contains(slice.name()));
    actions.extend(unused.map(|slice| EndpointsAction::Delete(slice.key())));
    actions
}

/// The Endpoints object that old clients read; `None` for Services without selector.
pub fn legacy(service: &Object, pods: &[&Object]) -> Option<Object> {
    let (_, spec) = with_selector(service)?;
    let mut subsets: Vec<Value> = Vec::new();
    let groups = groups(service, &spec, pods).into_iter();
    for (group, endpoints) in groups.filter(|(_, endpoints)| !endpoints.is_empty()) {
        let mut subset = json!({ "ports": group.ports });
        for (address, endpoint) in endpoints {
            let list =
                if endpoint["conditions"]["ready"] == true { "addresses" } else { "notReadyAddresses" };
            let mut entry = json!({ "ip": address, "targetRef": endpoint["targetRef"] });
            for field in ["nodeName", "hostname"] {
                if let Some(value) = endpoint.get(field) {
                    entry[field] = value.clone();
                }
            }
            match subset[list].as_array_mut() {
                Some(entries) => entries.push(entry),
                None => subset[list] = json!([entry]),
            }
        }
        subsets.push(subset);
    }
    Some(Object(json!({
        "apiVersion": "v1", "kind": "Endpoints",
        "metadata": {
            "name": service.name(), "namespace": service.namespace(),
            "labels": { "endpoints.kubernetes.io/managed-by": "endpoint-controller" },
        },
        "subsets": subsets,
    })))
}

/// The part that all endpoints of a slice have in common.
#[derive(Debug, Clone, PartialEq)]
struct Group {
    family: &'static str,
    ports: Value,
}

/// The Service with its spec, if it selects pods.
fn with_selector(service: &Object) -> Option<(&Object, ServiceSpec<'_>)> {
    let spec = Service::read(service).ok()?.spec;
    (!spec.selector.is_empty() && spec.kind != "ExternalName").then_some((service, spec))
}

/// The selector of one Service, read once for many pods.
#[derive(Debug, Clone)]
pub struct PodSelector<'a> {
    namespace: &'a str,
    labels: BTreeMap<&'a str, &'a str>,
}

impl<'a> PodSelector<'a> {
    /// The selector of a Service; that of an unreadable Service selects nothing.
    pub fn of(service: &'a Object) -> Self {
        let labels = Service::read(service).map(|service| service.spec.selector).unwrap_or_default();
        Self { namespace: service.namespace(), labels }
    }

    /// Whether the Service selects the pod.
    pub fn selects(&self, pod: &Object) -> bool {
        self.namespace == pod.namespace()
            && !self.labels.is_empty()
            && self.labels.iter().all(|(key, value)| pod.label(key) == Some(*value))
    }
}

/// Endpoints by family and ports: pods may resolve a named target port to different numbers.
fn groups(
    service: &Object,
    spec: &ServiceSpec<'_>,
    pods: &[&Object],
) -> Vec<(Group, BTreeMap<String, Value>)> {
    let mut groups: Vec<(Group, BTreeMap<String, Value>)> = Vec::new();
    let views: Vec<(&Object, Pod<'_>)> =
        pods.iter().filter_map(|pod| Some((*pod, Pod::read(pod).ok()?))).collect();
    for family in families(spec) {
        // A Service without pods has an empty slice, so that readers can tell it from one without slices.
        let ports = views.first().map_or_else(|| json!([]), |(_, pod)| ports(spec, pod));
        groups.push((Group { family, ports }, BTreeMap::new()));
    }
    for (object, pod) in views.iter().filter(|(_, pod)| !pod.status.is_finished()) {
        let ports = ports(spec, pod);
        for address in addresses(pod) {
            let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
            if !families(spec).contains(&family) {
                continue;
            }
            let group = Group { family, ports: ports.clone() };
            let endpoint = (address.to_string(), endpoint(service, spec, object, pod, address));
            match groups.iter_mut().find(|(other, _)| *other == group) {
                Some((_, endpoints)) => {
                    endpoints.insert(endpoint.0, endpoint.1);
                }
                None => groups.push((group, BTreeMap::from([endpoint]))),
            }
        }
    }
    let has_endpoints = groups.iter().any(|(_, endpoints)| !endpoints.is_empty());
    groups.retain(|(_, endpoints)| !endpoints.is_empty() || !has_endpoints);
    groups
}

fn families(spec: &ServiceSpec<'_>) -> Vec<&'static str> {
    let names = spec.ip_families.iter().filter_map(|family| match *family {
        "IPv4" => Some("IPv4"),
        "IPv6" => Some("IPv6"),
        _ => None,
    });
    let names: Vec<&'static str> = names.collect();
    if names.is_empty() { vec!["IPv4"] } else { names }
}

fn addresses(pod: &Pod<'_>) -> Vec<IpAddr> {
    let several: Vec<IpAddr> = pod.status.pod_ips.iter().filter_map(|entry| entry.ip.parse().ok()).collect();
    if several.is_empty() { pod.status.pod_ip.parse().into_iter().collect() } else { several }
}

/// The Service's ports with the numbers that this pod has for them. A name that the pod does not have is left out.
fn ports(spec: &ServiceSpec<'_>, pod: &Pod<'_>) -> Value {
    let resolved = spec.ports.iter().filter_map(|port| {
        let protocol = port.protocol.unwrap_or("TCP");
        let number = match port.target_port {
            Some(IntOrString::String(name)) => container_port(pod, name, protocol)?,
            None | Some(IntOrString::Int(0)) => port.port,
            Some(IntOrString::Int(number)) => number,
        };
        let mut endpoint_port = json!({ "name": port.name, "port": number, "protocol": protocol });
        if let Some(application) = port.app_protocol {
            endpoint_port["appProtocol"] = json!(application);
        }
        Some(endpoint_port)
    });
    resolved.collect()
}

fn container_port(pod: &Pod<'_>, name: &str, protocol: &str) -> Option<i64> {
    if let Ok(number) = name.parse() {
        return Some(number);
    }
    let mut ports = pod.spec.containers.iter().flat_map(|container| &container.ports);
    let found = ports.find(|port| port.name == name && port.protocol.unwrap_or("TCP") == protocol);
    found.map(|port| port.container_port)
}

fn endpoint(
    service: &Object,
    spec: &ServiceSpec<'_>,
    object: &Object,
    pod: &Pod<'_>,
    address: IpAddr,
) -> Value {
    let (serving, terminating) = (pod.status.is_ready(), object.is_deleting());
    let mut endpoint = json!({
        "addresses": [address.to_string()],
        "conditions": {
            "ready": spec.publish_not_ready_addresses || (serving && !terminating),
            "serving": serving,
            "terminating": terminating,
        },
        "targetRef": {
            "kind": "Pod", "name": object.name(), "namespace": object.namespace(), "uid": object.uid(),
        },
    });
    if !pod.spec.node_name.is_empty() {
        endpoint["nodeName"] = json!(pod.spec.node_name);
    }
    if !pod.spec.hostname.is_empty() && pod.spec.subdomain == service.name() {
        endpoint["hostname"] = json!(pod.spec.hostname);
    }
    endpoint
}

fn belongs(slice: &Object, group: &Group) -> bool {
    let ports = slice.0.get("ports").filter(|ports| ports.is_array()).cloned().unwrap_or_else(|| json!([]));
    let family = EndpointSlice::read(slice).map(|slice| slice.address_type).unwrap_or_default();
    family == group.family && ports == group.ports && !slice.is_deleting()
}

/// Distributes endpoints over slices: each stays in its slice, new ones fill free places, the rest gets new slices.
fn fill(
    service: &Object,
    spec: &ServiceSpec<'_>,
    group: &Group,
    mut wanted: BTreeMap<String, Value>,
    existing: &[&Object],
) -> Vec<EndpointsAction> {
    let mut kept: Vec<Vec<Value>> = Vec::new();
    for slice in existing {
        let old = slice.0.get("endpoints").and_then(Value::as_array);
        let still = old
            .into_iter()
            .flatten()
            .filter_map(|endpoint| wanted.remove(endpoint["addresses"][0].as_str()?));
        kept.push(still.collect());
    }
    let mut rest = wanted.into_values();
    for endpoints in &mut kept {
        let gap = ENDPOINTS_PER_SLICE.saturating_sub(endpoints.len());
        endpoints.extend(rest.by_ref().take(gap));
    }
    let mut actions = Vec::new();
    let keeps_one = kept.iter().all(Vec::is_empty);
    for (index, (slice, endpoints)) in existing.iter().zip(kept).enumerate() {
        let is_last_one = keeps_one && index == 0;
        if endpoints.is_empty() && !is_last_one {
            actions.push(EndpointsAction::Delete(slice.key()));
        } else if slice.0.get("endpoints").cloned().unwrap_or_else(|| json!([])) != json!(endpoints) {
            let mut changed = (*slice).clone();
            changed.0["endpoints"] = json!(endpoints);
            actions.push(EndpointsAction::Replace(changed));
        }
    }
    let mut rest: Vec<Value> = rest.collect();
    if existing.is_empty() && rest.is_empty() {
        actions.push(EndpointsAction::Create(new_slice(service, spec, group, &[])));
    }
    while !rest.is_empty() {
        let tail = rest.split_off(rest.len().min(ENDPOINTS_PER_SLICE));
        actions.push(EndpointsAction::Create(new_slice(service, spec, group, &rest)));
        rest = tail;
    }
    actions
}

fn new_slice(service: &Object, spec: &ServiceSpec<'_>, group: &Group, endpoints: &[Value]) -> Object {
    let mut labels = service.labels();
    labels.insert(SERVICE_NAME.to_owned(), service.name().to_owned());
    labels.insert(MANAGED_BY.to_owned(), LOCAL_MANAGER.to_owned());
    if spec.is_headless() {
        labels.insert("service.kubernetes.io/headless".to_owned(), String::new());
    }
    Object(json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {
            "generateName": format!("{}-", service.name()), "namespace": service.namespace(), "labels": labels,
            "ownerReferences": [controller_reference(service)],
        },
        "addressType": group.family, "endpoints": endpoints, "ports": group.ports,
    }))
}

#[cfg(test)]
mod tests;
