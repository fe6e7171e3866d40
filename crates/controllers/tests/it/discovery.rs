//! Explicit imports: endpoints of one member in another.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use portolan_api::conditions::multicluster::EXPORTERS_READ;
use portolan_object::Object;
use portolan_runtime::limits::MemberLimits;
use serde_json::{Value, json};

use crate::cluster_sets::{EXPORT, IMPORT, through_a_link};
use crate::federation::{CLUSTER, Federation, condition, message};

const SLICE: &str = "discovery.k8s.io/v1/EndpointSlice";
const IMPORTED: &str = "default/imported-eu-serve-1";

fn slice(address: &str) -> Value {
    json!({ "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": { "namespace": "default", "name": "serve-1", "labels": { "kubernetes.io/service-name": "serve" } },
        "ports": [{ "name": "", "port": 8080, "protocol": "TCP" }],
        "endpoints": [{ "addresses": [address], "conditions": { "ready": true } }] })
}

fn mcs(kind: &str, spec: Value) -> Value {
    json!({ "apiVersion": "multicluster.x-k8s.io/v1alpha1", "kind": kind,
        "metadata": { "namespace": "default", "name": "serve" }, "spec": spec })
}

fn import() -> Value {
    mcs("ServiceImport", json!({ "type": "ClusterSetIP", "ports": [{ "port": 80, "protocol": "TCP" }] }))
}

/// The Service behind the export; its port has a name, and that of the import has none.
fn exported_service() -> Value {
    json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "namespace": "default", "name": "serve" },
        "spec": { "ports": [{ "name": "http", "port": 80, "targetPort": 8080 }] } })
}

/// One member exports the service, and the other imports it.
async fn export_and_import(set: &Federation) {
    let (eu, us) = (set.member("eu"), set.member("us"));
    eu.create(slice("10.10.0.5")).await;
    eu.create(mcs("ServiceExport", json!({}))).await;
    us.create(import()).await;
}

/// The members serve the kinds of the Multi-Cluster Services API from the start.
async fn federation() -> Federation {
    with_the_kinds(Federation::start(&["eu", "us"]).await).await
}

async fn with_the_kinds(set: Federation) -> Federation {
    for name in ["serviceexports.multicluster.x-k8s.io", "serviceimports.multicluster.x-k8s.io"] {
        let definition = portolan_api::crd::all().into_iter().find(|crd| crd["metadata"]["name"] == name);
        let definition = definition.expect("an MCS definition");
        for member in ["eu", "us"] {
            set.member(member).define(definition.clone()).await;
        }
    }
    for member in ["eu", "us"] {
        set.hub
            .when(CLUSTER, member, |cluster| {
                cluster.0["status"]["apiEnablements"].to_string().contains("ServiceImport")
            })
            .await;
    }
    set
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_of_an_export_reach_the_importer_and_go_with_it() {
    let set = federation().await;
    let (eu, us) = (set.member("eu"), set.member("us"));
    export_and_import(&set).await;

    let service = us.when_there("v1/Service", "default/derived-serve").await;
    assert_eq!(service.at(&["spec", "selector"]), None);
    let imported = us.when_there(SLICE, IMPORTED).await;
    assert_eq!(imported.label("kubernetes.io/service-name"), Some("derived-serve"));
    assert_eq!(imported.0["endpoints"][0]["addresses"], json!(["10.10.0.5"]));

    let moved = json!({ "endpoints": [{ "addresses": ["10.10.0.6"], "conditions": { "ready": true } }] });
    eu.patch(SLICE, "default/serve-1", moved).await;
    us.when(SLICE, IMPORTED, |slice| slice.0["endpoints"][0]["addresses"] == json!(["10.10.0.6"])).await;

    // Edits are reverted.
    us.delete(SLICE, IMPORTED).await;
    us.when_there(SLICE, IMPORTED).await;

    eu.delete("multicluster.x-k8s.io/v1alpha1/ServiceExport", "default/serve").await;
    us.when_gone(SLICE, IMPORTED).await;
    assert!(us.get("v1/Service", "default/derived-serve").await.is_some(), "the import is still there");

    us.delete("multicluster.x-k8s.io/v1alpha1/ServiceImport", "default/serve").await;
    us.when_gone("v1/Service", "default/derived-serve").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_of_the_same_name_is_not_taken_over() {
    let set = federation().await;
    let us = set.member("us");
    set.member("eu").create(exported_service()).await;
    us.create(json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "namespace": "default", "name": "derived-serve" },
        "spec": { "ports": [{ "port": 1234 }] } }))
        .await;
    export_and_import(&set).await;
    // A second import that works proves that the first one was reconciled.
    let mut other = import();
    other["metadata"]["name"] = json!("other");
    us.create(other).await;
    us.when_there("v1/Service", "default/derived-other").await;
    // The owner of the export sees only the exporting cluster.
    let export = "multicluster.x-k8s.io/v1beta1/ServiceExport";
    let told = set
        .member("eu")
        .when(export, "default/serve", |export| message(export, "Ready").contains("default/derived-serve"))
        .await;
    assert_eq!(condition(&told, "Ready"), "False");
    assert!(message(&told, "Ready").contains("cluster us"), "{}", message(&told, "Ready"));
    let theirs = us.get("v1/Service", "default/derived-serve").await.expect("theirs");
    assert_eq!(theirs.0["spec"]["ports"][0]["port"], 1234);
    assert!(us.get(SLICE, IMPORTED).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exporter_that_sends_too_much_is_not_ready_and_its_endpoints_stay() {
    let limits = MemberLimits { objects: 300, ..MemberLimits::default() };
    let set = with_the_kinds(Federation::start_limited(&["eu", "us"], limits).await).await;
    let (eu, us) = (set.member("eu"), set.member("us"));
    export_and_import(&set).await;
    us.when_there(SLICE, IMPORTED).await;

    for number in 0..300 {
        let mut flood = slice("10.10.0.9");
        flood["metadata"]["name"] = json!(format!("flood-{number}"));
        eu.create(flood).await;
    }
    let refused = set.hub.when(CLUSTER, "eu", |cluster| condition(cluster, "Ready") == "False").await;
    let message = message(&refused, "Ready");
    let conditions = refused.0["status"]["conditions"].to_string();
    assert!(conditions.contains("MemoryBudgetExceeded"), "{conditions}");
    for part in ["300 objects", "discovery.k8s.io", "--member-objects"] {
        assert!(message.contains(part), "{part} in {message}");
    }

    // The other member goes on, and keeps the endpoints of the first one.
    let mut other = import();
    other["metadata"]["name"] = json!("other");
    us.create(other).await;
    us.when_there("v1/Service", "default/derived-other").await;
    assert!(us.get(SLICE, IMPORTED).await.is_some(), "nothing is withdrawn");
    let ready = set.hub.get(CLUSTER, "us").await.expect("the other member");
    assert_eq!(condition(&ready, "Ready"), "True");
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_are_matched_by_number_and_edits_of_the_derived_service_are_undone() {
    let set = federation().await;
    let (eu, us) = (set.member("eu"), set.member("us"));
    eu.create(exported_service()).await;
    let mut named = slice("10.10.0.5");
    named["ports"][0]["name"] = json!("http");
    eu.create(named).await;
    eu.create(mcs("ServiceExport", json!({}))).await;
    us.create(import()).await;
    us.when(SLICE, IMPORTED, |slice| slice.0["ports"][0]["name"] == "").await;

    let edit = json!({ "spec": { "selector": { "app": "other" }, "externalIPs": ["10.12.0.200"] } });
    us.patch("v1/Service", "default/derived-serve", edit).await;
    us.when("v1/Service", "default/derived-serve", |service| {
        service.at(&["spec", "selector"]).is_none() && service.at(&["spec", "externalIPs"]).is_none()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_headless_import_has_a_headless_service_with_the_endpoints() {
    let set = federation().await;
    let us = set.member("us");
    let spec = json!({ "type": "Headless", "ports": [{ "port": 80, "protocol": "TCP" }] });
    set.member("eu").create(slice("10.10.0.5")).await;
    set.member("eu").create(mcs("ServiceExport", json!({}))).await;
    us.create(mcs("ServiceImport", spec)).await;
    us.when("v1/Service", "default/derived-serve", |service| service.0["spec"]["clusterIP"] == "None").await;
    us.when_there(SLICE, IMPORTED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_changes_the_derived_service_back_is_reported_and_not_answered_each_time() {
    let set = federation().await;
    let (eu, us) = (set.member("eu"), set.member("us"));
    eu.create(exported_service()).await;
    export_and_import(&set).await;
    us.when_there("v1/Service", "default/derived-serve").await;
    let has_selector =
        |service: &Object| service.at(&["spec", "selector"]).is_some_and(|found| found["app"] == "other");
    // The other writer answers each write of the control plane until the control plane pauses.
    let mut answered = 0;
    let reported = |export: &Object| message(export, "Ready").contains("another writer changes it back");
    while !eu.get(EXPORT, "default/serve").await.is_some_and(|export| reported(&export)) {
        assert!(answered < 200, "the control plane goes on writing");
        us.patch(
            "v1/Service",
            "default/derived-serve",
            json!({ "spec": { "selector": { "app": "other" } } }),
        )
        .await;
        answered += 1;
        tokio::select! {
            _ = us.when("v1/Service", "default/derived-serve", |service| !has_selector(service)) => {}
            _ = eu.when(EXPORT, "default/serve", reported) => {}
        }
    }
    let export = eu.when(EXPORT, "default/serve", reported).await;
    assert!(message(&export, "Ready").contains("cluster us: "), "{}", message(&export, "Ready"));
    assert!(answered >= 10, "{answered} writes were enough");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_explicit_import_says_which_exporter_is_not_read() {
    let mut set = Federation::start(&["us"]).await;
    let is_cut = Arc::new(AtomicBool::new(false));
    set.join_behind("eu", |server| through_a_link(server, is_cut.clone())).await;
    let set = with_the_kinds(set).await;
    let (eu, us) = (set.member("eu"), set.member("us"));
    eu.create(exported_service()).await;
    export_and_import(&set).await;
    us.when_there(SLICE, IMPORTED).await;
    is_cut.store(true, Ordering::SeqCst);
    let lost = us.when(IMPORT, "default/serve", |import| condition(import, EXPORTERS_READ) == "False").await;
    assert!(message(&lost, EXPORTERS_READ).starts_with("not reached: eu (since 2"), "{lost:?}");
    us.when_there(SLICE, IMPORTED).await;
    is_cut.store(false, Ordering::SeqCst);
    us.when(IMPORT, "default/serve", |import| condition(import, EXPORTERS_READ) == "True").await;
}
