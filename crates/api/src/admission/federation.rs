//! Admission of Federations.

use std::collections::BTreeSet;
use std::net::IpAddr;

use portolan_object::dns_label::{is_label, is_subdomain};
use portolan_object::{FieldError, GroupVersion, Status};
use serde_json::{Value, json};

use super::typed;
use crate::federation::{ClientRegion, FederatedKind, Federation, FederationDns, FederationZone};
use crate::kind::Kind;
use crate::names;

/// Validates a federation.
pub(super) fn admit(object: &Value) -> Result<(), Status> {
    let Some(federation) = typed::<Federation>(object) else { return Ok(()) };
    let mut errors = Vec::new();
    let name = &federation.metadata.name;
    if !is_label(name) {
        let detail = "must be a DNS label of at most 63 characters: it is a part of the names of Services";
        errors.push(FieldError::invalid("metadata.name", &json!(name), detail));
    }
    for (index, kind) in federation.spec.kinds.iter().enumerate() {
        check_kind(&format!("spec.kinds[{index}]"), kind, &mut errors);
    }
    for (index, name) in federation.spec.namespaces.iter().flat_map(|one| &one.names).enumerate() {
        if names::is_reserved_namespace(name) {
            let detail = "is a namespace of the control plane, and its objects are never propagated";
            errors.push(FieldError::invalid(format!("spec.namespaces.names[{index}]"), &json!(name), detail));
        }
    }
    federation.spec.dns.iter().for_each(|dns| check_dns(dns, &mut errors));
    if errors.is_empty() {
        return Ok(());
    }
    Err(Status::invalid(Federation::GROUP, Federation::KIND, name, &errors))
}

fn check_kind(path: &str, kind: &FederatedKind, errors: &mut Vec<FieldError>) {
    let path = |field: &str| format!("{path}.{field}");
    if kind.api_version.parse::<GroupVersion>().is_err() {
        let detail = "must be VERSION or GROUP/VERSION";
        errors.push(FieldError::invalid(path("apiVersion"), &json!(kind.api_version), detail));
    }
    if kind.kind == "Namespace" && kind.api_version == "v1" {
        let detail = "every cluster has every namespace; annotate a namespace to keep it from the clusters";
        errors.push(FieldError::invalid(path("kind"), &json!(kind.kind), detail));
    }
}

fn bare(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

fn check_dns(dns: &FederationDns, errors: &mut Vec<FieldError>) {
    for (index, zone) in dns.zones.iter().enumerate() {
        let path = |field: &str| format!("spec.dns.zones[{index}].{field}");
        for (field, name) in [("domain", zone.domain.as_str()), ("zone", zone.zone())] {
            if !is_subdomain(&name.trim_end_matches('.').to_ascii_lowercase()) {
                let detail = "must be a domain name such as example.com";
                errors.push(FieldError::invalid(path(field), &json!(name), detail));
            }
        }
        let transfers = zone.provider.built_in.as_ref().and_then(|built_in| built_in.transfers.as_ref());
        let networks = transfers.iter().flat_map(|transfers| &transfers.from);
        for (place, network) in networks.enumerate().filter(|(_, network)| !is_network(network)) {
            let at = path(&format!("provider.builtIn.transfers.from[{place}]"));
            errors.push(FieldError::invalid(at, &json!(network), "must be a network such as 192.0.2.0/24"));
        }
        let regions = zone.provider.built_in.iter().flat_map(|built_in| &built_in.regions);
        check_regions(&path("provider.builtIn.regions"), regions, errors);
        if transfers.is_some_and(|transfers| transfers.from.is_empty() && transfers.tsig.is_none()) {
            let detail = "must have from, tsig or both: it says who may copy the zone";
            let at = path("provider.builtIn.transfers");
            errors.push(FieldError::invalid(at, &json!({}), detail));
        }
        // Two domains of one zone: the zone is written once, with one set of credentials and settings.
        let same = |other: &&FederationZone| {
            bare(other.zone()) == bare(zone.zone())
                && other.provider.address() == zone.provider.address()
                && other.provider != zone.provider
        };
        if let Some(other) = dns.zones[..index].iter().find(same) {
            let detail = format!("must be the same as that of {}, which is in the same zone", other.domain);
            errors.push(FieldError::invalid(path("provider"), &json!(zone.provider.address()), detail));
        }
        let (domain, outer) = (bare(&zone.domain), bare(zone.zone()));
        if domain != outer && !domain.ends_with(&format!(".{outer}")) {
            let detail = "must be the domain, or a zone that has it";
            errors.push(FieldError::invalid(path("zone"), &json!(zone.zone), detail));
        }
    }
}

fn check_regions<'a>(
    path: &str,
    regions: impl Iterator<Item = &'a ClientRegion>,
    errors: &mut Vec<FieldError>,
) {
    let mut seen = BTreeSet::new();
    for (place, region) in regions.enumerate() {
        let at = |field: &str| format!("{path}[{place}].{field}");
        for (index, network) in region.networks.iter().enumerate() {
            let at = at(&format!("networks[{index}]"));
            if !is_network(network) {
                errors.push(FieldError::invalid(
                    at,
                    &json!(network),
                    "must be a network such as 192.0.2.0/24",
                ));
            } else if !seen.insert(network) {
                errors.push(FieldError::invalid(at, &json!(network), "is in the list of a region already"));
            }
        }
        if !is_label(&region.region.to_ascii_lowercase()) {
            errors.push(FieldError::invalid(at("region"), &json!(region.region), "must be a DNS label"));
        }
        if !region.coordinates.is_empty() && !are_coordinates(&region.coordinates) {
            let detail = "must be latitude and longitude in degrees, such as 50.11,8.68";
            errors.push(FieldError::invalid(at("coordinates"), &json!(region.coordinates), detail));
        }
        const CONTINENTS: [&str; 7] = ["AF", "AN", "AS", "EU", "NA", "OC", "SA"];
        for (index, code) in region.continents.iter().enumerate() {
            if !CONTINENTS.contains(&&*code.to_ascii_uppercase()) {
                let detail = "must be AF, AN, AS, EU, NA, OC or SA";
                errors.push(FieldError::invalid(at(&format!("continents[{index}]")), &json!(code), detail));
            }
        }
        if region.networks.is_empty() && !region.needs_places() {
            let detail =
                "must have networks, countries, continents or coordinates: without them it has no clients";
            errors.push(FieldError::invalid(format!("{path}[{place}]"), &json!(region.region), detail));
        }
    }
}

/// Whether a text is two numbers of degrees.
fn are_coordinates(text: &str) -> bool {
    let degrees =
        |text: &str, most: f64| text.trim().parse::<f64>().is_ok_and(|degrees| degrees.abs() <= most);
    text.split_once(',').is_some_and(|(north, east)| degrees(north, 90.0) && degrees(east, 180.0))
}

/// Whether a text is an address and the length of its prefix.
fn is_network(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    let (Ok(address), Ok(length)) = (address.parse::<IpAddr>(), length.parse::<u8>()) else { return false };
    length <= if address.is_ipv4() { 32 } else { 128 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(name: &str, spec: Value) -> String {
        let object = json!({ "apiVersion": "portolan.dev/v1alpha1", "kind": "Federation",
            "metadata": { "name": name }, "spec": spec });
        admit(&object).err().map(|status| status.message).unwrap_or_default()
    }

    #[test]
    fn what_cannot_take_effect_is_refused_with_the_field() {
        let kinds =
            |api_version: &str, kind: &str| json!({ "kinds": [{ "apiVersion": api_version, "kind": kind }] });
        let zone =
            |domain: &str, zone: &str| json!({ "dns": { "zones": [{ "domain": domain, "zone": zone }] } });
        let transfers = |transfers: Value| {
            json!({ "dns": { "zones": [{ "domain": "example.com",
                "provider": { "builtIn": { "transfers": transfers } } }] } })
        };
        let regions = |regions: Value| json!({ "dns": { "zones": [{ "domain": "example.com", "provider": { "builtIn": { "regions": regions } } }] } });
        let two_domains = |one: &str, other: &str| {
            let zone = |domain: &str, server: &str| {
                json!({ "domain": domain, "zone": "example.com",
                    "provider": { "builtIn": { "nameServers": [{ "name": server }] } } })
            };
            json!({ "dns": { "zones": [zone("a.example.com", one), zone("b.example.com", other)] } })
        };
        for (name, spec, want) in [
            ("myfed", json!({}), ""),
            ("myfed", kinds("apps/v1", "Deployment"), ""),
            ("myfed", zone("fed.example.com", "example.com."), ""),
            ("myfed", zone("example.com", ""), ""),
            ("myfed", zone("example.com", "example.org"), "spec.dns.zones[0].zone"),
            ("myfed", zone("exa mple.com", ""), "spec.dns.zones[0].domain"),
            ("myfed", transfers(json!({ "from": ["192.0.2.0/24", "2001:db8::/32"] })), ""),
            ("myfed", transfers(json!({ "from": ["192.0.2.1"] })), "provider.builtIn.transfers.from[0]"),
            ("myfed", transfers(json!({ "notify": ["192.0.2.1:53"] })), "says who may copy the zone"),
            ("myfed", regions(json!([{ "region": "eu", "networks": ["192.0.2.0/24"] }])), ""),
            ("myfed", regions(json!([{ "region": "eu", "countries": ["DE"] }])), ""),
            ("myfed", regions(json!([{ "region": "eu", "coordinates": "50.11, 8.68" }])), ""),
            ("myfed", regions(json!([{ "region": "eu" }])), "without them it has no clients"),
            ("myfed", regions(json!([{ "region": "eu", "coordinates": "91,0" }])), "regions[0].coordinates"),
            ("myfed", regions(json!([{ "region": "eu", "continents": ["XX"] }])), "regions[0].continents[0]"),
            ("myfed", regions(json!([{ "region": "e.u", "countries": ["DE"] }])), "regions[0].region"),
            (
                "myfed",
                regions(json!([{ "region": "eu", "networks": ["192.0.2.0/24"] },
                    { "region": "us", "networks": ["192.0.2.0/24"] }])),
                "regions[1].networks[0]",
            ),
            ("myfed", two_domains("ns1.example.net", "ns1.example.net"), ""),
            ("myfed", two_domains("ns1.example.net", "ns2.example.net"), "spec.dns.zones[1].provider"),
            ("my.fed", json!({}), "metadata.name"),
            ("myfed", kinds("a/b/c", "Deployment"), "spec.kinds[0].apiVersion"),
            ("myfed", kinds("v1", "Namespace"), "spec.kinds[0].kind"),
            ("myfed", json!({ "namespaces": { "names": ["karmada-system"] } }), "spec.namespaces.names[0]"),
        ] {
            let found = answer(name, spec.clone());
            assert_eq!(found.is_empty(), want.is_empty(), "{spec}: {found}");
            assert!(found.contains(want), "{spec}: {found}");
        }
    }
}
