//! Endpoints of a dead cluster leave the others; those of a cluster that only the control plane cannot see stay.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use portolan_api::conditions::multicluster::EXPORTERS_USED;
use portolan_net::Clock;
use portolan_object::Object;
use portolan_object::time::format_micro_time;
use serde_json::{Value, json};

use crate::cluster_sets::{EXPORT, IMPORT, SERVE, SET, serve, set, slice, through_a_link};
use crate::federation::{CLUSTER, Federation, Plane, condition, message};

const LEASE: &str = "coordination.k8s.io/v1/Lease";
const AGENT: &str = "kube-system/portolan-agent-test";

/// The members `eu`, behind a link that can be cut, and `us` and `asia`, in one set; `eu` and `us` export the service.
async fn exporting(is_cut: &Arc<AtomicBool>) -> Federation {
    let mut federation = Federation::start(&["us", "asia"]).await;
    federation.join_behind("eu", |server| through_a_link(server, is_cut.clone())).await;
    federation.hub.create(set(&[("eu", ""), ("us", ""), ("asia", "")])).await;
    federation.hub.when(SET, "prod", |set| set.0["status"]["joined"] == "3/3").await;
    for (member, address) in [("eu", "10.10.0.5"), ("us", "10.20.0.5")] {
        serve(federation.member(member), address).await;
    }
    for importer in ["us", "asia"] {
        when_ready(federation.member(importer), true).await;
    }
    federation
}

/// Waits until the endpoint of `eu` is ready in a member, or is not.
async fn when_ready(importer: &Plane, wanted: bool) -> Object {
    let name = portolan_api::names::endpoint_slice_of_set("serve", "eu", "serve-1", 0);
    let is_ready = |slice: &Object| slice.0["endpoints"][0]["conditions"]["ready"] == json!(wanted);
    importer.when("discovery.k8s.io/v1/EndpointSlice", &format!("default/{name}"), is_ready).await
}

/// Restarts the control plane, and waits until a new endpoint of `us` is in `asia`.
async fn restart(federation: &Federation) {
    federation.stop_controllers().await;
    federation.run_controllers();
    let mut other = slice("10.20.0.6");
    other["metadata"]["name"] = json!("serve-2");
    federation.member("us").create(other).await;
    let name = portolan_api::names::endpoint_slice_of_set("serve", "us", "serve-2", 0);
    let asia = federation.member("asia");
    asia.when_there("discovery.k8s.io/v1/EndpointSlice", &format!("default/{name}")).await;
}

/// An agent in a member that says how it sees `eu`.
struct Agent;

impl Agent {
    async fn start(member: &Plane) -> Self {
        let lease = json!({ "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": { "namespace": "kube-system", "name": "portolan-agent-test", "labels": { "portolan.dev/agent": "true" } },
            "spec": { "renewTime": format_micro_time(Clock::system().now()) } });
        member.create(lease).await;
        Self
    }

    /// Renews the Lease with what is seen of `eu`.
    async fn see(&self, member: &Plane, sight: &str) {
        self.tell(member, json!({ "cluster": "eu", "sight": sight })).await;
    }

    /// The same, for a cluster that answers, with how the HTTP probe of the service goes there.
    async fn see_service(&self, member: &Plane, is_failing: bool) {
        let service = json!({ "namespace": "default", "name": "serve", "isFailing": is_failing });
        self.tell(member, json!({ "cluster": "eu", "sight": "Answering", "services": [service] })).await;
    }

    async fn tell(&self, member: &Plane, source: Value) {
        let report = json!({ "sources": [source] }).to_string();
        let renewed: Value = json!({ "metadata": { "annotations": { "portolan.dev/probes": report } },
            "spec": { "renewTime": format_micro_time(Clock::system().now()) } });
        member.patch(LEASE, AGENT, renewed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_cluster_leaves_and_comes_back_and_a_cut_link_changes_nothing() {
    let is_cut = Arc::new(AtomicBool::new(false));
    let federation = exporting(&is_cut).await;
    let (us, asia, hub) = (federation.member("us"), federation.member("asia"), &federation.hub);
    let agent = Agent::start(us).await;
    agent.see(us, "Answering").await;

    // The link of the control plane is cut, and the endpoints answer.
    is_cut.store(true, Ordering::SeqCst);
    hub.when(CLUSTER, "eu", |cluster| condition(cluster, "Ready") == "False").await;
    for _ in 0..10 {
        agent.see(us, "Answering").await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        when_ready(us, true).await;
    }

    // Now they do not answer either: the cluster is dead, also for a member without an agent.
    agent.see(us, "Silent").await;
    when_ready(us, false).await;
    when_ready(asia, false).await;
    let import = us.when(IMPORT, SERVE, |import| condition(import, EXPORTERS_USED) == "False").await;
    assert!(message(&import, EXPORTERS_USED).starts_with("eu is withdrawn (since 2"), "{import:?}");

    // A control plane that starts while the cluster is dead leaves it out.
    restart(&federation).await;
    when_ready(us, false).await;
    when_ready(asia, false).await;

    // It is back: first its endpoints, then its API server.
    agent.see(us, "Answering").await;
    when_ready(us, true).await;
    when_ready(asia, true).await;
    us.when(IMPORT, SERVE, |import| condition(import, EXPORTERS_USED) == "True").await;
    is_cut.store(false, Ordering::SeqCst);
    hub.when(CLUSTER, "eu", |cluster| condition(cluster, "Ready") == "True").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_that_one_cluster_cannot_reach_stay_in_the_others_and_the_exporter_is_told() {
    let is_cut = Arc::new(AtomicBool::new(false));
    let federation = exporting(&is_cut).await;
    let (us, asia) = (federation.member("us"), federation.member("asia"));
    let agent = Agent::start(us).await;
    let unreachable = async {
        loop {
            agent.see(us, "Silent").await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        () = unreachable => {}
        _ = when_ready(us, false) => {}
    }
    when_ready(asia, true).await;
    let told = federation
        .member("eu")
        .when(EXPORT, SERVE, |export| message(export, "Ready").contains("withdrawn there"))
        .await;
    assert_eq!(condition(&told, "Ready"), "True");
    assert!(message(&told, "Ready").contains("cluster us: "), "{}", message(&told, "Ready"));
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_that_fail_their_http_probe_are_not_used_where_it_fails() {
    let federation = exporting(&Arc::new(AtomicBool::new(false))).await;
    let (us, asia, hub) = (federation.member("us"), federation.member("asia"), &federation.hub);
    hub.create(json!({ "apiVersion": "portolan.dev/v1alpha1", "kind": "TrafficPolicy",
        "metadata": { "namespace": "default", "name": "probe" },
        "spec": { "services": ["serve"], "httpProbe": { "path": "/healthz" } } }))
        .await;
    let name = portolan_api::names::endpoint_slice_of_set("serve", "eu", "serve-1", 0);
    let is_probed = |slice: &Object| slice.annotation("portolan.dev/http-probe").is_some();
    us.when("discovery.k8s.io/v1/EndpointSlice", &format!("default/{name}"), is_probed).await;

    let agent = Agent::start(us).await;
    agent.see_service(us, false).await;
    agent.see_service(us, true).await;
    when_ready(us, false).await;
    when_ready(asia, true).await;
    let import = us.when(IMPORT, SERVE, |import| condition(import, EXPORTERS_USED) == "False").await;
    let said = message(&import, EXPORTERS_USED);
    assert!(said.contains("none of its endpoints answers the HTTP probe with success"), "{said}");

    // A control plane that starts meanwhile leaves them out.
    restart(&federation).await;
    when_ready(us, false).await;

    agent.see_service(us, true).await;
    agent.see_service(us, false).await;
    when_ready(us, true).await;
    hub.delete("portolan.dev/v1alpha1/TrafficPolicy", "default/probe").await;
    let name = portolan_api::names::endpoint_slice_of_set("serve", "eu", "serve-1", 0);
    us.when("discovery.k8s.io/v1/EndpointSlice", &format!("default/{name}"), |slice| !is_probed(slice)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_endpoints_of_a_service_stay_in_use() {
    let is_cut = Arc::new(AtomicBool::new(false));
    let federation = exporting(&is_cut).await;
    let us = federation.member("us");
    us.delete(EXPORT, SERVE).await;
    let agent = Agent::start(us).await;
    is_cut.store(true, Ordering::SeqCst);
    federation.hub.when(CLUSTER, "eu", |cluster| condition(cluster, "Ready") == "False").await;
    agent.see(us, "Silent").await;
    let import = us.when(IMPORT, SERVE, |import| condition(import, EXPORTERS_USED) == "False").await;
    assert!(message(&import, EXPORTERS_USED).starts_with("eu stays in use, because"), "{import:?}");
    when_ready(us, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_cluster_keeps_its_connections_and_gets_no_new_ones() {
    let is_cut = Arc::new(AtomicBool::new(false));
    let federation = exporting(&is_cut).await;
    let (us, hub) = (federation.member("us"), &federation.hub);
    let drained =
        |since: Value| json!({ "metadata": { "annotations": { "portolan.dev/drained-since": since } } });
    hub.patch(CLUSTER, "eu", drained(json!("2026-01-01T00:00:00Z"))).await;
    let slice = when_ready(us, false).await;
    let conditions = &slice.0["endpoints"][0]["conditions"];
    assert_eq!(*conditions, json!({ "ready": false, "serving": true, "terminating": true }));
    let import = us.when(IMPORT, SERVE, |import| condition(import, EXPORTERS_USED) == "False").await;
    let said = message(&import, EXPORTERS_USED);
    assert!(said.starts_with("eu is drained (since 2026-01-01T00:00:00Z)"), "{said}");
    hub.patch(CLUSTER, "eu", drained(Value::Null)).await;
    when_ready(us, true).await;

    // The same for one service.
    let policy = json!({ "apiVersion": "portolan.dev/v1alpha1", "kind": "TrafficPolicy",
        "metadata": { "namespace": "default", "name": "drain-serve" },
        "spec": { "services": ["serve"], "drainedClusters": ["eu"] } });
    hub.create(policy).await;
    when_ready(us, false).await;
    hub.delete("portolan.dev/v1alpha1/TrafficPolicy", "default/drain-serve").await;
    when_ready(us, true).await;
}
