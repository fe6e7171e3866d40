//! A snapshot of all zones, replaced as a whole.
//!
//! Readers load the snapshot without a lock and see either all or nothing of a change. A mutex serializes writers.

mod public;

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;
use portolan_plan::dns::{RecordSink, ServiceChange, ZoneKind};
use portolan_plan::federation::dns::record::DomainName;

use crate::lookup::Lookup;
use crate::name::Name;
use crate::record_set::{A, AAAA, CNAME};
use crate::reverse::Reverse;
use crate::service::set_of;
use crate::zone::Zone;
use crate::zone_settings::{ZoneError, ZoneSettings};

/// All zones at one instant.
#[derive(Debug)]
pub(crate) struct Snapshot {
    zones: Vec<Zone>,
    serial: u32,
}

/// Answer of a snapshot for one name.
pub(crate) enum ZoneLookup<'a> {
    /// A zone contains the name.
    Served(&'a Zone, Lookup<'a>),
    /// The zone that contains the name has not received all its records yet.
    NotSynced,
    /// No zone contains the name.
    NotServed,
}

impl Snapshot {
    /// Looks a name up in the zone that contains it.
    #[inline]
    pub(crate) fn find(&self, name: &Name) -> ZoneLookup<'_> {
        // Zones are sorted by label count, longest first: the first match is the closest enclosing zone.
        match self.zones.iter().find(|zone| zone.contains(name)) {
            Some(zone) if zone.is_synced => ZoneLookup::Served(zone, zone.find(name)),
            Some(_) => ZoneLookup::NotSynced,
            None => ZoneLookup::NotServed,
        }
    }

    /// The public zone that contains a name, synced or not.
    pub(crate) fn public_zone(&self, name: &Name) -> Option<&Zone> {
        self.zones.iter().find(|zone| zone.contains(name)).filter(|zone| zone.is_public())
    }

    fn public_named(&self, name: &DomainName) -> Option<&Zone> {
        self.zones.iter().find(|zone| zone.is_public() && zone.name() == name.without_dot())
    }
}

/// Record type to resolve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressType {
    /// A.
    V4,
    /// AAAA.
    V6,
}

/// Result of [`Zones::resolve`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// The addresses; never empty.
    Addresses(Vec<IpAddr>),
    /// The target of a CNAME, which this server does not resolve.
    Alias(String),
    /// The name exists, without addresses of this type.
    NoAddress,
    /// The name does not exist.
    NoName,
    /// No zone of this server contains the name.
    NotOurs,
    /// The zone has not received all its records yet.
    NotSynced,
    /// The text is not a valid domain name.
    NotAName,
}

/// All zones of a server: receives records as a [`RecordSink`] and provides snapshots to answer from.
#[derive(Debug)]
pub struct Zones {
    settings: Vec<ZoneSettings>,
    snapshot: ArcSwap<Snapshot>,
    writing: Mutex<()>,
}

impl Zones {
    /// Empty zones. Queries get SERVFAIL until [`RecordSink::synced`] is called for their zone.
    ///
    /// # Errors
    /// [`ZoneError`] for an invalid or duplicate zone name.
    pub fn new(settings: Vec<ZoneSettings>) -> Result<Arc<Self>, ZoneError> {
        let mut settings = settings;
        let mut zones: Vec<Zone> = Vec::new();
        for setting in &mut settings {
            setting.name = setting.name.trim_end_matches('.').to_ascii_lowercase();
            zones.push(Zone::of_services(setting)?);
            if setting.kind == ZoneKind::Cluster {
                for reverse in Reverse::both() {
                    zones.push(Zone::of_reverse(reverse, setting)?);
                }
            }
        }
        for (index, zone) in zones.iter().enumerate() {
            if zones[..index].iter().any(|other| other.name() == zone.name()) {
                return Err(ZoneError::Duplicate { name: zone.name().to_owned() });
            }
        }
        zones.sort_by_key(|zone| std::cmp::Reverse(zone.labels()));
        let snapshot = ArcSwap::from_pointee(Snapshot { zones, serial: 1 });
        Ok(Arc::new(Self { settings, snapshot, writing: Mutex::new(()) }))
    }

    /// The current snapshot.
    pub(crate) fn snapshot(&self) -> Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    /// The current snapshot, to be kept for a while.
    pub(crate) fn snapshot_owned(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Whether every zone has received all its records.
    pub fn is_synced(&self) -> bool {
        self.snapshot.load().zones.iter().all(|zone| zone.is_synced)
    }

    /// Name and number of records of every zone.
    pub fn records(&self) -> Vec<(String, usize)> {
        let snapshot = self.snapshot.load();
        snapshot.zones.iter().map(|zone| (zone.name().to_owned(), zone.records())).collect()
    }

    /// Resolves a name in this process, from the same data as the server. Never blocks.
    pub fn resolve(&self, name: &str, kind: AddressType) -> Resolution {
        let Some(name) = Name::parse(name) else { return Resolution::NotAName };
        let kind = match kind {
            AddressType::V4 => A,
            AddressType::V6 => AAAA,
        };
        let snapshot = self.snapshot.load();
        match snapshot.find(&name) {
            ZoneLookup::NotServed => Resolution::NotOurs,
            ZoneLookup::NotSynced => Resolution::NotSynced,
            ZoneLookup::Served(_, Lookup::NoName) => Resolution::NoName,
            ZoneLookup::Served(_, Lookup::Exists(sets)) => match (set_of(sets, kind), set_of(sets, CNAME)) {
                (Some(set), _) => Resolution::Addresses(set.addresses().collect()),
                (None, Some(alias)) => Resolution::Alias(dotted(alias.data(0))),
                (None, None) => Resolution::NoAddress,
            },
        }
    }

    /// Applies `change` to a copy of the zones, and publishes the copy if `change` returns true.
    fn change(&self, zone: ZoneKind, change: impl FnOnce(&mut [Zone], usize) -> bool) {
        let _one_at_a_time = self.writing.lock();
        let old = self.snapshot.load_full();
        let mut zones = old.zones.clone();
        let Some(index) = zones.iter().position(|one| one.serves(&self.settings, zone)) else { return };
        if !change(&mut zones, index) {
            return;
        }
        let serial = old.serial.wrapping_add(1);
        for zone in zones.iter_mut().filter(|zone| !zone.is_public()) {
            if let Err(error) = zone.set_serial(serial) {
                // Not expected: the same names were encoded when the zone was created.
                tracing::warn!(zone = zone.name(), %error, "cannot encode the new serial number, keeping the old one");
            }
        }
        self.snapshot.store(Arc::new(Snapshot { zones, serial }));
    }
}

impl RecordSink for Zones {
    fn publish(&self, zone: ZoneKind, changes: Vec<ServiceChange>) {
        self.change(zone, |zones, index| {
            let mut is_different = false;
            for ServiceChange { service, records } in &changes {
                let Some(change) = zones[index].put(service, records) else { continue };
                is_different = true;
                if zone == ZoneKind::Cluster {
                    zones.iter_mut().for_each(|zone| zone.put_reverse(service, &change));
                }
            }
            is_different
        });
    }

    fn synced(&self, kind: ZoneKind) {
        self.change(kind, |zones, index| {
            zones[index].is_synced = true;
            if kind == ZoneKind::Cluster {
                zones.iter_mut().filter(|zone| zone.is_reverse()).for_each(|zone| zone.is_synced = true);
            }
            true
        });
    }
}

/// An uncompressed wire name as dotted text.
fn dotted(wire: &[u8]) -> String {
    dnswire::base::Name::from_slice(wire).map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use portolan_object::ObjectKey;
    use portolan_plan::dns::{RecordData, ServiceRecords};

    use super::*;

    #[test]
    fn equal_records_do_not_make_a_new_snapshot() {
        let kind = ZoneKind::ClusterSet;
        let zones = Zones::new(vec![ZoneSettings::new(kind)]).expect("one zone");
        let publish = |last: u8| {
            let address = RecordData::Address(Ipv4Addr::new(10, 0, 0, last).into());
            let records = [(String::new(), vec![address])].into();
            let records = ServiceRecords { records, ..ServiceRecords::default() };
            zones.publish(
                kind,
                vec![ServiceChange { service: ObjectKey::namespaced("shop", "web"), records }],
            );
            zones.snapshot().serial
        };
        let first = publish(1);
        assert_eq!(publish(1), first);
        assert_eq!(publish(2), first + 1);
    }
}
