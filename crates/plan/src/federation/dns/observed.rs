//! What is known of shards and clusters, as the planner takes it.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use portolan_api::cluster::Cluster as ClusterObject;
use portolan_api::conditions::cluster::READY;
use portolan_api::federation::ClusterPlace;
use portolan_api::kubernetes::{EndpointSlice, Service, View};
use portolan_api::meta::condition;
use portolan_api::work::AggregatedStatusItem;
use portolan_object::Object;
use portolan_object::time::age;

use super::record::DomainName;
use super::service::{Ingress, Shard};

/// Time after which a cluster without contact may be dead, unless the federation says another.
pub const DEAD_AFTER: Duration = Duration::from_secs(40);
/// Label of nodes with their region.
const REGION: &str = "topology.kubernetes.io/region";
/// Label of nodes with their zone.
const ZONE: &str = "topology.kubernetes.io/zone";
/// The same labels before Kubernetes 1.17.
const OLD_REGION: &str = "failure-domain.beta.kubernetes.io/region";
const OLD_ZONE: &str = "failure-domain.beta.kubernetes.io/zone";

/// What the hub's contact to a cluster says about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contact {
    /// The cluster is ready, or was never looked at.
    Ready,
    /// It is not ready, for a short time only. It counts for this time more.
    Lost(Duration),
    /// It has not been ready for so long that it is dead, unless its load balancers answer.
    Overdue,
}

/// Judges the contact to a cluster.
pub fn contact(cluster: &ClusterObject, now: Timestamp, dead_after: Duration) -> Contact {
    let Some(ready) = condition(&cluster.status.conditions, READY).filter(|ready| !ready.is_true()) else {
        return Contact::Ready;
    };
    let lasted = age(&ready.last_transition_time, now).unwrap_or_default();
    match dead_after.checked_sub(lasted) {
        Some(left) if !left.is_zero() => Contact::Lost(left),
        _ => Contact::Overdue,
    }
}

/// Where a cluster is: as its Cluster object says, else as the labels of its nodes say (`None` while these cannot be read),
/// else as it was.
pub fn place<'a>(
    cluster: &ClusterObject,
    nodes: Option<impl Iterator<Item = &'a std::collections::BTreeMap<String, String>>>,
    before: Option<&ClusterPlace>,
) -> ClusterPlace {
    let mut place = ClusterPlace { name: cluster.metadata.name.clone(), ..ClusterPlace::default() };
    match nodes {
        Some(nodes) => {
            let (mut regions, mut zones) = (BTreeSet::new(), BTreeSet::new());
            for labels in nodes {
                regions.extend(labels.get(REGION).or_else(|| labels.get(OLD_REGION)));
                zones.extend(labels.get(ZONE).or_else(|| labels.get(OLD_ZONE)));
            }
            place.region = regions.first().map(|region| (*region).clone()).unwrap_or_default();
            place.zones = zones.into_iter().cloned().collect();
        }
        None => {
            if let Some(before) = before {
                place = before.clone();
            }
        }
    }
    let spec = &cluster.spec;
    if !spec.region.is_empty() {
        place.region.clone_from(&spec.region);
    }
    let named: BTreeSet<&String> =
        spec.zones.iter().chain(Some(&spec.zone)).filter(|zone| !zone.is_empty()).collect();
    if !named.is_empty() {
        place.zones = named.into_iter().cloned().collect();
    }
    place
}

/// Whether any endpoint of a Service is ready.
pub fn has_ready_endpoints<'a>(slices: impl IntoIterator<Item = &'a Object>) -> bool {
    slices.into_iter().any(|slice| {
        let slice = EndpointSlice::read(slice);
        slice.is_ok_and(|slice| {
            slice.endpoints.iter().any(|endpoint| endpoint.is_ready() && !endpoint.addresses.is_empty())
        })
    })
}

/// Whether a Service of the hub has names: one with a load balancer that is not being deleted.
pub fn has_names(service: &Object) -> bool {
    !service.is_deleting() && Service::read(service).is_ok_and(|service| service.spec.kind == "LoadBalancer")
}

/// The TCP ports of a Service.
pub fn tcp_ports(service: &Object) -> Vec<u16> {
    let Ok(service) = Service::read(service) else { return Vec::new() };
    let tcp = service.spec.ports.iter().filter(|port| matches!(port.protocol, None | Some("TCP")));
    tcp.filter_map(|port| u16::try_from(port.port).ok()).collect()
}

/// The shards of a Service from the reports of its clusters.
///
/// `is_ready` says whether a cluster has a ready endpoint, and `resolved` has the addresses of a host name.
pub fn shards(
    reports: &[AggregatedStatusItem],
    is_ready: impl Fn(&str) -> bool,
    resolved: impl Fn(&DomainName) -> Vec<IpAddr>,
) -> Vec<Shard> {
    let shard = |report: &AggregatedStatusItem| {
        let entries = report.status.as_ref()?["loadBalancer"]["ingress"].as_array()?;
        let ingress = entries.iter().filter_map(|entry| {
            let address = entry["ip"].as_str().and_then(|text| text.parse().ok());
            if let Some(address) = address {
                return Some(Ingress::Address(address));
            }
            let name = DomainName::parse(entry["hostname"].as_str()?).ok()?;
            let addresses = resolved(&name);
            Some(Ingress::Host { name, addresses })
        });
        Some(Shard {
            cluster: report.cluster_name.clone(),
            ingress: ingress.collect(),
            has_ready_endpoints: is_ready(&report.cluster_name),
        })
    };
    reports.iter().filter_map(shard).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;

    fn cluster(spec: Value, ready: &str, since: &str) -> ClusterObject {
        let object = json!({ "apiVersion": "cluster.karmada.io/v1alpha1", "kind": "Cluster",
            "metadata": { "name": "c1" }, "spec": spec,
            "status": { "conditions": [{ "type": "Ready", "status": ready, "reason": "R", "message": "",
                "lastTransitionTime": since }] } });
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn a_cluster_is_overdue_when_it_was_not_ready_for_the_whole_time() {
        let now: Timestamp = "2026-01-02T03:04:40Z".parse().unwrap();
        let seconds = Duration::from_secs;
        for (ready, since, want) in [
            ("True", "2026-01-02T03:00:00Z", Contact::Ready),
            ("False", "2026-01-02T03:04:30Z", Contact::Lost(seconds(30))),
            ("Unknown", "2026-01-02T03:04:00Z", Contact::Overdue),
            ("False", "2026-01-02T03:00:00Z", Contact::Overdue),
            ("False", "2026-01-02T04:00:00Z", Contact::Lost(seconds(40))),
        ] {
            assert_eq!(contact(&cluster(json!({}), ready, since), now, seconds(40)), want, "{ready} {since}");
        }
    }

    #[test]
    fn a_place_is_said_by_the_cluster_else_by_its_nodes_else_it_stays() {
        let labels = |region: &str, zone: &str| {
            BTreeMap::from([(REGION.to_owned(), region.to_owned()), (ZONE.to_owned(), zone.to_owned())])
        };
        let nodes = [labels("eu", "eu-b"), labels("eu", "eu-a")];
        let before =
            ClusterPlace { name: "c1".to_owned(), region: "old".to_owned(), zones: vec!["old-a".to_owned()] };
        let none: Option<std::slice::Iter<'_, BTreeMap<String, String>>> = None;
        let plain = cluster(json!({}), "True", "");
        let found = place(&plain, Some(nodes.iter()), Some(&before));
        assert_eq!((found.region.as_str(), found.zones), ("eu", vec!["eu-a".to_owned(), "eu-b".to_owned()]));
        assert_eq!(place(&plain, none.clone(), Some(&before)), before);
        assert_eq!(place(&plain, none, None).region, "");
        let said = cluster(json!({ "region": "us", "zones": ["us-1"] }), "True", "");
        let found = place(&said, Some(nodes.iter()), Some(&before));
        assert_eq!((found.region.as_str(), found.zones), ("us", vec!["us-1".to_owned()]));
    }

    #[test]
    fn shards_are_read_from_the_reports() {
        let report = |cluster: &str, status: Value| AggregatedStatusItem {
            cluster_name: cluster.to_owned(),
            status: Some(status),
            ..AggregatedStatusItem::default()
        };
        let reports = [
            report("c1", json!({ "loadBalancer": { "ingress": [{ "ip": "192.0.2.1" }] } })),
            report("c2", json!({ "loadBalancer": { "ingress": [{ "hostname": "lb.example.net" }, {}] } })),
            report("c3", json!({ "loadBalancer": {} })),
            AggregatedStatusItem { cluster_name: "c4".to_owned(), ..AggregatedStatusItem::default() },
        ];
        let address: IpAddr = "192.0.2.2".parse().unwrap();
        let found = shards(&reports, |cluster| cluster == "c1", |_| vec![address]);
        let name = DomainName::parse("lb.example.net").unwrap();
        let shard = |cluster: &str, ingress: Ingress, has_ready_endpoints: bool| Shard {
            cluster: cluster.to_owned(),
            ingress: vec![ingress],
            has_ready_endpoints,
        };
        assert_eq!(
            found,
            [
                shard("c1", Ingress::Address("192.0.2.1".parse().unwrap()), true),
                shard("c2", Ingress::Host { name, addresses: vec![address] }, false),
            ]
        );
    }

    #[test]
    fn a_service_is_healthy_with_one_ready_endpoint() {
        let slice = |ready: Value, addresses: Value| {
            Object(
                json!({ "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
                "endpoints": [{ "addresses": addresses, "conditions": { "ready": ready } }] }),
            )
        };
        for (slices, want) in [
            (vec![], false),
            (vec![slice(json!(false), json!(["10.0.0.1"]))], false),
            (vec![slice(json!(false), json!(["10.0.0.1"])), slice(json!(true), json!(["10.0.0.2"]))], true),
            (vec![slice(json!(true), json!([]))], false),
        ] {
            assert_eq!(has_ready_endpoints(&slices), want, "{slices:?}");
        }
    }
}
