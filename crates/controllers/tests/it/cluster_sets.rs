//! Services of a cluster set: membership, automatic imports, conflicts, leaving.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::Request;
use http_body_util::BodyExt;
use portolan_api::conditions::multicluster::EXPORTERS_READ;
use portolan_apiserver::LocalService;
use portolan_net::Clock;
use portolan_object::Object;
use portolan_runtime::Client;
use portolan_runtime::client::{Body, BoxError};
use portolan_runtime::events::timestamp;
use serde_json::{Value, json};
use tower::{Service as _, service_fn};

use crate::federation::{Federation, Plane, condition, message};

pub(crate) const SET: &str = "portolan.dev/v1alpha1/ClusterSet";
pub(crate) const PROPERTY: &str = "about.k8s.io/v1beta1/ClusterProperty";
pub(crate) const EXPORT: &str = "multicluster.x-k8s.io/v1beta1/ServiceExport";
pub(crate) const IMPORT: &str = "multicluster.x-k8s.io/v1beta1/ServiceImport";
pub(crate) const SERVE: &str = "default/serve";
pub(crate) const DERIVED: &str = "default/derived-0p6lqce99d";

pub(crate) fn set(members: &[(&str, &str)]) -> Value {
    let members: Vec<Value> =
        members.iter().map(|(cluster, id)| json!({ "cluster": cluster, "id": id })).collect();
    json!({ "apiVersion": "portolan.dev/v1alpha1", "kind": "ClusterSet", "metadata": { "name": "prod" },
        "spec": { "members": members } })
}

fn service(namespace: &str, spec: Value) -> Value {
    json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "namespace": namespace, "name": "serve" }, "spec": spec })
}

fn serving(port: u16) -> Value {
    service("default", json!({ "ports": [{ "name": "http", "port": port }] }))
}

pub(crate) fn slice(address: &str) -> Value {
    json!({ "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": { "namespace": "default", "name": "serve-1", "labels": { "kubernetes.io/service-name": "serve" } },
        "ports": [{ "name": "http", "port": 8080, "protocol": "TCP" }],
        "endpoints": [{ "addresses": [address], "conditions": { "ready": true } }] })
}

fn export(namespace: &str) -> Value {
    json!({ "apiVersion": "multicluster.x-k8s.io/v1beta1", "kind": "ServiceExport",
        "metadata": { "namespace": namespace, "name": "serve" } })
}

/// Two members of one set.
async fn federation() -> Federation {
    let federation = Federation::start(&["eu", "us"]).await;
    federation.hub.create(set(&[("eu", ""), ("us", "")])).await;
    federation.hub.when(SET, "prod", |set| set.0["status"]["joined"] == "2/2").await;
    federation
}

/// Two members of one set that both export the service.
pub(crate) async fn exporting_federation() -> Federation {
    let federation = federation().await;
    let members = ["eu", "us"].map(|name| federation.member(name));
    for member in members {
        member.create(serving(80)).await;
        member.create(export("default")).await;
    }
    for member in members {
        member.when(IMPORT, SERVE, |import| clusters(import).len() == 2).await;
    }
    federation
}

/// Lets a member export the service, with one endpoint.
pub(crate) async fn serve(member: &Plane, address: &str) {
    for object in [slice(address), serving(80), export("default")] {
        member.create(object).await;
    }
}

pub(crate) fn clusters(import: &Object) -> Vec<String> {
    let listed = import.at(&["status", "clusters"]).and_then(Value::as_array).into_iter().flatten();
    listed.map(|cluster| cluster["cluster"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_exported_from_one_member_is_imported_by_all() {
    let set = federation().await;
    let (eu, us) = (set.member("eu"), set.member("us"));
    for (member, id) in [(eu, "eu"), (us, "us")] {
        let property = member.when_there(PROPERTY, "cluster.clusterset.k8s.io").await;
        assert_eq!(property.str_at(&["spec", "value"]), id);
        let property = member.when_there(PROPERTY, "clusterset.k8s.io").await;
        assert_eq!(property.str_at(&["spec", "value"]), "prod");
    }
    // The export may be created before its Service.
    eu.create(export("default")).await;
    let early = eu.when(EXPORT, SERVE, |export| condition(export, "Valid") == "False").await;
    assert!(message(&early, "Valid").contains("does not exist in this cluster"), "{early:?}");
    eu.create(slice("10.10.0.5")).await;
    eu.create(serving(80)).await;

    for member in [eu, us] {
        let import = member.when_there(IMPORT, SERVE).await;
        assert_eq!(import.str_at(&["spec", "type"]), "ClusterSetIP", "right at first sight");
        let derived =
            member.get("v1/Service", DERIVED).await.expect("the Service is there before its import");
        assert_eq!(import.0["spec"]["ips"], derived.0["spec"]["clusterIPs"], "with its address");
        assert_eq!(import.0["spec"]["ipFamilies"], json!(["IPv4"]));
        let ready = member.when(IMPORT, SERVE, |import| condition(import, "Ready") == "True").await;
        assert_eq!(clusters(&ready), ["eu"]);
        assert_eq!(ready.0["status"]["endpointSliceObjects"], "Present");
    }
    let settled = eu.when(EXPORT, SERVE, |export| condition(export, "Conflict") == "False").await;
    assert_eq!((condition(&settled, "Valid"), condition(&settled, "Ready")), ("True".into(), "True".into()));

    // Edits and deletions are reverted.
    us.patch(IMPORT, SERVE, json!({ "spec": { "ports": [{ "port": 1 }] } })).await;
    us.when(IMPORT, SERVE, |import| import.0["spec"]["ports"][0]["port"] == 80).await;
    us.delete(IMPORT, SERVE).await;
    us.when(IMPORT, SERVE, |import| condition(import, "Ready") == "True").await;

    eu.delete(EXPORT, SERVE).await;
    for member in [eu, us] {
        member.when_gone(IMPORT, SERVE).await;
        member.when_gone("v1/Service", DERIVED).await;
    }
    assert!(eu.get("v1/Service", SERVE).await.is_some(), "the user's own Service stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_that_differ_are_told_everywhere_and_the_oldest_wins() {
    let set = federation().await;
    let (eu, us) = (set.member("eu"), set.member("us"));
    us.create(serving(80)).await;
    us.create(export("default")).await;
    us.when_there(IMPORT, SERVE).await;
    // Timestamps have whole seconds; with equal ones the id decides, and eu would come first.
    let since = us
        .get(EXPORT, SERVE)
        .await
        .expect("the export")
        .str_at(&["metadata", "creationTimestamp"])
        .to_owned();
    eu.create(serving(81)).await;
    while timestamp(&Clock::system()) <= since {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    eu.create(export("default")).await;
    for member in [eu, us] {
        let want = "port \"http\" is 81/TCP in eu and 80/TCP in us, which is used";
        member.when(EXPORT, SERVE, |export| message(export, "Conflict").contains(want)).await;
        // Exports and imports are written by different controllers: the import may follow a moment later.
        let follows =
            |import: &Object| clusters(import).len() == 2 && import.0["spec"]["ports"][0]["port"] == 80;
        member.when(IMPORT, SERVE, follows).await;
    }
    // The import stays while another cluster becomes the oldest exporter.
    let uid = eu.get(IMPORT, SERVE).await.expect("the import").uid().to_owned();
    us.delete(EXPORT, SERVE).await;
    let taken_over = eu.when(IMPORT, SERVE, |import| import.0["spec"]["ports"][0]["port"] == 81).await;
    assert_eq!(taken_over.uid(), uid);
    eu.when(EXPORT, SERVE, |export| condition(export, "Conflict") == "False").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_comes_later_gets_its_imports() {
    let set = federation().await;
    let (eu, us) = (set.member("eu"), set.member("us"));
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "shop" } });
    eu.create(namespace.clone()).await;
    eu.create(service("shop", json!({ "clusterIP": "None", "ports": [{ "name": "http", "port": 80 }] })))
        .await;
    eu.create(export("shop")).await;
    let here = eu.when(IMPORT, "shop/serve", |import| condition(import, "Ready") == "True").await;
    assert_eq!(here.str_at(&["spec", "type"]), "Headless");
    assert!(us.get(IMPORT, "shop/serve").await.is_none(), "there is no such namespace");
    us.create(namespace).await;
    us.when_there(IMPORT, "shop/serve").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_leaves_keeps_what_is_its_own() {
    let federation = exporting_federation().await;
    let (eu, us) = (federation.member("eu"), federation.member("us"));
    let members = json!({ "spec": { "members": [{ "cluster": "us" }] } });
    federation.hub.patch(SET, "prod", members).await;
    eu.when_gone(IMPORT, SERVE).await;
    for property in ["clusterset.k8s.io", "cluster.clusterset.k8s.io"] {
        eu.when_gone(PROPERTY, property).await;
    }
    eu.when_gone("v1/Service", DERIVED).await;
    assert!(eu.get("v1/Service", SERVE).await.is_some());
    assert!(eu.get(EXPORT, SERVE).await.is_some(), "the user's export stays");
    us.when(IMPORT, SERVE, |import| clusters(import) == ["us"]).await;
    // A cluster is listed until all objects of the set are deleted.
    let is_alone = |set: &Object| {
        set.0["status"]["joined"] == "1/1"
            && set.0["status"]["members"].as_array().is_some_and(|all| all.len() == 1)
    };
    federation.hub.when(SET, "prod", is_alone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_cluster_with_the_same_id_is_refused_by_name() {
    let federation = Federation::start(&["eu", "us"]).await;
    federation.hub.create(set(&[("eu", "one"), ("us", "one")])).await;
    let set = federation.hub.when(SET, "prod", |set| set.0["status"]["joined"] == "1/2").await;
    let refused = &set.0["status"]["members"][1];
    assert_eq!(refused["phase"], "Refused");
    let text = refused["message"].as_str().unwrap_or_default();
    assert!(text.starts_with("id \"one\" belongs to cluster eu of cluster set prod already"), "{text}");
    assert!(federation.member("us").get(PROPERTY, "clusterset.k8s.io").await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn properties_and_exports_that_mean_something_else_are_refused() {
    let federation = federation().await;
    let eu = federation.member("eu");
    eu.patch(PROPERTY, "clusterset.k8s.io", json!({ "spec": { "value": "other" } })).await;
    eu.when(PROPERTY, "clusterset.k8s.io", |property| property.str_at(&["spec", "value"]) == "prod").await;
    eu.delete(PROPERTY, "cluster.clusterset.k8s.io").await;
    eu.when_there(PROPERTY, "cluster.clusterset.k8s.io").await;

    eu.create(json!({ "apiVersion": "multicluster.x-k8s.io/v1beta1", "kind": "ServiceExport",
        "metadata": { "namespace": "default", "name": "kubernetes" } }))
        .await;
    let export = eu.when(EXPORT, "default/kubernetes", |export| condition(export, "Valid") == "False").await;
    assert!(message(&export, "Valid").contains("cannot be exported"), "{export:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_unjoined_takes_everything_of_the_set_along() {
    let federation = exporting_federation().await;
    let (eu, us) = (federation.member("eu"), federation.member("us"));
    federation.hub.delete(crate::federation::CLUSTER, "eu").await;
    federation.hub.when_gone(crate::federation::CLUSTER, "eu").await;
    assert!(eu.get(IMPORT, SERVE).await.is_none(), "the import went before the cluster");
    assert!(eu.get(PROPERTY, "clusterset.k8s.io").await.is_none());
    assert!(eu.get(EXPORT, SERVE).await.is_some() && eu.get("v1/Service", SERVE).await.is_some());
    us.when(IMPORT, SERVE, |import| clusters(import) == ["us"]).await;
    let set = federation.hub.when(SET, "prod", |set| set.0["status"]["joined"] == "1/2").await;
    assert_eq!(set.0["status"]["members"][0]["phase"], "Refused", "it is still listed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_illegal_label_is_told_on_the_export_and_others_go_on() {
    let federation = federation().await;
    let (eu, us) = (federation.member("eu"), federation.member("us"));
    for member in [eu, us] {
        member.create(serving(80)).await;
    }
    let mut illegal = export("default");
    illegal["spec"] = json!({ "exportedLabels": { "not a key": "x" } });
    eu.create(illegal).await;
    us.create(export("default")).await;
    let told = eu.when(EXPORT, SERVE, |export| condition(export, "Valid") == "False").await;
    assert!(message(&told, "Valid").starts_with("spec.exportedLabels[\"not a key\"]"), "{told:?}");
    us.when(IMPORT, SERVE, |import| clusters(import) == ["us"]).await;
    us.when(EXPORT, SERVE, |export| condition(export, "Conflict") == "False").await;
}

/// A client of a member that answers nothing while `is_cut`.
pub(crate) fn through_a_link(server: LocalService, is_cut: Arc<AtomicBool>) -> Client {
    Client::in_process(service_fn(move |request: Request<Body>| {
        let answer = (!is_cut.load(Ordering::SeqCst)).then(|| server.clone().call(request));
        async move {
            let Some(answer) = answer else { return Err(BoxError::from("the link is cut")) };
            let answer = answer.await.map_err(|never| match never {})?;
            Ok(answer.map(BodyExt::boxed_unsync))
        }
    }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_exporter_keeps_its_endpoints_and_the_import_says_since_when() {
    let mut set = Federation::start(&["us"]).await;
    let is_cut = Arc::new(AtomicBool::new(false));
    set.join_behind("eu", |server| through_a_link(server, is_cut.clone())).await;
    set.hub.create(self::set(&[("eu", ""), ("us", "")])).await;
    set.hub.when(SET, "prod", |set| set.0["status"]["joined"] == "2/2").await;
    let (eu, us) = (set.member("eu"), set.member("us"));
    eu.create(serving(80)).await;
    eu.create(slice("10.10.0.5")).await;
    eu.create(export("default")).await;
    let import = us.when(IMPORT, SERVE, |import| clusters(import) == ["eu"]).await;
    assert_eq!(condition(&import, EXPORTERS_READ), "", "nothing has been lost yet");

    is_cut.store(true, Ordering::SeqCst);
    let lost = us.when(IMPORT, SERVE, |import| condition(import, EXPORTERS_READ) == "False").await;
    assert!(message(&lost, EXPORTERS_READ).starts_with("not reached: eu (since 2"), "{lost:?}");
    assert_eq!((condition(&lost, "Ready").as_str(), clusters(&lost)), ("True", vec!["eu".to_owned()]));

    is_cut.store(false, Ordering::SeqCst);
    let read = us.when(IMPORT, SERVE, |import| condition(import, EXPORTERS_READ) == "True").await;
    assert_eq!(clusters(&read), ["eu"]);
}
