//! The derived Service of an explicit import, and updates of derived Services.

use portolan_api::kubernetes::{Service, ServicePort, View};
use portolan_api::multicluster::{ServiceImportType, ServiceImportView};
use portolan_api::{labels, names, resources};
use portolan_object::{Object, ObjectKey};
use serde_json::{Map, Value, json};

use super::port_names::port_name;

/// `spec.clusterIP` of a headless Service.
const HEADLESS: &str = "None";
/// Fields of the spec that a derived Service has only if its import asks for them.
const REMOVED_IF_ABSENT: &[&str] = &["sessionAffinityConfig", "trafficDistribution"];
/// Fields of the spec that no derived Service has. Written by others they would send traffic elsewhere: a selector lets the
/// cluster's own controller add endpoints, and `externalIPs` takes the traffic of other addresses.
pub(super) const FOREIGN_FIELDS: &[&str] = &[
    "allocateLoadBalancerNodePorts",
    "externalIPs",
    "externalName",
    "externalTrafficPolicy",
    "healthCheckNodePort",
    "loadBalancerClass",
    "loadBalancerIP",
    "loadBalancerSourceRanges",
    "publishNotReadyAddresses",
    "selector",
];

/// Whether a Service has no address by decision of its writer.
pub(super) fn is_headless(service: &Object) -> bool {
    Service::read(service).is_ok_and(|service| service.spec.is_headless())
}

/// The derived Service of an explicit ServiceImport.
///
/// An import of type `Headless` has a headless Service, through which the cluster's own DNS answers. `None` for an import of
/// another type, and for one with an address and no ports, which the API refuses.
pub fn derived_service(import: &Object) -> Option<Object> {
    // An import that no API server could have stored has no Service either.
    let spec = ServiceImportView::read(import).ok()?.spec;
    let is_headless = spec.kind == ServiceImportType::Headless.as_str();
    let has_address = spec.kind == ServiceImportType::ClusterSetIP.as_str() && !spec.ports.is_empty();
    if !is_headless && !has_address {
        return None;
    }
    let key = ObjectKey::namespaced(import.namespace(), names::derived_service(import.name()));
    let mut service = Object::new(&resources::SERVICE.gvk(), &key);
    service.set_label(labels::MANAGED, labels::TRUE);
    service.set_label(labels::endpoint_slice::IMPORT_NAME, import.name());
    service.metadata_mut().insert("ownerReferences".to_owned(), json!([owner_reference(import)]));
    let timeout = spec.session_affinity_config.client_ip.timeout_seconds;
    let text = |text: &str| Some(text).filter(|text| !text.is_empty()).map(Value::from);
    service.0["spec"] = Value::Object(present_fields([
        ("type", Some("ClusterIP".into())),
        ("clusterIP", is_headless.then(|| HEADLESS.into())),
        ("ports", Some((0..spec.ports.len()).map(|index| service_port(&spec.ports, index)).collect())),
        ("sessionAffinity", text(spec.session_affinity).filter(|_| !is_headless)),
        (
            "sessionAffinityConfig",
            timeout
                .filter(|_| !is_headless)
                .map(|seconds| json!({ "clientIP": { "timeoutSeconds": seconds } })),
        ),
        ("internalTrafficPolicy", text(spec.internal_traffic_policy)),
        ("trafficDistribution", text(spec.traffic_distribution)),
    ]));
    Some(service)
}

/// A JSON map of the fields with a value.
pub(super) fn present_fields<const N: usize>(fields: [(&str, Option<Value>); N]) -> Map<String, Value> {
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// The present derived Service with labels, owners and spec fields of `wanted`. Its addresses stay.
///
/// The result is for a PUT request instead of server-side apply. Derived Services are created with POST, so that an
/// existing Service is never taken over; a later apply could not remove fields that the POST has set.
pub fn updated_service(present: &Object, wanted: &Object) -> Object {
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
    REMOVED_IF_ABSENT.iter().chain(FOREIGN_FIELDS).for_each(|field| drop(spec.remove(*field)));
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

/// A port of the Service. The EndpointSlices carry the target ports.
fn service_port(ports: &[ServicePort<'_>], index: usize) -> Value {
    let Some(port) = ports.get(index) else { return Value::Null };
    // TCP is the default of the API server; explicit, because server-side apply identifies a port by port and protocol.
    let protocol = port.protocol.filter(|protocol| !protocol.is_empty()).unwrap_or("TCP");
    let name = port_name(ports, index);
    Value::Object(present_fields([
        ("name", Some(name).filter(|name| !name.is_empty()).map(Value::from)),
        ("protocol", Some(protocol.into())),
        ("port", Some(port.port.into())),
        ("appProtocol", port.app_protocol.map(Value::from)),
    ]))
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
                {"name": "tcp-80", "port": 80, "protocol": "TCP"},
                {"name": "dns", "port": 53, "protocol": "UDP", "appProtocol": "dns"}]}});
        assert_eq!(service.map(|service| service.0), Some(want));
    }

    #[test]
    fn imports_without_an_address_have_no_service() {
        let cases = [
            ("of an unknown type", json!({"type": "Other", "ports": [{"port": 80}]})),
            ("without ports", json!({"type": "ClusterSetIP", "ports": []})),
            ("without a spec", Value::Null),
        ];
        for (name, spec) in cases {
            assert_eq!(derived_service(&import(spec)), None, "{name}");
        }
    }

    #[test]
    fn a_headless_import_has_a_headless_service() {
        for ports in [json!([]), json!([{"port": 80, "protocol": "TCP"}])] {
            let spec = json!({"type": "Headless", "sessionAffinity": "ClientIP", "ports": ports});
            let service = derived_service(&import(spec)).expect("a Service");
            assert_eq!(service.0["spec"], json!({"type": "ClusterIP", "clusterIP": "None", "ports": ports}));
        }
    }

    #[test]
    fn several_ports_have_names() {
        let ports = json!([{"port": 80}, {"name": "tcp-80", "port": 81}]);
        let service = derived_service(&import(json!({"type": "ClusterSetIP", "ports": ports}))).unwrap();
        let names: Vec<&Value> =
            service.0["spec"]["ports"].as_array().unwrap().iter().map(|port| &port["name"]).collect();
        assert_eq!(names, ["tcp-80x", "tcp-80"]);
    }

    #[test]
    fn an_update_removes_what_others_have_added() {
        let wanted =
            derived_service(&import(json!({"type": "ClusterSetIP", "ports": [{"port": 80}]}))).unwrap();
        let mut present = wanted.clone();
        for (field, value) in [
            ("selector", json!({"app": "other"})),
            ("externalIPs", json!(["10.12.0.200"])),
            ("publishNotReadyAddresses", json!(true)),
        ] {
            present.0["spec"][field] = value;
        }
        assert_eq!(updated_service(&present, &wanted).0["spec"], wanted.0["spec"]);
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
