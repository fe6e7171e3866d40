//! EndpointSlices of an explicit import, and which EndpointSlices of a cluster are exported.

use portolan_api::kubernetes::{Endpoint, EndpointSlice, View, ViewError};
use portolan_api::{labels, names, resources};
use portolan_object::{Object, ObjectKey};
use serde_json::{Map, Value, json};

use super::importable::{check_endpoint, check_port};
use super::port_names::PortNames;
use crate::import_marks::is_imported;

/// Whether a slice has endpoints of its own cluster. Imported endpoints are not exported again.
pub fn is_exportable(slice: &Object) -> bool {
    !is_imported(slice)
        && matches!(EndpointSlice::address_type(slice), "IPv4" | "IPv6")
        && !slice.is_deleting()
}

/// The EndpointSlice of the explicit import `service` for `slice` of `exporter`.
///
/// Addresses, ports, conditions and zones are copied; labels name the exporter and the derived Service. `names` are the
/// names of the exporter's ports in the import.
///
/// # Errors
/// When the slice has a field of a wrong type.
pub(super) fn imported_slice(
    exporter: &str,
    service: &str,
    slice: &Object,
    names: &PortNames,
) -> Result<Object, ViewError> {
    let view = EndpointSlice::read(slice)?;
    let key =
        ObjectKey::namespaced(slice.namespace(), names::imported_endpoint_slice(exporter, slice.name()));
    let mut imported = Object::new(&resources::ENDPOINT_SLICE.gvk(), &key);
    for (label, value) in [
        (labels::MANAGED, labels::TRUE),
        (labels::endpoint_slice::MANAGED_BY, labels::endpoint_slice::IMPORT_MANAGER),
        (labels::endpoint_slice::IMPORT_NAME, service),
        (labels::endpoint_slice::SOURCE_CLUSTER, exporter),
    ] {
        imported.set_label(label, value);
    }
    imported.set_label(labels::endpoint_slice::SERVICE_NAME, names::derived_service(service));
    imported.0["addressType"] = json!(view.address_type);
    imported.0["endpoints"] = imported_endpoints(&view);
    // Other fields of the ports are copied, also those that the view does not know.
    let ports = slice.0.get("ports").and_then(Value::as_array).into_iter().flatten();
    let is_valid = |(index, _): &(usize, &Value)| {
        let port = view.ports.get(*index).zip(view.ports.get(..*index));
        port.is_none_or(|(port, before)| check_port(port, before).is_ok())
    };
    let ports = ports.enumerate().filter(is_valid).filter_map(|(_, port)| renamed(port, names));
    imported.0["ports"] = ports.collect();
    Ok(imported)
}

/// The endpoints of a slice that an importing API server accepts.
pub fn imported_endpoints(view: &EndpointSlice<'_>) -> Value {
    let valid = view.endpoints.iter().filter(|endpoint| check_endpoint(view.address_type, endpoint).is_ok());
    valid.map(|endpoint| Value::Object(imported_endpoint(endpoint))).collect()
}

/// A port with its name in the import; `None` if another port has that name there.
fn renamed(port: &Value, names: &PortNames) -> Option<Value> {
    let before = port.get("name").and_then(Value::as_str).unwrap_or_default();
    let name = names.name_of(before)?;
    let mut port = port.clone();
    if name != before {
        port["name"] = name.into();
    }
    Some(port)
}

/// The fields of an imported endpoint: addresses, conditions, host name and zone.
///
/// Without `nodeName`: the importing cluster may have a different node of that name, and its proxies would take the
/// endpoint for a local one. `conditions` is always written, because kube-apiserver stores it even if it is empty.
pub(super) fn imported_endpoint(endpoint: &Endpoint<'_>) -> Map<String, Value> {
    let conditions = [
        ("ready", endpoint.conditions.ready),
        ("serving", endpoint.conditions.serving),
        ("terminating", endpoint.conditions.terminating),
    ];
    let conditions =
        conditions.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into())));
    let mut fields = Map::new();
    fields.insert("addresses".to_owned(), endpoint.addresses.iter().copied().collect());
    fields.insert("conditions".to_owned(), Value::Object(conditions.collect()));
    for (name, value) in [("hostname", endpoint.hostname), ("zone", endpoint.zone)] {
        if let Some(value) = value {
            fields.insert(name.to_owned(), value.into());
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(labels: Value, address_type: &str) -> Object {
        Object(
            json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": address_type,
            "metadata": {"name": "serve-abcde", "namespace": "default", "labels": labels, "uid": "u", "resourceVersion": "3",
                "ownerReferences": [{"kind": "Service"}]},
            "endpoints": [{"addresses": ["10.10.0.5"], "nodeName": "n1", "zone": "z1", "hostname": null,
                "conditions": {"ready": true, "serving": true, "terminating": false}, "targetRef": {"kind": "Pod"}}],
            "ports": [{"name": "", "port": 8080, "protocol": "TCP"}]}),
        )
    }

    #[test]
    fn the_imported_slice_has_addresses_and_labels_but_no_node() {
        let imported = imported_slice(
            "member1",
            "serve",
            &slice(json!({"kubernetes.io/service-name": "serve"}), "IPv4"),
            &PortNames::default(),
        )
        .unwrap();
        let want = json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": "imported-member1-serve-abcde", "namespace": "default", "labels": {
                "karmada.io/managed": "true",
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.karmada.io",
                "kubernetes.io/service-name": "derived-serve",
                "multicluster.kubernetes.io/service-name": "serve",
                "multicluster.kubernetes.io/source-cluster": "member1"}},
            "endpoints": [{"addresses": ["10.10.0.5"], "zone": "z1",
                "conditions": {"ready": true, "serving": true, "terminating": false}}],
            "ports": [{"name": "", "port": 8080, "protocol": "TCP"}]});
        assert_eq!(imported.0, want);
    }

    #[test]
    fn only_endpoints_of_the_cluster_are_exported() {
        let managed_by = |manager: &str| json!({"endpointslice.kubernetes.io/managed-by": manager});
        let cases = [
            (
                "of the cluster's controller",
                slice(managed_by("endpointslice-controller.k8s.io"), "IPv4"),
                true,
            ),
            ("made by hand", slice(json!({}), "IPv6"), true),
            ("imported", slice(managed_by("endpointslice-controller.karmada.io"), "IPv4"), false),
            ("dispatched", slice(managed_by("endpointslice-dispatch-controller.karmada.io"), "IPv4"), false),
            ("of a cluster set", slice(managed_by("endpointslice-controller.portolan.dev"), "IPv4"), false),
            (
                "said to be of another cluster",
                slice(json!({"multicluster.kubernetes.io/source-cluster": "east"}), "IPv4"),
                false,
            ),
            ("host names", slice(json!({}), "FQDN"), false),
        ];
        for (name, slice, want) in cases {
            assert_eq!(is_exportable(&slice), want, "{name}");
        }
    }
}
