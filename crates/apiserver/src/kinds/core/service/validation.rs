//! Services. Addresses and node ports have been allocated before they are checked here.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::{Value, json};

use crate::kinds::pod_spec::{PROTOCOLS, port_or_name};
use crate::tree;
use crate::validation::errors::{FieldErrors, IMMUTABLE};
use crate::validation::path::Path;
use crate::validation::{metadata, names};

const SPEC: Path<'static> = Path::root("spec");
const TYPES: [&str; 4] = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const DISTRIBUTIONS: [&str; 3] = ["PreferClose", "PreferSameZone", "PreferSameNode"];
/// A client may stay with one endpoint for a day at most, in seconds.
const MAX_AFFINITY: i64 = 86_400;
const ONLY_BALANCER: &str = "may only be used when `type` is 'LoadBalancer'";

pub(super) fn validate(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    let spec = new.get("spec").unwrap_or(&Value::Null);
    if let Some(old) = old {
        changes(spec, old.get("spec").unwrap_or(&Value::Null), errors);
    }
    let kind = tree::str_at(spec, "/type");
    if tree::list(spec, "/ports").is_empty() && !is_headless(spec) && kind != "ExternalName" {
        errors.required(&SPEC.child("ports"), "");
    }
    match kind {
        "LoadBalancer" | "NodePort" if is_headless(spec) => {
            let detail = format!("may not be set to 'None' for {kind} services");
            errors.invalid(&SPEC.child("clusterIPs").index(0), "None", detail);
        }
        "ExternalName" => external_name(spec, errors),
        _ => {}
    }
    ports(spec, errors);
    metadata::labels(&SPEC.child("selector"), spec.get("selector"), errors);
    affinity(spec, errors);
    if kind != "ExternalName" {
        addresses(spec, errors);
    }
    for (index, address) in tree::strings_at(spec, "/externalIPs").enumerate() {
        let list = SPEC.child("externalIPs");
        let at = list.index(index);
        let texts = names::address(address);
        let texts = if texts.is_empty() { names::endpoint_address(address) } else { texts };
        errors.texts(&at, address, texts);
    }
    errors.one_of(&SPEC.child("type"), kind, &TYPES);
    port_uniqueness(spec, kind, errors);
    load_balancer(spec, kind, errors);
    traffic(spec, kind, errors);
}

pub(crate) fn is_headless(spec: &Value) -> bool {
    matches!(tree::list(spec, "/clusterIPs"), [Value::String(one)] if one == "None")
}

fn external_name(spec: &Value, errors: &mut FieldErrors) {
    for field in ["clusterIPs", "ipFamilies"] {
        if !tree::list(spec, &format!("/{field}")).is_empty() {
            errors.forbidden(&SPEC.child(field), "may not be set for ExternalName services");
        }
    }
    if tree::present(spec, "/ipFamilyPolicy").is_some() {
        errors.forbidden(&SPEC.child("ipFamilyPolicy"), "may not be set for ExternalName services");
    }
    let name = tree::str_at(spec, "/externalName");
    match name.strip_suffix('.').unwrap_or(name) {
        "" => errors.required(&SPEC.child("externalName"), ""),
        name => errors.texts(&SPEC.child("externalName"), name, names::subdomain(name)),
    }
}

fn ports(spec: &Value, errors: &mut FieldErrors) {
    let ports = tree::list(spec, "/ports");
    let list = SPEC.child("ports");
    let mut known = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let at = list.index(index);
        match tree::str_at(port, "/name") {
            "" if ports.len() > 1 => errors.required(&at.child("name"), ""),
            "" => {}
            name => {
                errors.texts(&at.child("name"), name, names::label(name));
                if !known.insert(name) {
                    errors.duplicate(&at.child("name"), name);
                }
            }
        }
        errors.port(&at.child("port"), tree::integer(port, "/port").unwrap_or_default());
        errors.one_of(&at.child("protocol"), tree::str_at(port, "/protocol"), &PROTOCOLS);
        port_or_name(&at.child("targetPort"), port.get("targetPort"), errors);
        let protocol = tree::str_at(port, "/appProtocol");
        if !protocol.is_empty() {
            errors.texts(&at.child("appProtocol"), protocol, metadata::qualified_name_errors(protocol));
        }
    }
}

fn port_uniqueness(spec: &Value, kind: &str, errors: &mut FieldErrors) {
    let ports = tree::list(spec, "/ports");
    let list = SPEC.child("ports");
    let node_port = |port: &Value| tree::integer(port, "/nodePort").filter(|number| *number != 0);
    if kind == "ClusterIP" {
        for (index, _) in ports.iter().enumerate().filter(|(_, port)| node_port(port).is_some()) {
            let detail = "may not be used when `type` is 'ClusterIP'";
            errors.forbidden(&list.index(index).child("nodePort"), detail);
        }
    }
    let mut node_ports = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        if let Some(number) = node_port(port)
            && !node_ports.insert((tree::str_at(port, "/protocol"), number))
        {
            errors.duplicate(&list.index(index).child("nodePort"), number);
        }
    }
    let mut numbers = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let (protocol, number) =
            (tree::str_at(port, "/protocol"), tree::integer(port, "/port").unwrap_or_default());
        if !numbers.insert((protocol, number)) {
            let text = format!(
                r#"{{"Name":"","Protocol":{protocol:?},"AppProtocol":null,"Port":{number},"TargetPort":0,"NodePort":0}}"#
            );
            errors.duplicate_text(&list.index(index), text);
        }
    }
}

fn affinity(spec: &Value, errors: &mut FieldErrors) {
    let affinity = tree::str_at(spec, "/sessionAffinity");
    errors.one_of(&SPEC.child("sessionAffinity"), affinity, &["ClientIP", "None"]);
    let config = SPEC.child("sessionAffinityConfig");
    let timeout = tree::integer(spec, "/sessionAffinityConfig/clientIP/timeoutSeconds");
    match (affinity, timeout) {
        ("ClientIP", None) => errors.required(&config, "when session affinity type is ClientIP"),
        ("ClientIP", Some(timeout)) if timeout <= 0 || timeout > MAX_AFFINITY => {
            let detail = format!("must be greater than 0 and less than {MAX_AFFINITY}");
            errors.invalid(&config.child("clientIP").child("timeoutSeconds"), timeout, detail);
        }
        ("None", _) if tree::present(spec, "/sessionAffinityConfig").is_some() => {
            errors.forbidden(&config, "must not be set when session affinity is None");
        }
        _ => {}
    }
}

fn addresses(spec: &Value, errors: &mut FieldErrors) {
    let path = SPEC.child("clusterIPs");
    let all = tree::list(spec, "/clusterIPs");
    match (tree::str_at(spec, "/clusterIP"), all.first().and_then(Value::as_str)) {
        ("", Some(_)) => errors.invalid(&path, json!(all), "must be empty when `clusterIP` is not specified"),
        ("", None) => {}
        (_, None) => errors.required(&path, ""),
        (one, Some(first)) if one != first => {
            errors.invalid(&path, json!(all), "first value must match `clusterIP`");
        }
        _ => {}
    }
    let families: Vec<&str> = tree::strings_at(spec, "/ipFamilies").collect();
    let mut known = BTreeSet::new();
    for (index, family) in families.iter().enumerate() {
        let list = SPEC.child("ipFamilies");
        let at = list.index(index);
        errors.one_of(&at, family, &["IPv4", "IPv6"]);
        if !known.insert(*family) {
            errors.duplicate(&at, *family);
        }
    }
    let policy = tree::str_at(spec, "/ipFamilyPolicy");
    if !policy.is_empty() {
        let allowed = ["PreferDualStack", "RequireDualStack", "SingleStack"];
        errors.one_of(&SPEC.child("ipFamilyPolicy"), policy, &allowed);
    }
    let before = errors.len();
    for (index, address) in tree::strings_at(spec, "/clusterIPs").enumerate() {
        match address {
            "None" if index == 0 && all.len() == 1 => {}
            "None" => errors.invalid(&path, json!(all), "'None' must be the first and only value"),
            address => errors.texts(&path.index(index), address, names::address(address)),
        }
    }
    if all.len() > 2 {
        errors.invalid(&path, json!(all), "may only hold up to 2 values");
    }
    if errors.len() > before || is_headless(spec) {
        return;
    }
    for (index, (address, family)) in tree::strings_at(spec, "/clusterIPs").zip(&families).enumerate() {
        let is_sixth = address.parse::<IpAddr>().is_ok_and(|address| address.is_ipv6());
        if is_sixth != (*family == "IPv6") {
            let detail = format!("expected an {family} value as indicated by `ipFamilies[{index}]`");
            errors.invalid(&path.index(index), address, detail);
        }
    }
}

fn load_balancer(spec: &Value, kind: &str, errors: &mut FieldErrors) {
    let is_balancer = kind == "LoadBalancer";
    let ranges = SPEC.child("LoadBalancerSourceRanges");
    if !is_balancer && !tree::list(spec, "/loadBalancerSourceRanges").is_empty() {
        errors.forbidden(&ranges, ONLY_BALANCER);
    }
    for (index, range) in tree::strings_at(spec, "/loadBalancerSourceRanges").enumerate() {
        errors.texts(&ranges.index(index), range.trim(), names::range(range.trim()));
    }
    for field in ["allocateLoadBalancerNodePorts", "loadBalancerClass"] {
        if !is_balancer && tree::present(spec, &format!("/{field}")).is_some() {
            errors.forbidden(&SPEC.child(field), ONLY_BALANCER);
        }
    }
    let class = tree::str_at(spec, "/loadBalancerClass");
    if is_balancer && !class.is_empty() {
        errors.texts(&SPEC.child("loadBalancerClass"), class, metadata::qualified_name_errors(class));
    }
}

fn traffic(spec: &Value, kind: &str, errors: &mut FieldErrors) {
    let external = tree::str_at(spec, "/externalTrafficPolicy");
    let path = SPEC.child("externalTrafficPolicy");
    let has_external = kind == "ClusterIP" && !tree::list(spec, "/externalIPs").is_empty();
    if matches!(kind, "NodePort" | "LoadBalancer") || has_external {
        errors.one_of(&path, external, &["Cluster", "Local"]);
    } else if !external.is_empty() {
        errors.invalid(&path, external, "may only be set for externally-accessible services");
    }
    let port = tree::integer(spec, "/healthCheckNodePort").unwrap_or_default();
    let path = SPEC.child("healthCheckNodePort");
    match (kind == "LoadBalancer" && external == "Local", port) {
        (true, 0) => errors.required(&path, ""),
        (true, port) => errors.port(&path, port),
        (false, 0) => {}
        (false, port) => {
            let detail =
                "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
            errors.invalid(&path, port, detail);
        }
    }
    let internal = tree::str_at(spec, "/internalTrafficPolicy");
    if matches!(kind, "ClusterIP" | "NodePort" | "LoadBalancer") || !internal.is_empty() {
        errors.one_of(&SPEC.child("internalTrafficPolicy"), internal, &["Cluster", "Local"]);
    }
    let distribution = tree::str_at(spec, "/trafficDistribution");
    if !distribution.is_empty() {
        errors.one_of(&SPEC.child("trafficDistribution"), distribution, &DISTRIBUTIONS);
    }
}

/// Validates immutable addresses, unless the service is or was of type ExternalName.
fn changes(new: &Value, old: &Value, errors: &mut FieldErrors) {
    let is_name = |spec| tree::str_at(spec, "/type") == "ExternalName";
    if is_name(new) || is_name(old) {
        return;
    }
    let mut broken = FieldErrors::default();
    addresses(new, &mut broken);
    if broken.len() == 0 {
        kept_addresses(new, old, errors);
    }
    let is_balancer = |spec| tree::str_at(spec, "/type") == "LoadBalancer";
    if is_balancer(new) && is_balancer(old) {
        kept_balancer(new, old, errors);
    }
}

/// Addresses that are sound in themselves may still not be others than before.
fn kept_addresses(new: &Value, old: &Value, errors: &mut FieldErrors) {
    if !(is_headless(new) && is_headless(old)) {
        kept_list(new, old, "clusterIPs", errors);
    }
    if !is_headless(new) && !is_headless(old) {
        kept_list(new, old, "ipFamilies", errors);
    }
}

fn kept_balancer(new: &Value, old: &Value, errors: &mut FieldErrors) {
    let [class, before] = [new, old].map(|spec| tree::present(spec, "/loadBalancerClass"));
    if class != before {
        let class = class.cloned().unwrap_or(Value::Null);
        errors.invalid(&SPEC.child("loadBalancerClass"), class, "may not change once set");
    }
    let health = |spec| {
        let port = tree::integer(spec, "/healthCheckNodePort").unwrap_or_default();
        (tree::str_at(spec, "/externalTrafficPolicy") == "Local").then_some(port)
    };
    if let (Some(port), Some(before)) = (health(new), health(old))
        && port != before
    {
        errors.forbidden(&SPEC.child("healthCheckNodePort"), IMMUTABLE);
    }
}

/// Validates a list with an immutable first value and an optional second one.
fn kept_list(new: &Value, old: &Value, field: &str, errors: &mut FieldErrors) {
    let pointer = format!("/{field}");
    let [new, old] = [new, old].map(|spec| tree::list(spec, &pointer));
    for (index, (value, before)) in new.iter().zip(old).enumerate() {
        if value != before {
            errors.invalid(&SPEC.child(field).index(index), json!(new), "may not change once set");
        }
    }
    if new.is_empty() && !old.is_empty() {
        let one = field.trim_end_matches('s').replace("ipFamilie", "ipFamily");
        let detail = format!("primary {one} can not be unset");
        errors.invalid(&SPEC.child(field).index(0), json!(new), detail);
    }
}
