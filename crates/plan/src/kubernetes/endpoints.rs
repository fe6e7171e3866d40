//! EndpointSlices of a Service from the pods that it selects.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use portolan_api::labels::endpoint_slice::{LOCAL_MANAGER, MANAGED_BY, SERVICE_NAME};
use portolan_object::{Object, ObjectKey};
use serde_json::{Value, json};

use super::pods::{controller_reference, is_ready};

/// Endpoints in one slice, as in Kubernetes.
const ENDPOINTS_PER_SLICE: usize = 100;

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Create a slice; the API server completes its name.
    Create(Object),
    /// Replace the content of a slice.
    Replace(Object),
    /// Delete a slice.
    Delete(ObjectKey),
}

/// Computes the steps for one Service; `service` is `None` once it is gone.
///
/// Slices are kept as long as they hold anything of their family and ports, so that one change rewrites one slice.
pub fn plan(service: Option<&Object>, pods: &[&Object], slices: &[&Object]) -> Vec<Action> {
    let mine: Vec<&Object> =
        slices.iter().copied().filter(|slice| slice.label(MANAGED_BY) == Some(LOCAL_MANAGER)).collect();
    let Some(service) = service.filter(|service| has_selector(service)) else {
        return mine.iter().map(|slice| Action::Delete(slice.key())).collect();
    };
    let mut actions = Vec::new();
    let mut used = BTreeSet::new();
    for (group, endpoints) in groups(service, pods) {
        let existing: Vec<&Object> = mine.iter().copied().filter(|slice| belongs(slice, &group)).collect();
        used.extend(existing.iter().map(|slice| slice.name().to_owned()));
        actions.extend(fill(service, &group, endpoints, &existing));
    }
    let unused = mine.iter().filter(|slice| !used.contains(slice.name()));
    actions.extend(unused.map(|slice| Action::Delete(slice.key())));
    actions
}

/// The Endpoints object that old clients read; `None` for Services without selector.
pub fn legacy(service: &Object, pods: &[&Object]) -> Option<Object> {
    if !has_selector(service) {
        return None;
    }
    let mut subsets: Vec<Value> = Vec::new();
    for (group, endpoints) in groups(service, pods).into_iter().filter(|(_, endpoints)| !endpoints.is_empty())
    {
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

/// What a slice has in common.
#[derive(Debug, Clone, PartialEq)]
struct Group {
    family: &'static str,
    ports: Value,
}

fn has_selector(service: &Object) -> bool {
    let selector = service.at(&["spec", "selector"]).and_then(Value::as_object);
    selector.is_some_and(|selector| !selector.is_empty())
        && service.str_at(&["spec", "type"]) != "ExternalName"
}

/// Whether the Service's selector takes the pod.
pub fn selects(service: &Object, pod: &Object) -> bool {
    let selector = service.at(&["spec", "selector"]).and_then(Value::as_object);
    service.namespace() == pod.namespace()
        && selector.is_some_and(|selector| {
            !selector.is_empty() && selector.iter().all(|(key, value)| pod.label(key) == value.as_str())
        })
}

/// Endpoints by family and ports: pods may resolve a named target port to different numbers.
fn groups(service: &Object, pods: &[&Object]) -> Vec<(Group, BTreeMap<String, Value>)> {
    let mut groups: Vec<(Group, BTreeMap<String, Value>)> = Vec::new();
    for family in families(service) {
        // A Service without pods has an empty slice, so that readers can tell it from one without slices.
        let ports = if pods.is_empty() { json!([]) } else { ports(service, pods[0]) };
        groups.push((Group { family, ports }, BTreeMap::new()));
    }
    for pod in pods.iter().filter(|pod| counts(pod)) {
        let ports = ports(service, pod);
        for address in addresses(pod) {
            let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
            if !families(service).contains(&family) {
                continue;
            }
            let group = Group { family, ports: ports.clone() };
            let endpoint = (address.to_string(), endpoint(service, pod, address));
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

fn counts(pod: &Object) -> bool {
    !matches!(pod.str_at(&["status", "phase"]), "Succeeded" | "Failed")
}

fn families(service: &Object) -> Vec<&'static str> {
    let listed = service.at(&["spec", "ipFamilies"]).and_then(Value::as_array);
    let names = listed.into_iter().flatten().filter_map(|family| match family.as_str() {
        Some("IPv4") => Some("IPv4"),
        Some("IPv6") => Some("IPv6"),
        _ => None,
    });
    let names: Vec<&'static str> = names.collect();
    if names.is_empty() { vec!["IPv4"] } else { names }
}

fn addresses(pod: &Object) -> Vec<IpAddr> {
    let several = pod.at(&["status", "podIPs"]).and_then(Value::as_array);
    let several = several.into_iter().flatten().filter_map(|entry| entry["ip"].as_str()?.parse().ok());
    let several: Vec<IpAddr> = several.collect();
    if several.is_empty() { pod.str_at(&["status", "podIP"]).parse().into_iter().collect() } else { several }
}

/// The Service's ports with the numbers that this pod has for them; a name that it does not know is left out.
fn ports(service: &Object, pod: &Object) -> Value {
    let ports = service.at(&["spec", "ports"]).and_then(Value::as_array);
    let resolved = ports.into_iter().flatten().filter_map(|port| {
        let protocol = port["protocol"].as_str().unwrap_or("TCP");
        let number = match &port["targetPort"] {
            Value::String(name) => container_port(pod, name, protocol)?,
            Value::Number(number) if number.as_i64() != Some(0) => number.as_i64()?,
            _ => port["port"].as_i64()?,
        };
        let mut endpoint_port = json!({ "name": port["name"].as_str().unwrap_or_default(), "port": number, "protocol": protocol });
        if let Some(application) = port["appProtocol"].as_str() {
            endpoint_port["appProtocol"] = json!(application);
        }
        Some(endpoint_port)
    });
    resolved.collect()
}

fn container_port(pod: &Object, name: &str, protocol: &str) -> Option<i64> {
    if let Ok(number) = name.parse() {
        return Some(number);
    }
    let containers = pod.at(&["spec", "containers"])?.as_array()?;
    let mut ports = containers.iter().filter_map(|container| container["ports"].as_array()).flatten();
    let same = |port: &&Value| port["name"] == name && port["protocol"].as_str().unwrap_or("TCP") == protocol;
    ports.find(same)?["containerPort"].as_i64()
}

fn endpoint(service: &Object, pod: &Object, address: IpAddr) -> Value {
    let serving = is_ready(pod);
    let publishes_unready = service.at(&["spec", "publishNotReadyAddresses"]) == Some(&json!(true));
    let terminating = pod.is_deleting();
    let mut endpoint = json!({
        "addresses": [address.to_string()],
        "conditions": {
            "ready": publishes_unready || (serving && !terminating),
            "serving": serving,
            "terminating": terminating,
        },
        "targetRef": { "kind": "Pod", "name": pod.name(), "namespace": pod.namespace(), "uid": pod.uid() },
    });
    let node = pod.str_at(&["spec", "nodeName"]);
    if !node.is_empty() {
        endpoint["nodeName"] = json!(node);
    }
    let hostname = pod.str_at(&["spec", "hostname"]);
    if !hostname.is_empty() && pod.str_at(&["spec", "subdomain"]) == service.name() {
        endpoint["hostname"] = json!(hostname);
    }
    endpoint
}

fn belongs(slice: &Object, group: &Group) -> bool {
    let ports = slice.at(&["ports"]).filter(|ports| ports.is_array()).cloned().unwrap_or_else(|| json!([]));
    slice.str_at(&["addressType"]) == group.family && ports == group.ports && !slice.is_deleting()
}

/// Puts endpoints into slices: each stays where it is, new ones fill the gaps, the rest makes new slices.
fn fill(
    service: &Object,
    group: &Group,
    mut wanted: BTreeMap<String, Value>,
    existing: &[&Object],
) -> Vec<Action> {
    let mut kept: Vec<Vec<Value>> = Vec::new();
    for slice in existing {
        let old = slice.at(&["endpoints"]).and_then(Value::as_array);
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
            actions.push(Action::Delete(slice.key()));
        } else if slice.at(&["endpoints"]).cloned().unwrap_or_else(|| json!([])) != json!(endpoints) {
            let mut changed = (*slice).clone();
            changed.0["endpoints"] = json!(endpoints);
            actions.push(Action::Replace(changed));
        }
    }
    let mut rest: Vec<Value> = rest.collect();
    if existing.is_empty() && rest.is_empty() {
        actions.push(Action::Create(new_slice(service, group, &[])));
    }
    while !rest.is_empty() {
        let tail = rest.split_off(rest.len().min(ENDPOINTS_PER_SLICE));
        actions.push(Action::Create(new_slice(service, group, &rest)));
        rest = tail;
    }
    actions
}

fn new_slice(service: &Object, group: &Group, endpoints: &[Value]) -> Object {
    let mut labels = service.labels();
    labels.insert(SERVICE_NAME.to_owned(), service.name().to_owned());
    labels.insert(MANAGED_BY.to_owned(), LOCAL_MANAGER.to_owned());
    if service.str_at(&["spec", "clusterIP"]) == "None" {
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
