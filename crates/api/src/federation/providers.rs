//! Who serves the zones of a Federation.

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::built_in::BuiltInProvider;
use super::credentials::{SecretReference, TsigKey};
use crate::names::SYSTEM_NAMESPACE;
use crate::schema::is_default;

/// First part of the keys in etcd when none is given.
pub const DEFAULT_PREFIX: &str = "/skydns";

/// Who serves a zone: exactly one entry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DnsProvider {
    /// A DNS server with dynamic updates: BIND, Knot, PowerDNS and others.
    #[serde(skip_serializing_if = "is_default")]
    pub rfc2136: Option<Rfc2136Provider>,
    /// CoreDNS with its etcd plugin.
    #[serde(skip_serializing_if = "is_default", rename = "coreDNS")]
    pub core_dns: Option<CoreDnsProvider>,
    /// AWS Route 53.
    #[serde(skip_serializing_if = "is_default")]
    pub route53: Option<Route53Provider>,
    /// Google Cloud DNS.
    #[serde(skip_serializing_if = "is_default", rename = "cloudDNS")]
    pub cloud_dns: Option<CloudDnsProvider>,
    /// The DNS server of the control plane itself, which `portolan server --federation-dns-listen` starts.
    #[serde(skip_serializing_if = "is_default")]
    pub built_in: Option<BuiltInProvider>,
    /// An ExternalDNS that reads DNSEndpoints of the hub: Azure DNS, Cloudflare and others.
    #[serde(skip_serializing_if = "is_default", rename = "externalDNS")]
    pub external_dns: Option<ExternalDnsProvider>,
}

pub(super) fn exactly_one(schema: &mut Schema) {
    schema.insert(
        "x-kubernetes-validations".to_owned(),
        json!([{
            "rule": "(has(self.rfc2136) ? 1 : 0) + (has(self.coreDNS) ? 1 : 0) + (has(self.route53) ? 1 : 0) \
                     + (has(self.cloudDNS) ? 1 : 0) + (has(self.builtIn) ? 1 : 0) + (has(self.externalDNS) ? 1 : 0) == 1",
            "message": "name exactly one provider: rfc2136, coreDNS, route53, cloudDNS, builtIn or externalDNS",
        }]),
    );
}

/// A DNS server that takes dynamic updates (RFC 2136) and zone transfers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Rfc2136Provider {
    /// Host name or address, and port: `ns1.example.com:53`.
    #[schemars(length(min = 1, max = 300))]
    pub server: String,
    /// Key that signs every message. Absent for a server that decides by address.
    #[serde(skip_serializing_if = "is_default")]
    pub tsig: Option<TsigKey>,
}

/// CoreDNS that reads its records from etcd.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CoreDnsProvider {
    /// URL of a client port of etcd: `https://etcd.example.com:2379`.
    #[schemars(length(min = 1, max = 300))]
    pub endpoint: String,
    /// `path` of the Corefile. `/skydns` when absent.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 253))]
    pub prefix: String,
    /// Secret in the namespace `karmada-system` of the hub with any of the keys `ca.crt`, `tls.crt` and `tls.key`,
    /// `username` and `password`.
    #[serde(skip_serializing_if = "is_default")]
    pub secret_ref: Option<SecretReference>,
}

/// AWS Route 53.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Route53Provider {
    /// Id of the hosted zone, for an account with several of the same name.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 64))]
    pub zone_id: String,
    /// URL of another endpoint than AWS's.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 300))]
    pub endpoint: String,
    /// Secret in the namespace `karmada-system` of the hub with an access key: `aws_access_key_id`,
    /// `aws_secret_access_key` and, if it is temporary, `aws_session_token`. Absent for the credentials that the SDK finds
    /// where the server runs.
    #[serde(skip_serializing_if = "is_default")]
    pub secret_ref: Option<SecretReference>,
}

/// Google Cloud DNS.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CloudDnsProvider {
    /// Id of the project with the managed zone. That of the credentials when absent.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 128), regex(pattern = r"^(([a-z0-9.-]+:)?[a-z0-9][a-z0-9-]*)?$"))]
    pub project: String,
    /// Name or id of the managed zone, for a project with several of one domain.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 128), regex(pattern = r"^([a-z0-9][a-z0-9-]*)?$"))]
    pub managed_zone: String,
    /// URL of another endpoint than Google's. With `https`; without `secretRef` it is one below `googleapis.com`.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 300), regex(pattern = r"^(https?://[!-~]+)?$"))]
    pub endpoint: String,
    /// Secret in the namespace `karmada-system` of the hub with the key of a service account as `key.json`. Absent for the
    /// credentials of the server, which its environment names: `GOOGLE_APPLICATION_CREDENTIALS` or `GCE_METADATA_HOST`.
    #[serde(skip_serializing_if = "is_default")]
    pub secret_ref: Option<SecretReference>,
}

/// DNSEndpoints for an ExternalDNS with the source `crd`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ExternalDnsProvider {
    /// Namespace of the DNSEndpoints in the hub. `karmada-system` when absent.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 63))]
    pub namespace: String,
}

impl ExternalDnsProvider {
    /// Namespace of the DNSEndpoints.
    pub fn namespace(&self) -> &str {
        if self.namespace.is_empty() { SYSTEM_NAMESPACE } else { &self.namespace }
    }
}

impl DnsProvider {
    /// Type and address, without credentials.
    pub fn address(&self) -> String {
        let rfc2136 = self.rfc2136.as_ref().map(|server| format!("rfc2136 {}", server.server));
        let core_dns =
            self.core_dns.as_ref().map(|etcd| format!("coredns {} {}", etcd.endpoint, etcd.prefix));
        let route53 = self.route53.as_ref().map(|aws| format!("route53 {} {}", aws.endpoint, aws.zone_id));
        let cloud_dns = self
            .cloud_dns
            .as_ref()
            .map(|google| format!("cloudDNS {} {} {}", google.endpoint, google.project, google.managed_zone));
        let external_dns =
            self.external_dns.as_ref().map(|external| format!("externalDNS {}", external.namespace()));
        let built_in = self.built_in.as_ref().map(|_| "builtIn".to_owned());
        rfc2136.or(core_dns).or(route53).or(cloud_dns).or(built_in).or(external_dns).unwrap_or_default()
    }
}
