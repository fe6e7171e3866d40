//! Group `externaldns.k8s.io/v1alpha1`: records that ExternalDNS publishes (external-dns apis/v1alpha1/dnsendpoint.go).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kind::kind;
use crate::schema::is_default;

kind! {
    /// Record sets that an ExternalDNS with the source `crd` publishes.
    DNSEndpoint, "externaldns.k8s.io", "v1alpha1", "dnsendpoints", Namespaced {
        /// The record sets.
        spec: DnsEndpointSpec,
        /// Observed state, which ExternalDNS writes.
        #[serde(skip_serializing_if = "is_default")]
        status: DnsEndpointStatus,
    }
}

/// The record sets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DnsEndpointSpec {
    /// One entry for each name and type.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 1000))]
    pub endpoints: Vec<Endpoint>,
}

/// One record set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Endpoint {
    /// Owner name, with or without a final dot.
    #[schemars(length(max = 254))]
    pub dns_name: String,
    /// Type, such as `A`.
    #[schemars(length(max = 16))]
    pub record_type: String,
    /// Data.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 1000))]
    pub targets: Vec<String>,
    /// Time to live in seconds; 0 for the provider's.
    #[serde(skip_serializing_if = "is_default", rename = "recordTTL")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub record_ttl: i64,
    /// Distinguishes record sets of one name and type with a routing policy.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 253))]
    pub set_identifier: String,
    /// What the registry of ExternalDNS keeps.
    #[serde(skip_serializing_if = "is_default")]
    pub labels: BTreeMap<String, String>,
    /// Settings of one provider.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 64))]
    pub provider_specific: Vec<ProviderSetting>,
}

/// A setting of one provider.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ProviderSetting {
    /// Its name, such as `aws/weight`.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Its value.
    #[schemars(length(max = 1024))]
    pub value: String,
}

/// Observed state, which ExternalDNS writes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DnsEndpointStatus {
    /// Generation that ExternalDNS has published.
    #[serde(skip_serializing_if = "is_default")]
    pub observed_generation: i64,
}
