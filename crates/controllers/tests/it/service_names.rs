//! Every form of a service's name, asked in every member while its consumers move from one form to the next: the derived Service
//! of an explicit import, the Service's own name of a MultiClusterService, and the name of a cluster set.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use portolan_api::kubernetes::{EndpointSlice, Service, View};
use portolan_api::resources;
use portolan_controllers::dns::{Follower, Zone};
use portolan_net::{Clock, Shutdown};
use portolan_object::{Object, ObjectKey};
use portolan_plan::discovery::migration::{Marks, MemberObjects, Step, migrations};
use portolan_plan::dns::{RecordData, RecordSink, ServiceChange, ZoneKind};
use portolan_plan::import_marks::{is_import_of_set, service_of_slice};
use portolan_runtime::Resource;
use portolan_runtime::cache::Caches;
use portolan_runtime::client::Selection;
use serde_json::{Value, json};

use crate::cluster_sets::{EXPORT, IMPORT, SERVE, SET, set, slice};
use crate::federation::{CLUSTER, Federation, Plane, condition};

const MCS: &str = "networking.karmada.io/v1alpha1/MultiClusterService";
const SLICE: &str = "discovery.k8s.io/v1/EndpointSlice";
const SERVICE: &str = "v1/Service";
const DERIVED: &str = "default/derived-serve";
const MEMBERS: [&str; 3] = ["eu", "us", "asia"];
const PATIENCE: Duration = Duration::from_secs(60);
/// Time for which each state is asked.
const PHASE: Duration = Duration::from_millis(700);
/// Time between two questions.
const PAUSE: Duration = Duration::from_millis(5);

/// A name: the zone, and the Service or import.
type Name = (ZoneKind, &'static str);

const DERIVED_NAME: Name = (ZoneKind::Cluster, DERIVED);
const NATIVE_NAME: Name = (ZoneKind::Cluster, SERVE);
const SET_NAME: Name = (ZoneKind::ClusterSet, SERVE);

/// The DNS of one member. Every state that is published is checked, not only those that a question meets.
#[derive(Default)]
struct Names {
    published: Mutex<BTreeMap<(ZoneKind, String), BTreeSet<IpAddr>>>,
    /// Names that clients use.
    used: Mutex<BTreeSet<Name>>,
    failures: Mutex<Vec<String>>,
    /// Ends the questions.
    is_over: AtomicBool,
}

impl RecordSink for Names {
    fn publish(&self, zone: ZoneKind, changes: Vec<ServiceChange>) {
        let mut published = self.published.lock();
        for ServiceChange { service, records } in changes {
            let of_name = records.records.get("").into_iter().flatten();
            let addresses: BTreeSet<IpAddr> = of_name
                .filter_map(|record| match record {
                    RecordData::Address(address) => Some(*address),
                    _ => None,
                })
                .collect();
            let service = service.to_string();
            let is_used = self.used.lock().iter().any(|(used, name)| *used == zone && *name == service);
            if is_used && addresses.is_empty() {
                self.failures.lock().push(format!("{service} in {zone:?}: published without an address"));
            }
            published.insert((zone, service), addresses);
        }
    }

    fn synced(&self, _: ZoneKind) {}
}

impl Names {
    fn addresses(&self, (zone, name): Name) -> BTreeSet<IpAddr> {
        self.published.lock().get(&(zone, name.to_owned())).cloned().unwrap_or_default()
    }

    /// From now on clients use the name. Waits until it has an answer.
    async fn use_name(&self, name: Name) {
        let answered = async {
            while self.addresses(name).is_empty() {
                tokio::time::sleep(PAUSE).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, answered).await.is_ok(), "{name:?} has no answer");
        self.used.lock().insert(name);
    }
}

/// Objects of a kind in the namespace, all of one moment.
async fn list(member: &Plane, resource: Resource) -> Vec<Object> {
    let listed = member.client.resource::<Object>(&resource).list(&Selection::namespace("default")).await;
    listed.expect("a list").items.into_iter().map(|seen| seen.object).collect()
}

/// Asks for the names in use until it is stopped: each answer must be the address of a Service with a ready endpoint.
async fn ask(name: &'static str, member: &Plane, names: &Names) -> usize {
    let mut asked = 0;
    loop {
        let used: Vec<Name> = names.used.lock().iter().copied().collect();
        for one in used {
            let answer = names.addresses(one);
            let (services, slices) = (
                list(member, resources::SERVICE.into()).await,
                list(member, resources::ENDPOINT_SLICE.into()).await,
            );
            for address in &answer {
                if !leads_to_an_endpoint(*address, &services, &slices) {
                    names
                        .failures
                        .lock()
                        .push(format!("{name}: {one:?} answers {address}, which leads nowhere"));
                }
            }
            if answer.is_empty() {
                names.failures.lock().push(format!("{name}: {one:?} has no answer"));
            }
            asked += 1;
        }
        if names.is_over.load(Ordering::SeqCst) {
            return asked;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn leads_to_an_endpoint(address: IpAddr, services: &[Object], slices: &[Object]) -> bool {
    let has_address = |service: &&Object| {
        let spec = Service::read(service).expect("a Service").spec;
        spec.addresses().iter().any(|own| own.parse() == Ok(address))
    };
    let Some(service) = services.iter().find(has_address) else { return false };
    slices.iter().filter(|slice| service_of_slice(slice) == Some(service.key())).any(|slice| {
        let slice = EndpointSlice::read(slice).expect("a slice");
        !slice.ports.is_empty() && slice.endpoints.iter().any(|endpoint| endpoint.is_ready())
    })
}

/// Does what `portolan services migrate --apply` does for the import of a member.
async fn migrate(member: &Plane) {
    let objects = MemberObjects {
        set: Some("prod".to_owned()),
        id: None,
        imports: vec![member.get(IMPORT, SERVE).await.expect("an import")],
        services: list(member, resources::SERVICE.into()).await,
        slices: list(member, resources::ENDPOINT_SLICE.into()).await,
    };
    let exported = BTreeSet::from([ObjectKey::namespaced("default", "serve")]);
    let found = migrations(&objects, &exported);
    let steps = found.first().expect("a migration").steps.as_ref().expect("it can be migrated");
    let marked =
        |marks: &Marks| json!({ "metadata": { "labels": marks.labels, "annotations": marks.annotations } });
    for step in steps {
        match step {
            Step::MarkService(key, marks) => {
                drop(member.patch(SERVICE, &key.to_string(), marked(marks)).await)
            }
            Step::MarkImport(key, marks) => drop(member.patch(IMPORT, &key.to_string(), marked(marks)).await),
            Step::DeleteSlice(key) => panic!("{key} is the control plane's own"),
        }
    }
}

fn multi_cluster_service(consumers: &[&str]) -> Value {
    let consumers: Vec<Value> = consumers.iter().map(|name| json!({ "name": name })).collect();
    json!({ "apiVersion": "networking.karmada.io/v1alpha1", "kind": "MultiClusterService",
        "metadata": { "namespace": "default", "name": "serve" },
        "spec": { "types": ["CrossCluster"], "providerClusters": [{ "name": "eu" }], "consumerClusters": consumers } })
}

/// Three members with the kinds of the Multi-Cluster Services API. The Service runs in `eu`, and is exported.
async fn serving() -> Federation {
    let federation = Federation::start(&MEMBERS).await;
    for name in ["serviceexports.multicluster.x-k8s.io", "serviceimports.multicluster.x-k8s.io"] {
        let definition = portolan_api::crd::all().into_iter().find(|crd| crd["metadata"]["name"] == name);
        for member in MEMBERS {
            federation.member(member).define(definition.clone().expect("an MCS definition")).await;
        }
    }
    for member in MEMBERS {
        let serves =
            |cluster: &Object| cluster.0["status"]["apiEnablements"].to_string().contains("ServiceImport");
        federation.hub.when(CLUSTER, member, serves).await;
    }
    let service = json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "namespace": "default", "name": "serve" },
        "spec": { "selector": { "app": "serve" }, "ports": [{ "name": "http", "port": 80, "targetPort": 8080 }] } });
    federation.hub.create(service).await;
    federation.hub.create(multi_cluster_service(&["eu"])).await;
    let eu = federation.member("eu");
    eu.when_there(SERVICE, SERVE).await;
    eu.create(slice("10.10.0.5")).await;
    eu.create(json!({ "apiVersion": "multicluster.x-k8s.io/v1beta1", "kind": "ServiceExport",
        "metadata": { "namespace": "default", "name": "serve" } }))
        .await;
    federation
}

/// Changes the endpoint, and waits until every consumer has the change under each of its names.
async fn move_endpoint(federation: &Federation, address: &str, slices: &[String]) {
    let change = json!({ "endpoints": [{ "addresses": [address], "conditions": { "ready": true } }] });
    federation.member("eu").patch(SLICE, "default/serve-1", change).await;
    for member in ["us", "asia"] {
        for slice in slices {
            let has_it = |slice: &Object| slice.0["endpoints"][0]["addresses"] == json!([address]);
            federation.member(member).when(SLICE, slice, has_it).await;
        }
    }
}

/// Names of the slices in a consumer, by the form of the service.
struct Slices {
    explicit: String,
    native: String,
    of_set: String,
}

/// The consumers import the service: a derived Service, to which the name in the zone of the cluster set leads too.
async fn to_the_derived_service(federation: &Federation, consumers: [&Names; 2], slices: &Slices) {
    for member in ["us", "asia"] {
        let import = json!({ "apiVersion": "multicluster.x-k8s.io/v1alpha1", "kind": "ServiceImport",
            "metadata": { "namespace": "default", "name": "serve" },
            "spec": { "type": "ClusterSetIP", "ports": [{ "name": "http", "port": 80, "protocol": "TCP" }] } });
        federation.member(member).create(import).await;
        federation.member(member).when_there(SLICE, &slices.explicit).await;
    }
    for consumer in consumers {
        consumer.use_name(DERIVED_NAME).await;
        consumer.use_name(SET_NAME).await;
    }
    move_endpoint(federation, "10.10.0.6", std::slice::from_ref(&slices.explicit)).await;
    tokio::time::sleep(PHASE).await;
}

/// The service has its own name in the consumers, beside the others.
async fn to_its_own_name(federation: &Federation, consumers: [&Names; 2], slices: &Slices) {
    let named = json!({ "spec": { "consumerClusters": [{ "name": "us" }, { "name": "asia" }] } });
    federation.hub.patch(MCS, SERVE, named).await;
    for (member, consumer) in ["us", "asia"].into_iter().zip(consumers) {
        federation.member(member).when_there(SERVICE, SERVE).await;
        federation.member(member).when_there(SLICE, &slices.native).await;
        consumer.use_name(NATIVE_NAME).await;
    }
    move_endpoint(federation, "10.10.0.7", &[slices.explicit.clone(), slices.native.clone()]).await;
    tokio::time::sleep(PHASE).await;
}

/// The members form a cluster set, which keeps the derived Services with their addresses.
async fn to_the_cluster_set(federation: &Federation, consumers: [&Names; 2], slices: &Slices) {
    let before = consumers.map(|consumer| consumer.addresses(SET_NAME));
    federation.hub.create(set(&[("eu", ""), ("us", ""), ("asia", "")])).await;
    federation.hub.when(SET, "prod", |set| set.0["status"]["joined"] == "3/3").await;
    for member in ["us", "asia"] {
        let plane = federation.member(member);
        migrate(plane).await;
        plane.when_there(SLICE, &slices.of_set).await;
        plane.when_gone(SLICE, &slices.explicit).await;
        let is_taken = |import: &Object| is_import_of_set(import) && condition(import, "Ready") == "True";
        plane.when(IMPORT, SERVE, is_taken).await;
    }
    assert_eq!(consumers.map(|consumer| consumer.addresses(SET_NAME)), before, "the addresses stay");
    move_endpoint(federation, "10.10.0.8", &[slices.of_set.clone(), slices.native.clone()]).await;
    tokio::time::sleep(PHASE).await;
}

/// The consumers use the name of the cluster set only, and the MultiClusterService goes.
async fn away_from_the_other_names(federation: &Federation, consumers: [&Names; 2], slices: &Slices) {
    for consumer in consumers {
        consumer.used.lock().retain(|name| *name == SET_NAME);
    }
    federation.hub.delete(MCS, SERVE).await;
    for member in ["us", "asia"] {
        federation.member(member).when_gone(SLICE, &slices.native).await;
    }
    move_endpoint(federation, "10.10.0.9", std::slice::from_ref(&slices.of_set)).await;
    tokio::time::sleep(PHASE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn consumers_move_from_form_to_form_without_a_wrong_or_failed_answer() {
    let federation = serving().await;
    let scope = Shutdown::new();
    let names = MEMBERS.map(|member| {
        let names = Arc::new(Names::default());
        let plane = federation.member(member);
        let zones = [Zone::new(ZoneKind::ClusterSet), Zone::new(ZoneKind::Cluster)];
        Follower::start(&Caches::new(&plane.client, &scope), &zones, &names, &Clock::system(), &scope);
        names
    });
    let [in_eu, in_us, in_asia] = &names;
    let consumers: [&Names; 2] = [in_us, in_asia];
    let slices = Slices {
        explicit: "default/imported-eu-serve-1".to_owned(),
        native: "default/eu-serve-1".to_owned(),
        of_set: format!(
            "default/{}",
            portolan_api::names::endpoint_slice_of_set("serve", "eu", "serve-1", 0)
        ),
    };
    in_eu.use_name(NATIVE_NAME).await;
    let walk = async {
        to_the_derived_service(&federation, consumers, &slices).await;
        to_its_own_name(&federation, consumers, &slices).await;
        to_the_cluster_set(&federation, consumers, &slices).await;
        in_eu.use_name(SET_NAME).await;
        away_from_the_other_names(&federation, consumers, &slices).await;
        names.iter().for_each(|one| one.is_over.store(true, Ordering::SeqCst));
    };
    let (eu, us, asia) = (federation.member("eu"), federation.member("us"), federation.member("asia"));
    let (asked_eu, asked_us, asked_asia, ()) =
        tokio::join!(ask("eu", eu, in_eu), ask("us", us, in_us), ask("asia", asia, in_asia), walk);
    for (member, asked, names) in
        [("eu", asked_eu, in_eu), ("us", asked_us, in_us), ("asia", asked_asia, in_asia)]
    {
        let failures = names.failures.lock().clone();
        assert!(failures.is_empty(), "{member}, {asked} questions: {failures:?}");
        assert!(asked > 50, "{member} was asked {asked} times only");
    }
    assert!(eu.get(EXPORT, SERVE).await.is_some());
    scope.request();
}
