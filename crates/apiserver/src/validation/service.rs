//! Services. Addresses and node ports have been allocated before they are checked here.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::{Value, json};

use super::container::{PROTOCOLS, port_or_name};
use super::faults::{Faults, IMMUTABLE};
use super::path::Path;
use super::{metadata, names};
use crate::tree;

const SPEC: Path<'static> = Path::root("spec");
const TYPES: [&str; 4] = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const DISTRIBUTIONS: [&str; 3] = ["PreferClose", "PreferSameZone", "PreferSameNode"];
/// A client may stay with one endpoint for a day at most, in seconds.
const MAX_AFFINITY: i64 = 86_400;
const ONLY_BALANCER: &str = "may only be used when `type` is 'LoadBalancer'";

pub(super) fn service(new: &Value, old: Option<&Value>, faults: &mut Faults) {
    let spec = new.get("spec").unwrap_or(&Value::Null);
    if let Some(old) = old {
        changes(spec, old.get("spec").unwrap_or(&Value::Null), faults);
    }
    let kind = tree::text(spec, "/type");
    if tree::list(spec, "/ports").is_empty() && !is_headless(spec) && kind != "ExternalName" {
        faults.required(&SPEC.child("ports"), "");
    }
    match kind {
        "LoadBalancer" | "NodePort" if is_headless(spec) => {
            let detail = format!("may not be set to 'None' for {kind} services");
            faults.invalid(&SPEC.child("clusterIPs").index(0), "None", detail);
        }
        "ExternalName" => external_name(spec, faults),
        _ => {}
    }
    ports(spec, faults);
    metadata::labels(&SPEC.child("selector"), spec.get("selector"), faults);
    affinity(spec, faults);
    if kind != "ExternalName" {
        addresses(spec, faults);
    }
    for (index, address) in tree::texts(spec, "/externalIPs").enumerate() {
        let list = SPEC.child("externalIPs");
        let at = list.index(index);
        let texts = names::address(address);
        let texts = if texts.is_empty() { names::endpoint_address(address) } else { texts };
        faults.texts(&at, address, texts);
    }
    faults.one_of(&SPEC.child("type"), kind, &TYPES);
    port_uniqueness(spec, kind, faults);
    load_balancer(spec, kind, faults);
    traffic(spec, kind, faults);
}

pub(crate) fn is_headless(spec: &Value) -> bool {
    matches!(tree::list(spec, "/clusterIPs"), [Value::String(one)] if one == "None")
}

fn external_name(spec: &Value, faults: &mut Faults) {
    for field in ["clusterIPs", "ipFamilies"] {
        if !tree::list(spec, &format!("/{field}")).is_empty() {
            faults.forbidden(&SPEC.child(field), "may not be set for ExternalName services");
        }
    }
    if tree::present(spec, "/ipFamilyPolicy").is_some() {
        faults.forbidden(&SPEC.child("ipFamilyPolicy"), "may not be set for ExternalName services");
    }
    let name = tree::text(spec, "/externalName");
    match name.strip_suffix('.').unwrap_or(name) {
        "" => faults.required(&SPEC.child("externalName"), ""),
        name => faults.texts(&SPEC.child("externalName"), name, names::subdomain(name)),
    }
}

fn ports(spec: &Value, faults: &mut Faults) {
    let ports = tree::list(spec, "/ports");
    let list = SPEC.child("ports");
    let mut known = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let at = list.index(index);
        match tree::text(port, "/name") {
            "" if ports.len() > 1 => faults.required(&at.child("name"), ""),
            "" => {}
            name => {
                faults.texts(&at.child("name"), name, names::label(name));
                if !known.insert(name) {
                    faults.duplicate(&at.child("name"), name);
                }
            }
        }
        faults.port(&at.child("port"), tree::integer(port, "/port").unwrap_or_default());
        faults.one_of(&at.child("protocol"), tree::text(port, "/protocol"), &PROTOCOLS);
        port_or_name(&at.child("targetPort"), port.get("targetPort"), faults);
        let protocol = tree::text(port, "/appProtocol");
        if !protocol.is_empty() {
            faults.texts(&at.child("appProtocol"), protocol, metadata::qualified_name_faults(protocol));
        }
    }
}

fn port_uniqueness(spec: &Value, kind: &str, faults: &mut Faults) {
    let ports = tree::list(spec, "/ports");
    let list = SPEC.child("ports");
    let node_port = |port: &Value| tree::integer(port, "/nodePort").filter(|number| *number != 0);
    if kind == "ClusterIP" {
        for (index, _) in ports.iter().enumerate().filter(|(_, port)| node_port(port).is_some()) {
            let detail = "may not be used when `type` is 'ClusterIP'";
            faults.forbidden(&list.index(index).child("nodePort"), detail);
        }
    }
    let mut node_ports = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        if let Some(number) = node_port(port)
            && !node_ports.insert((tree::text(port, "/protocol"), number))
        {
            faults.duplicate(&list.index(index).child("nodePort"), number);
        }
    }
    let mut numbers = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let (protocol, number) =
            (tree::text(port, "/protocol"), tree::integer(port, "/port").unwrap_or_default());
        if !numbers.insert((protocol, number)) {
            let text = format!(
                r#"{{"Name":"","Protocol":{protocol:?},"AppProtocol":null,"Port":{number},"TargetPort":0,"NodePort":0}}"#
            );
            faults.duplicate_text(&list.index(index), text);
        }
    }
}

fn affinity(spec: &Value, faults: &mut Faults) {
    let affinity = tree::text(spec, "/sessionAffinity");
    faults.one_of(&SPEC.child("sessionAffinity"), affinity, &["ClientIP", "None"]);
    let config = SPEC.child("sessionAffinityConfig");
    let timeout = tree::integer(spec, "/sessionAffinityConfig/clientIP/timeoutSeconds");
    match (affinity, timeout) {
        ("ClientIP", None) => faults.required(&config, "when session affinity type is ClientIP"),
        ("ClientIP", Some(timeout)) if timeout <= 0 || timeout > MAX_AFFINITY => {
            let detail = format!("must be greater than 0 and less than {MAX_AFFINITY}");
            faults.invalid(&config.child("clientIP").child("timeoutSeconds"), timeout, detail);
        }
        ("None", _) if tree::present(spec, "/sessionAffinityConfig").is_some() => {
            faults.forbidden(&config, "must not be set when session affinity is None");
        }
        _ => {}
    }
}

fn addresses(spec: &Value, faults: &mut Faults) {
    let path = SPEC.child("clusterIPs");
    let all = tree::list(spec, "/clusterIPs");
    match (tree::text(spec, "/clusterIP"), all.first().and_then(Value::as_str)) {
        ("", Some(_)) => faults.invalid(&path, json!(all), "must be empty when `clusterIP` is not specified"),
        ("", None) => {}
        (_, None) => faults.required(&path, ""),
        (one, Some(first)) if one != first => {
            faults.invalid(&path, json!(all), "first value must match `clusterIP`");
        }
        _ => {}
    }
    let families: Vec<&str> = tree::texts(spec, "/ipFamilies").collect();
    let mut known = BTreeSet::new();
    for (index, family) in families.iter().enumerate() {
        let list = SPEC.child("ipFamilies");
        let at = list.index(index);
        faults.one_of(&at, family, &["IPv4", "IPv6"]);
        if !known.insert(*family) {
            faults.duplicate(&at, *family);
        }
    }
    let policy = tree::text(spec, "/ipFamilyPolicy");
    if !policy.is_empty() {
        let allowed = ["PreferDualStack", "RequireDualStack", "SingleStack"];
        faults.one_of(&SPEC.child("ipFamilyPolicy"), policy, &allowed);
    }
    let before = faults.len();
    for (index, address) in tree::texts(spec, "/clusterIPs").enumerate() {
        match address {
            "None" if index == 0 && all.len() == 1 => {}
            "None" => faults.invalid(&path, json!(all), "'None' must be the first and only value"),
            address => faults.texts(&path.index(index), address, names::address(address)),
        }
    }
    if all.len() > 2 {
        faults.invalid(&path, json!(all), "may only hold up to 2 values");
    }
    if faults.len() > before || is_headless(spec) {
        return;
    }
    for (index, (address, family)) in tree::texts(spec, "/clusterIPs").zip(&families).enumerate() {
        let is_sixth = address.parse::<IpAddr>().is_ok_and(|address| address.is_ipv6());
        if is_sixth != (*family == "IPv6") {
            let detail = format!("expected an {family} value as indicated by `ipFamilies[{index}]`");
            faults.invalid(&path.index(index), address, detail);
        }
    }
}

fn load_balancer(spec: &Value, kind: &str, faults: &mut Faults) {
    let is_balancer = kind == "LoadBalancer";
    let ranges = SPEC.child("LoadBalancerSourceRanges");
    if !is_balancer && !tree::list(spec, "/loadBalancerSourceRanges").is_empty() {
        faults.forbidden(&ranges, ONLY_BALANCER);
    }
    for (index, range) in tree::texts(spec, "/loadBalancerSourceRanges").enumerate() {
        faults.texts(&ranges.index(index), range.trim(), names::range(range.trim()));
    }
    for field in ["allocateLoadBalancerNodePorts", "loadBalancerClass"] {
        if !is_balancer && tree::present(spec, &format!("/{field}")).is_some() {
            faults.forbidden(&SPEC.child(field), ONLY_BALANCER);
        }
    }
    let class = tree::text(spec, "/loadBalancerClass");
    if is_balancer && !class.is_empty() {
        faults.texts(&SPEC.child("loadBalancerClass"), class, metadata::qualified_name_faults(class));
    }
}

fn traffic(spec: &Value, kind: &str, faults: &mut Faults) {
    let external = tree::text(spec, "/externalTrafficPolicy");
    let path = SPEC.child("externalTrafficPolicy");
    let has_external = kind == "ClusterIP" && !tree::list(spec, "/externalIPs").is_empty();
    if matches!(kind, "NodePort" | "LoadBalancer") || has_external {
        faults.one_of(&path, external, &["Cluster", "Local"]);
    } else if !external.is_empty() {
        faults.invalid(&path, external, "may only be set for externally-accessible services");
    }
    let port = tree::integer(spec, "/healthCheckNodePort").unwrap_or_default();
    let path = SPEC.child("healthCheckNodePort");
    match (kind == "LoadBalancer" && external == "Local", port) {
        (true, 0) => faults.required(&path, ""),
        (true, port) => faults.port(&path, port),
        (false, 0) => {}
        (false, port) => {
            let detail =
                "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
            faults.invalid(&path, port, detail);
        }
    }
    let internal = tree::text(spec, "/internalTrafficPolicy");
    if matches!(kind, "ClusterIP" | "NodePort" | "LoadBalancer") || !internal.is_empty() {
        faults.one_of(&SPEC.child("internalTrafficPolicy"), internal, &["Cluster", "Local"]);
    }
    let distribution = tree::text(spec, "/trafficDistribution");
    if !distribution.is_empty() {
        faults.one_of(&SPEC.child("trafficDistribution"), distribution, &DISTRIBUTIONS);
    }
}

/// What a service keeps for life, unless it becomes or was a mere name.
fn changes(new: &Value, old: &Value, faults: &mut Faults) {
    let is_name = |spec| tree::text(spec, "/type") == "ExternalName";
    if is_name(new) || is_name(old) {
        return;
    }
    let mut broken = Faults::default();
    addresses(new, &mut broken);
    if broken.len() == 0 {
        kept_addresses(new, old, faults);
    }
    let is_balancer = |spec| tree::text(spec, "/type") == "LoadBalancer";
    if is_balancer(new) && is_balancer(old) {
        kept_balancer(new, old, faults);
    }
}

/// Addresses that are sound in themselves may still not be others than before.
fn kept_addresses(new: &Value, old: &Value, faults: &mut Faults) {
    if !(is_headless(new) && is_headless(old)) {
        kept_list(new, old, "clusterIPs", faults);
    }
    if !is_headless(new) && !is_headless(old) {
        kept_list(new, old, "ipFamilies", faults);
    }
}

fn kept_balancer(new: &Value, old: &Value, faults: &mut Faults) {
    let [class, before] = [new, old].map(|spec| tree::present(spec, "/loadBalancerClass"));
    if class != before {
        let class = class.cloned().unwrap_or(Value::Null);
        faults.invalid(&SPEC.child("loadBalancerClass"), class, "may not change once set");
    }
    let health = |spec| {
        let port = tree::integer(spec, "/healthCheckNodePort").unwrap_or_default();
        (tree::text(spec, "/externalTrafficPolicy") == "Local").then_some(port)
    };
    if let (Some(port), Some(before)) = (health(new), health(old))
        && port != before
    {
        faults.forbidden(&SPEC.child("healthCheckNodePort"), IMMUTABLE);
    }
}

/// A list whose first value stays, and which may only gain or lose a second one.
fn kept_list(new: &Value, old: &Value, field: &str, faults: &mut Faults) {
    let pointer = format!("/{field}");
    let [new, old] = [new, old].map(|spec| tree::list(spec, &pointer));
    for (index, (value, before)) in new.iter().zip(old).enumerate() {
        if value != before {
            faults.invalid(&SPEC.child(field).index(index), json!(new), "may not change once set");
        }
    }
    if new.is_empty() && !old.is_empty() {
        let one = field.trim_end_matches('s').replace("ipFamilie", "ipFamily");
        let detail = format!("primary {one} can not be unset");
        faults.invalid(&SPEC.child(field).index(0), json!(new), detail);
    }
}
