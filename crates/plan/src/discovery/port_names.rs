//! Ports of an explicit import: their names in the derived Service, and which ports of an exporter they stand for.
//!
//! Proxies join the ports of a Service and of its EndpointSlices by name, but the ServiceImport of a user and the Service of
//! an exporter are written by different people. Ports are matched by name, then by number, as in a cluster set.

use std::collections::BTreeMap;

use portolan_api::kubernetes::ServicePort;

/// Names of an exporter's ports in the import.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PortNames {
    /// Names in the import by names in the exporter.
    names: BTreeMap<String, String>,
    /// Ports of the import that the exporter does not have, such as `http 80/TCP`.
    pub(super) missing: Vec<String>,
}

/// Name of the port at `index` in the derived Service and its EndpointSlices.
///
/// A Service with several ports needs a name for each; a port without one gets a generated name.
pub(super) fn port_name(ports: &[ServicePort<'_>], index: usize) -> String {
    let Some(port) = ports.get(index) else { return String::new() };
    if !port.name.is_empty() || ports.len() == 1 {
        return port.name.to_owned();
    }
    let mut name = format!("{}-{}", protocol(port).to_lowercase(), port.port);
    while ports.iter().any(|other| other.name == name) {
        name.push('x');
    }
    name
}

/// Matches the ports of an import with those of an exporter's Service: by name and protocol; else by number and protocol;
/// else, if each has one port only, by protocol.
pub(super) fn match_ports(import: &[ServicePort<'_>], exporter: &[ServicePort<'_>]) -> PortNames {
    let by_name = |port: &ServicePort<'_>| {
        exporter.iter().position(|other| other.name == port.name && protocol(other) == protocol(port))
    };
    let mut matches: Vec<Option<usize>> = import.iter().map(by_name).collect();
    for (index, port) in import.iter().enumerate() {
        if matches.get(index).copied().flatten().is_some() {
            continue;
        }
        let is_single = import.len() == 1 && exporter.len() == 1;
        let found = exporter.iter().enumerate().position(|(other_index, other)| {
            !matches.contains(&Some(other_index))
                && protocol(other) == protocol(port)
                && (other.port == port.port || is_single && (other.name.is_empty() || port.name.is_empty()))
        });
        if let Some(entry) = matches.get_mut(index) {
            *entry = found;
        }
    }
    let mut found = PortNames::default();
    for (index, (port, matched)) in import.iter().zip(matches).enumerate() {
        match matched.and_then(|matched| exporter.get(matched)) {
            Some(other) => drop(found.names.insert(other.name.to_owned(), port_name(import, index))),
            None => found.missing.push(described(port)),
        }
    }
    found
}

impl PortNames {
    /// The name that an exporter's port has in the import. A port that the import does not list keeps its name; `None` if
    /// another port of the import has that name.
    pub(super) fn name_of<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        match self.names.get(name) {
            Some(renamed) => Some(renamed),
            None => (!self.names.values().any(|taken| taken == name)).then_some(name),
        }
    }
}

fn protocol<'a>(port: &ServicePort<'a>) -> &'a str {
    port.protocol.filter(|protocol| !protocol.is_empty()).unwrap_or("TCP")
}

fn described(port: &ServicePort<'_>) -> String {
    format!("{} {}/{}", port.name, port.port, protocol(port)).trim_start().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports<'a>(listed: &[(&'a str, i64)]) -> Vec<ServicePort<'a>> {
        listed
            .iter()
            .map(|(name, port)| ServicePort { name, port: *port, ..ServicePort::default() })
            .collect()
    }

    #[test]
    fn ports_match_by_name_and_then_by_number() {
        type Ports = &'static [(&'static str, i64)];
        type Names = &'static [(&'static str, Option<&'static str>)];
        type Case = (&'static str, Ports, Ports, Names, &'static [&'static str]);
        let cases: [Case; 8] = [
            ("equal", &[("http", 80)], &[("http", 80)], &[("http", Some("http"))], &[]),
            ("the import has no name", &[("", 80)], &[("http", 80)], &[("http", Some(""))], &[]),
            ("the exporter has no name", &[("http", 80)], &[("", 80)], &[("", Some("http"))], &[]),
            ("another number under the same name", &[("", 8081)], &[("", 80)], &[("", Some(""))], &[]),
            ("one port each", &[("", 8081)], &[("http", 80)], &[("http", Some(""))], &[]),
            (
                "a part of the ports",
                &[("http", 80)],
                &[("http", 80), ("admin", 90)],
                &[("http", Some("http")), ("admin", Some("admin"))],
                &[],
            ),
            (
                "several ports without names",
                &[("", 80), ("", 90)],
                &[("http", 80), ("admin", 90)],
                &[("http", Some("tcp-80")), ("admin", Some("tcp-90"))],
                &[],
            ),
            (
                "a name that means another port there",
                &[("web", 80), ("more", 99)],
                &[("http", 80), ("web", 81)],
                &[("web", Some("web")), ("http", Some("http"))],
                &["more 99/TCP"],
            ),
        ];
        for (name, import, exporter, want, missing) in cases {
            let found = match_ports(&ports(import), &ports(exporter));
            for (port, want) in want {
                assert_eq!(found.name_of(port), *want, "{name}: {port}");
            }
            assert_eq!(found.missing, missing, "{name}");
        }
    }

    #[test]
    fn a_port_that_is_not_imported_does_not_take_the_name_of_one_that_is() {
        let found = match_ports(&ports(&[("admin", 80)]), &ports(&[("http", 80), ("other", 90)]));
        assert_eq!((found.name_of("http"), found.name_of("admin")), (Some("admin"), None));
    }
}
