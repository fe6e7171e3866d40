//! Record sets in the form of Route 53.

use aws_sdk_route53::error::BuildError;
use aws_sdk_route53::types::{
    GeoLocation, ResourceRecord, ResourceRecordSet, ResourceRecordSetRegion, RrType,
};
use portolan_plan::federation::dns::record::{DomainName, Policy, RecordSet, RecordType, Routing};

use crate::presentation::{target, value};

/// A set of a hosted zone; `None` if Portolan cannot have its name.
pub(super) fn read(set: &ResourceRecordSet) -> Option<RecordSet> {
    let name = DomainName::parse(&set.name().replace("\\052", "*")).ok()?;
    let kind = RecordType::of(set.r#type().as_str());
    let alias = set.alias_target().map(|alias| format!("alias {}", alias.dns_name()));
    let values = set.resource_records().iter().map(|record| target(&kind, record.value()));
    let targets: Vec<String> = values.chain(alias).collect();
    let ttl = u32::try_from(set.ttl().unwrap_or_default()).unwrap_or_default();
    Some(RecordSet { routing: routing(set), ..RecordSet::new(name, kind, ttl, targets) })
}

fn routing(set: &ResourceRecordSet) -> Option<Routing> {
    let policy = match (set.region(), set.geo_location()) {
        (Some(region), _) => Policy::Latency { region: region.as_str().to_owned() },
        (None, Some(place)) => Policy::Geolocation {
            continent: place.continent_code().map(str::to_owned),
            country: place.country_code().filter(|code| *code != "*").map(str::to_owned),
            subdivision: place.subdivision_code().map(str::to_owned),
        },
        // Other policies, such as failover, are those of other writers, and sets of others are never written.
        (None, None) => Policy::Weighted(u8::try_from(set.weight().unwrap_or_default()).unwrap_or(u8::MAX)),
    };
    Some(Routing {
        set_identifier: set.set_identifier()?.to_owned(),
        policy,
        health_check: set.health_check_id().map(str::to_owned),
    })
}

/// The set as Route 53 takes it.
pub(super) fn write(set: &RecordSet) -> Result<ResourceRecordSet, BuildError> {
    let records: Result<Vec<_>, _> = set
        .targets
        .iter()
        .map(|target| ResourceRecord::builder().value(value(&set.kind, target)).build())
        .collect();
    let mut built = ResourceRecordSet::builder()
        .name(set.name.as_str())
        .r#type(RrType::from(set.kind.as_str()))
        .ttl(i64::from(set.ttl))
        .set_resource_records(Some(records?));
    if let Some(Routing { set_identifier, policy, health_check }) = &set.routing {
        built = built.set_identifier(set_identifier).set_health_check_id(health_check.clone());
        built = match policy {
            Policy::Weighted(weight) => built.weight(i64::from(*weight)),
            Policy::Latency { region } => built.region(ResourceRecordSetRegion::from(region.as_str())),
            Policy::Geolocation { continent, country, subdivision } => {
                let is_default = continent.is_none() && country.is_none() && subdivision.is_none();
                let country = country.clone().or_else(|| is_default.then(|| "*".to_owned()));
                built.geo_location(
                    GeoLocation::builder()
                        .set_continent_code(continent.clone())
                        .set_country_code(country)
                        .set_subdivision_code(subdivision.clone())
                        .build(),
                )
            }
        };
    }
    built.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let name = DomainName::parse("nginx.example.com").unwrap();
        let set = |kind, target: &str| RecordSet::new(name.clone(), kind, 60, [target]);
        let routed = |policy| RecordSet {
            routing: Some(Routing {
                set_identifier: "c1".to_owned(),
                policy,
                health_check: Some("check".to_owned()),
            }),
            ..set(RecordType::A, "192.0.2.1")
        };
        let place = |country: Option<&str>| Policy::Geolocation {
            continent: None,
            country: country.map(str::to_owned),
            subdivision: None,
        };
        for set in [
            set(RecordType::A, "192.0.2.1"),
            set(RecordType::Aaaa, "2001:db8::1"),
            set(RecordType::Cname, "web.example.net."),
            set(RecordType::Txt, "heritage=external-dns,external-dns/owner=\"my\\fed\""),
            set(RecordType::Txt, &"x".repeat(600)),
            routed(Policy::Weighted(10)),
            routed(Policy::Latency { region: "eu-west-1".to_owned() }),
            routed(place(Some("DE"))),
            routed(place(None)),
        ] {
            assert_eq!(read(&write(&set).unwrap()), Some(set));
        }
    }
}
