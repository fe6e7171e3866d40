//! Admission of Services: notes which node ports the API server allocates.
//!
//! A Service that is propagated prefers the same node ports in every member, but only those that its user wrote are
//! required there. Once stored, written and allocated ones look alike, so this is noted when they are written.

use portolan_object::Object;
use serde_json::Value;

use crate::annotations::template::{ALLOCATED_PORTS, HEALTH_CHECK_PORT};

/// Writes the annotation with the ports that have no node port yet, or have one that was allocated before.
pub(super) fn note_allocated_ports(object: &mut Value, old: Option<&Value>) {
    let has_node_ports = matches!(object["spec"]["type"].as_str(), Some("NodePort" | "LoadBalancer"));
    let mut noted: Vec<String> = Vec::new();
    if has_node_ports {
        let known =
            old.and_then(|old| old["metadata"]["annotations"][ALLOCATED_PORTS].as_str()).unwrap_or_default();
        let ports = object["spec"]["ports"].as_array();
        for port in ports.into_iter().flatten() {
            let key = key(port);
            let before = old.and_then(|old| find(old, &key)).map_or(0, node_port);
            let is_kept = before > 0 && (node_port(port) == 0 || node_port(port) == before);
            let is_allocated =
                if is_kept { known.split(',').any(|one| one == key) } else { node_port(port) == 0 };
            if is_allocated {
                noted.push(key);
            }
        }
    }
    if is_health_check_allocated(object, old) {
        noted.push(HEALTH_CHECK_PORT.to_owned());
    }
    let value = noted.join(",");
    let present = object["metadata"]["annotations"][ALLOCATED_PORTS].as_str();
    if present.unwrap_or_default() == value {
        return;
    }
    let mut tree = Object(object.take());
    if value.is_empty() {
        if let Some(annotations) = tree.metadata_mut().get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove(ALLOCATED_PORTS);
        }
    } else {
        tree.set_annotation(ALLOCATED_PORTS, value);
    }
    *object = tree.0;
}

/// Whether the API server allocated `healthCheckNodePort`: the user did not set it.
fn is_health_check_allocated(object: &Value, old: Option<&Value>) -> bool {
    let spec = &object["spec"];
    if spec["type"] != "LoadBalancer" || spec["externalTrafficPolicy"] != "Local" {
        return false;
    }
    let port = |service: &Value| service["spec"]["healthCheckNodePort"].as_i64().unwrap_or_default();
    let before = old.map_or(0, port);
    if before == 0 || (port(object) != 0 && port(object) != before) {
        return port(object) == 0;
    }
    let known = old.and_then(|old| old["metadata"]["annotations"][ALLOCATED_PORTS].as_str());
    known.unwrap_or_default().split(',').any(|one| one == HEALTH_CHECK_PORT)
}

/// A port as the annotation names it, such as `80/TCP`.
fn key(port: &Value) -> String {
    let protocol = port["protocol"].as_str().unwrap_or("TCP");
    format!("{}/{protocol}", port["port"].as_i64().unwrap_or_default())
}

fn node_port(port: &Value) -> i64 {
    port["nodePort"].as_i64().unwrap_or_default()
}

fn find<'a>(service: &'a Value, wanted: &str) -> Option<&'a Value> {
    service["spec"]["ports"].as_array()?.iter().find(|port| key(port) == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn service(kind: &str, ports: &[(i64, i64)], noted: Option<&str>) -> Value {
        let port = |(port, node_port): &(i64, i64)| match node_port {
            0 => json!({"port": port, "protocol": "TCP"}),
            _ => json!({"port": port, "protocol": "TCP", "nodePort": node_port}),
        };
        let ports: Vec<Value> = ports.iter().map(port).collect();
        let mut service = json!({"metadata": {"name": "s"}, "spec": {"type": kind, "ports": ports}});
        if let Some(noted) = noted {
            service["metadata"]["annotations"] = json!({ ALLOCATED_PORTS: noted });
        }
        service
    }

    #[test]
    fn allocated_ports_are_told_from_written_ones() {
        let allocated = service("NodePort", &[(80, 30001), (443, 30443)], Some("80/TCP"));
        let cases = [
            (
                "new, one port written",
                service("NodePort", &[(80, 0), (443, 30443)], None),
                None,
                Some("80/TCP"),
            ),
            ("new, all written", service("NodePort", &[(80, 30080)], None), None, None),
            ("without node ports", service("ClusterIP", &[(80, 0)], None), None, None),
            (
                "written back as read",
                service("NodePort", &[(80, 30001), (443, 30443)], Some("80/TCP")),
                Some(&allocated),
                Some("80/TCP"),
            ),
            (
                "applied again without the annotation",
                service("NodePort", &[(80, 0), (443, 30443)], None),
                Some(&allocated),
                Some("80/TCP"),
            ),
            (
                "another port written",
                service("NodePort", &[(80, 30099)], Some("80/TCP")),
                Some(&allocated),
                None,
            ),
            (
                "one more port",
                service("NodePort", &[(80, 30001), (443, 30443), (90, 0)], Some("80/TCP")),
                Some(&allocated),
                Some("80/TCP,90/TCP"),
            ),
            (
                "no longer a NodePort",
                service("ClusterIP", &[(80, 0)], Some("80/TCP")),
                Some(&allocated),
                None,
            ),
        ];
        for (name, mut object, old, want) in cases {
            note_allocated_ports(&mut object, old);
            assert_eq!(object["metadata"]["annotations"][ALLOCATED_PORTS].as_str(), want, "{name}");
        }
    }

    #[test]
    fn the_port_of_health_checks_is_noted_too() {
        let service = |port: i64, noted: Option<&str>| {
            let mut service = service("LoadBalancer", &[(80, 30080)], noted);
            service["spec"]["externalTrafficPolicy"] = json!("Local");
            if port > 0 {
                service["spec"]["healthCheckNodePort"] = json!(port);
            }
            service
        };
        let allocated = service(31000, Some(HEALTH_CHECK_PORT));
        let cases = [
            ("new", service(0, None), None, Some(HEALTH_CHECK_PORT)),
            ("written", service(31001, None), None, None),
            ("applied again", service(0, None), Some(&allocated), Some(HEALTH_CHECK_PORT)),
            ("written back as read", allocated.clone(), Some(&allocated), Some(HEALTH_CHECK_PORT)),
        ];
        for (name, mut object, old, want) in cases {
            note_allocated_ports(&mut object, old);
            assert_eq!(object["metadata"]["annotations"][ALLOCATED_PORTS].as_str(), want, "{name}");
        }
    }
}
