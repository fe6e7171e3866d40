//! One zone at one instant: its names and their record sets.
//!
//! Cloning a zone is cheap, because the maps are persistent: a change of one service copies the path to that service in
//! two maps and shares the rest.

mod public;

use std::net::IpAddr;
use std::sync::Arc;

use portolan_object::ObjectKey;
use portolan_plan::dns::{ServiceRecords, ZoneKind};
use rpds::HashTrieMapSync;

use crate::lookup::Lookup;
use crate::name::{Name, relative_wire};
use crate::public::journal::Journal;
use crate::public::names::PublicNames;
use crate::public::nearness::Nearness;
use crate::public::settings::Transfers;
use crate::record_set::{A, AAAA, EncodeError, NS, RecordSet, RecordSetBuilder, SOA, TXT};
use crate::reverse::Reverse;
use crate::service::{Service, Sets};
use crate::zone_settings::{ZoneError, ZoneSettings};

/// TTL of the `dns-version` record, as in the Kubernetes DNS specification.
const VERSION_TTL_SECS: u32 = 28_800;

/// Names in wire format relative to the origin, with their record sets.
type FixedNames = Box<[(Box<[u8]>, Sets)]>;

/// Immutable data of a zone, shared by all its snapshots.
#[derive(Debug)]
struct Origin {
    /// Zone name without a final dot.
    text: String,
    wire: Box<[u8]>,
    labels: usize,
    ttl_secs: u32,
    /// Host names in the NS records; the first is in the SOA record.
    servers: Vec<String>,
    /// Names outside of `svc`, such as `dns-version` and `ns.dns`.
    fixed: FixedNames,
}

#[derive(Debug, Clone)]
enum Content {
    Services {
        /// By `<service>.<namespace>` in wire format.
        services: HashTrieMapSync<Box<[u8]>, Arc<Service>>,
        /// Number of services per namespace: the name of a namespace exists while it has one.
        namespaces: HashTrieMapSync<Box<[u8]>, usize>,
    },
    Reverse(Reverse),
    Public(Public),
}

/// What only a public zone has.
#[derive(Debug, Clone)]
struct Public {
    names: PublicNames,
    journal: Arc<Journal>,
    serial: u32,
    transfers: Option<Arc<Transfers>>,
    nearness: Option<Arc<Nearness>>,
}

/// A zone; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Zone {
    origin: Arc<Origin>,
    /// SOA and NS, in this order.
    apex: Arc<[RecordSet]>,
    content: Content,
    records: usize,
    pub(crate) is_synced: bool,
}

impl Zone {
    /// An empty zone of services.
    pub(crate) fn of_services(settings: &ZoneSettings) -> Result<Self, ZoneError> {
        let server = format!("ns.dns.{}", settings.name);
        let fixed =
            encode_fixed(settings).map_err(|EncodeError| ZoneError::Name { name: settings.name.clone() })?;
        let content = Content::Services {
            services: HashTrieMapSync::new_sync(),
            namespaces: HashTrieMapSync::new_sync(),
        };
        Self::new(&settings.name, vec![server], settings.ttl_secs, fixed, content)
    }

    /// The empty reverse zone of one address family, served together with a cluster's zone.
    pub(crate) fn of_reverse(reverse: Reverse, settings: &ZoneSettings) -> Result<Self, ZoneError> {
        let server = format!("ns.dns.{}", settings.name);
        let origin = reverse.origin();
        Self::new(origin, vec![server], settings.ttl_secs, Box::default(), Content::Reverse(reverse))
    }

    fn new(
        text: &str,
        servers: Vec<String>,
        ttl_secs: u32,
        fixed: FixedNames,
        content: Content,
    ) -> Result<Self, ZoneError> {
        let name = Name::parse(text).filter(|name| name.labels() > 0);
        let name = name.ok_or_else(|| ZoneError::Name { name: text.to_owned() })?;
        let (wire, labels) = (name.suffix(0).into(), name.labels());
        let text = text.trim_end_matches('.').to_ascii_lowercase();
        let origin = Arc::new(Origin { text, wire, labels, ttl_secs, servers, fixed });
        let mut zone = Self { origin, apex: Arc::new([]), content, records: 0, is_synced: false };
        zone.set_serial(1)?;
        Ok(zone)
    }

    /// Name of the zone, without a final dot.
    pub(crate) fn name(&self) -> &str {
        &self.origin.text
    }

    /// Number of records, without those of the zone apex and the fixed names.
    pub(crate) fn records(&self) -> usize {
        match &self.content {
            Content::Public(public) => public.names.records(),
            _ => self.records,
        }
    }

    /// Name of the zone in wire format.
    pub(crate) fn origin(&self) -> &[u8] {
        &self.origin.wire
    }

    /// Number of labels in the zone name.
    pub(crate) fn labels(&self) -> usize {
        self.origin.labels
    }

    /// Whether a name is the zone name or below it.
    #[inline]
    pub(crate) fn contains(&self, name: &Name) -> bool {
        let labels = self.origin.labels;
        name.labels() >= labels && name.suffix(name.labels() - labels) == &*self.origin.wire
    }

    /// The SOA record, for negative answers.
    pub(crate) fn authority(&self) -> &RecordSet {
        // In bounds: `new` calls `set_serial`, which puts the SOA record first.
        &self.apex[0]
    }

    /// Whether this is a reverse zone.
    pub(crate) fn is_reverse(&self) -> bool {
        matches!(self.content, Content::Reverse(_))
    }

    /// Whether this is the zone configured for services of `kind`.
    pub(crate) fn serves(&self, settings: &[ZoneSettings], kind: ZoneKind) -> bool {
        matches!(self.content, Content::Services { .. })
            && settings.iter().any(|zone| zone.kind == kind && zone.name == self.origin.text)
    }

    /// Encodes SOA and NS records with a new serial number.
    pub(crate) fn set_serial(&mut self, serial: u32) -> Result<(), ZoneError> {
        let Origin { text, ttl_secs, servers, .. } = &*self.origin;
        let encode = || {
            let mut ns = RecordSetBuilder::new(NS, *ttl_secs);
            servers.iter().try_for_each(|server| ns.name_server(server))?;
            Ok([Some(self.encode_soa(serial)?), ns.finish()].into_iter().flatten().collect())
        };
        self.apex = encode().map_err(|EncodeError| ZoneError::Name { name: text.clone() })?;
        if let Content::Public(public) = &mut self.content {
            public.serial = serial;
        }
        Ok(())
    }

    fn encode_soa(&self, serial: u32) -> Result<RecordSet, EncodeError> {
        let Origin { text, ttl_secs, servers, .. } = &*self.origin;
        let mut soa = RecordSetBuilder::new(SOA, *ttl_secs);
        let server = servers.first().ok_or(EncodeError)?;
        soa.authority(server, &format!("hostmaster.{text}"), serial)?;
        soa.finish().ok_or(EncodeError)
    }

    /// Looks up a name that the zone contains.
    #[inline]
    pub(crate) fn find(&self, name: &Name) -> Lookup<'_> {
        let relative = name.labels() - self.origin.labels;
        if relative == 0 {
            return Lookup::Exists(&self.apex);
        }
        match &self.content {
            Content::Reverse(reverse) => reverse.find(name, relative),
            Content::Public(public) => {
                let prefix = name.range(0, relative);
                let written = public.names.find(prefix);
                // A name server can have a name above written ones.
                let found =
                    written.filter(|sets| !sets.is_empty()).or_else(|| self.fixed(prefix)).or(written);
                found.map_or(Lookup::NoName, Lookup::Exists)
            }
            Content::Services { services, namespaces } if name.label(relative - 1) == b"svc" => {
                let found = match relative {
                    1 => Some(&[][..]),
                    2 => namespaces.get(name.range(0, 1)).map(|_| &[][..]),
                    _ => services
                        .get(name.range(relative - 3, relative - 1))
                        .and_then(|service| service.find(name.range(0, relative - 3))),
                };
                found.map_or(Lookup::NoName, Lookup::Exists)
            }
            Content::Services { .. } => {
                self.fixed(name.range(0, relative)).map_or(Lookup::NoName, Lookup::Exists)
            }
        }
    }

    fn fixed(&self, prefix: &[u8]) -> Option<&[RecordSet]> {
        let found = self.origin.fixed.iter().find(|(fixed, _)| **fixed == *prefix);
        found.map(|(_, sets)| &**sets)
    }

    /// Replaces the records of one service. Returns the old and the new service, for the reverse zones; `None` when
    /// nothing changed.
    pub(crate) fn put(
        &mut self,
        key: &ObjectKey,
        records: &ServiceRecords,
    ) -> Option<[Option<Arc<Service>>; 2]> {
        let Content::Services { services, namespaces } = &mut self.content else { return None };
        let namespace = relative_wire(&key.namespace).into_boxed_slice();
        let wire = [relative_wire(&key.name), namespace.to_vec()].concat().into_boxed_slice();
        let old = services.get(&wire).cloned();
        let base = format!("{}.{}.svc.{}", key.name, key.namespace, self.origin.text);
        let new =
            (!records.is_empty()).then(|| Arc::new(Service::encode(records, &base, self.origin.ttl_secs)));
        if old == new {
            return None;
        }
        match &new {
            Some(service) => services.insert_mut(wire, service.clone()),
            None => {
                services.remove_mut(&wire);
            }
        }
        if old.is_some() != new.is_some() {
            let before = namespaces.get(&namespace).copied().unwrap_or(0);
            match if new.is_some() { before + 1 } else { before.saturating_sub(1) } {
                0 => {
                    namespaces.remove_mut(&namespace);
                }
                services => namespaces.insert_mut(namespace, services),
            }
        }
        let count = |service: &Option<Arc<Service>>| service.as_ref().map_or(0, |service| service.records());
        self.records = self.records + count(&new) - count(&old);
        Some([old, new])
    }

    /// Updates a reverse zone with the old and the new addresses of a service. Other zones ignore it.
    pub(crate) fn put_reverse(&mut self, key: &ObjectKey, change: &[Option<Arc<Service>>; 2]) {
        let ttl_secs = self.origin.ttl_secs;
        let Content::Reverse(reverse) = &mut self.content else { return };
        let addresses = |service: &Option<Arc<Service>>| -> Vec<IpAddr> {
            service.iter().flat_map(|service| service.reverse.iter().map(|(address, _)| *address)).collect()
        };
        let [old, new] = change;
        for address in addresses(old).into_iter().chain(addresses(new)) {
            reverse.set(address, key, new.as_deref(), ttl_secs);
        }
    }
}

/// Encodes the names that do not belong to a service: `dns-version`, `dns` and `ns.dns`.
fn encode_fixed(settings: &ZoneSettings) -> Result<FixedNames, EncodeError> {
    let mut version = RecordSetBuilder::new(TXT, VERSION_TTL_SECS);
    version.text(settings.kind.schema_version())?;
    let (mut v4, mut v6) =
        (RecordSetBuilder::new(A, settings.ttl_secs), RecordSetBuilder::new(AAAA, settings.ttl_secs));
    for address in &settings.server_addresses {
        if address.is_ipv4() { v4.address(*address) } else { v6.address(*address) }
    }
    let names: [(&str, Vec<RecordSetBuilder>); 3] =
        [("dns-version", vec![version]), ("dns", Vec::new()), ("ns.dns", vec![v4, v6])];
    let encoded = names.into_iter().map(|(name, sets)| {
        let sets: Sets = sets.into_iter().filter_map(RecordSetBuilder::finish).collect();
        (relative_wire(name).into_boxed_slice(), sets)
    });
    Ok(encoded.collect())
}
