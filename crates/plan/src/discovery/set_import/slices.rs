//! EndpointSlices of an import, from the EndpointSlices of one exporter (KEP-1645, "EndpointSlice").
//!
//! Each slice of the exporter becomes one slice of the import, so that one change rewrites one slice in each member. A
//! slice with more than 100 endpoints is split; an endpoint keeps its part while others come and go.

use portolan_api::{labels, names};
use portolan_object::{GroupVersionKind, Object, ObjectKey};
use serde_json::{Map, Value, json};

use super::Pass;
use super::import::{fields, set_marks};
use crate::discovery::merge::{Merged, PortMapping};
use crate::discovery::slices::is_exportable;

/// Maximum endpoints in one slice: the default of kube-controller-manager's `--max-endpoints-per-slice`.
const MAX_ENDPOINTS: usize = 100;

/// One exporting member.
#[derive(Debug, Clone)]
pub struct Source<'a> {
    /// Id of the member in the set.
    pub cluster: &'a str,
    /// Whether the exporter is also the importing member.
    pub is_local: bool,
    /// All EndpointSlices of the exported Service.
    pub slices: Vec<&'a Object>,
}

/// The desired slices of `import` with the endpoints of one exporter.
pub(super) fn wanted(import: &Object, pass: &Pass<'_>, source: &Source<'_>) -> Vec<Object> {
    let merged = pass.merged;
    let Some(mapping) = merged.port_mappings.get(source.cluster) else { return Vec::new() };
    let mut wanted = Vec::new();
    for slice in source.slices.iter().filter(|slice| is_exportable(slice)) {
        let Some(ports) = ports(slice, merged, mapping) else { continue };
        let endpoints =
            slice.at(&["endpoints"]).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for (index, endpoints) in split(endpoints).into_iter().enumerate() {
            let key = ObjectKey::namespaced(
                import.namespace(),
                names::endpoint_slice_of_set(import.name(), source.cluster, slice.name(), index),
            );
            let mut imported =
                Object::new(&GroupVersionKind::new("discovery.k8s.io", "v1", "EndpointSlice"), &key);
            set_marks(&mut imported, pass.exported.set, Some(import));
            for (label, value) in [
                (labels::endpoint_slice::MANAGED_BY, labels::endpoint_slice::CLUSTER_SET_MANAGER),
                (labels::endpoint_slice::IMPORT_NAME, import.name()),
                (labels::endpoint_slice::SOURCE_CLUSTER, source.cluster),
            ] {
                imported.set_label(label, value);
            }
            if import.str_at(&["spec", "type"]) == "ClusterSetIP" {
                let service = names::derived_service_of_set(import.namespace(), import.name());
                imported.set_label(labels::endpoint_slice::SERVICE_NAME, service);
            }
            imported.0["addressType"] = json!(slice.str_at(&["addressType"]));
            let prefers_near = merged.traffic_distribution.is_some();
            imported.0["endpoints"] = endpoints
                .into_iter()
                .map(|endpoint| imported_endpoint(endpoint, source.is_local, prefers_near))
                .collect();
            imported.0["ports"] = Value::Array(ports.clone());
            wanted.push(imported);
        }
    }
    wanted
}

/// The ports of a slice with their names in the import, without those that lost a conflict. `None` if all ports lost, so
/// that a port gets no traffic in a cluster that does not expose it (KEP-1645).
fn ports(slice: &Object, merged: &Merged, mapping: &PortMapping) -> Option<Vec<Value>> {
    let listed = slice.at(&["ports"]).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let renamed = |port: &Value| {
        let index = *mapping.get(port["name"].as_str().unwrap_or_default())?;
        let merged_port = merged.ports.get(index)?;
        let protocol = port["protocol"].as_str().unwrap_or("TCP");
        (protocol == merged_port.protocol).then(|| {
            Value::Object(fields([
                ("name", Some(merged.port_name(merged_port).into())),
                ("protocol", Some(protocol.into())),
                ("port", port.get("port").cloned()),
                ("appProtocol", merged_port.app_protocol.as_deref().map(Value::from)),
            ]))
        })
    };
    let ports: Vec<Value> = listed.iter().filter_map(renamed).collect();
    (!ports.is_empty() || merged.ports.is_empty()).then_some(ports)
}

/// An endpoint of the import.
///
/// `nodeName` is kept only in the exporting cluster: another cluster may have a different node of that name, and its
/// proxies would take the endpoint for a local one. kube-proxy prefers endpoints of its zone only if they have hints,
/// and no controller of the member writes hints for these slices, so they are added here (KEP-2433).
fn imported_endpoint(endpoint: &Value, is_local: bool, prefers_near: bool) -> Value {
    let kept = |field: &str| endpoint.get(field).filter(|value| !value.is_null()).cloned();
    let zone = endpoint["zone"].as_str().filter(|zone| !zone.is_empty() && prefers_near);
    let fields: Map<String, Value> = fields([
        ("addresses", kept("addresses")),
        ("conditions", kept("conditions")),
        ("hostname", kept("hostname")),
        ("zone", kept("zone")),
        ("nodeName", kept("nodeName").filter(|_| is_local)),
        ("hints", zone.map(|zone| json!({ "forZones": [{ "name": zone }] }))),
    ]);
    Value::Object(fields)
}

/// Splits endpoints into parts of at most [`MAX_ENDPOINTS`]. The part of an endpoint depends only on its address and on
/// the number of parts, a power of two, so that endpoints rarely move when others come or go.
fn split(endpoints: &[Value]) -> Vec<Vec<&Value>> {
    let mut count = 1;
    loop {
        let mut parts: Vec<Vec<&Value>> = vec![Vec::new(); count];
        for endpoint in endpoints {
            let address = endpoint["addresses"][0].as_str().unwrap_or_default();
            let hash = names::fnv1a_32(address.as_bytes()) as usize;
            parts[hash % count].push(endpoint);
        }
        let is_small = parts.iter().all(|part| part.len() <= MAX_ENDPOINTS);
        // Equal addresses stay in one part, so the number of parts must be limited; the API refuses such slices.
        if is_small || count > endpoints.len() {
            return parts;
        }
        count *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_small_and_stable() {
        let endpoints = |count: usize| -> Vec<Value> {
            let address = |n: usize| json!({ "addresses": [format!("10.{}.{}.{}", n / 65536, n / 256 % 256, n % 256)] });
            (0..count).map(address).collect()
        };
        for (count, want) in [(0, 1), (1, 1), (100, 1)] {
            assert_eq!(split(&endpoints(count)).len(), want, "{count} endpoints");
        }
        let thousand = endpoints(1000);
        let before = split(&thousand);
        assert_eq!(before.iter().map(Vec::len).sum::<usize>(), 1000);
        assert!(before.iter().all(|part| part.len() <= MAX_ENDPOINTS));
        let without_one = split(&thousand[1..]);
        let changed = before.iter().zip(&without_one).filter(|(old, new)| old != new).count();
        assert_eq!((before.len(), changed), (without_one.len(), 1), "one change touches one part");
    }
}
