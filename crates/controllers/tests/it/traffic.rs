//! TrafficPolicies: boundaries that hold, the nearest endpoints first, weights, and clusters that do not see a service.

use std::time::Duration;

use portolan_api::conditions::multicluster::EXPORTERS_USED;
use portolan_api::labels::endpoint_slice::SOURCE_CLUSTER;
use portolan_api::resources;
use portolan_object::Object;
use portolan_runtime::Resource;
use portolan_runtime::client::Selection;
use serde_json::{Value, json};

use crate::cluster_sets::{EXPORT, IMPORT, SERVE, SET, serve, set};
use crate::federation::{CLUSTER, Federation, Plane, condition, message};

const SLICE: &str = "discovery.k8s.io/v1/EndpointSlice";
const POLICY: &str = "portolan.dev/v1alpha1/TrafficPolicy";

/// The members `eu`, `eu2` and `us` in one set, each with a region; `eu2` and `us` export the service.
async fn exporting() -> Federation {
    let federation = Federation::start(&["eu", "eu2", "us"]).await;
    for (member, region) in [("eu", "eu"), ("eu2", "eu"), ("us", "us")] {
        federation.hub.patch(CLUSTER, member, json!({ "spec": { "region": region } })).await;
    }
    federation.hub.create(set(&[("eu", ""), ("eu2", "second"), ("us", "")])).await;
    federation.hub.when(SET, "prod", |set| set.0["status"]["joined"] == "3/3").await;
    for (member, address) in [("eu2", "10.10.0.5"), ("us", "10.20.0.5")] {
        serve(federation.member(member), address).await;
    }
    for source in ["second", "us"] {
        when_ready(federation.member("eu"), source, true).await;
    }
    federation
}

fn name_of(source: &str) -> String {
    let name = portolan_api::names::endpoint_slice_of_set("serve", source, "serve-1", 0);
    format!("default/{name}")
}

/// Waits until the endpoint of an exporter is ready in a member, or is not.
async fn when_ready(importer: &Plane, source: &str, wanted: bool) -> Object {
    let is_ready = |slice: &Object| slice.0["endpoints"][0]["conditions"]["ready"] == json!(wanted);
    importer.when(SLICE, &name_of(source), is_ready).await
}

/// The exporters of the EndpointSlices in a member.
async fn sources(member: &Plane) -> Vec<String> {
    let slices = member.client.resource::<Object>(&Resource::from(resources::ENDPOINT_SLICE));
    let listed = slices.list(&Selection::all()).await.expect("a list").items;
    listed.iter().filter_map(|seen| seen.object.label(SOURCE_CLUSTER).map(str::to_owned)).collect()
}

fn policy(spec: &Value) -> Value {
    json!({ "apiVersion": "portolan.dev/v1alpha1", "kind": "TrafficPolicy",
        "metadata": { "namespace": "default", "name": "serve" }, "spec": spec })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_boundary_keeps_endpoints_of_other_regions_away_even_if_no_others_are_ready() {
    let federation = exporting().await;
    let (eu, us, hub) = (federation.member("eu"), federation.member("us"), &federation.hub);
    hub.create(policy(&json!({ "boundary": { "within": "Region" } }))).await;
    eu.when_gone(SLICE, &name_of("us")).await;
    us.when_gone(SLICE, &name_of("second")).await;
    when_ready(eu, "second", true).await;
    when_ready(us, "us", true).await;
    let import = eu.when(IMPORT, SERVE, |import| condition(import, EXPORTERS_USED) == "True").await;
    assert_eq!(message(&import, EXPORTERS_USED), "us is outside the boundary of TrafficPolicy serve");

    // The cluster inside has no endpoint any more: nothing outside takes its place.
    federation.member("eu2").delete(EXPORT, SERVE).await;
    let import = eu.when(IMPORT, SERVE, |import| condition(import, EXPORTERS_USED) == "False").await;
    assert_eq!(message(&import, EXPORTERS_USED), "us is outside the boundary of TrafficPolicy serve");
    eu.when_gone(SLICE, &name_of("second")).await;
    assert!(sources(eu).await.is_empty());
    // A cluster that moves is inside from then on.
    hub.patch(CLUSTER, "us", json!({ "spec": { "region": "eu" } })).await;
    when_ready(eu, "us", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_nearest_cluster_serves_until_its_endpoints_are_not_ready() {
    let federation = exporting().await;
    let (eu, hub) = (federation.member("eu"), &federation.hub);
    hub.create(policy(
        &json!({ "nearness": { "tiers": [{ "within": "Cluster" }, { "within": "Region" }] } }),
    ))
    .await;
    let far = when_ready(eu, "us", false).await;
    let conditions = &far.0["endpoints"][0]["conditions"];
    assert_eq!(
        *conditions,
        json!({ "ready": false, "serving": true, "terminating": true }),
        "connections go on"
    );
    // A client in us has its own endpoint nearer.
    when_ready(federation.member("us"), "second", false).await;
    when_ready(federation.member("us"), "us", true).await;
    let not_ready =
        json!({ "endpoints": [{ "addresses": ["10.10.0.5"], "conditions": { "ready": false } }] });
    federation.member("eu2").patch(SLICE, "default/serve-1", not_ready).await;
    when_ready(eu, "us", true).await;
    let ready = json!({ "endpoints": [{ "addresses": ["10.10.0.5"], "conditions": { "ready": true } }] });
    federation.member("eu2").patch(SLICE, "default/serve-1", ready).await;
    when_ready(eu, "us", false).await;

    hub.patch(POLICY, "default/serve", json!({ "spec": { "nearness": null, "weights": { "eu2": 0 } } }))
        .await;
    when_ready(eu, "second", false).await;
    when_ready(eu, "us", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clusters_with_the_same_property_are_near() {
    let federation = exporting().await;
    let (eu, hub) = (federation.member("eu"), &federation.hub);
    hub.create(policy(&json!({ "nearness": { "tiers": [{ "property": { "name": "ring.example.com" } }] } })))
        .await;
    let told = hub.when(POLICY, "default/serve", |policy| condition(policy, "InEffect") == "False").await;
    assert!(message(&told, "InEffect").contains("has the ClusterProperty ring.example.com"), "{told:?}");

    let ring = |value: &str| {
        json!({ "apiVersion": "about.k8s.io/v1beta1", "kind": "ClusterProperty",
            "metadata": { "name": "ring.example.com" }, "spec": { "value": value } })
    };
    for (member, value) in [("eu", "a"), ("eu2", "b"), ("us", "a")] {
        federation.member(member).create(ring(value)).await;
    }
    when_ready(eu, "second", false).await;
    when_ready(eu, "us", true).await;
    hub.when(POLICY, "default/serve", |policy| condition(policy, "InEffect") == "True").await;

    // A cluster that changes its property is near by the next one.
    let moved = json!({ "spec": { "value": "b" } });
    eu.patch("about.k8s.io/v1beta1/ClusterProperty", "ring.example.com", moved).await;
    when_ready(eu, "us", false).await;
    when_ready(eu, "second", true).await;

    // As a boundary, endpoints of other clusters are not there at all.
    let boundary = json!({ "property": { "name": "ring.example.com", "values": ["a"] } });
    hub.patch(POLICY, "default/serve", json!({ "spec": { "nearness": null, "boundary": boundary } })).await;
    eu.when_gone(SLICE, &name_of("second")).await;
    when_ready(eu, "us", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_a_service_is_not_visible_to_has_nothing_of_it() {
    let federation = exporting().await;
    let (eu, us, hub) = (federation.member("eu"), federation.member("us"), &federation.hub);
    let spec = json!({ "services": ["serve"], "visibleTo": { "clusterNames": ["eu"] } });
    hub.create(policy(&spec)).await;
    us.when_gone(IMPORT, SERVE).await;
    for source in ["second", "us"] {
        us.when_gone(SLICE, &name_of(source)).await;
    }
    when_ready(eu, "us", true).await;
    let told = us
        .when(EXPORT, SERVE, |export| message(export, "Ready").contains("visibleTo of TrafficPolicy serve"))
        .await;
    assert_eq!(condition(&told, "Ready"), "True");

    // An import of the cluster's own gets no endpoint either, and tells nothing.
    us.create(json!({ "apiVersion": "multicluster.x-k8s.io/v1beta1", "kind": "ServiceImport",
        "metadata": { "namespace": "default", "name": "serve" },
        "spec": { "type": "ClusterSetIP", "ports": [{ "port": 80, "protocol": "TCP" }] } }))
        .await;
    us.when_there("v1/Service", "default/derived-serve").await;
    // Each change of the endpoint makes a pass in every importing cluster: once eu has it, us could have it too.
    for address in ["10.10.0.6", "10.10.0.7", "10.10.0.8"] {
        let endpoints = json!([{ "addresses": [address], "conditions": { "ready": true } }]);
        federation.member("eu2").patch(SLICE, "default/serve-1", json!({ "endpoints": endpoints })).await;
        let has_it = |slice: &Object| slice.0["endpoints"][0]["addresses"] == json!([address]);
        eu.when(SLICE, &name_of("second"), has_it).await;
        for _ in 0..20 {
            assert!(sources(us).await.is_empty(), "{address}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    hub.delete(POLICY, "default/serve").await;
    us.when_there(SLICE, "default/imported-eu2-serve-1").await;
}

/// Ready endpoints of an exporter in a member.
fn ready_endpoints(slice: &Object) -> usize {
    let endpoints = slice.0["endpoints"].as_array().cloned().unwrap_or_default();
    endpoints.iter().filter(|endpoint| endpoint["conditions"]["ready"] == true).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn drained_endpoints_leave_step_by_step_and_come_back_so() {
    let federation = exporting().await;
    let (eu, hub) = (federation.member("eu"), &federation.hub);
    let endpoints: Vec<Value> = (1..=20)
        .map(|host| json!({ "addresses": [format!("10.20.1.{host}")], "conditions": { "ready": true } }))
        .collect();
    federation.member("us").patch(SLICE, "default/serve-1", json!({ "endpoints": endpoints })).await;
    eu.when(SLICE, &name_of("us"), |slice| ready_endpoints(slice) == 20).await;
    hub.create(policy(&json!({ "transitionSeconds": 4 }))).await;
    hub.when(POLICY, "default/serve", |policy| condition(policy, "InEffect") == "True").await;
    for (drained, is_return) in [(json!(["us"]), false), (json!([]), true)] {
        hub.patch(POLICY, "default/serve", json!({ "spec": { "drainedClusters": drained } })).await;
        let mut seen = vec![if is_return { 0 } else { 20 }];
        let end = if is_return { 20 } else { 0 };
        while seen.last() != Some(&end) {
            let last = seen.last().copied();
            let slice = eu.when(SLICE, &name_of("us"), |slice| Some(ready_endpoints(slice)) != last).await;
            seen.push(ready_endpoints(&slice));
        }
        let is_ordered = |pair: &[usize]| if is_return { pair[0] < pair[1] } else { pair[0] > pair[1] };
        assert!(seen.windows(2).all(is_ordered), "{seen:?}");
        assert!(seen.len() >= 4, "in steps: {seen:?}");
        when_ready(eu, "second", true).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_says_what_of_it_has_no_effect() {
    let federation = exporting().await;
    let hub = &federation.hub;
    hub.create(policy(&json!({ "services": ["serve"], "weights": { "eu2": 3 } }))).await;
    hub.when(POLICY, "default/serve", |policy| condition(policy, "InEffect") == "True").await;
    let mut second = policy(&json!({ "drainedClusters": ["wset"] }));
    second["metadata"]["name"] = json!("serve-b");
    hub.create(second).await;
    let told = hub.when(POLICY, "default/serve-b", |policy| condition(policy, "InEffect") == "False").await;
    let said = message(&told, "InEffect");
    assert!(
        said.contains("does not have: wset") && said.contains("serve is older and selects serve too"),
        "{said}"
    );
    hub.delete(POLICY, "default/serve").await;
    hub.patch(POLICY, "default/serve-b", json!({ "spec": { "drainedClusters": ["us"] } })).await;
    hub.when(POLICY, "default/serve-b", |policy| condition(policy, "InEffect") == "True").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_says_that_its_service_is_not_there_until_it_is_and_when_it_goes() {
    let federation = exporting().await;
    let hub = &federation.hub;
    hub.create(policy(&json!({ "services": ["serve", "shop"], "weights": { "eu2": 3 } }))).await;
    let told = hub.when(POLICY, "default/serve", |policy| condition(policy, "InEffect") == "False").await;
    assert!(message(&told, "InEffect").ends_with("in this namespace: shop"), "{told:?}");
    let export = json!({ "apiVersion": "multicluster.x-k8s.io/v1alpha1", "kind": "ServiceExport",
        "metadata": { "namespace": "default", "name": "shop" } });
    federation.member("us").create(export).await;
    hub.when(POLICY, "default/serve", |policy| condition(policy, "InEffect") == "True").await;
    federation.member("us").delete(EXPORT, "default/shop").await;
    hub.when(POLICY, "default/serve", |policy| condition(policy, "InEffect") == "False").await;
}
