//! The names of ServiceDNSRecords and IngressDNSRecords (kubefed v0.6.1 pkg/controller/servicedns, ingressdns, dnsendpoint).
//!
//! Names and aliases are those of Federation v1, so the planner of federations computes them.

use std::collections::BTreeSet;
use std::net::IpAddr;

use portolan_api::external_dns::{DNSEndpoint, DnsEndpointSpec};
use portolan_api::kubefed::{
    ClusterDns, IngressDNSRecord, IngressDnsRecordSpec, ServiceDNSRecord, ServiceDnsRecordSpec,
};
use portolan_api::labels;
use portolan_api::meta::{ObjectMeta, OwnerReference};
use serde_json::{Value, json};

use crate::federation::dns::endpoint_object::endpoint;
use crate::federation::dns::planner::{DEFAULT_TTL, plan};
use crate::federation::dns::record::{DomainName, NameError, RecordSet, RecordType};
use crate::federation::dns::service::{Cluster, Health, Ingress, Naming, Shard};

/// Label of the DNSEndpoints of records.
pub const LABEL: &str = "portolan.dev/dns-record";
/// Label of a DNSEndpoint's entries with the name of the record, if the names have another label.
const SERVICE_NAME: &str = "serviceName";

/// What a record is computed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RecordKind {
    /// A ServiceDNSRecord.
    Service,
    /// An IngressDNSRecord.
    Ingress,
}

impl RecordKind {
    /// The kind of the members' objects with the published addresses.
    pub fn target(self) -> &'static str {
        match self {
            Self::Service => "Service",
            Self::Ingress => "Ingress",
        }
    }

    /// Name of the DNSEndpoint of a record.
    pub fn endpoint_name(self, record: &str) -> String {
        match self {
            Self::Service => format!("service-{record}"),
            Self::Ingress => format!("ingress-{record}"),
        }
    }
}

/// The record sets of a ServiceDNSRecord below a domain; `federation` is the name of its Domain.
///
/// # Errors
/// When a part of a name is malformed.
pub fn service_sets(
    record: &ServiceDNSRecord,
    (federation, domain): (&str, &str),
    clusters: &[Cluster],
    shards: &[Shard],
) -> Result<Vec<RecordSet>, NameError> {
    let ServiceDnsRecordSpec { dns_prefix, external_name, record_ttl, .. } = &record.spec;
    let label = if external_name.is_empty() { &record.metadata.name } else { external_name };
    let naming = Naming {
        domain: DomainName::parse(domain)?,
        federation: federation.to_owned(),
        namespace: record.metadata.namespace.clone(),
        label: label.clone(),
        prefix: Some(dns_prefix.clone()).filter(|prefix| !prefix.is_empty()),
        ttl: ttl(*record_ttl),
    };
    let health =
        Health { ignores_endpoints: record.spec.allow_service_without_endpoints, ..Health::default() };
    plan(&naming, health, clusters, shards)
}

/// The record sets of an IngressDNSRecord: every host has the load balancers of all clusters.
///
/// # Errors
/// When a host is no domain name.
pub fn ingress_sets(record: &IngressDNSRecord, shards: &[Shard]) -> Result<Vec<RecordSet>, NameError> {
    let IngressDnsRecordSpec { hosts, record_ttl } = &record.spec;
    let ingress = shards.iter().flat_map(|shard| &shard.ingress);
    let addresses: BTreeSet<IpAddr> = ingress
        .flat_map(|ingress| match ingress {
            Ingress::Address(address) => std::slice::from_ref(address),
            Ingress::Host { addresses, .. } => addresses,
        })
        .copied()
        .collect();
    let (v4, v6): (Vec<IpAddr>, Vec<IpAddr>) = addresses.into_iter().partition(IpAddr::is_ipv4);
    let mut sets = Vec::new();
    for host in hosts {
        let name = DomainName::parse(host)?;
        for (kind, addresses) in [(RecordType::A, &v4), (RecordType::Aaaa, &v6)] {
            if !addresses.is_empty() {
                let data = addresses.iter().map(IpAddr::to_string);
                sets.push(RecordSet::new(name.clone(), kind, ttl(*record_ttl), data));
            }
        }
    }
    Ok(sets)
}

fn ttl(seconds: i64) -> u32 {
    u32::try_from(seconds).ok().filter(|seconds| *seconds > 0).unwrap_or(DEFAULT_TTL)
}

/// `status.dns` of a record: every cluster, with its load balancer if that counts.
pub fn clusters_status(clusters: &[Cluster], shards: &[Shard], ignores_endpoints: bool) -> Vec<ClusterDns> {
    let status = |cluster: &Cluster| {
        let shard = shards.iter().find(|shard| shard.cluster == cluster.name);
        let shard = shard.filter(|shard| ignores_endpoints || shard.has_ready_endpoints);
        let entries: Vec<Value> = shard.iter().flat_map(|shard| &shard.ingress).map(entry).collect();
        let load_balancer = if entries.is_empty() { json!({}) } else { json!({ "ingress": entries }) };
        ClusterDns {
            cluster: cluster.name.clone(),
            load_balancer,
            zones: cluster.zones.iter().cloned().collect(),
            region: cluster.region.clone().unwrap_or_default(),
        }
    };
    let mut found: Vec<ClusterDns> = clusters.iter().map(status).collect();
    found.sort_by(|one, other| one.cluster.cmp(&other.cluster));
    found
}

fn entry(ingress: &Ingress) -> Value {
    match ingress {
        Ingress::Address(address) => json!({ "ip": address.to_string() }),
        Ingress::Host { name, .. } => json!({ "hostname": name.without_dot() }),
    }
}

/// The DNSEndpoint of a record. It goes with the record.
pub fn dns_endpoint(
    kind: RecordKind,
    record: &ObjectMeta,
    owner: OwnerReference,
    sets: &[RecordSet],
    external_name: &str,
) -> DNSEndpoint {
    let mut metadata = ObjectMeta::namespaced(&*record.namespace, kind.endpoint_name(&record.name));
    metadata.labels.insert(LABEL.to_owned(), labels::TRUE.to_owned());
    metadata.owner_references = vec![owner];
    let endpoints = sets.iter().map(endpoint).map(|mut endpoint| {
        if !external_name.is_empty() {
            endpoint.labels.insert(SERVICE_NAME.to_owned(), record.name.clone());
        }
        endpoint
    });
    let spec = DnsEndpointSpec { endpoints: endpoints.collect() };
    DNSEndpoint { metadata, spec, ..DNSEndpoint::default() }
}

#[cfg(test)]
mod tests {
    use crate::federation::dns::service::Reach;

    use super::*;

    fn cluster(name: &str) -> Cluster {
        Cluster {
            name: name.to_owned(),
            region: Some("us".to_owned()),
            zones: BTreeSet::from([format!("us-{name}")]),
            reach: Reach::Counted,
        }
    }

    fn shard(cluster: &str, address: &str, has_ready_endpoints: bool) -> Shard {
        let ingress = vec![Ingress::Address(address.parse().expect("an address"))];
        Shard { cluster: cluster.to_owned(), ingress, has_ready_endpoints }
    }

    fn record(spec: ServiceDnsRecordSpec) -> ServiceDNSRecord {
        let metadata = ObjectMeta::namespaced("myns", "nginx");
        ServiceDNSRecord { metadata, spec, ..ServiceDNSRecord::default() }
    }

    fn lines(record: &ServiceDNSRecord, shards: &[Shard]) -> Vec<String> {
        let clusters = [cluster("a"), cluster("b")];
        let sets = service_sets(record, ("myfed", "example.com"), &clusters, shards).expect("names");
        sets.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn prefix_external_name_and_time_to_live_are_those_of_the_record() {
        let shards = [shard("a", "192.0.2.1", true), shard("b", "192.0.2.2", false)];
        let plain = lines(&record(ServiceDnsRecordSpec::default()), &shards);
        assert!(plain.contains(&"nginx.myns.myfed.svc.example.com. 180 A 192.0.2.1".to_owned()), "{plain:?}");
        assert!(
            plain.contains(
                &"nginx.myns.myfed.svc.us-b.us.example.com. 180 CNAME nginx.myns.myfed.svc.us.example.com."
                    .to_owned()
            ),
            "{plain:?}"
        );
        let spec = ServiceDnsRecordSpec {
            record_ttl: 60,
            dns_prefix: "www".to_owned(),
            external_name: "web".to_owned(),
            allow_service_without_endpoints: true,
            ..ServiceDnsRecordSpec::default()
        };
        let all = lines(&record(spec), &shards);
        assert!(
            all.contains(&"web.myns.myfed.svc.example.com. 60 A 192.0.2.1 192.0.2.2".to_owned()),
            "{all:?}"
        );
        assert!(
            all.contains(&"www.example.com. 60 CNAME web.myns.myfed.svc.example.com.".to_owned()),
            "{all:?}"
        );
    }

    #[test]
    fn every_host_of_an_ingress_has_all_load_balancers() {
        let record = IngressDNSRecord {
            spec: IngressDnsRecordSpec { hosts: vec!["shop.example.com".to_owned()], record_ttl: 0 },
            ..IngressDNSRecord::default()
        };
        let shards = [shard("a", "192.0.2.1", false), shard("b", "2001:db8::1", false)];
        let sets = ingress_sets(&record, &shards).expect("names");
        let lines: Vec<String> = sets.iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["shop.example.com. 180 A 192.0.2.1", "shop.example.com. 180 AAAA 2001:db8::1"]);
        assert_eq!(ingress_sets(&record, &[]), Ok(vec![]));
    }

    #[test]
    fn the_status_has_every_cluster_and_the_load_balancers_that_count() {
        let shards = [shard("a", "192.0.2.1", true), shard("b", "192.0.2.2", false)];
        let found = clusters_status(&[cluster("b"), cluster("a")], &shards, false);
        let load_balancers: Vec<(&str, &Value)> =
            found.iter().map(|one| (one.cluster.as_str(), &one.load_balancer)).collect();
        let first = json!({ "ingress": [{ "ip": "192.0.2.1" }] });
        assert_eq!(load_balancers, [("a", &first), ("b", &json!({}))]);
    }
}
