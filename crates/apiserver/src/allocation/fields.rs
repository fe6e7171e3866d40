//! The linked fields of a Service: two spellings of its address, its families, and what depends on its type.

use std::net::IpAddr;

use portolan_object::FieldError;
use serde_json::{Map, Value, json};

use crate::tree;

/// An address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// IPv4.
    Fourth,
    /// IPv6.
    Sixth,
}

impl Family {
    /// That of an address.
    pub(super) fn from_address(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::Fourth } else { Self::Sixth }
    }

    /// Name in the API.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Fourth => "IPv4",
            Self::Sixth => "IPv6",
        }
    }

    fn other(self) -> &'static str {
        match self {
            Self::Fourth => "IPv6",
            Self::Sixth => "IPv4",
        }
    }
}

fn kind(service: &Value) -> &str {
    tree::str_at(service, "/spec/type")
}

fn is_named(service: &Value) -> bool {
    kind(service) == "ExternalName"
}

fn is_headless(service: &Value) -> bool {
    tree::str_at(service, "/spec/clusterIP") == "None"
}

/// Whether the Service has an address of the range.
pub(super) fn needs_address(service: &Value) -> bool {
    !is_named(service) && !is_headless(service)
}

/// Whether its ports may be reached on nodes.
pub(super) fn needs_node_ports(service: &Value) -> bool {
    matches!(kind(service), "NodePort" | "LoadBalancer")
}

/// Whether ports get node ports without asking.
pub(super) fn allocates_node_ports(service: &Value) -> bool {
    let allocates = service.pointer("/spec/allocateLoadBalancerNodePorts").and_then(Value::as_bool);
    kind(service) == "NodePort" || allocates.unwrap_or(true)
}

/// Whether load balancers ask each node if it serves.
pub(super) fn needs_health_check_port(service: &Value) -> bool {
    kind(service) == "LoadBalancer" && tree::str_at(service, "/spec/externalTrafficPolicy") == "Local"
}

/// Makes linked fields agree, with the stored object as the fallback.
pub(super) fn settle(service: &mut Value, old: Option<&Value>) {
    if !service["spec"].is_object() {
        return;
    }
    match old {
        None => {
            let address = tree::str_at(service, "/spec/clusterIP").to_owned();
            if !address.is_empty() && tree::list(service, "/spec/clusterIPs").is_empty() {
                service["spec"]["clusterIPs"] = json!([address]);
            }
        }
        Some(old) => {
            restore(service, old);
            reduce_families(service, old);
            align_addresses(service, old);
            drop_stale(service, old);
        }
    }
    if let Some(spec) = service["spec"].as_object_mut()
        && tree::is_unset(spec.get("clusterIP"))
    {
        spec.remove("clusterIP");
    }
}

/// Takes from the stored Service what a client that does not know it left out.
fn restore(service: &mut Value, old: &Value) {
    if !is_named(service) && !is_named(old) {
        if tree::str_at(service, "/spec/clusterIP").is_empty() {
            service["spec"]["clusterIP"] = old["spec"]["clusterIP"].clone();
        }
        for field in ["clusterIPs", "ipFamilies"] {
            if tree::list(service, &format!("/spec/{field}")).is_empty() && old["spec"].get(field).is_some() {
                service["spec"][field] = old["spec"][field].clone();
            }
        }
        if tree::str_at(service, "/spec/ipFamilyPolicy").is_empty()
            && old["spec"].get("ipFamilyPolicy").is_some()
        {
            service["spec"]["ipFamilyPolicy"] = old["spec"]["ipFamilyPolicy"].clone();
        }
    }
    if needs_node_ports(service) && needs_node_ports(old) {
        restore_node_ports(service, old);
    }
    let health = |service: &Value| tree::integer(service, "/spec/healthCheckNodePort").unwrap_or_default();
    if needs_health_check_port(service)
        && needs_health_check_port(old)
        && health(service) == 0
        && health(old) != 0
    {
        service["spec"]["healthCheckNodePort"] = old["spec"]["healthCheckNodePort"].clone();
    }
}

/// A Service that goes back to one family without naming addresses gives up the second one.
fn reduce_families(service: &mut Value, old: &Value) {
    let policy = |service: &Value| tree::str_at(service, "/spec/ipFamilyPolicy").to_owned();
    if policy(service) != "SingleStack" || policy(old) == "SingleStack" || is_named(service) {
        return;
    }
    for field in ["clusterIPs", "ipFamilies"] {
        if service["spec"].get(field) == old["spec"].get(field)
            && let Some(list) = service["spec"][field].as_array_mut()
        {
            list.truncate(1);
        }
    }
}

/// A port keeps its node port by its name, unless another port asks for that one now.
fn restore_node_ports(service: &mut Value, old: &Value) {
    let number = |port: &Value| tree::integer(port, "/nodePort").unwrap_or_default();
    let asked: Vec<i64> = tree::list(service, "/spec/ports").iter().map(number).collect();
    let stored = tree::list(old, "/spec/ports");
    let Some(ports) = service["spec"]["ports"].as_array_mut() else { return };
    for port in ports.iter_mut().filter(|port| number(port) == 0) {
        let name = tree::str_at(port, "/name");
        let known =
            stored.iter().find(|other| tree::str_at(other, "/name") == name).map(number).unwrap_or_default();
        if known != 0 && !asked.contains(&known) {
            port["nodePort"] = json!(known);
        }
    }
}

/// A client that knows only one spelling of the address has changed that one.
fn align_addresses(service: &mut Value, old: &Value) {
    let [address, before] =
        [&*service, old].map(|service| tree::str_at(service, "/spec/clusterIP").to_owned());
    let is_same_list = service["spec"].get("clusterIPs") == old["spec"].get("clusterIPs");
    if address != before && !address.is_empty() && is_same_list && !is_named(service) {
        service["spec"]["clusterIPs"] = json!([address]);
    }
}

/// Drops fields that the new type does not have and that the client did not set.
fn drop_stale(service: &mut Value, old: &Value) {
    let drop_same = |service: &mut Value, fields: &[&str]| {
        let Some(spec) = service["spec"].as_object_mut() else { return };
        for field in fields {
            if spec.get(*field) == old["spec"].get(*field) {
                spec.remove(*field);
            }
        }
    };
    if is_named(service) && !is_named(old) {
        drop_same(service, &["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"]);
    }
    let ports = |service: &Value| -> Vec<Option<i64>> {
        tree::list(service, "/spec/ports").iter().map(|port| tree::integer(port, "/nodePort")).collect()
    };
    if needs_node_ports(old) && !needs_node_ports(service) && ports(service) == ports(old) {
        for port in service["spec"]["ports"].as_array_mut().into_iter().flatten() {
            if let Some(port) = port.as_object_mut() {
                port.remove("nodePort");
            }
        }
    }
    if needs_health_check_port(old) && !needs_health_check_port(service) {
        drop_same(service, &["healthCheckNodePort"]);
    }
    if kind(old) == "LoadBalancer" && kind(service) != "LoadBalancer" {
        drop_same(service, &["allocateLoadBalancerNodePorts", "loadBalancerClass"]);
    }
    if is_external(old) && !is_external(service) {
        drop_same(service, &["externalTrafficPolicy"]);
    }
}

fn is_external(service: &Value) -> bool {
    needs_node_ports(service)
        || (kind(service) == "ClusterIP" && !tree::list(service, "/spec/externalIPs").is_empty())
}

/// Settles which address families the Service has; `own` are the cluster's, the usual one first.
///
/// # Errors
/// When it asks for a family, or for two, that the cluster does not have, or for two and one at once.
///
/// A stored Service keeps its first family; validation says so when `service` has another.
pub(super) fn families(
    service: &mut Value,
    old: Option<&Value>,
    own: &[Family],
) -> Result<(), Vec<FieldError>> {
    if is_named(service) {
        return Ok(());
    }
    let has_selector = !tree::map(service, "/spec/selector").is_none_or(Map::is_empty);
    let is_free = is_headless(service) && !has_selector;
    let before = old.map(first_family).unwrap_or_default();
    let is_changed = !before.is_empty() && before != first_family(service);
    let Some(spec) = service["spec"].as_object_mut() else { return Ok(()) };
    if tree::is_unset(spec.get("ipFamilyPolicy")) {
        let policy = if is_free { "RequireDualStack" } else { "SingleStack" };
        spec.insert("ipFamilyPolicy".to_owned(), json!(policy));
    }
    let policy = spec["ipFamilyPolicy"].as_str().unwrap_or_default().to_owned();
    let mut families: Vec<String> =
        tree::strings_at(service, "/spec/ipFamilies").map(str::to_owned).collect();
    let Some(usual) = own.first() else { return Ok(()) };
    if is_free {
        // The families of a Service without a selector are those of its endpoints, not of the cluster.
        if families.is_empty() {
            families.push(usual.name().to_owned());
        }
        if families.len() < 2 && policy != "SingleStack" {
            let second = if families[0] == usual.name() { usual.other() } else { usual.name() };
            families.push(second.to_owned());
        }
    } else if !is_changed {
        let errors = family_errors(service, &families, &policy, own);
        if !errors.is_empty() {
            return Err(errors);
        }
        // Explicit addresses decide the families.
        let asked: Vec<Family> = tree::strings_at(service, "/spec/clusterIPs")
            .filter_map(|text| text.parse().ok().map(Family::from_address))
            .filter(|family| own.contains(family))
            .collect();
        families.extend(asked.iter().skip(families.len()).map(|family| family.name().to_owned()));
        if families.is_empty() {
            families.push(usual.name().to_owned());
        }
        let second = own.iter().find(|family| family.name() != families[0]);
        if let Some(second) = second.filter(|_| families.len() < 2 && policy != "SingleStack") {
            families.push(second.name().to_owned());
        }
    }
    service["spec"]["ipFamilies"] = json!(families);
    Ok(())
}

/// Validates the families of a Service with explicit addresses.
fn family_errors(service: &Value, families: &[String], policy: &str, own: &[Family]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut refuse_policy =
        |detail: String| errors.push(FieldError::invalid("spec.ipFamilyPolicy", &json!(policy), detail));
    if policy == "RequireDualStack" && own.len() < 2 {
        refuse_policy("this cluster is not configured for dual-stack services".to_owned());
    }
    for field in ["clusterIPs", "ipFamilies"] {
        let is_several = tree::list(service, &format!("/spec/{field}")).len() == 2;
        if policy == "SingleStack" && own.len() == 2 && is_several {
            refuse_policy(format!(
                "must be 'RequireDualStack' or 'PreferDualStack' when multiple '{field}' are specified"
            ));
        }
    }
    for (index, family) in families.iter().enumerate() {
        let is_own = own.iter().any(|own| own.name() == family);
        if ["IPv4", "IPv6"].contains(&family.as_str()) && !is_own {
            let field = format!("spec.ipFamilies[{index}]");
            errors.push(FieldError::invalid(field, &json!(family), "not configured on this cluster"));
        }
    }
    errors
}

fn first_family(service: &Value) -> &str {
    tree::strings_at(service, "/spec/ipFamilies").next().unwrap_or_default()
}
