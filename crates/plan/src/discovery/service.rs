//! The Service that stands for an import in the cluster that imports it.

use portolan_api::{labels, names};
use portolan_object::{GroupVersionKind, Object, ObjectKey};
use serde_json::{Map, Value, json};

/// Fields of an import's port that a Service port has as well. The target port is left out: the slices carry it.
const PORT_FIELDS: &[&str] = &["name", "protocol", "port", "appProtocol"];

/// The derived Service of a ServiceImport.
///
/// `None` for imports without an address of their own: type `Headless` is answered by DNS alone, and a Service
/// without ports cannot exist.
pub fn derived_service(import: &Object) -> Option<Object> {
    let ports = import.at(&["spec", "ports"]).and_then(Value::as_array).filter(|ports| !ports.is_empty())?;
    if import.str_at(&["spec", "type"]) != "ClusterSetIP" {
        return None;
    }
    let key = ObjectKey::namespaced(import.namespace(), names::derived_service(import.name()));
    let mut service = Object::new(&GroupVersionKind::new("", "v1", "Service"), &key);
    service.set_label(labels::MANAGED, labels::TRUE);
    service.set_label(labels::endpoint_slice::IMPORT_NAME, import.name());
    service.metadata_mut().insert("ownerReferences".to_owned(), json!([owner(import)]));
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

/// With the import goes everything that was derived from it, even while the control plane is away.
pub(super) fn owner(import: &Object) -> Value {
    json!({ "apiVersion": import.api_version(), "kind": import.kind(), "name": import.name(), "uid": import.uid() })
}

fn service_port(port: &Value) -> Value {
    let mut fields: Map<String, Value> = PORT_FIELDS
        .iter()
        .filter_map(|field| {
            Some(((*field).to_owned(), port.get(*field).filter(|value| !value.is_null())?.clone()))
        })
        .collect();
    // The API server would default it; written out, because the field is part of a port's identity when applied.
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
}
