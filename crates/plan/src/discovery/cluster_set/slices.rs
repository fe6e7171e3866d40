//! EndpointSlices of an exporter as a member of its set gets them (mcs 2.6).
//!
//! Every slice of the exporter becomes one here, so one change rewrites one slice in each member; only a slice with more
//! endpoints than an import may hold is cut, in a way that keeps endpoints in their pieces.

use portolan_api::{labels, names};
use portolan_object::{GroupVersionKind, Object, ObjectKey};
use serde_json::{Map, Value, json};

use super::import::{fields, set_marks};
use crate::discovery::merge::{Merged, Route};
use crate::discovery::slices::is_exportable;

/// The most endpoints in one slice, as the EndpointSlice controller has them by default.
const MOST_ENDPOINTS: usize = 100;

/// One exporting member.
#[derive(Debug, Clone)]
pub struct Source<'a> {
    /// Its id.
    pub cluster: &'a str,
    /// Whether it is the importing member itself.
    pub is_here: bool,
    /// All slices of the Service there.
    pub slices: Vec<&'a Object>,
}

/// The slices that `import` gets from one exporter.
pub(super) fn wanted(import: &Object, set: &str, merged: &Merged, source: &Source<'_>) -> Vec<Object> {
    let Some(route) = merged.routes.get(source.cluster) else { return Vec::new() };
    let mut wanted = Vec::new();
    for slice in source.slices.iter().filter(|slice| is_exportable(slice)) {
        let Some(ports) = ports(slice, merged, route) else { continue };
        let endpoints =
            slice.at(&["endpoints"]).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for (part, endpoints) in pieces(endpoints).into_iter().enumerate() {
            let key = ObjectKey::namespaced(
                import.namespace(),
                names::endpoint_slice_of_set(import.name(), source.cluster, slice.name(), part),
            );
            let mut piece =
                Object::new(&GroupVersionKind::new("discovery.k8s.io", "v1", "EndpointSlice"), &key);
            set_marks(&mut piece, set, Some(import));
            for (label, value) in [
                (labels::endpoint_slice::MANAGED_BY, labels::endpoint_slice::CLUSTER_SET_MANAGER),
                (labels::endpoint_slice::IMPORT_NAME, import.name()),
                (labels::endpoint_slice::SOURCE_CLUSTER, source.cluster),
            ] {
                piece.set_label(label, value);
            }
            if import.str_at(&["spec", "type"]) == "ClusterSetIP" {
                let service = names::derived_service_of_set(import.namespace(), import.name());
                piece.set_label(labels::endpoint_slice::SERVICE_NAME, service);
            }
            piece.0["addressType"] = json!(slice.str_at(&["addressType"]));
            let prefers_near = merged.traffic_distribution.is_some();
            piece.0["endpoints"] = endpoints
                .into_iter()
                .map(|endpoint| imported(endpoint, source.is_here, prefers_near))
                .collect();
            piece.0["ports"] = Value::Array(ports.clone());
            wanted.push(piece);
        }
    }
    wanted
}

/// The ports under the names that they have in the import; `None` when the exporter lost all of them, so that no
/// traffic of a port goes to a cluster that does not expose it.
fn ports(slice: &Object, merged: &Merged, route: &Route) -> Option<Vec<Value>> {
    let listed = slice.at(&["ports"]).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let renamed = |port: &Value| {
        let place = *route.get(port["name"].as_str().unwrap_or_default())?;
        let merged_port = merged.ports.get(place)?;
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

/// What an endpoint keeps. The name of a node means another node in another cluster, and zones are preferred only by
/// hints, which the member's own controller does not write for these slices (statements 45 and 46).
fn imported(endpoint: &Value, is_here: bool, prefers_near: bool) -> Value {
    let kept = |field: &str| endpoint.get(field).filter(|value| !value.is_null()).cloned();
    let zone = endpoint["zone"].as_str().filter(|zone| !zone.is_empty() && prefers_near);
    let fields: Map<String, Value> = fields([
        ("addresses", kept("addresses")),
        ("conditions", kept("conditions")),
        ("hostname", kept("hostname")),
        ("zone", kept("zone")),
        ("nodeName", kept("nodeName").filter(|_| is_here)),
        ("hints", zone.map(|zone| json!({ "forZones": [{ "name": zone }] }))),
    ]);
    Value::Object(fields)
}

/// Endpoints in pieces that are small enough. Which piece an endpoint is in depends on its address and on the number of
/// pieces alone, a power of two, so that others hardly ever move when one comes or goes.
fn pieces(endpoints: &[Value]) -> Vec<Vec<&Value>> {
    let mut count = 1;
    loop {
        let mut pieces: Vec<Vec<&Value>> = vec![Vec::new(); count];
        for endpoint in endpoints {
            let address = endpoint["addresses"][0].as_str().unwrap_or_default();
            let hash = names::fnv1a_32(address.as_bytes()) as usize;
            pieces[hash % count].push(endpoint);
        }
        let is_small = pieces.iter().all(|piece| piece.len() <= MOST_ENDPOINTS);
        // Equal addresses can never be parted; an API server refuses such a slice anyway.
        if is_small || count > endpoints.len() {
            return pieces;
        }
        count *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_small_and_stay() {
        let endpoints = |count: usize| -> Vec<Value> {
            let address = |n: usize| json!({ "addresses": [format!("10.{}.{}.{}", n / 65536, n / 256 % 256, n % 256)] });
            (0..count).map(address).collect()
        };
        for (count, want) in [(0, 1), (1, 1), (100, 1)] {
            assert_eq!(pieces(&endpoints(count)).len(), want, "{count} endpoints");
        }
        let thousand = endpoints(1000);
        let before = pieces(&thousand);
        assert_eq!(before.iter().map(Vec::len).sum::<usize>(), 1000);
        assert!(before.iter().all(|piece| piece.len() <= MOST_ENDPOINTS));
        let without_one = pieces(&thousand[1..]);
        let changed = before.iter().zip(&without_one).filter(|(old, new)| old != new).count();
        assert_eq!((before.len(), changed), (without_one.len(), 1), "one change touches one piece");
    }
}
