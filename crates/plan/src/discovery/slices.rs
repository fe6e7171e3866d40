//! EndpointSlices of an explicit import, and which EndpointSlices of a cluster are exported.

use portolan_api::{labels, names};
use portolan_object::{GroupVersionKind, Object, ObjectKey};
use serde_json::{Map, Value, json};

/// Fields of an imported endpoint. Without `nodeName`: the importing cluster may have a different node of that name, and
/// its proxies would take the endpoint for a local one.
const ENDPOINT_FIELDS: &[&str] = &["addresses", "conditions", "hostname", "zone"];

/// Whether a slice has endpoints of its own cluster. Imported endpoints are not exported again.
pub fn is_exportable(slice: &Object) -> bool {
    let manager = slice.label(labels::endpoint_slice::MANAGED_BY);
    let imported = [
        labels::endpoint_slice::IMPORT_MANAGER,
        labels::endpoint_slice::CLUSTER_SET_MANAGER,
        labels::endpoint_slice::DISPATCH_MANAGER,
    ];
    !manager.is_some_and(|manager| imported.contains(&manager))
        // The label of another controller that imports endpoints.
        && slice.label(labels::endpoint_slice::SOURCE_CLUSTER).is_none()
        && matches!(slice.str_at(&["addressType"]), "IPv4" | "IPv6")
        && !slice.is_deleting()
}

/// The EndpointSlice of the explicit import `service` for `slice` of `exporter`.
///
/// Addresses, ports, conditions and zones are copied; labels name the exporter and the derived Service.
pub fn imported_slice(exporter: &str, service: &str, slice: &Object) -> Object {
    let key =
        ObjectKey::namespaced(slice.namespace(), names::imported_endpoint_slice(exporter, slice.name()));
    let mut imported = Object::new(&GroupVersionKind::new("discovery.k8s.io", "v1", "EndpointSlice"), &key);
    for (label, value) in [
        (labels::MANAGED, labels::TRUE),
        (labels::endpoint_slice::MANAGED_BY, labels::endpoint_slice::IMPORT_MANAGER),
        (labels::endpoint_slice::IMPORT_NAME, service),
        (labels::endpoint_slice::SOURCE_CLUSTER, exporter),
    ] {
        imported.set_label(label, value);
    }
    imported.set_label(labels::endpoint_slice::SERVICE_NAME, names::derived_service(service));
    imported.0["addressType"] = json!(slice.str_at(&["addressType"]));
    let endpoints = slice.at(&["endpoints"]).and_then(Value::as_array);
    imported.0["endpoints"] = endpoints.into_iter().flatten().map(endpoint).collect();
    imported.0["ports"] =
        slice.at(&["ports"]).filter(|ports| ports.is_array()).cloned().unwrap_or_else(|| json!([]));
    imported
}

fn endpoint(endpoint: &Value) -> Value {
    let kept = ENDPOINT_FIELDS.iter().filter_map(|field| {
        let value = endpoint.get(*field).filter(|value| !value.is_null())?;
        Some(((*field).to_owned(), value.clone()))
    });
    Value::Object(kept.collect::<Map<_, _>>())
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
        );
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
