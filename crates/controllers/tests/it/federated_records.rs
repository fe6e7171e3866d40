//! Records of federated Services at a real DNS server, through outages of zones and clusters.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::Request;
use http_body_util::BodyExt;
use portolan_apiserver::LocalService;
use portolan_object::Object;
use portolan_runtime::Client;
use portolan_runtime::client::{Body, BoxError};
use serde_json::{Value, json};
use tower::{Service as _, service_fn};

use crate::bind::{Bind, SECRET, is_left_out};
use crate::federation::{CLUSTER, Federation, condition, message};

const FEDERATION: &str = "portolan.dev/v1alpha1/Federation";
const SERVICE: &str = "v1/Service";
const SLICE: &str = "discovery.k8s.io/v1/EndpointSlice";
const NGINX: &str = "myns/nginx";

const GLOBAL: &str = "nginx.myns.myfed.svc.example.com";
const REGION_US: &str = "nginx.myns.myfed.svc.us-central1.example.com";
const REGION_EU: &str = "nginx.myns.myfed.svc.europe-west1.example.com";
const ZONE_A: &str = "nginx.myns.myfed.svc.us-central1-a.us-central1.example.com";
const ZONE_B: &str = "nginx.myns.myfed.svc.us-central1-b.us-central1.example.com";
const ZONE_EU: &str = "nginx.myns.myfed.svc.europe-west1-b.europe-west1.example.com";

/// A client of a member. Requests fail while `cut` is true.
fn cuttable(server: LocalService, cut: Arc<AtomicBool>) -> Client {
    Client::in_process(service_fn(move |request: Request<Body>| {
        let answer = (!cut.load(Ordering::SeqCst)).then(|| server.clone().call(request));
        async move {
            let Some(answer) = answer else { return Err(BoxError::from("the network is cut")) };
            let answer = answer.await.map_err(|never| match never {})?;
            Ok::<_, BoxError>(answer.map(BodyExt::boxed_unsync))
        }
    }))
}

/// Three clusters in three zones of two regions, as in the scenarios of Federation v1.
struct World {
    set: Federation,
    bind: Bind,
    cuts: [Arc<AtomicBool>; 3],
    /// Listens at the load balancer of the cluster `c2`.
    _balancer: TcpListener,
}

const CLUSTERS: [(&str, &str, &str, &str); 3] = [
    ("c1", "us-central1", "us-central1-a", "127.0.0.11"),
    ("c2", "us-central1", "us-central1-b", "127.0.0.12"),
    ("c3", "europe-west1", "europe-west1-b", "127.0.0.13"),
];

impl World {
    async fn start() -> Self {
        let bind = Bind::start();
        let mut set = Federation::start(&[]).await;
        let cuts: [Arc<AtomicBool>; 3] = Default::default();
        for ((name, region, zone, _), cut) in CLUSTERS.into_iter().zip(&cuts) {
            let cut = cut.clone();
            set.join_behind(name, |server| cuttable(server, cut)).await;
            set.is_ready(name).await;
            set.hub.patch(CLUSTER, name, json!({ "spec": { "region": region, "zones": [zone] } })).await;
        }
        let balancer = TcpListener::bind("127.0.0.12:0").expect("a load balancer");
        let port = balancer.local_addr().expect("an address").port();
        set.hub
            .create(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "myns" } }))
            .await;
        set.hub.when_there("v1/Namespace", "karmada-system").await;
        set.hub
            .create(json!({ "apiVersion": "v1", "kind": "Secret", "stringData": { "secret": SECRET },
                "metadata": { "namespace": "karmada-system", "name": "bind" } }))
            .await;
        set.hub.create(federation(&bind, "bind")).await;
        set.hub
            .create(json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "namespace": "myns", "name": "nginx" },
                "spec": { "type": "LoadBalancer", "selector": { "run": "nginx" }, "ports": [{ "port": port }] } }))
            .await;
        for (name, _, _, address) in CLUSTERS {
            let member = set.member(name);
            member.when_there(SERVICE, NGINX).await;
            member.create(slice(true)).await;
            let ingress = json!({ "status": { "loadBalancer": { "ingress": [{ "ip": address }] } } });
            member.patch_status(SERVICE, NGINX, ingress).await;
        }
        Self { set, bind, cuts, _balancer: balancer }
    }

    /// Makes the endpoints of a cluster ready or not.
    async fn is_healthy(&self, cluster: &str, ready: bool) {
        let endpoints = slice(ready)["endpoints"].clone();
        self.set.member(cluster).patch(SLICE, "myns/nginx-1", json!({ "endpoints": endpoints })).await;
    }
}

fn federation(bind: &Bind, secret: &str) -> Value {
    let provider = json!({ "rfc2136": { "server": bind.server(),
        "tsig": { "keyName": "portolan", "secretRef": { "name": secret } } } });
    json!({ "apiVersion": "portolan.dev/v1alpha1", "kind": "Federation", "metadata": { "name": "myfed" },
        "spec": { "dns": { "deadAfterSeconds": 1, "zones": [{ "domain": "example.com", "provider": provider }] } } })
}

fn slice(ready: bool) -> Value {
    json!({ "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": { "namespace": "myns", "name": "nginx-1", "labels": { "kubernetes.io/service-name": "nginx" } },
        "endpoints": [{ "addresses": ["10.0.0.1"], "conditions": { "ready": ready } }] })
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_find_a_healthy_shard_through_outages_of_zones_and_clusters() {
    if is_left_out() {
        return;
    }
    let world = World::start().await;
    let bind = &world.bind;
    let all = [
        (GLOBAL, vec!["127.0.0.11", "127.0.0.12", "127.0.0.13"]),
        (REGION_US, vec!["127.0.0.11", "127.0.0.12"]),
        (REGION_EU, vec!["127.0.0.13"]),
        (ZONE_A, vec!["127.0.0.11"]),
        (ZONE_B, vec!["127.0.0.12"]),
        (ZONE_EU, vec!["127.0.0.13"]),
    ];
    for (name, want) in &all {
        bind.when(name, want);
    }
    let is_published = |federation: &Object| condition(federation, "RecordsPublished") == "True";
    world.set.hub.when(FEDERATION, "myfed", is_published).await;

    // An outage of a zone: its name leads to the region.
    world.is_healthy("c1", false).await;
    bind.when(ZONE_A, &["127.0.0.12", &format!("{REGION_US}.")]);
    bind.when(GLOBAL, &["127.0.0.12", "127.0.0.13"]);
    world.is_healthy("c1", true).await;
    bind.when(ZONE_A, &["127.0.0.11"]);

    // The hub sees two clusters no more. The one with a load balancer that answers stays; of the other, the zone leads to
    // the region, and that to all shards.
    world.cuts[1].store(true, Ordering::SeqCst);
    world.set.hub.when(CLUSTER, "c2", |cluster| condition(cluster, "Ready") != "True").await;
    world.cuts[2].store(true, Ordering::SeqCst);
    bind.when(GLOBAL, &["127.0.0.11", "127.0.0.12"]);
    let mut chain =
        ["127.0.0.11".to_owned(), "127.0.0.12".to_owned(), format!("{REGION_EU}."), format!("{GLOBAL}.")];
    chain.sort();
    bind.when(ZONE_EU, &chain.each_ref().map(String::as_str));
    for cut in &world.cuts {
        cut.store(false, Ordering::SeqCst);
    }
    for (name, want) in &all {
        bind.when(name, want);
    }

    // With the federation go its records. What it put into the clusters stays, and so do the records of others.
    world.set.hub.delete(FEDERATION, "myfed").await;
    world.set.hub.when_gone(FEDERATION, "myfed").await;
    for (name, _) in &all {
        bind.when(name, &[]);
    }
    bind.when("www.example.com", &["192.0.2.80"]);
    world.set.member("c1").when_there(SERVICE, NGINX).await;

    // A Service without a load balancer has no names.
    world.set.hub.create(federation(bind, "bind")).await;
    for (name, want) in &all {
        bind.when(name, want);
    }
    world.set.hub.patch(SERVICE, NGINX, json!({ "spec": { "type": "ClusterIP" } })).await;
    for (name, _) in &all {
        bind.when(name, &[]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_published_is_said_with_its_cure() {
    if is_left_out() {
        return;
    }
    let bind = Bind::start();
    let set = Federation::start(&["c1"]).await;
    set.hub.create(federation(&bind, "missing")).await;
    let says = |text: &'static str| {
        move |federation: &Object| message(federation, "RecordsPublished").contains(text)
    };
    set.hub.when(FEDERATION, "myfed", says("the Secret karmada-system/missing does not exist")).await;
    // A deletion waits for the records only while there may be some.
    set.hub.delete(FEDERATION, "myfed").await;
    set.hub.when_there("v1/Namespace", "karmada-system").await;
    set.hub
        .create(json!({ "apiVersion": "v1", "kind": "Secret", "stringData": { "secret": SECRET },
            "metadata": { "namespace": "karmada-system", "name": "missing" } }))
        .await;
    set.hub.when_gone(FEDERATION, "myfed").await;
    let mut elsewhere = federation(&bind, "missing");
    elsewhere["spec"]["dns"]["zones"][0]["domain"] = json!("example.org");
    set.hub.create(elsewhere).await;
    set.hub.when(FEDERATION, "myfed", says("create it there, or correct the name of the zone")).await;
}

const ENDPOINT: &str = "externaldns.k8s.io/v1alpha1/DNSEndpoint";

/// One cluster with a healthy shard of the Service, and a Federation with these zones.
async fn one_cluster(zones: Value) -> Federation {
    let set = Federation::start(&["c1"]).await;
    let place = json!({ "spec": { "region": "us-central1", "zones": ["us-central1-a"] } });
    set.hub.patch(CLUSTER, "c1", place).await;
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "myns" } });
    set.hub.create(namespace).await;
    set.hub.when_there("v1/Namespace", "karmada-system").await;
    set.hub
        .create(json!({ "apiVersion": "portolan.dev/v1alpha1", "kind": "Federation",
            "metadata": { "name": "myfed" }, "spec": { "dns": { "zones": zones } } }))
        .await;
    set.hub
        .create(json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "namespace": "myns", "name": "nginx" },
            "spec": { "type": "LoadBalancer", "selector": { "run": "nginx" }, "ports": [{ "port": 80 }] } }))
        .await;
    let member = set.member("c1");
    member.when_there(SERVICE, NGINX).await;
    member.create(slice(true)).await;
    let ingress = json!({ "status": { "loadBalancer": { "ingress": [{ "ip": "192.0.2.11" }] } } });
    member.patch_status(SERVICE, NGINX, ingress).await;
    set
}

fn endpoint(name: &str) -> String {
    format!("karmada-system/{name}")
}

fn leads_to(kind: &'static str, target: &'static str) -> impl Fn(&Object) -> bool {
    move |object| {
        let endpoints = &object.0["spec"]["endpoints"];
        endpoints[0]["recordType"] == kind
            && endpoints[0]["targets"] == json!([target])
            && endpoints[1].is_null()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_external_dns_gets_the_names_as_dns_endpoints() {
    let set = one_cluster(json!([{ "domain": "example.com", "provider": { "externalDNS": {} } }])).await;
    let theirs = json!({ "apiVersion": "externaldns.k8s.io/v1alpha1", "kind": "DNSEndpoint",
        "metadata": { "namespace": "karmada-system", "name": "www.example.com" },
        "spec": { "endpoints": [{ "dnsName": "www.example.com", "recordType": "A", "targets": ["192.0.2.80"] }] } });
    set.hub.create(theirs).await;
    set.hub.when(ENDPOINT, &endpoint(GLOBAL), leads_to("A", "192.0.2.11")).await;
    set.hub.when(ENDPOINT, &endpoint(ZONE_A), leads_to("A", "192.0.2.11")).await;
    let is_published = |federation: &Object| condition(federation, "RecordsPublished") == "True";
    set.hub.when(FEDERATION, "myfed", is_published).await;

    let endpoints = slice(false)["endpoints"].clone();
    set.member("c1").patch(SLICE, "myns/nginx-1", json!({ "endpoints": endpoints })).await;
    set.hub.when_gone(ENDPOINT, &endpoint(GLOBAL)).await;
    set.hub.when(ENDPOINT, &endpoint(ZONE_A), leads_to("CNAME", REGION_US)).await;

    set.hub.delete(FEDERATION, "myfed").await;
    set.hub.when_gone(FEDERATION, "myfed").await;
    assert!(set.hub.get(ENDPOINT, &endpoint(ZONE_A)).await.is_none(), "deleted before the Federation");
    assert!(set.hub.get(ENDPOINT, &endpoint("www.example.com")).await.is_some(), "not the Federation's");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_does_not_answer_holds_up_no_other_zone() {
    // It accepts connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a server");
    let server = silent.local_addr().expect("an address").to_string();
    let set = one_cluster(json!([
        { "domain": "example.net", "provider": { "rfc2136": { "server": server } } },
        { "domain": "example.org", "provider": { "rfc2136": { "server": "127.0.0.1:1" } } },
        { "domain": "example.com", "provider": { "externalDNS": {} } },
    ]))
    .await;
    let done = async {
        set.hub.when(ENDPOINT, &endpoint(GLOBAL), leads_to("A", "192.0.2.11")).await;
        let ingress = json!({ "status": { "loadBalancer": { "ingress": [{ "ip": "192.0.2.12" }] } } });
        set.member("c1").patch_status(SERVICE, NGINX, ingress).await;
        set.hub.when(ENDPOINT, &endpoint(GLOBAL), leads_to("A", "192.0.2.12")).await;
    };
    let within = std::time::Duration::from_secs(25);
    tokio::time::timeout(within, done).await.expect("less than five attempts of 10 s at the silent server");
    let says = |federation: &Object| {
        let message = message(federation, "RecordsPublished");
        message.contains("zone example.net: it has not answered yet")
            && message.contains("zone example.org: cannot reach 127.0.0.1:1")
    };
    set.hub.when(FEDERATION, "myfed", says).await;
}
