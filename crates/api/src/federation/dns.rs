//! Where and how the names of federated Services are published.

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::names::SYSTEM_NAMESPACE;
use crate::schema::is_default;

/// TSIG algorithm when none is given.
pub const DEFAULT_ALGORITHM: &str = "hmac-sha256";
/// First part of the keys in etcd when none is given.
pub const DEFAULT_PREFIX: &str = "/skydns";

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
    #[schemars(transform = exactly_one)]
    pub provider: DnsProvider,
}

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
    /// The DNS server of the control plane itself, which `portolan server --federation-dns-listen` starts.
    #[serde(skip_serializing_if = "is_default")]
    pub built_in: Option<BuiltInProvider>,
    /// An ExternalDNS that reads DNSEndpoints of the hub: Azure DNS, Cloudflare, Google Cloud DNS and others.
    #[serde(skip_serializing_if = "is_default", rename = "externalDNS")]
    pub external_dns: Option<ExternalDnsProvider>,
}

fn exactly_one(schema: &mut Schema) {
    schema.insert(
        "x-kubernetes-validations".to_owned(),
        json!([{
            "rule": "(has(self.rfc2136) ? 1 : 0) + (has(self.coreDNS) ? 1 : 0) + (has(self.route53) ? 1 : 0) \
                     + (has(self.builtIn) ? 1 : 0) + (has(self.externalDNS) ? 1 : 0) == 1",
            "message": "name exactly one provider: rfc2136, coreDNS, route53, builtIn or externalDNS",
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

/// A shared key (RFC 8945).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TsigKey {
    /// Name of the key at the server.
    #[schemars(length(min = 1, max = 253))]
    pub key_name: String,
    /// `hmac-sha256` when absent; also `hmac-sha384`, `hmac-sha512` and `hmac-sha1`.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 63))]
    pub algorithm: String,
    /// Secret in the namespace `karmada-system` of the hub with the key `secret`: the shared secret in base64, as the
    /// server's configuration has it.
    pub secret_ref: SecretReference,
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
    /// Regions of client networks. A client that asks for the name of a Service in all clusters gets the addresses in its region,
    /// while there are any. Clients of other networks get all addresses.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 64))]
    pub regions: Vec<ClientRegion>,
}

/// Clients of a region.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClientRegion {
    /// Region of clusters.
    #[schemars(length(min = 1, max = 63))]
    pub region: String,
    /// Networks such as `192.0.2.0/24`, of clients or of their resolvers.
    #[schemars(length(max = 1024))]
    pub networks: Vec<String>,
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

/// A Secret in a fixed namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SecretReference {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
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

impl DnsProvider {
    /// Type and address, without credentials.
    pub fn address(&self) -> String {
        let rfc2136 = self.rfc2136.as_ref().map(|server| format!("rfc2136 {}", server.server));
        let core_dns =
            self.core_dns.as_ref().map(|etcd| format!("coredns {} {}", etcd.endpoint, etcd.prefix));
        let route53 = self.route53.as_ref().map(|aws| format!("route53 {} {}", aws.endpoint, aws.zone_id));
        let external_dns =
            self.external_dns.as_ref().map(|external| format!("externalDNS {}", external.namespace()));
        let built_in = self.built_in.as_ref().map(|_| "builtIn".to_owned());
        rfc2136.or(core_dns).or(route53).or(built_in).or(external_dns).unwrap_or_default()
    }
}
