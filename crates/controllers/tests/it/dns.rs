//! DNS records of one cluster's objects, without the DNS server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use portolan_controllers::dns::{Follower, Zone};
use portolan_net::{Clock, Shutdown};
use portolan_plan::dns::{RecordSink, ServiceChange, ServiceRecords, ZoneKind};
use portolan_runtime::cache::Caches;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::federation::Plane;

const PATIENCE: Duration = Duration::from_secs(60);
const IMPORT: &str = "multicluster.x-k8s.io/v1beta1/ServiceImport";
const SLICE: &str = "discovery.k8s.io/v1/EndpointSlice";

/// Stores the published records.
#[derive(Default)]
struct Records {
    zones: Mutex<BTreeMap<ZoneKind, BTreeMap<String, ServiceRecords>>>,
    synced: Mutex<Vec<ZoneKind>>,
    changed: Notify,
}

impl RecordSink for Records {
    fn publish(&self, zone: ZoneKind, changes: Vec<ServiceChange>) {
        let mut zones = self.zones.lock();
        let zone = zones.entry(zone).or_default();
        for ServiceChange { service, records } in changes {
            match records.is_empty() {
                true => zone.remove(&service.to_string()),
                false => zone.insert(service.to_string(), records),
            };
        }
        self.changed.notify_waiters();
    }

    fn synced(&self, zone: ZoneKind) {
        self.synced.lock().push(zone);
        self.changed.notify_waiters();
    }
}

impl Records {
    /// Names of a zone with the number of their records.
    fn names(&self, zone: ZoneKind) -> Vec<String> {
        let zones = self.zones.lock();
        let services = zones.get(&zone).into_iter().flatten();
        let names = services.flat_map(|(service, records)| {
            records.records.iter().map(move |(prefix, set)| format!("{service} {prefix}: {}", set.len()))
        });
        names.collect()
    }

    async fn when(&self, zone: ZoneKind, want: &[&str]) {
        let reached = async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if self.names(zone) == want {
                    return;
                }
                changed.await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, reached).await;
        assert!(waited.is_ok(), "wanted {want:?}, at last {:?}", self.names(zone));
    }
}

fn slice(name: &str, labels: Value, addresses: &[&str]) -> Value {
    let endpoints: Vec<Value> = addresses.iter().map(|address| json!({ "addresses": [address] })).collect();
    json!({ "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": { "namespace": "default", "name": name, "labels": labels }, "endpoints": endpoints,
        "ports": [{ "name": "http", "port": 8080, "protocol": "TCP" }] })
}

fn import_definition() -> Value {
    let all = portolan_api::crd::all();
    let found = all.into_iter().find(|crd| crd["metadata"]["name"] == "serviceimports.multicluster.x-k8s.io");
    found.expect("the definition of ServiceImports")
}

fn import(name: &str, spec: Value) -> Value {
    json!({ "apiVersion": "multicluster.x-k8s.io/v1beta1", "kind": "ServiceImport",
        "metadata": { "namespace": "default", "name": name,
            "labels": { "karmada.io/managed": "true", "portolan.dev/clusterset": "prod" } }, "spec": spec })
}

#[tokio::test(flavor = "multi_thread")]
async fn records_follow_imports_whose_type_appears_later() {
    let scope = Shutdown::new();
    let plane = Plane::start(&scope).await;
    let records = Arc::new(Records::default());
    let zones = [Zone::new(ZoneKind::ClusterSet)];
    let follower =
        Follower::start(&Caches::new(&plane.client, &scope), &zones, &records, &Clock::system(), &scope);
    assert!(tokio::time::timeout(PATIENCE, follower.synced()).await.expect("synced without the type"));
    assert_eq!(
        (follower.state().waiting_for, &records.synced.lock()[..]),
        (None, &[ZoneKind::ClusterSet][..])
    );

    plane.define(import_definition()).await;
    plane
        .create(import(
            "web",
            json!({ "type": "ClusterSetIP", "ips": ["10.0.0.1"], "ports": [{ "name": "http", "port": 80 }] }),
        ))
        .await;
    plane
        .create(import("pods", json!({ "type": "Headless", "ports": [{ "name": "http", "port": 80 }] })))
        .await;
    records.when(ZoneKind::ClusterSet, &["default/web : 2", "default/web _http._tcp: 1"]).await;

    let mut imported = json!({ "karmada.io/managed": "true", "portolan.dev/clusterset": "prod",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.portolan.dev",
        "multicluster.kubernetes.io/service-name": "pods",
        "multicluster.kubernetes.io/source-cluster": "east" });
    plane.create(slice("pods-east", imported.clone(), &["10.1.0.1", "10.1.0.2"])).await;
    // A slice with the label of an import that the set did not create is not published.
    imported["endpointslice.kubernetes.io/managed-by"] = json!("somebody");
    plane.create(slice("pods-forged", imported, &["10.6.6.6"])).await;
    // A slice of a local Service does not belong to an import.
    plane.create(slice("pods-own", json!({ "kubernetes.io/service-name": "pods" }), &["10.9.9.9"])).await;
    let web = ["default/web : 2", "default/web _http._tcp: 1"];
    let two = [
        "default/pods : 4",
        "default/pods 10-1-0-1.east: 1",
        "default/pods 10-1-0-2.east: 1",
        "default/pods _http._tcp: 2",
    ];
    records.when(ZoneKind::ClusterSet, &[&two[..], &web].concat()).await;

    plane.patch(SLICE, "default/pods-east", json!({ "endpoints": [{ "addresses": ["10.1.0.1"] }] })).await;
    let one = ["default/pods : 2", "default/pods 10-1-0-1.east: 1", "default/pods _http._tcp: 1"];
    records.when(ZoneKind::ClusterSet, &[&one[..], &web].concat()).await;

    plane.delete(IMPORT, "default/pods").await;
    records.when(ZoneKind::ClusterSet, &web).await;
    scope.request();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_answered_is_known() {
    let scope = Shutdown::new();
    let plane = Plane::start(&scope).await;
    plane.define(import_definition()).await;
    let ports = json!([{ "name": "http", "port": 80 }]);
    plane
        .create(import("web", json!({ "type": "ClusterSetIP", "ports": ports, "ips": ["10.0.0.300"] })))
        .await;
    let records = Arc::new(Records::default());
    let zones = [Zone::new(ZoneKind::ClusterSet)];
    let follower =
        Follower::start(&Caches::new(&plane.client, &scope), &zones, &records, &Clock::system(), &scope);
    assert!(tokio::time::timeout(PATIENCE, follower.synced()).await.expect("synced"));
    let problems: Vec<String> =
        follower.problems().iter().map(|(_, service, problem)| format!("{service}: {problem}")).collect();
    assert_eq!(problems, ["default/web: \"10.0.0.300\" in spec.ips is not an IP address"]);

    plane.patch(IMPORT, "default/web", json!({ "spec": { "ips": ["10.0.0.1"] } })).await;
    records.when(ZoneKind::ClusterSet, &["default/web : 2", "default/web _http._tcp: 1"]).await;
    assert_eq!(follower.problems(), []);
    scope.request();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_has_a_zone_of_its_own() {
    let scope = Shutdown::new();
    let plane = Plane::start(&scope).await;
    plane
        .create(json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "namespace": "default", "name": "pods" },
            "spec": { "clusterIP": "None", "clusterIPs": ["None"], "ports": [{ "name": "http", "port": 80 }] } }))
        .await;
    plane.create(slice("pods-own", json!({ "kubernetes.io/service-name": "pods" }), &["10.1.0.1"])).await;
    let records = Arc::new(Records::default());
    let zones = [Zone::new(ZoneKind::Cluster)];
    let follower =
        Follower::start(&Caches::new(&plane.client, &scope), &zones, &records, &Clock::system(), &scope);
    assert!(tokio::time::timeout(PATIENCE, follower.synced()).await.expect("synced"));
    let pods = ["default/pods : 2", "default/pods 10-1-0-1: 1", "default/pods _http._tcp: 1"];
    assert_eq!(records.names(ZoneKind::Cluster), pods, "complete when it says so");
    plane.delete("v1/Service", "default/pods").await;
    records.when(ZoneKind::Cluster, &[]).await;
    scope.request();
}
