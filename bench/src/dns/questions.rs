//! The zone that every server gets, and the questions that are asked.

use std::fmt::Write as _;

use portolan_api::labels;
use portolan_object::Object;
use portolan_plan::dns::{RecordData, ServiceChange, import};
use serde_json::json;

pub(super) const ZONE: &str = "clusterset.local";
/// Endpoints of a headless service.
const ENDPOINTS: u32 = 10;
/// One service in so many is headless.
const HEADLESS: u32 = 10;

const A: u16 = 1;
const AAAA: u16 = 28;
const SRV: u16 = 33;

/// The services of the zone.
pub(super) struct World {
    pub(super) changes: Vec<ServiceChange>,
}

/// Encoded queries, and what each must be answered with.
pub(super) struct Questions {
    pub(super) packets: Vec<Vec<u8>>,
    /// Response code and number of answers.
    pub(super) wanted: Vec<(u8, u16)>,
}

impl World {
    /// This many services; the same ones every time.
    pub(super) fn of(services: u32) -> Self {
        Self { changes: (0..services).map(|number| change(number, 0)).collect() }
    }

    /// The zone as a file for servers that read one.
    pub(super) fn zone_file(&self) -> String {
        let mut text = format!(
            "$ORIGIN {ZONE}.\n$TTL 5\n@ SOA ns.dns hostmaster 1 7200 1800 86400 5\n@ NS ns.dns\nns.dns A 127.0.0.1\n\
             dns-version 28800 TXT \"1.0.0\"\n"
        );
        for ServiceChange { service, records } in &self.changes {
            let own = format!("{}.{}.svc", service.name, service.namespace);
            let name = |prefix: &str| if prefix.is_empty() { own.clone() } else { format!("{prefix}.{own}") };
            for (prefix, set) in &records.records {
                let owner = name(prefix);
                for data in set {
                    let _ = match data {
                        RecordData::Address(address) if address.is_ipv4() => {
                            writeln!(text, "{owner} A {address}")
                        }
                        RecordData::Address(address) => writeln!(text, "{owner} AAAA {address}"),
                        RecordData::Server { priority, weight, port, target } => {
                            writeln!(text, "{owner} SRV {priority} {weight} {port} {}", name(target))
                        }
                        RecordData::Alias(target) => writeln!(text, "{owner} CNAME {target}."),
                    };
                }
            }
        }
        text
    }

    /// Of ten questions four are for A, two for AAAA, one for SRV, two for a headless service and its pods, and one
    /// for a name that does not exist.
    pub(super) fn questions(&self) -> Questions {
        let mut questions = Questions { packets: Vec::new(), wanted: Vec::new() };
        let services = u32::try_from(self.changes.len()).unwrap_or(u32::MAX);
        // A stride that shares no factor with most sizes spreads neighbours over the zone.
        for step in 0..services.min(6000) {
            let number = step.wrapping_mul(7919) % services;
            let with_address = if number.is_multiple_of(HEADLESS) { number + 1 } else { number } % services;
            let headless = number / HEADLESS * HEADLESS;
            let (own, crowd) = (full(with_address), full(headless));
            for _ in 0..4 {
                questions.add(&own, A, (0, 1));
            }
            questions.add(&own, AAAA, (0, 1));
            questions.add(&own, AAAA, (0, 1));
            questions.add(&format!("_http._tcp.{own}"), SRV, (0, 1));
            questions.add(&crowd, A, (0, 10));
            questions.add(&format!("pod-{}.east.{crowd}", number % ENDPOINTS), A, (0, 1));
            questions.add(&format!("nosuch-{number}.shop.svc.{ZONE}"), A, (3, 0));
        }
        questions
    }
}

fn full(number: u32) -> String {
    format!("{}.svc.{ZONE}", name_and_namespace(number).join("."))
}

fn name_and_namespace(number: u32) -> [String; 2] {
    [format!("service-{number}"), format!("team-{}", number % 50)]
}

/// The records of one service; each `turn` gives them other addresses.
pub(super) fn change(number: u32, turn: u32) -> ServiceChange {
    let [name, namespace] = name_and_namespace(number);
    let (high, low) = (number / 250, number % 250);
    let metadata = json!({"name": name, "namespace": namespace,
        "labels": {labels::MANAGED: labels::TRUE, labels::cluster_set::NAME: "prod"}});
    let ports = json!([{"name": "http", "port": 80, "protocol": "TCP"}]);
    let is_headless = number.is_multiple_of(HEADLESS);
    let spec = if is_headless {
        json!({"type": "Headless", "ports": ports})
    } else {
        let addresses =
            [format!("10.{}.{high}.{low}", 100 + turn % 100), format!("fd00::{turn:x}:{number:x}")];
        json!({"type": "ClusterSetIP", "ips": addresses, "ports": ports})
    };
    let import = Object(json!({"kind": "ServiceImport", "metadata": metadata, "spec": spec}));
    let endpoint = |host: u32| {
        let address = format!("10.{}.{high}.{low}", 10 * (1 + turn % 8) + host);
        json!({"addresses": [address], "hostname": format!("pod-{host}")})
    };
    let slice = Object(json!({"kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "s", "namespace": namespace, "labels": {
            labels::MANAGED: labels::TRUE, labels::cluster_set::NAME: "prod",
            labels::endpoint_slice::MANAGED_BY: labels::endpoint_slice::CLUSTER_SET_MANAGER,
            labels::endpoint_slice::SOURCE_CLUSTER: "east"}},
        "ports": ports, "endpoints": (0..ENDPOINTS).map(endpoint).collect::<Vec<_>>()}));
    let slices: &[&Object] = if is_headless { &[&slice] } else { &[] };
    ServiceChange { service: import.key(), records: import::records(&import, None, slices, ZONE) }
}

impl Questions {
    /// A query with EDNS, as resolvers send it. Its identity is set when it is sent.
    fn add(&mut self, name: &str, kind: u16, wanted: (u8, u16)) {
        let mut packet = vec![0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1];
        for label in name.split('.') {
            packet.push(u8::try_from(label.len()).unwrap_or(63));
            packet.extend_from_slice(label.as_bytes());
        }
        packet.push(0);
        packet.extend_from_slice(&kind.to_be_bytes());
        packet.extend_from_slice(&[0, 1]);
        packet.extend_from_slice(&[0, 0, 41, 0x04, 0xD0, 0, 0, 0, 0, 0, 0]);
        self.packets.push(packet);
        self.wanted.push(wanted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_question_is_about_the_zone() {
        let world = World::of(100);
        let zone = world.zone_file();
        assert!(world.changes.iter().all(|change| change.records.problems.is_empty()));
        // One address in ninety services, eleven in ten; SRV records: two sets each.
        assert_eq!(zone.lines().filter(|line| line.contains(" A ")).count(), 1 + 90 + 10 * 20);
        assert_eq!(zone.lines().filter(|line| line.contains(" AAAA ")).count(), 90);
        assert_eq!(zone.lines().filter(|line| line.contains(" SRV ")).count(), 90 * 2 + 10 * 20);
        let questions = world.questions();
        assert_eq!((questions.packets.len(), questions.wanted.len()), (1000, 1000));
    }
}
