//! The derived Service of an explicit import, and updates of derived Services.

use portolan_api::{labels, names};
use portolan_object::{GroupVersionKind, Object, ObjectKey};
use serde_json::{Map, Value, json};

/// Port fields that a derived Service copies from its import. EndpointSlices carry the target ports.
pub(super) const PORT_FIELDS: &[&str] = &["name", "protocol", "port", "appProtocol"];

/// The derived Service of an explicit ServiceImport.
///
/// `None` for imports without an address: type `Headless` has DNS records only, and the API refuses a Service without
/// ports.
pub fn derived_service(import: &Object) -> Option<Object> {
    let ports = import.at(&["spec", "ports"]).and_then(Value::as_array).filter(|ports| !ports.is_empty())?;
    if import.str_at(&["spec", "type"]) != "ClusterSetIP" {
        return None;
    }
    let key = ObjectKey::namespaced(import.namespace(), names::derived_service(import.name()));
    let mut service = Object::new(&GroupVersionKind::new("", "v1", "Service"), &key);
    service.set_label(labels::MANAGED, labels::TRUE);
    service.set_label(labels::endpoint_slice::IMPORT_NAME, import.name());
    service.metadata_mut().insert("ownerReferences".to_owned(), json!([owner_reference(import)]));
    let mut spec = Map::new();
    spec.insert("type".to_owned(), json!("ClusterIP"));
    spec.insert("ports".to_owned(), ports.iter().map(service_port).collect());
    for field in ["sessionAffinity", "sessionAffinityConfig", "internalTrafficPolicy", "trafficDistribution"]
    {
        if let Some(value) = import.at(&["spec", field]).filter(|value| !value.is_null()) {
            spec.insert(field.to_owned(), value.clone());
        }
    }
    service.0["spec"] = Value::Object(spec);
    Some(service)
}

/// The present derived Service with labels, owners and spec fields of `wanted`. Its addresses stay.
///
/// The result is for a PUT request instead of server-side apply. Derived Services are created with POST, so that an
/// existing Service is never taken over; a later apply could not remove fields that the POST has set.
pub fn updated_service(present: &Object, wanted: &Object) -> Object {
    const REMOVED_IF_ABSENT: &[&str] = &["sessionAffinityConfig", "trafficDistribution"];
    let mut object = present.clone();
    for (label, value) in wanted.labels() {
        object.set_label(&label, value);
    }
    if let Some(owners) = wanted.at(&["metadata", "ownerReferences"]) {
        object.metadata_mut().insert("ownerReferences".to_owned(), owners.clone());
    }
    let (Some(spec), Some(wanted)) = (object.0["spec"].as_object_mut(), wanted.0["spec"].as_object()) else {
        return wanted.clone();
    };
    REMOVED_IF_ABSENT.iter().for_each(|field| drop(spec.remove(*field)));
    let families = wanted.get("ipFamilies").and_then(Value::as_array).map(Vec::len);
    if let (Some(families), Some(addresses)) =
        (families, spec.get_mut("clusterIPs").and_then(Value::as_array_mut))
    {
        // A removed second family loses its address.
        addresses.truncate(families.max(1));
    }
    spec.extend(wanted.iter().map(|(field, value)| (field.clone(), value.clone())));
    object
}

/// Owner reference to an import: the member's garbage collector deletes derived objects with their import.
pub(super) fn owner_reference(import: &Object) -> Value {
    json!({ "apiVersion": import.api_version(), "kind": import.kind(), "name": import.name(), "uid": import.uid() })
}

fn service_port(port: &Value) -> Value {
    let mut fields: Map<String, Value> = PORT_FIELDS
        .iter()
        .filter_map(|field| {
            Some(((*field).to_owned(), port.get(*field).filter(|value| !value.is_null())?.clone()))
        })
        .collect();
    // The default of the API server; explicit, because server-side apply identifies a port by port and protocol.
    fields.entry("protocol").or_insert_with(|| json!("TCP"));
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn import(spec: Value) -> Object {
        Object(json!({"apiVersion": "multicluster.x-k8s.io/v1alpha1", "kind": "ServiceImport",
                      "metadata": {"name": "serve", "namespace": "default", "uid": "u1"}, "spec": spec}))
    }

    #[test]
    fn derives_a_service() {
        let service = derived_service(&import(json!({"type": "ClusterSetIP", "sessionAffinity": "ClientIP",
            "ports": [{"port": 80, "protocol": "TCP"}, {"name": "dns", "port": 53, "protocol": "UDP", "appProtocol": "dns"}]})));
        let want = json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "derived-serve", "namespace": "default",
                "labels": {"karmada.io/managed": "true", "multicluster.kubernetes.io/service-name": "serve"},
                "ownerReferences": [{"apiVersion": "multicluster.x-k8s.io/v1alpha1", "kind": "ServiceImport",
                                     "name": "serve", "uid": "u1"}]},
            "spec": {"type": "ClusterIP", "sessionAffinity": "ClientIP", "ports": [
                {"port": 80, "protocol": "TCP"}, {"name": "dns", "port": 53, "protocol": "UDP", "appProtocol": "dns"}]}});
        assert_eq!(service.map(|service| service.0), Some(want));
    }

    #[test]
    fn imports_without_an_address_have_no_service() {
        let cases = [
            ("headless", json!({"type": "Headless", "ports": [{"port": 80}]})),
            ("without ports", json!({"type": "ClusterSetIP", "ports": []})),
            ("without a spec", Value::Null),
        ];
        for (name, spec) in cases {
            assert_eq!(derived_service(&import(spec)), None, "{name}");
        }
    }

    #[test]
    fn an_update_keeps_the_address_and_removes_unwanted_fields() {
        let wanted =
            derived_service(&import(json!({"type": "ClusterSetIP", "ports": [{"port": 81}]}))).unwrap();
        let mut present = wanted.clone();
        present.0["spec"] = json!({"type": "ClusterIP", "clusterIP": "10.0.0.7", "clusterIPs": ["10.0.0.7"],
            "trafficDistribution": "PreferClose", "ports": [{"port": 80, "targetPort": 80, "protocol": "TCP"}]});
        present.0["metadata"]["resourceVersion"] = json!("7");
        let object = updated_service(&present, &wanted);
        assert_eq!(
            object.0["spec"],
            json!({"type": "ClusterIP", "clusterIP": "10.0.0.7", "clusterIPs": ["10.0.0.7"],
                "ports": [{"port": 81, "protocol": "TCP"}]})
        );
        assert_eq!(object.resource_version(), "7");
    }
}
