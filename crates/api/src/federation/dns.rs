//! Where and how the names of federated Services are published.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::providers::DnsProvider;
use crate::schema::is_default;

/// Records of the federation's Services of type LoadBalancer in public zones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FederationDns {
    /// The zones. Each has all records.
    #[schemars(length(min = 1, max = 16))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["domain"]))]
    pub zones: Vec<FederationZone>,
    /// Id in the TXT records that mark the federation's records, unique among all writers of a zone. The federation's name
    /// when absent.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 128), regex(pattern = r"^[-A-Za-z0-9_.]*$"))]
    pub owner: String,
    /// Put before the first label of the name of a mark, as `--txt-prefix` of ExternalDNS.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 63))]
    pub mark_prefix: String,
    /// Time to live of records. 180 s when absent.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(range(min = 1, max = 604_800))]
    pub ttl_seconds: Option<u32>,
    /// Whether clusters without ready endpoints are published like the others.
    #[serde(skip_serializing_if = "is_default")]
    pub ignore_endpoints: bool,
    /// Whether all clusters are published while none has ready endpoints, instead of none.
    #[serde(skip_serializing_if = "is_default")]
    pub fail_open: bool,
    /// Time after which a cluster that cannot be reached, and with load balancers that do not answer either, leaves the
    /// records. 40 s when absent.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(range(min = 1, max = 86_400))]
    pub dead_after_seconds: Option<u32>,
}

/// A zone and who serves it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FederationZone {
    /// Domain below which the names are, such as `example.com`.
    #[schemars(length(min = 1, max = 253))]
    pub domain: String,
    /// Name of the zone at the provider. The domain when absent.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 253))]
    pub zone: String,
    /// Who serves the zone.
    #[schemars(transform = super::providers::exactly_one)]
    pub provider: DnsProvider,
}

/// Where records are, or may be: one zone at one provider, with the marks of one owner.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PublishedZone {
    /// Name of the zone at the provider.
    pub zone: String,
    /// Who serves the zone.
    pub provider: DnsProvider,
    /// Id in the marks.
    pub owner: String,
    /// Prefix of the names of marks.
    #[serde(skip_serializing_if = "is_default")]
    pub mark_prefix: String,
    /// Record sets of the federation that the zone has, marks not counted.
    #[serde(skip_serializing_if = "is_default")]
    pub record_sets: i64,
    /// Serial numbers below this one may have been used, where the control plane itself serves the zone.
    #[serde(skip_serializing_if = "is_default")]
    pub serial_limit: i64,
    /// What is wrong, and what to do.
    #[serde(skip_serializing_if = "is_default")]
    pub message: String,
}

/// Place of a cluster, as last seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterPlace {
    /// Name of the Cluster.
    pub name: String,
    /// Its region.
    #[serde(skip_serializing_if = "is_default")]
    pub region: String,
    /// Zones of its nodes.
    #[serde(skip_serializing_if = "is_default")]
    pub zones: Vec<String>,
}

impl FederationZone {
    /// Name of the zone at the provider.
    pub fn zone(&self) -> &str {
        if self.zone.is_empty() { &self.domain } else { &self.zone }
    }
}
