//! EndpointSlices of an import, from the EndpointSlices of one exporter (KEP-1645, "EndpointSlice").
//!
//! Each slice of the exporter becomes one slice of the import, so that one change rewrites one slice in each member. A
//! slice with more than 100 endpoints is split; an endpoint keeps its part while others come and go.

use portolan_api::kubernetes::{Endpoint, EndpointSlice, View};
use portolan_api::multicluster::ServiceImportType;
use portolan_api::{labels, names, resources};
use portolan_object::{Object, ObjectKey};
use serde_json::{Value, json};

use super::Pass;
use super::import::set_marks;
use crate::discovery::derived_service::present_fields;
use crate::discovery::importable::{check_endpoint, check_port};
use crate::discovery::merge::{Merged, PortMapping};
use crate::discovery::slices::{imported_endpoint, is_exportable};

/// Maximum endpoints in one slice: the default of kube-controller-manager's `--max-endpoints-per-slice`.
const MAX_ENDPOINTS: usize = 100;

/// One exporting member.
#[derive(Debug, Clone)]
pub struct ExportingMember<'a> {
    /// Id of the member in the set.
    pub cluster: &'a str,
    /// Whether the exporter is also the importing member.
    pub is_local: bool,
    /// All EndpointSlices of the exported Service.
    pub slices: Vec<&'a Object>,
}

/// The desired slices of `import` with the endpoints of one exporter.
pub(super) fn wanted(import: &Object, pass: &Pass<'_>, source: &ExportingMember<'_>) -> Vec<Object> {
    let merged = pass.merged;
    if pass.exported.routing.is_outside(source.cluster) {
        return Vec::new();
    }
    let Some(mapping) = merged.port_mappings.get(source.cluster) else { return Vec::new() };
    let mut wanted = Vec::new();
    for slice in source.slices.iter().filter(|slice| is_exportable(slice)) {
        // A slice that no API server could have stored is left out.
        let Ok(view) = EndpointSlice::read(slice) else { continue };
        let Some(ports) = ports(&view, merged, mapping) else { continue };
        let mut endpoints = view.endpoints.clone();
        endpoints.retain(|endpoint| check_endpoint(view.address_type, endpoint).is_ok());
        for (index, endpoints) in split(&endpoints).into_iter().enumerate() {
            let key = ObjectKey::namespaced(
                import.namespace(),
                names::endpoint_slice_of_set(import.name(), source.cluster, slice.name(), index),
            );
            let mut imported = Object::new(&resources::ENDPOINT_SLICE.gvk(), &key);
            set_marks(&mut imported, pass.exported.set, pass.member.control_plane, Some(import));
            for (label, value) in [
                (labels::endpoint_slice::MANAGED_BY, labels::endpoint_slice::CLUSTER_SET_MANAGER),
                (labels::endpoint_slice::IMPORT_NAME, import.name()),
                (labels::endpoint_slice::SOURCE_CLUSTER, source.cluster),
            ] {
                imported.set_label(label, value);
            }
            if merged.kind == ServiceImportType::ClusterSetIP {
                imported.set_label(labels::endpoint_slice::SERVICE_NAME, pass.derived_name());
            }
            imported.0["addressType"] = json!(view.address_type);
            let prefers_near = merged.traffic_distribution.is_some();
            imported.0["endpoints"] = endpoints
                .into_iter()
                .map(|endpoint| endpoint_of_set(endpoint, source.is_local, prefers_near))
                .collect();
            imported.0["ports"] = Value::Array(ports.clone());
            wanted.push(imported);
        }
    }
    wanted
}

/// The ports of a slice with their names in the import, without those that lost a conflict. `None` if all ports lost, so
/// that a port gets no traffic in a cluster that does not expose it (KEP-1645).
///
/// A slice without ports keeps none: it has addresses for a headless service, and gets no traffic otherwise, as in its own
/// cluster.
fn ports(slice: &EndpointSlice<'_>, merged: &Merged, mapping: &PortMapping) -> Option<Vec<Value>> {
    if slice.ports.is_empty() {
        return Some(Vec::new());
    }
    let valid = slice.ports.iter().enumerate().filter(|(index, port)| {
        let before = slice.ports.get(..*index).unwrap_or_default();
        check_port(port, before).is_ok()
    });
    let renamed = valid.filter_map(|(_, port)| {
        let index = *mapping.get(port.name.unwrap_or_default())?;
        let merged_port = merged.ports.get(index)?;
        let protocol = port.protocol.unwrap_or("TCP");
        (protocol == merged_port.protocol).then(|| {
            Value::Object(present_fields([
                ("name", Some(merged.port_name(merged_port).into())),
                ("protocol", Some(protocol.into())),
                ("port", port.port.map(Value::from)),
                ("appProtocol", merged_port.app_protocol.as_deref().map(Value::from)),
            ]))
        })
    });
    let ports: Vec<Value> = renamed.collect();
    (!ports.is_empty() || merged.ports.is_empty()).then_some(ports)
}

/// An endpoint of the import.
///
/// `nodeName` is kept only in the exporting cluster, see [`imported_endpoint`]. kube-proxy prefers endpoints of its zone
/// only if they have hints, and no controller of the member writes hints for these slices, so they are added here
/// (KEP-2433).
fn endpoint_of_set(endpoint: &Endpoint<'_>, is_local: bool, prefers_near: bool) -> Value {
    let mut fields = imported_endpoint(endpoint);
    if let (Some(node), true) = (endpoint.node_name, is_local) {
        fields.insert("nodeName".to_owned(), node.into());
    }
    if let Some(zone) = endpoint.zone.filter(|zone| !zone.is_empty() && prefers_near) {
        fields.insert("hints".to_owned(), json!({ "forZones": [{ "name": zone }] }));
    }
    Value::Object(fields)
}

/// Splits endpoints into parts of at most [`MAX_ENDPOINTS`]. The part of an endpoint depends only on its address and on
/// the number of parts, a power of two, so that endpoints rarely move when others come or go.
fn split<'a, 'b>(endpoints: &'b [Endpoint<'a>]) -> Vec<Vec<&'b Endpoint<'a>>> {
    let mut count = 1;
    loop {
        let mut parts: Vec<Vec<&Endpoint<'_>>> = vec![Vec::new(); count];
        for endpoint in endpoints {
            let address = endpoint.addresses.first().copied().unwrap_or_default();
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
        let address = |n: usize| format!("10.{}.{}.{}", n / 65536, n / 256 % 256, n % 256);
        let texts: Vec<String> = (0..1000).map(address).collect();
        let all: Vec<Endpoint<'_>> = texts
            .iter()
            .map(|address| Endpoint { addresses: vec![address.as_str()], ..Endpoint::default() })
            .collect();
        let endpoints = |count: usize| &all[..count];
        for (count, want) in [(0, 1), (1, 1), (100, 1)] {
            assert_eq!(split(endpoints(count)).len(), want, "{count} endpoints");
        }
        let thousand = endpoints(1000);
        let before = split(thousand);
        assert_eq!(before.iter().map(Vec::len).sum::<usize>(), 1000);
        assert!(before.iter().all(|part| part.len() <= MAX_ENDPOINTS));
        let without_one = split(&thousand[1..]);
        let changed = before.iter().zip(&without_one).filter(|(old, new)| old != new).count();
        assert_eq!((before.len(), changed), (without_one.len(), 1), "one change touches one part");
    }
}
