//! Group `multiclusterdns.kubefed.io/v1alpha1`: names of federated Services and Ingresses (kubefed v0.6.1
//! pkg/apis/multiclusterdns/v1alpha1).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::kind::kind;
use crate::schema::{is_default, opaque_object};

kind! {
    /// A public domain, in the namespace `kube-federation-system`. Its name is the label of the federation in names.
    Domain, "multiclusterdns.kubefed.io", "v1alpha1", "domains", Namespaced {
        /// The domain below which the names are, such as `example.com`.
        #[schemars(length(min = 1, max = 253))]
        domain: String,
        /// Has no effect, as in KubeFed.
        #[serde(skip_serializing_if = "is_default")]
        #[schemars(length(max = 253))]
        name_server: String,
    }
}

kind! {
    /// Names of the federated Service of the same namespace and name.
    ServiceDNSRecord, "multiclusterdns.kubefed.io", "v1alpha1", "servicednsrecords", Namespaced {
        /// The names.
        spec: ServiceDnsRecordSpec,
        /// Observed state.
        #[serde(skip_serializing_if = "is_default")]
        status: DnsRecordStatus,
    }
}

kind! {
    /// Names of the federated Ingress of the same namespace and name.
    IngressDNSRecord, "multiclusterdns.kubefed.io", "v1alpha1", "ingressdnsrecords", Namespaced {
        /// The names.
        spec: IngressDnsRecordSpec,
        /// Observed state.
        #[serde(skip_serializing_if = "is_default")]
        status: DnsRecordStatus,
    }
}

/// The names of a Service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceDnsRecordSpec {
    /// Name of the Domain.
    #[schemars(length(min = 1, max = 253))]
    pub domain_ref: String,
    /// Time to live in seconds; 180 when absent.
    #[serde(skip_serializing_if = "is_default", rename = "recordTTL")]
    #[schemars(range(min = 0, max = 604_800))]
    pub record_ttl: i64,
    /// Another name directly below the domain, as an alias of the global one.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 63))]
    pub dns_prefix: String,
    /// First label of the names, in place of the name of the Service.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 63))]
    pub external_name: String,
    /// Whether clusters without ready endpoints are published like the others.
    #[serde(skip_serializing_if = "is_default")]
    pub allow_service_without_endpoints: bool,
}

/// The names of an Ingress.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct IngressDnsRecordSpec {
    /// Host names, each with the load balancers of all clusters.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 100))]
    pub hosts: Vec<String>,
    /// Time to live in seconds; 180 when absent.
    #[serde(skip_serializing_if = "is_default", rename = "recordTTL")]
    #[schemars(range(min = 0, max = 604_800))]
    pub record_ttl: i64,
}

/// Observed state of a record.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DnsRecordStatus {
    /// The domain of a ServiceDNSRecord.
    #[serde(skip_serializing_if = "is_default")]
    pub domain: String,
    /// The clusters, by name.
    #[serde(skip_serializing_if = "is_default")]
    pub dns: Vec<ClusterDns>,
    /// What is wrong, and what to do.
    #[serde(skip_serializing_if = "is_default")]
    pub message: String,
}

/// One cluster.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterDns {
    /// Its name.
    #[serde(skip_serializing_if = "is_default")]
    pub cluster: String,
    /// Its load balancer, if it counts: a `v1` LoadBalancerStatus.
    #[schemars(transform = opaque_object)]
    pub load_balancer: Value,
    /// Zones of its nodes.
    #[serde(skip_serializing_if = "is_default")]
    pub zones: Vec<String>,
    /// Its region.
    #[serde(skip_serializing_if = "is_default")]
    pub region: String,
}
