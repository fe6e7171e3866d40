//! What a federation has in its clusters, for people.

use std::collections::BTreeSet;

use portolan_api::cluster::Cluster;
use portolan_api::federation::Federation;
use portolan_api::work::{AggregatedStatusItem, ResourceBinding};
use portolan_object::ObjectKey;
use serde_json::Value;

/// A cluster that takes part.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterRow<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// Its region, as last seen.
    pub region: String,
    /// Its zones, as last seen.
    pub zones: Vec<String>,
    /// Objects that it is to have.
    pub objects: usize,
    /// Those that it has as they are asked for.
    pub applied: usize,
}

/// A federated Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceRow {
    /// Namespace and name.
    pub service: ObjectKey,
    /// Clusters that are to have it.
    pub shards: usize,
    /// Those that have it as it is asked for.
    pub applied: usize,
    /// Addresses and host names of its load balancers, sorted.
    pub addresses: Vec<String>,
}

/// The clusters that have, or are to have, objects of the federation; all of them if it has no objects.
pub fn clusters<'a>(
    federation: &Federation,
    known: &'a [Cluster],
    bindings: &[ResourceBinding],
) -> Vec<ClusterRow<'a>> {
    let row = |cluster: &'a Cluster| {
        let name = cluster.metadata.name.as_str();
        let is_target =
            |binding: &&ResourceBinding| binding.spec.clusters.iter().any(|target| target.name == name);
        let objects = bindings.iter().filter(is_target).count();
        let reports = bindings.iter().flat_map(|binding| &binding.status.aggregated_status);
        let applied = reports.filter(|report| report.cluster_name == name && report.applied).count();
        let place = federation.status.clusters.iter().find(|place| place.name == name);
        let place = place.cloned().unwrap_or_default();
        let region = if place.region.is_empty() { cluster.spec.region.clone() } else { place.region };
        let zones = if place.zones.is_empty() { cluster.spec.zones.clone() } else { place.zones };
        ClusterRow { cluster, region, zones, objects, applied }
    };
    let rows = known.iter().map(row);
    rows.filter(|row| row.objects + row.applied > 0 || bindings.is_empty()).collect()
}

/// The Services of the federation.
pub fn services(bindings: &[ResourceBinding]) -> Vec<ServiceRow> {
    let is_service = |binding: &&ResourceBinding| {
        let resource = &binding.spec.resource;
        resource.kind == "Service" && resource.api_version == "v1"
    };
    let row = |binding: &ResourceBinding| {
        let (resource, reports) = (&binding.spec.resource, &binding.status.aggregated_status);
        let addresses: BTreeSet<String> = reports.iter().flat_map(load_balancers).collect();
        ServiceRow {
            service: ObjectKey::namespaced(&*resource.namespace, &*resource.name),
            shards: binding.spec.clusters.len(),
            applied: reports.iter().filter(|report| report.applied).count(),
            addresses: addresses.into_iter().collect(),
        }
    };
    let mut rows: Vec<ServiceRow> = bindings.iter().filter(is_service).map(row).collect();
    rows.sort_by(|one, other| one.service.cmp(&other.service));
    rows
}

/// Addresses and host names in the status of a Service that a cluster reported.
pub fn load_balancers(report: &AggregatedStatusItem) -> Vec<String> {
    let ingress = report.status.as_ref().and_then(|status| status["loadBalancer"]["ingress"].as_array());
    let text = |entry: &Value| entry["ip"].as_str().or_else(|| entry["hostname"].as_str()).map(str::to_owned);
    ingress.into_iter().flatten().filter_map(text).collect()
}

#[cfg(test)]
mod tests {
    use portolan_api::meta::ObjectMeta;
    use serde_json::json;

    use super::*;

    fn binding(kind: &str, name: &str, targets: &[&str], applied: &[(&str, &str)]) -> ResourceBinding {
        let clusters: Vec<Value> = targets.iter().map(|name| json!({ "name": name })).collect();
        let reports: Vec<Value> = applied
            .iter()
            .map(|(cluster, ip)| {
                json!({ "clusterName": cluster, "applied": true,
                    "status": { "loadBalancer": { "ingress": [{ "ip": ip }] } } })
            })
            .collect();
        serde_json::from_value(json!({
            "spec": { "clusters": clusters, "resource": { "apiVersion": "v1", "kind": kind, "name": name, "namespace": "shop" } },
            "status": { "aggregatedStatus": reports } }))
        .expect("a binding")
    }

    #[test]
    fn clusters_and_services_are_counted() {
        let cluster = |name: &str| Cluster { metadata: ObjectMeta::cluster(name), ..Cluster::default() };
        let known = [cluster("a"), cluster("b"), cluster("c")];
        let bindings = [
            binding("Service", "web", &["a", "b"], &[("a", "192.0.2.2"), ("b", "192.0.2.1")]),
            binding("ConfigMap", "app", &["a", "b"], &[]),
        ];
        let rows = clusters(&Federation::default(), &known, &bindings);
        let counts: Vec<(&str, usize, usize)> =
            rows.iter().map(|row| (row.cluster.metadata.name.as_str(), row.applied, row.objects)).collect();
        assert_eq!(counts, [("a", 1, 2), ("b", 1, 2)]);
        assert_eq!(clusters(&Federation::default(), &known, &[]).len(), 3);
        let found = services(&bindings);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].shards, found[0].applied), (2, 2));
        assert_eq!(found[0].addresses, ["192.0.2.1", "192.0.2.2"]);
    }
}
