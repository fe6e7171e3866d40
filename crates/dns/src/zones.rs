//! What is answered: a snapshot of all zones that is replaced as a whole.
//!
//! Readers take the snapshot without a lock and see either all or nothing of a change. Writers go one after the other.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;
use portolan_plan::dns::{Change, RecordSink, ZoneKind};

use crate::name::Name;
use crate::record_set::{A, AAAA, CNAME};
use crate::reverse::Reverse;
use crate::service::set_of;
use crate::zone::{Found, Zone};

/// How long answers may be kept, where nobody chose otherwise.
pub const DEFAULT_TTL_SECS: u32 = 5;

/// One zone of services.
#[derive(Debug, Clone)]
pub struct ZoneSettings {
    /// What its services are. A cluster's own zone brings the reverse zones with it.
    pub kind: ZoneKind,
    /// Its name.
    pub name: String,
    /// How long answers may be kept, negative ones included.
    pub ttl_secs: u32,
    /// Where the server is reached, for its own name.
    pub server_addresses: Vec<IpAddr>,
}

impl ZoneSettings {
    /// The zone under its usual name.
    pub fn new(kind: ZoneKind) -> Self {
        let name = kind.default_zone().to_owned();
        Self { kind, name, ttl_secs: DEFAULT_TTL_SECS, server_addresses: Vec::new() }
    }
}

/// A zone that cannot be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ZoneError {
    /// Its name is none.
    #[error("{name:?} is not the name of a zone: use labels of letters, digits and hyphens, joined by dots")]
    Name {
        /// As given.
        name: String,
    },
    /// Two zones would answer for the same names.
    #[error("zone {name:?} is given twice: give every zone a name of its own, and every kind one zone")]
    Twice {
        /// Its name.
        name: String,
    },
}

/// All zones at one instant.
#[derive(Debug)]
pub(crate) struct Snapshot {
    zones: Vec<Zone>,
    serial: u32,
}

/// What a snapshot knows of a name.
pub(crate) enum Place<'a> {
    /// A zone of ours holds it.
    In(&'a Zone, Found<'a>),
    /// A zone of ours holds it, and does not know its names yet.
    Unknown,
    /// No zone of ours holds it.
    Foreign,
}

impl Snapshot {
    /// Finds a name.
    #[inline]
    pub(crate) fn find(&self, name: &Name) -> Place<'_> {
        // Zones with more labels come first, so the first that holds a name is the closest.
        match self.zones.iter().find(|zone| zone.holds(name)) {
            Some(zone) if zone.is_synced => Place::In(zone, zone.find(name)),
            Some(_) => Place::Unknown,
            None => Place::Foreign,
        }
    }
}

/// Which addresses to resolve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressType {
    /// A.
    V4,
    /// AAAA.
    V6,
}

/// What became of a look-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// These; never empty.
    Addresses(Vec<IpAddr>),
    /// The name stands for another one, which is not ours to resolve.
    Alias(String),
    /// The name exists, without addresses of this type.
    NoAddress,
    /// There is no such name.
    NoName,
    /// The name is in none of the zones.
    NotOurs,
    /// The zone's names are not known yet.
    NotSynced,
    /// The text is no domain name.
    NotAName,
}

/// The zones, as they are now.
#[derive(Debug)]
pub struct Zones {
    settings: Vec<ZoneSettings>,
    snapshot: ArcSwap<Snapshot>,
    writing: Mutex<()>,
}

impl Zones {
    /// Empty zones, which answer that they do not know yet until they are synced.
    ///
    /// # Errors
    /// [`ZoneError`] for names that cannot be served.
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
                return Err(ZoneError::Twice { name: zone.name().to_owned() });
            }
        }
        zones.sort_by_key(|zone| std::cmp::Reverse(zone.labels()));
        let snapshot = ArcSwap::from_pointee(Snapshot { zones, serial: 1 });
        Ok(Arc::new(Self { settings, snapshot, writing: Mutex::new(()) }))
    }

    /// What is answered now.
    pub(crate) fn snapshot(&self) -> Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    /// Whether every zone knows its names.
    pub fn is_synced(&self) -> bool {
        self.snapshot.load().zones.iter().all(|zone| zone.is_synced)
    }

    /// The name and the number of records of every zone.
    pub fn records(&self) -> Vec<(String, usize)> {
        let snapshot = self.snapshot.load();
        snapshot.zones.iter().map(|zone| (zone.name().to_owned(), zone.records())).collect()
    }

    /// Resolves a name within this process, from the same data as the server. Never waits.
    pub fn resolve(&self, name: &str, kind: AddressType) -> Resolution {
        let Some(name) = Name::parse(name) else { return Resolution::NotAName };
        let kind = match kind {
            AddressType::V4 => A,
            AddressType::V6 => AAAA,
        };
        let snapshot = self.snapshot.load();
        match snapshot.find(&name) {
            Place::Foreign => Resolution::NotOurs,
            Place::Unknown => Resolution::NotSynced,
            Place::In(_, Found::Missing) => Resolution::NoName,
            Place::In(_, Found::Sets(sets)) => match (set_of(sets, kind), set_of(sets, CNAME)) {
                (Some(set), _) => Resolution::Addresses(set.addresses().collect()),
                (None, Some(alias)) => Resolution::Alias(text(alias.data(0))),
                (None, None) => Resolution::NoAddress,
            },
        }
    }

    /// Replaces the snapshot, when `change` says that it made one that is different.
    fn change(&self, zone: ZoneKind, change: impl FnOnce(&mut [Zone], usize) -> bool) {
        let _one_at_a_time = self.writing.lock();
        let old = self.snapshot.load_full();
        let mut zones = old.zones.clone();
        let Some(index) = zones.iter().position(|one| one.serves(&self.settings, zone)) else { return };
        if !change(&mut zones, index) {
            return;
        }
        let serial = old.serial.wrapping_add(1);
        for zone in &mut zones {
            if let Err(error) = zone.set_serial(serial) {
                // The same names were encoded when the zone was made.
                tracing::warn!(zone = zone.name(), %error, "the serial number stays");
            }
        }
        self.snapshot.store(Arc::new(Snapshot { zones, serial }));
    }
}

impl RecordSink for Zones {
    fn publish(&self, zone: ZoneKind, changes: Vec<Change>) {
        self.change(zone, |zones, index| {
            let mut is_different = false;
            for Change { service, records } in &changes {
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

/// The dotted text of an uncompressed name.
fn text(wire: &[u8]) -> String {
    dnswire::base::Name::from_slice(wire).map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use portolan_object::ObjectKey;
    use portolan_plan::dns::{Data, ServiceRecords};

    use super::*;

    #[test]
    fn records_that_are_the_same_are_not_published_again() {
        let kind = ZoneKind::ClusterSet;
        let zones = Zones::new(vec![ZoneSettings::new(kind)]).expect("one zone");
        let publish = |last: u8| {
            let address = Data::Address(Ipv4Addr::new(10, 0, 0, last).into());
            let records = [(String::new(), vec![address])].into();
            let records = ServiceRecords { records, ..ServiceRecords::default() };
            zones.publish(kind, vec![Change { service: ObjectKey::namespaced("shop", "web"), records }]);
            zones.snapshot().serial
        };
        let first = publish(1);
        assert_eq!(publish(1), first);
        assert_eq!(publish(2), first + 1);
    }
}
