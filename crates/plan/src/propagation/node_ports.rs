//! Node ports of propagated Services.
//!
//! The control plane's API server allocates a node port where the user wrote none. Members get these ports as a preference,
//! so that a Service has the same ports everywhere if they are free. In a member where one is taken the member allocates
//! another, and keeps it. A port that the user wrote is never changed.
//!
//! Once stored, written and allocated ports differ in `managedFields` only: an allocated port has no manager. Caches drop
//! `managedFields`, so [`note_allocated`] puts the answer into an annotation of the cached copy, from which the manifests of
//! Works get it. The stored template has no such annotation.

use portolan_api::annotations::template::{ALLOCATED_PORTS, HEALTH_CHECK_PORT};
use portolan_api::resources;
use portolan_object::{Object, Status};
use serde_json::{Value, json};

/// Writes the annotation with the allocated ports of a Service, from its `managedFields`. Other objects stay as they are, and
/// Services without `managedFields`, which have the annotation already if they need it.
pub fn note_allocated(template: &mut Object) {
    let has_managers = template.at(&["metadata", "managedFields"]).is_some();
    if !resources::SERVICE.is_kind_of(template) || !has_managers {
        return;
    }
    let noted = allocated(template).join(",");
    if !noted.is_empty() {
        template.set_annotation(ALLOCATED_PORTS, noted);
    } else if let Some(annotations) =
        template.metadata_mut().get_mut("annotations").and_then(Value::as_object_mut)
    {
        annotations.remove(ALLOCATED_PORTS);
    }
}

fn allocated(service: &Object) -> Vec<String> {
    let spec = &service.0["spec"];
    let mut found: Vec<String> = Vec::new();
    for port in spec["ports"].as_array().into_iter().flatten() {
        let number = port["port"].as_i64().unwrap_or_default();
        let protocol = port["protocol"].as_str().unwrap_or("TCP");
        let has_one = port["nodePort"].as_i64().is_some_and(|node_port| node_port > 0);
        let field = format!("k:{}", json!({ "port": number, "protocol": protocol }));
        if has_one && !is_managed(service, &["f:spec", "f:ports", &field, "f:nodePort"]) {
            found.push(key(port));
        }
    }
    let has_health_check = spec["healthCheckNodePort"].as_i64().is_some_and(|port| port > 0);
    if has_health_check && !is_managed(service, &["f:spec", "f:healthCheckNodePort"]) {
        found.push(HEALTH_CHECK_PORT.to_owned());
    }
    found
}

/// Whether a manager has set the field.
fn is_managed(object: &Object, field: &[&str]) -> bool {
    let managers = object.at(&["metadata", "managedFields"]).and_then(Value::as_array);
    managers
        .into_iter()
        .flatten()
        .any(|manager| field.iter().try_fold(&manager["fieldsV1"], |fields, name| fields.get(name)).is_some())
}

/// Takes over the node ports that the member has allocated instead of the preferred ones.
pub(super) fn retain(manifest: &mut Object, observed: &Object) {
    for_each_allocated(manifest, |port| {
        let found = observed.at(&["spec", "ports"]).and_then(Value::as_array);
        let same = found.into_iter().flatten().find(|theirs| key(theirs) == key(port));
        if let Some(theirs) = same.and_then(|theirs| theirs["nodePort"].as_i64()).filter(|port| *port > 0) {
            port["nodePort"] = json!(theirs);
        }
    });
}

/// The manifest without preferred node ports, if the member refuses it because of a node port. `None` if they are not the
/// cause, or if there are none.
pub fn release(manifest: &Object, refusal: &Status) -> Option<Object> {
    if !resources::SERVICE.is_kind_of(manifest) || !refusal.message.contains("nodePort") {
        return None;
    }
    let mut released = manifest.clone();
    let mut is_changed = false;
    for_each_allocated(&mut released, |port| {
        if let Some(fields) = port.as_object_mut() {
            is_changed |= fields.remove("nodePort").is_some();
        }
    });
    is_changed.then_some(released)
}

/// Whether the control plane allocated the port of health checks. Each member allocates its own.
pub(super) fn is_health_check_allocated(service: &Object) -> bool {
    service
        .annotation(ALLOCATED_PORTS)
        .is_some_and(|noted| noted.split(',').any(|one| one == HEALTH_CHECK_PORT))
}

/// Calls `edit` with each port of the Service with a node port that was allocated.
fn for_each_allocated(service: &mut Object, mut edit: impl FnMut(&mut Value)) {
    let Some(noted) = service.annotation(ALLOCATED_PORTS).map(str::to_owned) else { return };
    let ports =
        service.0.get_mut("spec").and_then(|spec| spec.get_mut("ports")).and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten() {
        if noted.split(',').any(|one| one == key(port)) {
            edit(port);
        }
    }
}

fn key(port: &Value) -> String {
    let protocol = port["protocol"].as_str().unwrap_or("TCP");
    format!("{}/{protocol}", port["port"].as_i64().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(ports: Value) -> Object {
        Object(json!({"apiVersion": "v1", "kind": "Service", "spec": {"type": "NodePort", "ports": ports},
                      "metadata": {"annotations": {"portolan.dev/allocated-node-ports": "80/TCP"}}}))
    }

    fn preferred() -> Object {
        service(json!([{"port": 80, "nodePort": 30001}, {"port": 443, "nodePort": 30443}]))
    }

    #[test]
    fn a_port_without_a_manager_was_allocated() {
        let stored = |port_fields: Value, spec_fields: Value| {
            let mut fields =
                json!({ "f:ports": { ".": {}, "k:{\"port\":80,\"protocol\":\"TCP\"}": port_fields } });
            let more = spec_fields.as_object().cloned().unwrap_or_default();
            fields.as_object_mut().expect("fields").extend(more);
            Object(json!({ "apiVersion": "v1", "kind": "Service",
                "metadata": { "managedFields": [{ "manager": "kubectl", "fieldsV1": { "f:spec": fields } }] },
                "spec": { "type": "LoadBalancer", "healthCheckNodePort": 31000,
                    "ports": [{ "port": 80, "protocol": "TCP", "nodePort": 30001 }] } }))
        };
        let cases = [
            (stored(json!({ "f:port": {} }), json!({})), Some("80/TCP,healthCheckNodePort")),
            (stored(json!({ "f:nodePort": {} }), json!({})), Some("healthCheckNodePort")),
            (stored(json!({ "f:port": {} }), json!({ "f:healthCheckNodePort": {} })), Some("80/TCP")),
            (stored(json!({ "f:nodePort": {} }), json!({ "f:healthCheckNodePort": {} })), None),
        ];
        for (mut service, want) in cases {
            note_allocated(&mut service);
            assert_eq!(
                service.annotation(ALLOCATED_PORTS),
                want,
                "{}",
                service.0["metadata"]["managedFields"]
            );
        }
        let mut plain =
            Object(json!({ "apiVersion": "v1", "kind": "Service", "spec": { "ports": [{ "port": 80 }] },
            "metadata": { "annotations": { ALLOCATED_PORTS: "80/TCP" }, "managedFields": [] } }));
        note_allocated(&mut plain);
        assert_eq!(plain.annotation(ALLOCATED_PORTS), None, "it has no node port");
        let mut noted = preferred();
        note_allocated(&mut noted);
        assert_eq!(
            noted.annotation(ALLOCATED_PORTS),
            Some("80/TCP"),
            "noted before managedFields were dropped"
        );
        let mut other = Object(json!({ "apiVersion": "example.com/v1", "kind": "Service",
            "spec": { "ports": [{ "port": 80, "nodePort": 30001 }] } }));
        note_allocated(&mut other);
        assert_eq!(other.annotation(ALLOCATED_PORTS), None);
    }

    #[test]
    fn the_member_keeps_the_port_that_it_allocated() {
        let mut manifest = preferred();
        let observed = service(json!([{"port": 80, "nodePort": 31000}, {"port": 443, "nodePort": 31443}]));
        retain(&mut manifest, &observed);
        assert_eq!(
            manifest.0["spec"]["ports"],
            json!([{"port": 80, "nodePort": 31000}, {"port": 443, "nodePort": 30443}])
        );
        let mut manifest = preferred();
        retain(&mut manifest, &service(json!([{"port": 80}])));
        assert_eq!(manifest, preferred(), "the member has none yet");
    }

    #[test]
    fn only_preferred_ports_are_released() {
        let refusal = |message: &str| Status::new(422, "Invalid", message);
        let taken =
            refusal("spec.ports[0].nodePort: Invalid value: 30001: provided port is already allocated");
        let released = release(&preferred(), &taken).unwrap();
        assert_eq!(released.0["spec"]["ports"], json!([{"port": 80}, {"port": 443, "nodePort": 30443}]));
        assert_eq!(release(&released, &taken), None, "nothing is left to release");
        assert_eq!(release(&preferred(), &refusal("spec.selector: Invalid value")), None);
        let mut written = preferred();
        written.metadata_mut().remove("annotations");
        assert_eq!(release(&written, &taken), None, "the user wrote them");
    }
}
