//! One zone at one instant: where each of its names is found.
//!
//! A copy of a zone shares everything with the original, and a change of one service touches that service and the
//! path to it in two maps, never the other services.

use std::net::IpAddr;
use std::sync::Arc;

use portolan_object::ObjectKey;
use portolan_plan::dns::{ServiceRecords, ZoneKind};
use rpds::HashTrieMapSync;

use crate::name::{Name, relative_wire};
use crate::record_set::{A, AAAA, Builder, NS, RecordSet, SOA, TXT, Unencodable};
use crate::reverse::Reverse;
use crate::service::{Service, Sets};
use crate::zones::{ZoneError, ZoneSettings};

/// How long the version of the specification may be kept.
const VERSION_TTL_SECS: u32 = 28_800;

/// Names in wire format, without the origin, and their sets.
type FixedNames = Box<[(Box<[u8]>, Sets)]>;

/// What never changes about a zone.
#[derive(Debug)]
struct Origin {
    /// Without a final dot.
    text: String,
    wire: Box<[u8]>,
    labels: usize,
    ttl_secs: u32,
    /// The name server's name.
    server: String,
    /// Names outside of `svc`, by their labels left of the origin: `dns-version`, `ns.dns`.
    fixed: FixedNames,
}

#[derive(Debug, Clone)]
enum Content {
    Services {
        /// By the labels of service and namespace.
        services: HashTrieMapSync<Box<[u8]>, Arc<Service>>,
        /// Services in each namespace, so that a namespace's name exists as long as one of them.
        namespaces: HashTrieMapSync<Box<[u8]>, usize>,
    },
    Reverse(Reverse),
}

/// A zone.
#[derive(Debug, Clone)]
pub(crate) struct Zone {
    origin: Arc<Origin>,
    /// SOA and NS.
    apex: Arc<[RecordSet]>,
    content: Content,
    records: usize,
    pub(crate) is_synced: bool,
}

/// What a zone knows of a name.
pub(crate) enum Found<'a> {
    /// It exists, with these sets.
    Sets(&'a [RecordSet]),
    /// It does not exist.
    Missing,
}

impl Zone {
    /// An empty zone of services.
    pub(crate) fn of_services(settings: &ZoneSettings) -> Result<Self, ZoneError> {
        let server = format!("ns.dns.{}", settings.name);
        let fixed = fixed(settings).map_err(|Unencodable| ZoneError::Name { name: settings.name.clone() })?;
        let content = Content::Services {
            services: HashTrieMapSync::new_sync(),
            namespaces: HashTrieMapSync::new_sync(),
        };
        Self::new(&settings.name, server, settings.ttl_secs, fixed, content)
    }

    /// The empty reverse zone of one address family, served beside a cluster's zone.
    pub(crate) fn of_reverse(reverse: Reverse, settings: &ZoneSettings) -> Result<Self, ZoneError> {
        let server = format!("ns.dns.{}", settings.name);
        Self::new(reverse.origin(), server, settings.ttl_secs, Box::default(), Content::Reverse(reverse))
    }

    fn new(
        text: &str,
        server: String,
        ttl_secs: u32,
        fixed: FixedNames,
        content: Content,
    ) -> Result<Self, ZoneError> {
        let name = Name::parse(text).filter(|name| name.labels() > 0);
        let name = name.ok_or_else(|| ZoneError::Name { name: text.to_owned() })?;
        let (wire, labels) = (name.from(0).into(), name.labels());
        let text = text.trim_end_matches('.').to_ascii_lowercase();
        let origin = Arc::new(Origin { text, wire, labels, ttl_secs, server, fixed });
        let mut zone = Self { origin, apex: Arc::new([]), content, records: 0, is_synced: false };
        zone.set_serial(1)?;
        Ok(zone)
    }

    /// The zone's name, without a final dot.
    pub(crate) fn name(&self) -> &str {
        &self.origin.text
    }

    /// How many records there are, those of the zone itself aside.
    pub(crate) fn records(&self) -> usize {
        self.records
    }

    /// The zone's name in wire format.
    pub(crate) fn origin(&self) -> &[u8] {
        &self.origin.wire
    }

    /// How many labels the zone's own name has.
    pub(crate) fn labels(&self) -> usize {
        self.origin.labels
    }

    /// Whether a name is at or below the zone's own.
    #[inline]
    pub(crate) fn holds(&self, name: &Name) -> bool {
        let labels = self.origin.labels;
        name.labels() >= labels && name.from(name.labels() - labels) == &*self.origin.wire
    }

    /// The start of authority, for negative answers.
    pub(crate) fn authority(&self) -> &RecordSet {
        // `set_serial` puts it first, and no zone is made without.
        &self.apex[0]
    }

    /// Whether this is one of the zones of addresses.
    pub(crate) fn is_reverse(&self) -> bool {
        matches!(self.content, Content::Reverse(_))
    }

    /// Whether this is the zone of services of `kind`; settings give each kind one zone.
    pub(crate) fn serves(&self, settings: &[ZoneSettings], kind: ZoneKind) -> bool {
        matches!(self.content, Content::Services { .. })
            && settings.iter().any(|zone| zone.kind == kind && zone.name == self.origin.text)
    }

    /// Gives the zone a new serial number.
    pub(crate) fn set_serial(&mut self, serial: u32) -> Result<(), ZoneError> {
        let Origin { text, ttl_secs, server, .. } = &*self.origin;
        let encode = || {
            let (mut soa, mut ns) = (Builder::new(SOA, *ttl_secs), Builder::new(NS, *ttl_secs));
            soa.authority(server, &format!("hostmaster.{text}"), serial)?;
            ns.name_server(server)?;
            Ok([soa.finish(), ns.finish()].into_iter().flatten().collect())
        };
        self.apex = encode().map_err(|Unencodable| ZoneError::Name { name: text.clone() })?;
        Ok(())
    }

    /// Finds a name that the zone holds.
    #[inline]
    pub(crate) fn find(&self, name: &Name) -> Found<'_> {
        let relative = name.labels() - self.origin.labels;
        if relative == 0 {
            return Found::Sets(&self.apex);
        }
        match &self.content {
            Content::Reverse(reverse) => reverse.find(name, relative),
            Content::Services { services, namespaces } if name.label(relative - 1) == b"svc" => {
                let found = match relative {
                    1 => Some(&[][..]),
                    2 => namespaces.get(name.part(0, 1)).map(|_| &[][..]),
                    _ => services
                        .get(name.part(relative - 3, relative - 1))
                        .and_then(|service| service.find(name.part(0, relative - 3))),
                };
                found.map_or(Found::Missing, Found::Sets)
            }
            Content::Services { .. } => {
                let prefix = name.part(0, relative);
                let found = self.origin.fixed.iter().find(|(fixed, _)| **fixed == *prefix);
                found.map_or(Found::Missing, |(_, sets)| Found::Sets(sets))
            }
        }
    }

    /// Replaces one service's names and returns what it was before and is now, for the reverse zones; `None` when it is
    /// the same.
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

    /// Takes over what a service's change means for a reverse zone; does nothing for other zones.
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

/// The names of a zone that no service has.
fn fixed(settings: &ZoneSettings) -> Result<FixedNames, Unencodable> {
    let mut version = Builder::new(TXT, VERSION_TTL_SECS);
    version.text(settings.kind.schema_version())?;
    let (mut v4, mut v6) = (Builder::new(A, settings.ttl_secs), Builder::new(AAAA, settings.ttl_secs));
    for address in &settings.server_addresses {
        if address.is_ipv4() { v4.address(*address) } else { v6.address(*address) }
    }
    let names: [(&str, Vec<Builder>); 3] =
        [("dns-version", vec![version]), ("dns", Vec::new()), ("ns.dns", vec![v4, v6])];
    let encoded = names.into_iter().map(|(name, sets)| {
        let sets: Sets = sets.into_iter().filter_map(Builder::finish).collect();
        (relative_wire(name).into_boxed_slice(), sets)
    });
    Ok(encoded.collect())
}
