//! Services. Their addresses and node ports come from [`crate::allocation`].

mod validation;
mod warnings;

use serde_json::{Map, Value, json};

use super::{GROUP, PROXY_VERBS};
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::selectable::{SelectableField, field};
use crate::kinds::table::cells::{Row, joined, or_word};
use crate::kinds::table::{AGE, Column, NAME, SELECTOR, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NO_DELETION_STATE, NO_KEPT_STATE, NameRule,
    ONE_FORM, StatusRule, Subresource, network, status,
};
use crate::tree;
use crate::tree::{child, child_if_present, children, default, is_unset};

/// Default session affinity timeout, in seconds.
const AFFINITY_TIMEOUT: i64 = 10_800;

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "Service", "services")
        .singular("service")
        .namespaced()
        .short(&["svc"])
        .category(&["all"])
        .create_on_update()
        .delete_returns_object()
        .subresources(&[
            Subresource::new("proxy", "ServiceProxyOptions", PROXY_VERBS),
            Subresource::status("Service"),
        ]),
    names: NameRule::Label,
    generation: Generation::None,
    status: StatusRule::DroppedOnCreate,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(defaults),
    prepare_for_create: Defined(status::load_balancer),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: Defined(validation::validate),
    warnings: Defined(warnings::warnings),
    table: Defined(&TABLE),
    selectable: Defined(SELECTABLE),
    conversion: NotNeeded(ONE_FORM),
};

/// Services without their addresses and node ports, which allocation adds.
fn defaults(object: &mut Map<String, Value>) {
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

static TABLE: Table = Table {
    columns: &[
        NAME,
        Column::string("Type", "How the service is reached."),
        Column::string("Cluster-IP", "Address inside the cluster."),
        Column::string("External-IP", "Addresses outside the cluster."),
        Column::string("Port(s)", "Ports, with the node's port where there is one."),
        AGE,
        SELECTOR,
    ],
    cells,
};

fn cells(row: Row<'_>) -> Vec<Value> {
    let ports: Vec<String> = row.list("/spec/ports").iter().map(port_cell).collect();
    vec![
        row.name(),
        json!(row.text("/spec/type")),
        json!(row.text_or("/spec/clusterIPs/0", "<none>")),
        json!(external_addresses(row)),
        json!(or_word(ports.join(","), "<none>")),
        row.age(),
        json!(row.labels("/spec/selector")),
    ]
}

fn port_cell(port: &Value) -> String {
    let number = tree::integer(port, "/port").unwrap_or_default();
    let protocol = tree::str_at(port, "/protocol");
    match tree::integer(port, "/nodePort") {
        Some(node_port @ 1..) => format!("{number}:{node_port}/{protocol}"),
        _ => format!("{number}/{protocol}"),
    }
}

fn external_addresses(row: Row<'_>) -> String {
    let external = joined(tree::strings_at(row.object, "/spec/externalIPs"));
    match row.text("/spec/type") {
        "ClusterIP" | "NodePort" => or_word(external, "<none>"),
        "LoadBalancer" => {
            let ingress = network::ingress_addresses(row);
            let both = [ingress.as_str(), external.as_str()];
            or_word(joined(both.into_iter().filter(|part| !part.is_empty())), "<pending>")
        }
        "ExternalName" => row.text("/spec/externalName").to_owned(),
        _ => "<unknown>".to_owned(),
    }
}

const SELECTABLE: &[SelectableField] =
    &[field("spec.clusterIP", &["spec", "clusterIP"]), field("spec.type", &["spec", "type"])];
