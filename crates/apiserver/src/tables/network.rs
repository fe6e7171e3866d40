//! Rows of kinds that carry traffic: services, endpoints, ingresses, policies, addresses.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::cells::{Source, joined, or_word, shortened};
use super::{AGE, Column, NAME, SELECTOR, Table};
use crate::tree;

/// Lists of hosts, ports and addresses show this many entries.
const SHOWN: usize = 3;

pub(crate) static SERVICE: Table = Table {
    columns: &[
        NAME,
        Column::text("Type", "How the service is reached."),
        Column::text("Cluster-IP", "Address inside the cluster."),
        Column::text("External-IP", "Addresses outside the cluster."),
        Column::text("Port(s)", "Ports, with the node's port where there is one."),
        AGE,
        SELECTOR,
    ],
    cells: service,
};

pub(crate) static ENDPOINTS: Table = Table {
    columns: &[NAME, Column::text("Endpoints", "Addresses and ports that serve."), AGE],
    cells: endpoints,
};

pub(crate) static ENDPOINT_SLICE: Table = Table {
    columns: &[
        NAME,
        Column::text("AddressType", "Family of the addresses."),
        Column::text("Ports", "Ports of each endpoint."),
        Column::text("Endpoints", "Addresses of the endpoints."),
        AGE,
    ],
    cells: endpoint_slice,
};

pub(crate) static INGRESS: Table = Table {
    columns: &[
        NAME,
        Column::text("Class", "Class that says which controller serves the ingress."),
        Column::text("Hosts", "Hosts that the rules match."),
        Column::text("Address", "Addresses of the load balancer."),
        Column::text("Ports", "Ports that are open."),
        AGE,
    ],
    cells: ingress,
};

pub(crate) static INGRESS_CLASS: Table = Table {
    columns: &[
        NAME,
        Column::text("Controller", "Controller that serves ingresses of the class."),
        Column::text("Parameters", "Object with further settings."),
        AGE,
    ],
    cells: ingress_class,
};

pub(crate) static NETWORK_POLICY: Table = Table {
    columns: &[NAME, Column::text("Pod-Selector", "Labels of the pods that the policy is for."), AGE],
    cells: network_policy,
};

pub(crate) static IP_ADDRESS: Table = Table {
    columns: &[NAME, Column::text("ParentRef", "Object that holds the address.")],
    cells: ip_address,
};

pub(crate) static SERVICE_CIDR: Table = Table {
    columns: &[NAME, Column::text("CIDRs", "Ranges that service addresses come from."), AGE],
    cells: service_cidr,
};

fn service(source: Source<'_>) -> Vec<Value> {
    let ports: Vec<String> = source.list("/spec/ports").iter().map(service_port).collect();
    vec![
        source.name(),
        json!(source.text("/spec/type")),
        json!(source.text_or("/spec/clusterIPs/0", "<none>")),
        json!(external_addresses(source)),
        json!(or_word(ports.join(","), "<none>")),
        source.age(),
        json!(source.labels("/spec/selector")),
    ]
}

fn service_port(port: &Value) -> String {
    let number = tree::integer(port, "/port").unwrap_or_default();
    let protocol = tree::text(port, "/protocol");
    match tree::integer(port, "/nodePort") {
        Some(node_port @ 1..) => format!("{number}:{node_port}/{protocol}"),
        _ => format!("{number}/{protocol}"),
    }
}

fn external_addresses(source: Source<'_>) -> String {
    let external = joined(tree::texts(source.object, "/spec/externalIPs"));
    match source.text("/spec/type") {
        "ClusterIP" | "NodePort" => or_word(external, "<none>"),
        "LoadBalancer" => {
            let ingress = ingress_addresses(source);
            let both = [ingress.as_str(), external.as_str()];
            or_word(joined(both.into_iter().filter(|part| !part.is_empty())), "<pending>")
        }
        "ExternalName" => source.text("/spec/externalName").to_owned(),
        _ => "<unknown>".to_owned(),
    }
}

/// Addresses, or host names where there is no address, of a load balancer; sorted, each once.
fn ingress_addresses(source: Source<'_>) -> String {
    let address = |entry| match tree::text(entry, "/ip") {
        "" => tree::text(entry, "/hostname"),
        address => address,
    };
    let entries = source.list("/status/loadBalancer/ingress").iter();
    let addresses: BTreeSet<&str> = entries.map(address).filter(|text| !text.is_empty()).collect();
    joined(addresses)
}

fn endpoints(source: Source<'_>) -> Vec<Value> {
    let subsets = source.list("/subsets");
    let cell = match subsets {
        [] => "<none>".to_owned(),
        _ => shortened(&subsets.iter().flat_map(subset).collect::<Vec<_>>(), SHOWN, ","),
    };
    vec![source.name(), json!(cell), source.age()]
}

/// `address:port` for each port of a subset, or the bare addresses where it has no ports.
fn subset(subset: &Value) -> Vec<String> {
    let addresses: Vec<&str> =
        tree::list(subset, "/addresses").iter().map(|entry| tree::text(entry, "/ip")).collect();
    let ports = tree::list(subset, "/ports");
    if ports.is_empty() {
        return addresses.into_iter().map(str::to_owned).collect();
    }
    let port_numbers = ports.iter().map(|port| tree::integer(port, "/port").unwrap_or_default());
    port_numbers.flat_map(|port| addresses.iter().map(move |address| host_port(address, port))).collect()
}

fn host_port(address: &str, port: i64) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

fn endpoint_slice(source: Source<'_>) -> Vec<Value> {
    let ports: Vec<String> = source.list("/ports").iter().map(slice_port).collect();
    let endpoints = source.list("/endpoints").iter();
    let addresses: Vec<String> =
        endpoints.flat_map(|endpoint| tree::texts(endpoint, "/addresses")).map(str::to_owned).collect();
    let cell = |words: &[String]| json!(or_word(shortened(words, SHOWN, ","), "<unset>"));
    vec![source.name(), json!(source.text("/addressType")), cell(&ports), cell(&addresses), source.age()]
}

fn slice_port(port: &Value) -> String {
    match (tree::integer(port, "/port"), tree::present(port, "/name")) {
        (Some(number), _) => number.to_string(),
        (None, Some(name)) => name.as_str().unwrap_or_default().to_owned(),
        (None, None) => "*".to_owned(),
    }
}

fn ingress(source: Source<'_>) -> Vec<Value> {
    let ports = if source.list("/spec/tls").is_empty() { "80" } else { "80, 443" };
    vec![
        source.name(),
        json!(source.text_or("/spec/ingressClassName", "<none>")),
        json!(hosts(source.list("/spec/rules"))),
        json!(ingress_addresses(source)),
        json!(ports),
        source.age(),
    ]
}

/// The first hosts. Rules without a host take no place, but count among those left out.
fn hosts(rules: &[Value]) -> String {
    let mut shown = Vec::new();
    let mut has_more = false;
    for rule in rules {
        has_more |= shown.len() == SHOWN;
        let host = tree::text(rule, "/host");
        if !has_more && !host.is_empty() {
            shown.push(host);
        }
    }
    match shown.join(",") {
        all if all.is_empty() => "*".to_owned(),
        all if has_more => format!("{all} + {} more...", rules.len() - SHOWN),
        all => all,
    }
}

fn ingress_class(source: Source<'_>) -> Vec<Value> {
    let is_default =
        source.text("/metadata/annotations/ingressclass.kubernetes.io~1is-default-class") == "true";
    let name = source.text("/metadata/name");
    let parameters = tree::present(source.object, "/spec/parameters").map(|parameters| {
        let kind = tree::text(parameters, "/kind");
        let name = tree::text(parameters, "/name");
        match tree::text(parameters, "/apiGroup") {
            "" => format!("{kind}/{name}"),
            group => format!("{kind}.{group}/{name}"),
        }
    });
    vec![
        if is_default { json!(format!("{name} (default)")) } else { json!(name) },
        json!(source.text("/spec/controller")),
        json!(parameters.as_deref().unwrap_or("<none>")),
        source.age(),
    ]
}

fn network_policy(source: Source<'_>) -> Vec<Value> {
    vec![source.name(), json!(source.selector("/spec/podSelector")), source.age()]
}

fn ip_address(source: Source<'_>) -> Vec<Value> {
    let parent = tree::present(source.object, "/spec/parentRef").map(|parent| {
        let resource = tree::text(parent, "/resource");
        let resource = match tree::text(parent, "/group") {
            "" => resource.to_owned(),
            group => format!("{resource}.{group}"),
        };
        let namespace = tree::text(parent, "/namespace");
        let parts = [resource.to_lowercase(), namespace.to_owned(), tree::text(parent, "/name").to_owned()];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
    });
    vec![source.name(), json!(parent.as_deref().unwrap_or("<none>"))]
}

fn service_cidr(source: Source<'_>) -> Vec<Value> {
    vec![source.name(), json!(joined(tree::texts(source.object, "/spec/cidrs"))), source.age()]
}
