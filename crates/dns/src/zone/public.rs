//! What only public zones can do: other names at any time, copies with their history, answers by region.

use std::collections::BTreeMap;
use std::sync::Arc;

use portolan_plan::federation::dns::record::{DomainName, RecordSet as PlannedSet};

use super::{Content, FixedNames, Public, Zone};
use crate::name::{Name, relative_wire};
use crate::public::journal::Delta;
use crate::public::names::PublicNames;
use crate::public::nearness::Place;
use crate::public::settings::{APEX_TTL, PublicZoneError, PublicZoneSettings, Transfers};
use crate::record_set::{A, AAAA, EncodeError, RecordSet, RecordSetBuilder};
use crate::service::{Sets, set_of};
use crate::zone_settings::ZoneError;

/// Labels of a federated Service: `SERVICE.NAMESPACE.FEDERATION.svc`.
const SERVICE_LABELS: usize = 4;

/// The part of a zone that only public zones have; for other zones every answer is empty.
impl Zone {
    /// A public zone with the names of `old`, or without any. It is synced if `old` is. With the name servers of
    /// `old` it keeps the serial number and the history.
    pub(crate) fn of_public(
        settings: &PublicZoneSettings,
        old: Option<&Self>,
        serial: u32,
    ) -> Result<Self, ZoneError> {
        let name = settings.name.without_dot();
        let bad = || ZoneError::Name { name: name.to_owned() };
        let servers: Vec<String> =
            settings.name_servers.iter().map(|server| server.name.without_dot().to_owned()).collect();
        if servers.is_empty() {
            return Err(bad());
        }
        let fixed = encode_name_servers(settings).map_err(|EncodeError| bad())?;
        let before = old.and_then(|old| Some((old, old.public()?)));
        let is_same =
            |(old, _): &(&Self, &Public)| old.origin.servers == servers && old.origin.fixed == fixed;
        let kept = before.filter(is_same);
        let public = Public {
            names: before.map_or_else(PublicNames::default, |(_, public)| public.names.clone()),
            // With another apex, earlier changes lead to another zone.
            journal: kept.map_or_else(Arc::default, |(_, public)| public.journal.clone()),
            serial: match (kept, before) {
                (Some((_, public)), _) => public.serial,
                (None, Some((_, public))) => serial.max(public.serial.wrapping_add(1)),
                (None, None) => serial,
            },
            transfers: settings.transfers.clone().map(Arc::new),
            nearness: settings.nearness.clone().map(Arc::new),
        };
        let serial = public.serial;
        let mut zone = Self::new(name, servers, APEX_TTL, fixed, Content::Public(public))?;
        zone.is_synced = old.is_some_and(|old| old.is_synced);
        zone.set_serial(serial)?;
        Ok(zone)
    }

    /// Whether this is a public zone.
    pub(crate) fn is_public(&self) -> bool {
        matches!(self.content, Content::Public(_))
    }

    fn public(&self) -> Option<&Public> {
        match &self.content {
            Content::Public(public) => Some(public),
            _ => None,
        }
    }

    /// Who may copy the zone.
    pub(crate) fn transfers(&self) -> Option<Arc<Transfers>> {
        self.public()?.transfers.clone()
    }

    /// The record set of a name and type for the region of a client, and how many bits of its address decided. The set is that of
    /// the name with the region after the label `svc`: `web.shop.fed.svc.REGION.example.com`; `None` if no region near the
    /// client has one.
    pub(crate) fn near(&self, name: &Name, place: Place, kind: u16) -> (Option<&RecordSet>, u8) {
        let Some(nearness) = self.public().and_then(|public| public.nearness.as_ref()) else {
            return (None, 0);
        };
        let relative = name.labels() - self.origin.labels;
        // RFC 7871, section 7.1.2: with no bit of the address the client does not want to be known.
        if place.known == 0 || relative < SERVICE_LABELS || name.label(SERVICE_LABELS - 1) != b"svc" {
            return (None, 0);
        }
        nearness.find(place, |region| {
            let prefix =
                [name.range(0, SERVICE_LABELS), region, name.range(SERVICE_LABELS, relative)].concat();
            set_of(self.public()?.names.find(&prefix)?, kind)
        })
    }

    /// Whether answers depend on the place of the client.
    pub(crate) fn has_places(&self) -> bool {
        self.public().is_some_and(|public| public.nearness.is_some())
    }

    /// Serial number; 0 for zones that are not public.
    pub(crate) fn serial(&self) -> u32 {
        self.public().map_or(0, |public| public.serial)
    }

    /// The changes since a serial number, if they are known.
    pub(crate) fn changes_since(&self, serial: u32) -> Option<Vec<Arc<Delta>>> {
        self.public()?.journal.since(serial)
    }

    /// The SOA record with a serial number.
    pub(crate) fn soa(&self, serial: u32) -> Option<RecordSet> {
        self.encode_soa(serial).ok()
    }

    /// The record sets of the zone's own name without the SOA record.
    pub(crate) fn apex_after_soa(&self) -> &[RecordSet] {
        self.apex.get(1..).unwrap_or_default()
    }

    /// Every name below the zone's own, relative to it and in wire format, with its record sets.
    pub(crate) fn all_names(&self) -> impl Iterator<Item = (&[u8], &[RecordSet])> {
        let fixed = self.origin.fixed.iter().map(|(name, sets)| (&**name, &**sets));
        self.public().into_iter().flat_map(|public| public.names.all()).chain(fixed)
    }

    /// Every record set that was written.
    pub(crate) fn written(&self) -> impl Iterator<Item = &PlannedSet> {
        self.public().into_iter().flat_map(|public| public.names.all_written())
    }

    /// The record sets of a name that were written.
    pub(crate) fn written_at(&self, name: &DomainName) -> &[PlannedSet] {
        let relative = self.relative(name);
        self.public().zip(relative).map(|(public, name)| public.names.written(&name)).unwrap_or_default()
    }

    /// Replaces the record sets of names. Without a difference the serial number stays.
    pub(crate) fn change_public(
        &mut self,
        changes: Vec<(DomainName, Vec<PlannedSet>)>,
        serial: u32,
    ) -> Result<bool, PublicZoneError> {
        let mut names = Vec::new();
        for (name, sets) in changes {
            let Some(relative) = self.relative(&name).filter(|relative| !relative.is_empty()) else {
                return Err(PublicZoneError::Record(format!("{name} in the zone {}", self.name())));
            };
            let full = [&*relative, self.origin()].concat();
            let Content::Public(public) = &mut self.content else { return Ok(false) };
            let put = public.names.put(&relative, sets);
            let put = put.map_err(|EncodeError| PublicZoneError::Record(name.to_string()))?;
            names.extend(put.map(|(old, new)| (full.into_boxed_slice(), old, new)));
        }
        if names.is_empty() {
            return Ok(false);
        }
        if let Content::Public(public) = &mut self.content {
            let delta = Delta { from: public.serial, to: serial, names };
            Arc::make_mut(&mut public.journal).push(delta);
        }
        self.set_serial(serial)?;
        Ok(true)
    }

    /// A name in the zone in wire format, without the labels of the zone.
    fn relative(&self, name: &DomainName) -> Option<Vec<u8>> {
        let name = Name::parse(name.as_str()).filter(|name| self.contains(name))?;
        Some(name.range(0, name.labels() - self.origin.labels).to_vec())
    }
}

/// Encodes the addresses of name servers in the zone, and the names between these and the zone.
fn encode_name_servers(settings: &PublicZoneSettings) -> Result<FixedNames, EncodeError> {
    let mut names: BTreeMap<Vec<u8>, Sets> = BTreeMap::new();
    for server in &settings.name_servers {
        let suffix = format!(".{}", settings.name);
        let Some(relative) = server.name.as_str().strip_suffix(&suffix) else { continue };
        let (mut v4, mut v6) = (RecordSetBuilder::new(A, APEX_TTL), RecordSetBuilder::new(AAAA, APEX_TTL));
        for address in &server.addresses {
            if address.is_ipv4() { v4.address(*address) } else { v6.address(*address) }
        }
        let mut ancestor = relative;
        while let Some((_, parent)) = ancestor.split_once('.') {
            names.entry(relative_wire(parent)).or_default();
            ancestor = parent;
        }
        names.insert(
            relative_wire(relative),
            [v4, v6].into_iter().filter_map(RecordSetBuilder::finish).collect(),
        );
    }
    Ok(names.into_iter().map(|(name, sets)| (name.into_boxed_slice(), sets)).collect())
}
