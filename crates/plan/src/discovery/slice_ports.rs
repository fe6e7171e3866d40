//! Whether the ports of an EndpointSlice are ports of its Service. Proxies join both by name and protocol, so a slice that has
//! none of the Service's ports gets no traffic.

use std::fmt;

use portolan_api::kubernetes::{EndpointPort, EndpointSlice, Service, ServicePort, ServiceSpec, View};
use portolan_object::Object;

/// Why a slice gets no traffic although its endpoints are ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnusablePorts {
    /// It has no ports: the pods have no port of the name in `targetPort`.
    None,
    /// Its ports have other names or protocols than those of the Service.
    Other {
        /// Ports of the slice, such as `web/TCP`.
        slice: Vec<String>,
        /// Ports of the Service.
        service: Vec<String>,
    },
}

impl fmt::Display for UnusablePorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("has no ports"),
            Self::Other { slice, service } => {
                write!(f, "has the ports {}, and the Service has {}", slice.join(", "), service.join(", "))
            }
        }
    }
}

/// Why a slice with endpoints has no port of the Service. `None` if it has one, and for a Service without ports.
pub fn unusable_ports(service: &ServiceSpec<'_>, slice: &EndpointSlice<'_>) -> Option<UnusablePorts> {
    if service.ports.is_empty() || slice.endpoints.is_empty() {
        return None;
    }
    if slice.ports.is_empty() {
        return Some(UnusablePorts::None);
    }
    let is_of_service = |port: &EndpointPort<'_>| {
        service.ports.iter().any(|wanted| {
            wanted.name == port.name.unwrap_or_default()
                && protocol(wanted.protocol) == protocol(port.protocol)
        })
    };
    if slice.ports.iter().any(is_of_service) {
        return None;
    }
    let of_slice = slice.ports.iter().map(|port| described(port.name.unwrap_or_default(), port.protocol));
    let of_service = |port: &ServicePort<'_>| described(port.name, port.protocol);
    Some(UnusablePorts::Other {
        slice: of_slice.collect(),
        service: service.ports.iter().map(of_service).collect(),
    })
}

/// Whether a slice has endpoints and no port of its Service.
pub fn has_unusable_ports(service: &Object, slice: &Object) -> bool {
    let (service, slice) = (Service::read(service), EndpointSlice::read(slice));
    service
        .ok()
        .zip(slice.ok())
        .is_some_and(|(service, slice)| unusable_ports(&service.spec, &slice).is_some())
}

fn protocol(written: Option<&str>) -> &str {
    written.filter(|protocol| !protocol.is_empty()).unwrap_or("TCP")
}

fn described(name: &str, written: Option<&str>) -> String {
    let name = if name.is_empty() { "(no name)" } else { name };
    format!("{name}/{}", protocol(written))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_slice_needs_a_port_of_the_service_by_name_and_protocol() {
        let cases = [
            (
                "the same",
                json!([{"name": "http", "port": 80}]),
                json!([{"name": "http", "port": 8080}]),
                None,
            ),
            (
                "one of two",
                json!([{"name": "a", "port": 1}, {"name": "b", "port": 2}]),
                json!([{"name": "b", "port": 2}]),
                None,
            ),
            ("no names", json!([{"port": 80}]), json!([{"port": 8080}]), None),
            ("an empty name", json!([{"port": 80}]), json!([{"name": "", "port": 8080}]), None),
            ("no ports", json!([{"port": 80}]), json!([]), Some("has no ports")),
            ("a Service without ports", json!([]), json!([]), None),
            (
                "another name",
                json!([{"name": "http", "port": 80}]),
                json!([{"name": "web", "port": 8080}]),
                Some("has the ports web/TCP, and the Service has http/TCP"),
            ),
            (
                "a name on one side only",
                json!([{"name": "http", "port": 80}]),
                json!([{"port": 80}]),
                Some("has the ports (no name)/TCP, and the Service has http/TCP"),
            ),
            (
                "another protocol",
                json!([{"name": "dns", "port": 53, "protocol": "UDP"}]),
                json!([{"name": "dns", "port": 53}]),
                Some("has the ports dns/TCP, and the Service has dns/UDP"),
            ),
        ];
        for (name, service, ports, want) in cases {
            let service = Object(json!({ "spec": { "ports": service } }));
            let slice = Object(json!({ "endpoints": [{ "addresses": ["10.0.0.1"] }], "ports": ports }));
            let spec = Service::read(&service).expect("a Service").spec;
            let found = unusable_ports(&spec, &EndpointSlice::read(&slice).expect("a slice"));
            assert_eq!(found.map(|found| found.to_string()).as_deref(), want, "{name}");
            let empty = Object(json!({ "endpoints": Value::Null, "ports": ports }));
            assert_eq!(
                unusable_ports(&spec, &EndpointSlice::read(&empty).expect("a slice")),
                None,
                "{name}, empty"
            );
        }
    }
}
