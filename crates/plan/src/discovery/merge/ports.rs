//! Union of the ports of several exports, with a mapping from the ports of each cluster.
//!
//! Ports are matched by name, then by protocol and number. In a conflict the older definition wins, and the cluster with
//! the newer one gets no traffic for that port (KEP-1645: traffic goes only to clusters that expose the port).

use std::collections::BTreeMap;

use portolan_api::conditions::multicluster as reasons;
use portolan_api::multicluster::ServicePort;

use super::conflict::{Conflict, listed, shown};
use crate::discovery::export::ValidExport;

/// Indexes in the union by port name of one cluster. Ports that lost a conflict are missing.
pub type PortMapping = BTreeMap<String, usize>;

/// The union of all ports.
pub(super) struct Union {
    pub(super) ports: Vec<ServicePort>,
    pub(super) port_mappings: BTreeMap<String, PortMapping>,
    pub(super) conflict: Option<Conflict>,
}

/// Union of the ports of sorted exports, the oldest first.
pub(super) fn union(exports: &[ValidExport]) -> Union {
    let mut ports: Vec<ServicePort> = Vec::new();
    // The defining cluster of each port in the union.
    let mut owners: Vec<&str> = Vec::new();
    let (mut port_mappings, mut notes) = (BTreeMap::new(), Vec::new());
    for export in exports {
        let mut mapping = PortMapping::new();
        for port in &export.ports {
            let (found, note) = match_port(&ports, port);
            if let Some(note) = note {
                notes.push(note(&export.cluster, port, &ports, &owners));
            }
            match found {
                PortMatch::Existing(index) => drop(mapping.insert(port.name.clone(), index)),
                PortMatch::Conflict => {}
                PortMatch::New => {
                    mapping.insert(port.name.clone(), ports.len());
                    ports.push(port.clone());
                    owners.push(&export.cluster);
                }
            }
        }
        port_mappings.insert(export.cluster.clone(), mapping);
    }
    for (index, port) in ports.iter().enumerate() {
        let lacking: Vec<&ValidExport> =
            exports.iter().filter(|export| !has_equivalent(&export.ports, port)).collect();
        if !lacking.is_empty() {
            notes.push(format!(
                "port {} of {} is not in {}, which gets no traffic for it",
                described(port),
                owners[index],
                listed(lacking.iter().map(|export| export.cluster.clone())),
            ));
        }
    }
    let conflict = (!notes.is_empty()).then(|| Conflict {
        reason: reasons::PORT_CONFLICT,
        message: format!(
            "spec.ports: the union is used, and the oldest export defines a port: {}",
            listed(notes.into_iter())
        ),
    });
    Union { ports, port_mappings, conflict }
}

/// Match of one cluster's port in the union.
enum PortMatch {
    /// The port at this index.
    Existing(usize),
    /// The port is not in the union yet.
    New,
    /// The union has another port of that name.
    Conflict,
}

type Note = fn(&str, &ServicePort, &[ServicePort], &[&str]) -> String;

fn match_port(ports: &[ServicePort], port: &ServicePort) -> (PortMatch, Option<Note>) {
    let same_number = |other: &ServicePort| (&other.protocol, other.port) == (&port.protocol, port.port);
    if let Some(index) = ports.iter().position(|other| other.name == port.name) {
        return match same_number(&ports[index]) {
            false => (PortMatch::Conflict, Some(note_lost)),
            true if ports[index].app_protocol != port.app_protocol => {
                (PortMatch::Existing(index), Some(note_protocol))
            }
            true => (PortMatch::Existing(index), None),
        };
    }
    match ports.iter().position(same_number) {
        Some(index) => (PortMatch::Existing(index), Some(note_renamed)),
        None => (PortMatch::New, None),
    }
}

/// Whether a cluster has a port of the union, possibly with another name.
fn has_equivalent(ports: &[ServicePort], wanted: &ServicePort) -> bool {
    // A port of the same name counts, because its conflict has a separate note.
    ports.iter().any(|port| {
        port.name == wanted.name || (&port.protocol, port.port) == (&wanted.protocol, wanted.port)
    })
}

fn described(port: &ServicePort) -> String {
    match port.name.is_empty() {
        true => format!("{}/{}", port.port, port.protocol),
        false => format!("{} ({}/{})", shown(&port.name), port.port, port.protocol),
    }
}

fn winner<'a>(
    port: &ServicePort,
    ports: &'a [ServicePort],
    owners: &[&'a str],
) -> Option<(&'a ServicePort, &'a str)> {
    let index = ports.iter().position(|other| other.name == port.name).or_else(|| {
        ports.iter().position(|other| (&other.protocol, other.port) == (&port.protocol, port.port))
    })?;
    Some((&ports[index], owners[index]))
}

fn note_lost(cluster: &str, port: &ServicePort, ports: &[ServicePort], owners: &[&str]) -> String {
    let Some((kept, owner)) = winner(port, ports, owners) else { return String::new() };
    format!(
        "port {} is {}/{} in {cluster} and {}/{} in {owner}, which is used; {cluster} gets no traffic for it",
        shown(&port.name),
        port.port,
        port.protocol,
        kept.port,
        kept.protocol,
    )
}

fn note_protocol(cluster: &str, port: &ServicePort, ports: &[ServicePort], owners: &[&str]) -> String {
    let Some((kept, owner)) = winner(port, ports, owners) else { return String::new() };
    let protocol =
        |port: &ServicePort| port.app_protocol.as_deref().map_or_else(|| "no value".to_owned(), shown);
    format!(
        "appProtocol of port {} is {} in {cluster} and {} in {owner}, which is used",
        described(kept),
        protocol(port),
        protocol(kept),
    )
}

fn note_renamed(cluster: &str, port: &ServicePort, ports: &[ServicePort], owners: &[&str]) -> String {
    let Some((kept, owner)) = winner(port, ports, owners) else { return String::new() };
    format!(
        "{}/{} is called {} in {cluster} and {} in {owner}, which is used",
        port.port,
        port.protocol,
        shown(&port.name),
        shown(&kept.name),
    )
}
