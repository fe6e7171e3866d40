//! The controllers of a cluster's own workloads; the test plays the kubelet.

use std::time::Duration;

use portolan_controllers::kubernetes::{self, Provisioner};
use portolan_net::{Clock, Shutdown};
use portolan_object::Object;
use portolan_runtime::Resource;
use portolan_runtime::cache::Caches;
use portolan_runtime::client::Selection;
use serde_json::{Value, json};

use crate::federation::Plane;

/// Everything happens within milliseconds; this is for machines that do much else.
const TIMEOUT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(5);

const POD: &str = "v1/Pod";
const SET: &str = "apps/v1/StatefulSet";
const CLAIM: &str = "v1/PersistentVolumeClaim";
const VOLUME: &str = "v1/PersistentVolume";

/// A cluster with workload controllers and no nodes; ends with the test.
struct Cluster {
    plane: Plane,
    scope: Shutdown,
}

impl Cluster {
    async fn start() -> Self {
        Self::start_with([]).await
    }

    /// The same with objects that were there before the controllers.
    async fn start_with(objects: impl IntoIterator<Item = Value>) -> Self {
        let scope = Shutdown::new();
        let plane = Plane::start(&scope).await;
        for object in objects {
            plane.create(object).await;
        }
        let caches = Caches::new(&plane.client, &scope);
        kubernetes::workloads(&caches, &Clock::system(), &scope);
        let provisioner = Provisioner { name: "example.com/made-here", directory: "/volumes".to_owned() };
        kubernetes::volumes(&caches, provisioner, &Clock::system(), &scope);
        Self { plane, scope }
    }

    /// Waits until the pod is there with this image, and says that it runs.
    async fn run(&self, pod: &str, image: &str, address: &str) -> Object {
        let has_image = |pod: &Object| pod.0["spec"]["containers"][0]["image"] == image && !pod.is_deleting();
        self.plane.when(POD, pod, has_image).await;
        let status = json!({ "phase": "Running", "podIP": address, "podIPs": [{ "ip": address }],
            "conditions": [{ "type": "Ready", "status": "True" }] });
        self.plane.patch_status(POD, pod, json!({ "status": status })).await
    }

    async fn list(&self, group: &str, kind: &str, plural: &str) -> Vec<Object> {
        let resource = Resource::namespaced(group, "v1", kind, plural);
        let found =
            self.plane.client.resource::<Object>(&resource).list(&Selection::namespace("default")).await;
        found.expect("it can be listed").items.into_iter().map(|seen| seen.object).collect()
    }

    /// Waits until a collection holds what `accept` likes.
    async fn when_listed(
        &self,
        (group, kind, plural): (&str, &str, &str),
        accept: impl Fn(&Object) -> bool,
    ) -> Object {
        let reached = async {
            loop {
                if let Some(found) = self.list(group, kind, plural).await.into_iter().find(&accept) {
                    return found;
                }
                tokio::time::sleep(POLL).await;
            }
        };
        match tokio::time::timeout(TIMEOUT, reached).await {
            Ok(found) => found,
            Err(_) => panic!("no {kind} is as expected: {:#?}", self.list(group, kind, plural).await),
        }
    }

    /// The slice with this many ready endpoints.
    async fn slice_with(&self, ready: usize) -> Object {
        let count = |slice: &Object| {
            let endpoints = slice.0["endpoints"].as_array().into_iter().flatten();
            endpoints.filter(|endpoint| endpoint["conditions"]["ready"] == true).count()
        };
        let slices = ("discovery.k8s.io", "EndpointSlice", "endpointslices");
        self.when_listed(slices, |slice| count(slice) == ready).await
    }

    /// Waits until an Event with this reason is there.
    async fn event(&self, reason: &str) -> Object {
        self.when_listed(("", "Event", "events"), |event| event.0["reason"] == reason).await
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.scope.request();
    }
}

fn set(replicas: u32, image: &str) -> Value {
    json!({ "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": { "namespace": "default", "name": "db" },
        "spec": { "replicas": replicas, "serviceName": "ledger", "selector": { "matchLabels": { "app": "db" } },
            "template": { "metadata": { "labels": { "app": "db" } },
                "spec": { "containers": [{ "name": "db", "image": image }] } } } })
}

fn headless() -> Value {
    json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "namespace": "default", "name": "ledger" },
        // An API server without a range for Services fills nothing of this in.
        "spec": { "clusterIP": "None", "clusterIPs": ["None"], "ipFamilies": ["IPv4"], "selector": { "app": "db" }, "ports": [{ "name": "db", "port": 5432 }] } })
}

/// `hostname address` of every endpoint.
fn endpoints(slices: &[Object]) -> Vec<String> {
    let of = |slice: &Object| slice.0["endpoints"].as_array().cloned().unwrap_or_default();
    let text = |endpoint: Value| {
        let hostname = endpoint["hostname"].as_str().unwrap_or_default().to_owned();
        format!("{hostname} {}", endpoint["addresses"][0].as_str().unwrap_or_default())
    };
    slices.iter().flat_map(of).map(text).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_that_a_user_writes_are_mirrored() {
    let cluster = Cluster::start().await;
    let metadata = json!({ "namespace": "default", "name": "outside" });
    cluster
        .plane
        .create(json!({ "apiVersion": "v1", "kind": "Service", "metadata": metadata,
            "spec": { "ports": [{ "port": 80 }] } }))
        .await;
    cluster
        .plane
        .create(json!({ "apiVersion": "v1", "kind": "Endpoints", "metadata": metadata,
            "subsets": [{ "addresses": [{ "ip": "192.0.2.1" }], "ports": [{ "port": 80 }] }] }))
        .await;
    let slice = cluster.slice_with(1).await;
    assert_eq!(endpoints(&[slice]), [" 192.0.2.1"]);
    cluster.plane.delete("v1/Endpoints", "default/outside").await;
    cluster.plane.when_gone("discovery.k8s.io/v1/EndpointSlice", "default/outside-ipv4-0").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stateful_set_comes_changes_and_goes_in_order() {
    let cluster = Cluster::start().await;
    cluster.plane.create(headless()).await;
    cluster.plane.create(set(2, "one")).await;

    let first = cluster.run("default/db-0", "one", "10.0.0.1").await;
    assert_eq!(first.str_at(&["spec", "hostname"]), "db-0");
    assert!(cluster.plane.get(POD, "default/db-2").await.is_none());
    cluster.run("default/db-1", "one", "10.0.0.2").await;
    cluster.plane.when(SET, "default/db", |set| set.0["status"]["readyReplicas"] == 2).await;
    let slice = cluster.slice_with(2).await;
    assert_eq!(endpoints(&[slice]), ["db-0 10.0.0.1", "db-1 10.0.0.2"]);

    let template = json!({ "spec": { "containers": [{ "name": "db", "image": "two" }] } });
    cluster.plane.patch(SET, "default/db", json!({ "spec": { "template": template } })).await;
    cluster.run("default/db-1", "two", "10.0.0.3").await;
    cluster.run("default/db-0", "two", "10.0.0.4").await;
    let done = |set: &Object| {
        let status = &set.0["status"];
        status["updatedReplicas"] == 2 && status["currentRevision"] == status["updateRevision"]
    };
    cluster.plane.when(SET, "default/db", done).await;
    let revisions = cluster.list("apps", "ControllerRevision", "controllerrevisions").await;
    assert_eq!(revisions.len(), 2, "the old template can be gone back to");

    cluster.plane.patch(SET, "default/db", json!({ "spec": { "replicas": 1 } })).await;
    cluster.plane.when_gone(POD, "default/db-1").await;
    assert!(cluster.plane.get(POD, "default/db-0").await.is_some());
    cluster.plane.delete(SET, "default/db").await;
    cluster.plane.when_gone(POD, "default/db-0").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_gets_a_claim_and_a_volume_for_each_pod() {
    let cluster = Cluster::start().await;
    let class = json!({ "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": "example.com/made-here",
        "metadata": { "name": "standard", "annotations": { "storageclass.kubernetes.io/is-default-class": "true" } } });
    cluster.plane.create(class).await;
    let mut asking = set(2, "one");
    asking["spec"]["persistentVolumeClaimRetentionPolicy"] =
        json!({ "whenDeleted": "Retain", "whenScaled": "Delete" });
    asking["spec"]["volumeClaimTemplates"] = json!([{ "metadata": { "name": "data" },
        "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } } }]);
    cluster.plane.create(asking).await;
    cluster.run("default/db-0", "one", "10.0.0.1").await;
    cluster.run("default/db-1", "one", "10.0.0.2").await;
    let bound = |claim: &Object| claim.0["status"]["phase"] == "Bound";
    let claim = cluster.plane.when(CLAIM, "default/data-db-1", bound).await;
    assert_eq!(claim.0["status"]["capacity"]["storage"], "1Gi");
    let volume = claim.str_at(&["spec", "volumeName"]).to_owned();
    cluster.plane.when(VOLUME, &volume, bound).await;

    // A pod that goes for good takes its claim and its volume along, and the others stay.
    cluster.plane.patch(SET, "default/db", json!({ "spec": { "replicas": 1 } })).await;
    cluster.plane.when_gone(CLAIM, "default/data-db-1").await;
    cluster.plane.when_gone(VOLUME, &volume).await;
    cluster.plane.delete(SET, "default/db").await;
    cluster.plane.when_gone(POD, "default/db-0").await;
    assert!(cluster.plane.get(CLAIM, "default/data-db-0").await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_of_somebody_else_is_left_alone() {
    let cluster = Cluster::start().await;
    let theirs = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "namespace": "default", "name": "db-0" },
        "spec": { "containers": [{ "name": "mine", "image": "mine" }] } });
    cluster.plane.create(theirs).await;
    cluster.plane.create(set(1, "one")).await;
    cluster.event("FailedCreate").await;
    let pod = cluster.plane.when_there(POD, "default/db-0").await;
    assert_eq!(pod.0["spec"]["containers"][0]["name"], "mine");
}

const REPLICA_SETS: (&str, &str, &str) = ("apps", "ReplicaSet", "replicasets");
const PODS: (&str, &str, &str) = ("", "Pod", "pods");

fn pod(name: &str, labels: &Value) -> Value {
    json!({ "apiVersion": "v1", "kind": "Pod",
        "metadata": { "namespace": "default", "name": name, "labels": labels },
        "spec": { "containers": [{ "name": "c", "image": "one" }] } })
}

/// A workload of `kind` with pods labelled `app: web`.
fn workload(api_version: &str, kind: &str, replicas: u32) -> Value {
    let labels = json!({ "app": "web" });
    let selector =
        if kind == "ReplicationController" { labels.clone() } else { json!({ "matchLabels": labels }) };
    json!({ "apiVersion": api_version, "kind": kind, "metadata": { "namespace": "default", "name": "web" },
        "spec": { "replicas": replicas, "selector": selector,
            "template": { "metadata": { "labels": labels },
                "spec": { "containers": [{ "name": "c", "image": "one" }] } } } })
}

fn owner(object: &Object) -> &str {
    object.0["metadata"]["ownerReferences"][0]["name"].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn orphans_are_adopted_and_pods_that_do_not_match_are_released() {
    for (api_version, kind) in [("apps/v1", "ReplicaSet"), ("v1", "ReplicationController")] {
        // Otherwise the controller may hear of the set before it hears of the pod, as upstream's may: it then makes a
        // second pod, and deletes one of the two.
        let cluster = Cluster::start_with([pod("orphan", &json!({ "app": "web" }))]).await;
        cluster.plane.create(workload(api_version, kind, 1)).await;
        cluster.plane.when(POD, "default/orphan", |pod| owner(pod) == "web").await;
        let has_one = |set: &Object| set.0["status"]["replicas"] == 1;
        cluster.plane.when(&format!("{api_version}/{kind}"), "default/web", has_one).await;
        assert_eq!(cluster.list(PODS.0, PODS.1, PODS.2).await.len(), 1, "{kind}: no second pod");

        let relabelled = json!({ "metadata": { "labels": { "app": "debug" } } });
        cluster.plane.patch(POD, "default/orphan", relabelled).await;
        cluster.plane.when(POD, "default/orphan", |pod| owner(pod).is_empty()).await;
        cluster.when_listed(PODS, |pod| pod.label("app") == Some("web") && owner(pod) == "web").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_is_made_again_takes_its_set_over() {
    let cluster = Cluster::start().await;
    cluster.plane.create(workload("apps/v1", "Deployment", 1)).await;
    let set = cluster.when_listed(REPLICA_SETS, |set| owner(set) == "web").await;
    let orphaned = json!({ "metadata": { "ownerReferences": null } });
    let deployments = Resource::namespaced("apps", "v1", "Deployment", "deployments");
    let orphan = portolan_runtime::client::Delete {
        propagation: Some(portolan_runtime::client::Propagation::Orphan),
        ..Default::default()
    };
    let key = portolan_object::ObjectKey::namespaced("default", "web");
    cluster.plane.client.resource::<Object>(&deployments).delete(&key, &orphan).await.expect("deleted");
    cluster.plane.when_gone("apps/v1/Deployment", "default/web").await;
    let name = format!("default/{}", set.name());
    // The garbage collector takes the owner away as well.
    cluster.plane.patch("apps/v1/ReplicaSet", &name, orphaned).await;
    let again = cluster.plane.create(workload("apps/v1", "Deployment", 1)).await;
    let is_adopted = |set: &Object| set.0["metadata"]["ownerReferences"][0]["uid"] == again.uid();
    let adopted = cluster.plane.when("apps/v1/ReplicaSet", &name, is_adopted).await;
    assert_eq!(adopted.uid(), set.uid());
    assert_eq!(cluster.list("apps", "ReplicaSet", "replicasets").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_goes_back_and_forth_between_its_revisions() {
    let cluster = Cluster::start().await;
    cluster.plane.create(workload("apps/v1", "Deployment", 1)).await;
    let image = |image: &str| {
        let containers = json!([{ "name": "c", "image": image }]);
        json!({ "spec": { "template": { "spec": { "containers": containers } } } })
    };
    let is_first = |set: &Object| set.annotation("deployment.kubernetes.io/revision") == Some("1");
    cluster.when_listed(REPLICA_SETS, is_first).await;
    for (revision, wanted) in [(2, "two"), (3, "one"), (4, "two")] {
        cluster.plane.patch("apps/v1/Deployment", "default/web", image(wanted)).await;
        let has_revision = |object: &Object| {
            object.annotation("deployment.kubernetes.io/revision") == Some(revision.to_string().as_str())
        };
        let deployment = cluster.plane.when("apps/v1/Deployment", "default/web", has_revision).await;
        assert_eq!(deployment.generation(), revision, "the revision is written with the status");
        let is_wanted = |set: &Object| {
            has_revision(set) && set.0["spec"]["template"]["spec"]["containers"][0]["image"] == wanted
        };
        cluster.when_listed(REPLICA_SETS, is_wanted).await;
    }
    cluster.event("ScalingReplicaSet").await;
}
