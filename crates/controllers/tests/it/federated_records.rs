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
        for namespace in ["karmada-system", "myns"] {
            if set.hub.get("v1/Namespace", namespace).await.is_none() {
                let namespace =
                    json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } });
                set.hub.create(namespace).await;
            }
        }
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
    if set.hub.get("v1/Namespace", "karmada-system").await.is_none() {
        let namespace =
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "karmada-system" } });
        set.hub.create(namespace).await;
    }
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
