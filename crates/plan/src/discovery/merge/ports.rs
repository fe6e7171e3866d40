//! The union of the ports of several offers, and what becomes of each cluster's own ports in it.
//!
//! Ports are the same by name first, then by protocol and number; on a clash the older definition stays, and the
//! cluster with the younger one gets no traffic for it (KEP-1645: traffic goes only to clusters that expose the port).

use std::collections::BTreeMap;

use portolan_api::conditions::multicluster as reasons;
use portolan_api::multicluster::ServicePort;

use super::conflict::{Conflict, listed, shown};
use crate::discovery::export::Offer;

/// From the names of one cluster's ports to the places of those ports in the union. A port that is missing here lost.
pub type Route = BTreeMap<String, usize>;

/// The union of all ports.
pub(super) struct Union {
    pub(super) ports: Vec<ServicePort>,
    pub(super) routes: BTreeMap<String, Route>,
    pub(super) conflict: Option<Conflict>,
}

/// The union of the ports of offers, the oldest first.
pub(super) fn union(offers: &[Offer]) -> Union {
    let mut ports: Vec<ServicePort> = Vec::new();
    // For each port of the union, the cluster that defines it.
    let mut owners: Vec<&str> = Vec::new();
    let (mut routes, mut notes) = (BTreeMap::new(), Vec::new());
    for offer in offers {
        let mut route = Route::new();
        for port in &offer.ports {
            let (place, note) = place_of(&ports, port);
            if let Some(note) = note {
                notes.push(note(&offer.cluster, port, &ports, &owners));
            }
            match place {
                Place::At(place) => drop(route.insert(port.name.clone(), place)),
                Place::Lost => {}
                Place::New => {
                    route.insert(port.name.clone(), ports.len());
                    ports.push(port.clone());
                    owners.push(&offer.cluster);
                }
            }
        }
        routes.insert(offer.cluster.clone(), route);
    }
    for (place, port) in ports.iter().enumerate() {
        let lacking: Vec<&Offer> =
            offers.iter().filter(|offer| !has_equivalent(&offer.ports, port)).collect();
        if !lacking.is_empty() {
            notes.push(format!(
                "port {} of {} is not in {}, which gets no traffic for it",
                described(port),
                owners[place],
                listed(lacking.iter().map(|offer| offer.cluster.clone())),
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
    Union { ports, routes, conflict }
}

enum Place {
    At(usize),
    New,
    Lost,
}

type Note = fn(&str, &ServicePort, &[ServicePort], &[&str]) -> String;

fn place_of(ports: &[ServicePort], port: &ServicePort) -> (Place, Option<Note>) {
    let same_number = |other: &ServicePort| (&other.protocol, other.port) == (&port.protocol, port.port);
    if let Some(place) = ports.iter().position(|other| other.name == port.name) {
        return match same_number(&ports[place]) {
            false => (Place::Lost, Some(note_lost)),
            true if ports[place].app_protocol != port.app_protocol => (Place::At(place), Some(note_protocol)),
            true => (Place::At(place), None),
        };
    }
    match ports.iter().position(same_number) {
        Some(place) => (Place::At(place), Some(note_renamed)),
        None => (Place::New, None),
    }
}

/// Whether a cluster has a port of the union, under this name or another.
fn has_equivalent(ports: &[ServicePort], wanted: &ServicePort) -> bool {
    // A clash of names is told as such, not as a port that is missing.
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
    let place = ports.iter().position(|other| other.name == port.name).or_else(|| {
        ports.iter().position(|other| (&other.protocol, other.port) == (&port.protocol, port.port))
    })?;
    Some((&ports[place], owners[place]))
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
