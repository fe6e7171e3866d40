//! Several Federations in one zone: who writes it, with which settings, and from which serial number on.

use std::collections::BTreeSet;
use std::sync::Arc;

use portolan_api::federation::{DnsProvider, Federation};

use super::zones::{Target, targets};

/// Serial numbers that are noted in advance: one write of the status for an hour of changes.
const RESERVED_SERIALS: u32 = 3600;
/// Serial numbers that are left when the next ones are noted.
const SERIAL_MARGIN: u32 = 600;

/// Whether a Federation writes the records of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// It does.
    Own,
    /// This Federation writes with the same marks: each would delete the records of the other.
    Taken(String),
    /// The Federation leaves the zone, and this one goes on with the same marks. Nothing is deleted.
    HandedOver(String),
}

/// Who writes the records of `target`, which is one of `federation`. Of two with the same marks, the older one does.
pub fn claim(federation: &Federation, target: &Target, all: &[Arc<Federation>]) -> Claim {
    let identity = target.identity();
    let wants = |other: &Federation| wanted_targets(other).iter().any(|wanted| wanted.identity() == identity);
    let others = all.iter().filter(|other| other.metadata.name != federation.metadata.name);
    let mut rivals: Vec<&Arc<Federation>> = others.filter(|other| wants(other)).collect();
    rivals.sort_by(|a, b| age(a).cmp(&age(b)));
    let Some(first) = rivals.first() else { return Claim::Own };
    let name = first.metadata.name.clone();
    if target.domains.is_empty() {
        Claim::HandedOver(name)
    } else if age(first) < age(federation) {
        Claim::Taken(name)
    } else {
        Claim::Own
    }
}

/// What the status says of a target that another Federation writes.
pub fn taken(other: &str) -> String {
    format!(
        "Federation {other}, which is older, writes this zone with the same owner: nothing is written; set another \
         spec.dns.owner in one of the two"
    )
}

/// What the status says of settings of a zone that have no effect; `has_places` is whether the server has a database of places.
pub fn without_effect(zone: &OwnZone, has_places: bool) -> Option<String> {
    if let Some(other) = &zone.settings_of {
        return Some(format!(
            "name servers, transfers and regions of this zone are those of Federation {other}, which is older: the records are \
             published; write the same settings in both"
        ));
    }
    let mut regions = zone.provider.built_in.iter().flat_map(|built_in| &built_in.regions);
    let region = regions.find(|region| region.needs_places() && !has_places)?;
    Some(format!(
        "countries, continents and coordinates of the region {} have no effect, the records are published: start `portolan \
         server` with --federation-dns-places and a database",
        region.region
    ))
}

/// The order of Federations that want the same: the oldest first.
fn age(federation: &Federation) -> (&str, &str) {
    let created = federation.metadata.creation_timestamp.as_deref().unwrap_or_default();
    (created, &federation.metadata.name)
}

fn wanted_targets(federation: &Federation) -> Vec<Target> {
    targets(federation).into_iter().filter(|target| !target.domains.is_empty()).collect()
}

/// A zone of the control plane's own server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnZone {
    /// Settings of the zone: those of the oldest Federation that writes it.
    pub provider: DnsProvider,
    /// The Federation with the settings, if they are others than those of the target.
    pub settings_of: Option<String>,
    /// The Federations that write it.
    pub writers: BTreeSet<String>,
}

/// How the zone of a target is served; `None` if another server serves it.
pub fn own_zone(target: &Target, all: &[Arc<Federation>]) -> Option<OwnZone> {
    target.zone.provider.built_in.as_ref()?;
    let mut writers: Vec<(&Arc<Federation>, Target)> = Vec::new();
    for federation in all {
        let same = wanted_targets(federation).into_iter().find(|wanted| is_same_zone(wanted, target));
        let own = same.filter(|wanted| claim(federation, wanted, all) == Claim::Own);
        writers.extend(own.map(|wanted| (federation, wanted)));
    }
    writers.sort_by(|(a, _), (b, _)| age(a).cmp(&age(b)));
    let leader = writers.first();
    let provider = leader.map_or(&target.zone.provider, |(_, wanted)| &wanted.zone.provider);
    let differs = !target.domains.is_empty() && *provider != target.zone.provider;
    Some(OwnZone {
        provider: provider.clone(),
        settings_of: leader.filter(|_| differs).map(|(federation, _)| federation.metadata.name.clone()),
        writers: writers.iter().map(|(federation, _)| federation.metadata.name.clone()).collect(),
    })
}

fn is_same_zone(one: &Target, other: &Target) -> bool {
    one.zone.provider.built_in.is_some() && one.zone_name() == other.zone_name()
}

/// The least serial number of a zone that no process before this one can have used.
pub fn serial_floor(target: &Target, all: &[Arc<Federation>]) -> u32 {
    let noted = all.iter().flat_map(|federation| targets(federation)).filter(|one| is_same_zone(one, target));
    let limit = noted.map(|one| one.zone.serial_limit).max().unwrap_or(0);
    u32::try_from(limit).unwrap_or(0)
}

/// Notes serial numbers in a target before they are used: `next` is the next one.
pub fn reserve_serials(target: &mut Target, next: u32) {
    let limit = &mut target.zone.serial_limit;
    if *limit < i64::from(next) + i64::from(SERIAL_MARGIN) {
        *limit = i64::from(next) + i64::from(RESERVED_SERIALS);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A Federation that was created in the given second, with zones in its spec and zones in its status.
    fn federation(name: &str, second: u32, spec: Value, status: Value) -> Arc<Federation> {
        let object = json!({ "apiVersion": "portolan.dev/v1alpha1", "kind": "Federation",
            "metadata": { "name": name, "creationTimestamp": format!("2026-01-02T03:04:{second:02}Z") },
            "spec": { "dns": spec }, "status": { "zones": status } });
        Arc::new(serde_json::from_value(object).unwrap())
    }

    fn zone(domain: &str, server: &str) -> Value {
        let provider = match server {
            "" => json!({ "builtIn": {} }),
            server => json!({ "builtIn": { "nameServers": [{ "name": server }] } }),
        };
        json!({ "domain": domain, "zone": "example.com", "provider": provider })
    }

    fn built_in(name: &str, second: u32, owner: &str, server: &str) -> Arc<Federation> {
        let domain = format!("{name}.example.com");
        federation(name, second, json!({ "owner": owner, "zones": [zone(&domain, server)] }), json!([]))
    }

    fn target(federation: &Federation) -> Target {
        targets(federation).remove(0)
    }

    #[test]
    fn of_two_with_the_same_marks_the_older_one_writes() {
        let (old, new, other) =
            (built_in("z", 1, "same", ""), built_in("a", 2, "same", ""), built_in("b", 3, "", ""));
        let all = [old.clone(), new.clone(), other.clone()];
        for (federation, want) in
            [(&old, Claim::Own), (&new, Claim::Taken("z".to_owned())), (&other, Claim::Own)]
        {
            assert_eq!(claim(federation, &target(federation), &all), want, "{}", federation.metadata.name);
        }
        // The older one leaves the zone: the other one goes on with its records.
        let had = json!([{ "zone": "example.com", "provider": { "builtIn": {} }, "owner": "same" }]);
        let leaving = federation("z", 1, json!({ "zones": [] }), had);
        let all = [leaving.clone(), new.clone()];
        assert_eq!(claim(&leaving, &target(&leaving), &all), Claim::HandedOver("a".to_owned()));
        assert_eq!(claim(&new, &target(&new), &all), Claim::Own);
        assert_eq!(claim(&leaving, &target(&leaving), &all[..1]), Claim::Own, "no other one wants it");
    }

    #[test]
    fn a_zone_has_the_settings_of_the_oldest_and_waits_for_all() {
        let (old, new) = (built_in("z", 1, "", "ns1.example.net"), built_in("a", 2, "", ""));
        let clash = built_in("c", 3, "a", "");
        let all = [old.clone(), new.clone(), clash];
        let writers: BTreeSet<String> = ["a".to_owned(), "z".to_owned()].into();
        let of_old = own_zone(&target(&old), &all).expect("our own server");
        assert_eq!((&of_old.settings_of, &of_old.writers), (&None, &writers));
        let of_new = own_zone(&target(&new), &all).expect("our own server");
        assert_eq!(of_new, OwnZone { settings_of: Some("z".to_owned()), ..of_old });
        let bind = json!([{ "zone": "example.com", "provider": { "rfc2136": { "server": "ns1:53" } } }]);
        assert_eq!(own_zone(&target(&federation("b", 1, json!({ "zones": [] }), bind)), &all), None);
    }

    #[test]
    fn serial_numbers_are_noted_before_they_are_used() {
        let had = |limit: i64| {
            json!([{ "zone": "example.com.", "provider": { "builtIn": {} }, "owner": "x",
            "serialLimit": limit }])
        };
        let all = [
            federation("a", 1, json!({ "zones": [] }), had(5000)),
            federation("b", 2, json!({ "zones": [] }), had(9000)),
        ];
        let mut target = target(&all[0]);
        assert_eq!(serial_floor(&target, &all), 9000);
        for (next, want) in [(4000, 5000), (4401, 8001), (5000, 8001), (9000, 12_600)] {
            reserve_serials(&mut target, next);
            assert_eq!(target.zone.serial_limit, want, "{next}");
        }
    }
}
