//! Entry point of the fuzz targets: the request parser and the responder without a socket.

use std::net::Ipv4Addr;
use std::sync::{Arc, LazyLock};

use portolan_object::ObjectKey;
use portolan_plan::dns::{RecordData, RecordSink, ServiceChange, ServiceRecords, ZoneKind};

use crate::respond::{Transport, respond};
use crate::zone_settings::ZoneSettings;
use crate::zones::Zones;

/// Two zones with one service each.
static ZONES: LazyLock<Arc<Zones>> = LazyLock::new(|| {
    let kinds = [ZoneKind::ClusterSet, ZoneKind::Cluster];
    let zones = Zones::new(kinds.map(ZoneSettings::new).to_vec()).expect("the default names are valid");
    for kind in kinds {
        let address = RecordData::Address(Ipv4Addr::new(10, 0, 0, 1).into());
        let server = RecordData::Server { priority: 0, weight: 1, port: 80, target: String::new() };
        let records = [(String::new(), vec![address]), ("_http._tcp".to_owned(), vec![server])].into();
        let records = ServiceRecords { records, ..ServiceRecords::default() };
        zones.publish(
            kind,
            vec![ServiceChange { service: ObjectKey::namespaced("default", "serve"), records }],
        );
        zones.synced(kind);
    }
    zones
});

/// Answers one packet over both transports and checks that the answers keep to their limits.
pub fn answer(packet: &[u8]) {
    let mut answer = Vec::new();
    for (transport, limit) in [(Transport::Udp, 1232), (Transport::Tcp, usize::from(u16::MAX))] {
        if respond(&ZONES.snapshot(), packet, Ipv4Addr::LOCALHOST.into(), transport, 1, &mut answer).is_some()
        {
            assert!(
                answer.len() <= limit,
                "an answer of {} octets, at most {limit} are allowed",
                answer.len()
            );
        }
    }
}
