//! The DNS server of the control plane as the provider of a zone.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::credentials::TsigKey;
use crate::schema::is_default;

/// The DNS server of the control plane.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BuiltInProvider {
    /// Name servers of the zone: this server, and its secondaries. The zone's parent must delegate it to the same names. `ns1`
    /// below the zone when absent.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 13))]
    pub name_servers: Vec<ZoneNameServer>,
    /// Secondary name servers that may copy the zone. Without it every copy is refused.
    #[serde(skip_serializing_if = "is_default")]
    pub transfers: Option<ZoneTransfers>,
    /// Regions of clients. A client that asks for the name of a Service in all clusters gets the addresses in its region while there
    /// are any: by its network, else by where a database of places has it. Other clients get all addresses.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 64))]
    pub regions: Vec<ClientRegion>,
}

/// Clients of a region: at least one of `networks`, `countries`, `continents` and `coordinates`. All but `networks` need the
/// database that `portolan server --federation-dns-places` names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClientRegion {
    /// Region of clusters.
    #[schemars(length(min = 1, max = 63))]
    pub region: String,
    /// Networks such as `192.0.2.0/24`, of clients or of their resolvers.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 1024))]
    pub networks: Vec<String>,
    /// Countries with clients of the region, by their two letters (ISO 3166-1): `DE`. Stronger than continents.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 256), inner(regex(pattern = r"^[A-Za-z]{2}$")))]
    pub countries: Vec<String>,
    /// Continents with clients of the region: `AF`, `AN`, `AS`, `EU`, `NA`, `OC`, `SA`. Stronger than coordinates.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 7), inner(regex(pattern = r"^[A-Za-z]{2}$")))]
    pub continents: Vec<String>,
    /// Latitude and longitude of the region in degrees: `50.11,8.68`. Other clients get the nearest region.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 64))]
    pub coordinates: String,
}

/// A name server of a zone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ZoneNameServer {
    /// Host name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its addresses, if the name is in the zone.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 16))]
    pub addresses: Vec<String>,
}

/// Which secondary name servers may copy a zone. If `from` and `tsig` are both given, both must match; at least one must be given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ZoneTransfers {
    /// Networks such as `192.0.2.0/24`. Any address when absent; then `tsig` is needed.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 64))]
    pub from: Vec<String>,
    /// Key that signs requests and answers.
    #[serde(skip_serializing_if = "is_default")]
    pub tsig: Option<TsigKey>,
    /// Secondaries that are told of every change, by address and port: `192.0.2.53:53`.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 13))]
    pub notify: Vec<String>,
}

impl ClientRegion {
    /// Whether a database of places is needed to find its clients.
    pub fn needs_places(&self) -> bool {
        !(self.countries.is_empty() && self.continents.is_empty() && self.coordinates.is_empty())
    }
}
