//! Services, endpoints, ingresses and network policies.

use serde_json::{Map, Value, json};

use crate::tree::{child, child_if_present, children, default, is_unset};

/// How long a client stays with one endpoint, in seconds.
const AFFINITY_TIMEOUT: i64 = 10_800;

/// Services without their addresses and node ports, which allocation adds.
pub(crate) fn service(object: &mut Map<String, Value>) {
    let Some(spec) = child(object, "spec") else { return };
    default(spec, "type", "ClusterIP");
    default(spec, "sessionAffinity", "None");
    session_affinity(spec);
    for port in children(spec, "ports") {
        service_port(port);
    }
    let kind = spec["type"].as_str().unwrap_or_default().to_owned();
    let has_external = spec.get("externalIPs").and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    let is_external =
        matches!(kind.as_str(), "NodePort" | "LoadBalancer") || (kind == "ClusterIP" && has_external);
    if is_external {
        default(spec, "externalTrafficPolicy", "Cluster");
    }
    if matches!(kind.as_str(), "ClusterIP" | "NodePort" | "LoadBalancer") {
        default(spec, "internalTrafficPolicy", "Cluster");
    }
    if kind == "LoadBalancer" {
        default(spec, "allocateLoadBalancerNodePorts", true);
        load_balancer_modes(object);
    }
}

fn session_affinity(spec: &mut Map<String, Value>) {
    if spec["sessionAffinity"] == "None" {
        spec.remove("sessionAffinityConfig");
    }
    if spec["sessionAffinity"] == "ClientIP" {
        let timeout =
            spec.get("sessionAffinityConfig").and_then(|config| config.pointer("/clientIP/timeoutSeconds"));
        if timeout.is_none_or(Value::is_null) {
            let config = json!({ "clientIP": { "timeoutSeconds": AFFINITY_TIMEOUT } });
            spec.insert("sessionAffinityConfig".to_owned(), config);
        }
    }
}

fn service_port(port: &mut Map<String, Value>) {
    default(port, "protocol", "TCP");
    if port.get("name").is_some_and(|name| is_unset(Some(name))) {
        port.remove("name");
    }
    if port.get("nodePort").is_some_and(|number| number.as_i64() == Some(0)) {
        port.remove("nodePort");
    }
    let target = port.get("targetPort");
    if (is_unset(target) || target.and_then(Value::as_i64) == Some(0))
        && let Some(number) = port.get("port").cloned()
    {
        port.insert("targetPort".to_owned(), number);
    }
}

fn load_balancer_modes(object: &mut Map<String, Value>) {
    let status = child_if_present(object, "status");
    let Some(balancer) = status.and_then(|status| child_if_present(status, "loadBalancer")) else { return };
    for ingress in children(balancer, "ingress") {
        if !is_unset(ingress.get("ip")) {
            default(ingress, "ipMode", "VIP");
        }
    }
}

pub(crate) fn endpoints(object: &mut Map<String, Value>) {
    for subset in children(object, "subsets") {
        for port in children(subset, "ports") {
            default(port, "protocol", "TCP");
        }
    }
}

pub(crate) fn endpoint_slice(object: &mut Map<String, Value>) {
    for name in ["endpoints", "ports"] {
        object.entry(name).or_insert(Value::Null);
    }
    for endpoint in children(object, "endpoints") {
        child(endpoint, "conditions");
    }
    for port in children(object, "ports") {
        if port.get("name").is_none_or(Value::is_null) {
            port.insert("name".to_owned(), json!(""));
        }
        default(port, "protocol", "TCP");
    }
}

pub(crate) fn ingress(object: &mut Map<String, Value>) {
    if let Some(status) = child(object, "status") {
        child(status, "loadBalancer");
    }
}

pub(crate) fn ingress_class(object: &mut Map<String, Value>) {
    let spec = child_if_present(object, "spec");
    if let Some(parameters) = spec.and_then(|spec| child_if_present(spec, "parameters")) {
        default(parameters, "scope", "Cluster");
    }
}

pub(crate) fn network_policy(object: &mut Map<String, Value>) {
    let Some(spec) = child(object, "spec") else { return };
    child(spec, "podSelector");
    let has = |spec: &Map<String, Value>, name: &str| {
        spec.get(name).and_then(Value::as_array).is_some_and(|list| !list.is_empty())
    };
    if !has(spec, "policyTypes") {
        let types = if has(spec, "egress") { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) };
        spec.insert("policyTypes".to_owned(), types);
    }
    for direction in ["ingress", "egress"] {
        for rule in children(spec, direction) {
            for port in children(rule, "ports") {
                default(port, "protocol", "TCP");
            }
        }
    }
}
