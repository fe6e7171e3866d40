//! The control plane's own DNS server as a provider, with the settings of its zone.

use std::str::FromStr;

use portolan_api::federation::{BuiltInProvider, ClientRegion};
use portolan_object::Object;
use portolan_plan::federation::dns::record::DomainName;
use portolan_providers::BuiltIn;
use portolan_providers::built_in::{
    Coordinates, NameServer, Nearness, PlacedRegion, Places, PublicZoneSettings, Transfers,
};

use super::{CredentialsError, OwnTargets, key};

/// Serves the zone.
///
/// # Errors
/// When the server of this process does not run, or a setting cannot be used.
pub(super) fn provider(
    own: &OwnTargets,
    zone: &str,
    server: &BuiltInProvider,
    secret: Option<&Object>,
) -> Result<BuiltIn, CredentialsError> {
    let dns = own.dns.as_ref().ok_or(CredentialsError::NotListening)?;
    let domain = |field, value: &str| {
        let want = "it must be a domain name";
        DomainName::parse(value).map_err(|_| CredentialsError::Field { field, value: value.to_owned(), want })
    };
    let name = domain("zone", zone)?;
    let mut name_servers = Vec::new();
    for server in &server.name_servers {
        let addresses =
            all(&server.addresses, "nameServers.addresses", "it must be an address such as 192.0.2.53")?;
        name_servers.push(NameServer { name: domain("nameServers.name", &server.name)?, addresses });
    }
    if name_servers.is_empty() {
        let name = domain("nameServers.name", &format!("ns1.{zone}"))?;
        name_servers.push(NameServer { name, addresses: Vec::new() });
    }
    let mut secondaries = Vec::new();
    let transfers = match &server.transfers {
        None => None,
        Some(transfers) => {
            secondaries = all(
                &transfers.notify,
                "transfers.notify",
                "it must be an address with a port: 192.0.2.53:53",
            )?;
            let from = all(&transfers.from, "transfers.from", "it must be a network such as 192.0.2.0/24")?;
            let key = key(transfers.tsig.as_ref(), secret)?;
            // Without both, every client could copy the zone. Admission refuses it too, but another API server may lack that.
            if from.is_empty() && key.is_none() {
                let want = "it must have from, tsig or both: they say which servers may copy the zone";
                return Err(CredentialsError::Field { field: "transfers", value: String::new(), want });
            }
            Some(Transfers { from, key })
        }
    };
    let mut regions = Vec::new();
    for one in &server.regions {
        let networks = all(&one.networks, "regions.networks", "it must be a network such as 192.0.2.0/24")?;
        regions.push((one.region.as_str(), networks));
    }
    let nearness = (!regions.is_empty()).then(|| Nearness::new(regions));
    let nearness = match (nearness, dns.places()) {
        (Some(nearness), Some(database)) if server.regions.iter().any(ClientRegion::needs_places) => {
            let regions = server.regions.iter().map(placed).collect::<Result<_, _>>()?;
            Some(nearness.with_places(Places { database: database.clone(), regions }))
        }
        (nearness, _) => nearness,
    };
    let settings = PublicZoneSettings { name, name_servers, transfers, nearness };
    Ok(BuiltIn::new(dns.clone(), settings, secondaries, own.writers.clone())?)
}

fn placed(region: &ClientRegion) -> Result<PlacedRegion, CredentialsError> {
    let coordinates = Some(region.coordinates.as_str()).filter(|text| !text.is_empty());
    let coordinates = coordinates.map(Coordinates::from_str).transpose();
    let coordinates = coordinates.map_err(|_| CredentialsError::Field {
        field: "regions.coordinates",
        value: region.coordinates.clone(),
        want: "it must be latitude and longitude in degrees, such as 50.11,8.68",
    })?;
    Ok(PlacedRegion::new(&region.region, &region.countries, &region.continents, coordinates))
}

fn all<T: FromStr>(
    texts: &[String],
    field: &'static str,
    want: &'static str,
) -> Result<Vec<T>, CredentialsError> {
    let parse = |text: &String| {
        text.parse().map_err(|_| CredentialsError::Field { field, value: text.clone(), want })
    };
    texts.iter().map(parse).collect()
}
