//! Public zones, which a provider adds and changes.

use std::sync::Arc;

use portolan_plan::federation::dns::record::{DomainName, RecordSet};

use super::{Snapshot, Zones};
use crate::public::{PublicZoneError, PublicZoneSettings};
use crate::zone::Zone;

impl Zones {
    /// Serves a public zone, or serves it with other settings. Until [`Self::complete_public`] its queries get SERVFAIL.
    ///
    /// `serial` must be greater than every earlier one of the zone, also before a restart.
    ///
    /// # Errors
    /// When the settings have no name server, or a name that does not fit into a record.
    pub fn serve_public(&self, settings: &PublicZoneSettings, serial: u32) -> Result<(), PublicZoneError> {
        self.change_all(|zones| {
            let place = zones.iter().position(|zone| zone.name() == settings.name.without_dot());
            let old = place.map(|place| zones.remove(place));
            zones.push(Zone::of_public(settings, old.as_ref(), serial)?);
            zones.sort_by_key(|zone| std::cmp::Reverse(zone.labels()));
            Ok(true)
        })
    }

    /// Serial number of a public zone; `None` if it is not served.
    pub fn public_serial(&self, zone: &DomainName) -> Option<u32> {
        self.snapshot.load().public_named(zone).map(Zone::serial)
    }

    /// Stops serving a public zone.
    pub fn withdraw_public(&self, zone: &DomainName) {
        // It cannot fail: nothing is encoded.
        let _ = self.change_all(|zones| {
            zones.retain(|one| !one.is_public() || one.name() != zone.without_dot());
            Ok(true)
        });
    }

    /// Every record set that was written to a public zone.
    ///
    /// # Errors
    /// When the zone is not served.
    pub fn public_sets(&self, zone: &DomainName) -> Result<Vec<RecordSet>, PublicZoneError> {
        let snapshot = self.snapshot.load();
        let found = snapshot.public_named(zone).ok_or_else(|| PublicZoneError::NotServed(zone.clone()))?;
        Ok(found.written().cloned().collect())
    }

    /// The record sets of one name of a public zone.
    pub fn public_sets_at(&self, zone: &DomainName, name: &DomainName) -> Vec<RecordSet> {
        let snapshot = self.snapshot.load();
        snapshot.public_named(zone).map(|zone| zone.written_at(name).to_vec()).unwrap_or_default()
    }

    /// Replaces the record sets of names, all at once. Returns whether something changed; only then the zone has the new
    /// serial number.
    ///
    /// # Errors
    /// When the zone is not served, or a record cannot be encoded. Nothing changes then.
    pub fn change_public(
        &self,
        zone: &DomainName,
        changes: Vec<(DomainName, Vec<RecordSet>)>,
        serial: u32,
    ) -> Result<bool, PublicZoneError> {
        let mut is_changed = false;
        self.change_all(|zones| {
            let found = zones.iter_mut().find(|one| one.is_public() && one.name() == zone.without_dot());
            let found = found.ok_or_else(|| PublicZoneError::NotServed(zone.clone()))?;
            // Serial numbers only go up, also when the clock goes back.
            let serial = serial.max(found.serial().wrapping_add(1));
            is_changed = found.change_public(changes, serial)?;
            Ok(is_changed)
        })?;
        Ok(is_changed)
    }

    /// Answers queries for a public zone from now on: it has all its records. Returns whether it did not before.
    pub fn complete_public(&self, zone: &DomainName) -> bool {
        let mut is_new = false;
        // It cannot fail: nothing is encoded.
        let _ = self.change_all(|zones| {
            let found = zones.iter_mut().find(|one| one.is_public() && one.name() == zone.without_dot());
            is_new = found.filter(|zone| !zone.is_synced).map(|zone| zone.is_synced = true).is_some();
            Ok(is_new)
        });
        is_new
    }

    /// Whether queries for a public zone are answered.
    pub fn is_public_complete(&self, zone: &DomainName) -> bool {
        self.snapshot.load().public_named(zone).is_some_and(|zone| zone.is_synced)
    }

    /// Applies `change` to a copy of the zones, and publishes the copy if `change` returns true.
    fn change_all(
        &self,
        change: impl FnOnce(&mut Vec<Zone>) -> Result<bool, PublicZoneError>,
    ) -> Result<(), PublicZoneError> {
        let _one_at_a_time = self.writing.lock();
        let old = self.snapshot.load_full();
        let mut zones = old.zones.clone();
        if change(&mut zones)? {
            self.snapshot.store(Arc::new(Snapshot { zones, serial: old.serial }));
        }
        Ok(())
    }
}
