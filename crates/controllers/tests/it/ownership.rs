//! Two control planes and one member: who may write, who takes over, and what stays as it is.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use portolan_api::resources;
use portolan_net::Shutdown;
use portolan_object::Object;
use portolan_runtime::client::Selection;
use portolan_runtime::{Cache, Resource};
use serde_json::{Value, json};

use crate::cluster_sets::{DERIVED, IMPORT, SERVE, SET, clusters, exporting_federation, slice};
use crate::federation::{
    BINDING, CLUSTER, CONFIG_MAP, Federation, Plane, WORK, condition, config_map, message, policy,
};

const LEASE: &str = "coordination.k8s.io/v1/Lease";
const LEASE_NAME: &str = "karmada-cluster/portolan-control-plane";
const OWNER: &str = "portolan.dev/control-plane";

/// The reason of a condition.
fn reason(object: &Object, kind: &str) -> String {
    let conditions = object.at(&["status", "conditions"]).and_then(Value::as_array);
    let found = conditions.into_iter().flatten().find(|condition| condition["type"] == kind);
    found.and_then(|condition| condition["reason"].as_str()).unwrap_or_default().to_owned()
}

async fn id(hub: &Plane) -> String {
    hub.get("v1/Namespace", "kube-system").await.expect("every API server has it").uid().to_owned()
}

async fn holder(member: &Plane) -> String {
    let lease = member.when_there(LEASE, LEASE_NAME).await;
    lease.str_at(&["spec", "holderIdentity"]).to_owned()
}

/// Objects of a set in a member: the import, its Service, and its EndpointSlices.
async fn objects_of_set(member: &Plane) -> Vec<Object> {
    let mut found = Vec::new();
    for (kind, name) in [(IMPORT, SERVE), ("v1/Service", DERIVED)] {
        found.push(member.get(kind, name).await.unwrap_or_else(|| panic!("{kind} {name}")));
    }
    let slices = member.client.resource::<Object>(&resources::ENDPOINT_SLICE.into());
    let selection = Selection::labels("portolan.dev/clusterset");
    let listed = slices.list(&selection).await.expect("an API server that answers");
    found.extend(listed.items.into_iter().map(|seen| seen.object));
    found
}

fn versions(objects: &[Object]) -> Vec<String> {
    objects.iter().map(|object| format!("{} {}", object.name(), object.resource_version())).collect()
}

fn uids(objects: &[Object]) -> Vec<String> {
    objects.iter().map(|object| format!("{} {}", object.name(), object.uid())).collect()
}

fn owners(objects: &[Object]) -> Vec<&str> {
    objects.iter().map(|object| object.label(OWNER).unwrap_or_default()).collect()
}

/// What clients of an import would notice: deleted objects, and another address.
#[derive(Clone, Default)]
struct Disturbances(Arc<Mutex<Vec<String>>>);

impl Disturbances {
    /// Watches the imports, derived Services and imported EndpointSlices of a member.
    async fn watch(&self, member: &Plane, scope: &Shutdown) {
        let discovery = member.client.discover().await.expect("an API server that answers");
        let imports = discovery.find("multicluster.x-k8s.io", "ServiceImport").expect("served");
        let selected = Selection::labels("portolan.dev/clusterset");
        let kinds: [Resource; 3] =
            [imports.resource.clone(), resources::SERVICE.into(), resources::ENDPOINT_SLICE.into()];
        for kind in kinds {
            let seen = self.clone();
            let cache =
                Cache::<Object>::of_objects(&member.client, kind).select(selected.clone()).start(scope);
            cache.synced().await;
            cache.observe(move |change| {
                let address = |object: &Object| {
                    [object.at(&["spec", "clusterIPs"]), object.at(&["spec", "ips"])].map(|ips| ips.cloned())
                };
                let endpoints = |object: &Object| object.0["endpoints"].clone();
                match (&change.old, &change.new) {
                    (Some(old), None) => seen.0.lock().push(format!("deleted {} {}", old.kind(), old.name())),
                    (Some(old), Some(new)) if address(old) != address(new) => {
                        seen.0.lock().push(format!("another address of {} {}", new.kind(), new.name()));
                    }
                    (Some(old), Some(new)) if endpoints(old) != endpoints(new) => {
                        seen.0.lock().push(format!("other endpoints in {}", new.name()));
                    }
                    _ => {}
                }
            });
        }
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().clone()
    }
}

/// Both members export a service with endpoints, and a policy has put a ConfigMap into `eu`.
async fn federation() -> Federation {
    let federation = exporting_federation().await;
    for name in ["eu", "us"] {
        federation.member(name).create(slice("10.10.0.5")).await;
    }
    for name in ["eu", "us"] {
        let member = federation.member(name);
        member.when(IMPORT, SERVE, |import| condition(import, "Ready") == "True").await;
        while objects_of_set(member).await.len() < 4 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    place(&federation, "app").await;
    federation.member("eu").when_there(CONFIG_MAP, "default/app").await;
    federation
}

async fn place(federation: &Federation, name: &str) {
    federation.hub.create(config_map(name, "1")).await;
    federation.hub.create(policy(name, CONFIG_MAP, name, &["eu"])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_in_a_member_names_its_control_plane() {
    let first = federation().await;
    let (own, eu) = (id(&first.hub).await, first.member("eu"));
    assert_eq!(holder(eu).await, own);
    assert_eq!(owners(&objects_of_set(eu).await), [own.as_str(); 4]);
    for (kind, name) in [
        (CONFIG_MAP, "default/app"),
        (LEASE, LEASE_NAME),
        ("v1/Namespace", "karmada-cluster"),
        ("about.k8s.io/v1beta1/ClusterProperty", "clusterset.k8s.io"),
        ("apiextensions.k8s.io/v1/CustomResourceDefinition", "serviceexports.multicluster.x-k8s.io"),
    ] {
        let object = eu.get(kind, name).await.unwrap_or_else(|| panic!("{kind} {name}"));
        assert_eq!(object.label(OWNER), Some(own.as_str()), "{kind} {name}");
    }
    // Objects of versions without the label get it.
    eu.patch(CONFIG_MAP, "default/app", json!({ "metadata": { "labels": { OWNER: null } } })).await;
    eu.patch(IMPORT, SERVE, json!({ "metadata": { "labels": { OWNER: null } } })).await;
    let is_stamped = |object: &Object| object.label(OWNER) == Some(own.as_str());
    eu.when(CONFIG_MAP, "default/app", is_stamped).await;
    eu.when(IMPORT, SERVE, is_stamped).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_control_plane_changes_nothing_and_says_why() {
    let first = federation().await;
    let (own, eu) = (id(&first.hub).await, first.member("eu"));
    let before = objects_of_set(eu).await;
    let second = first.second_hub().await;

    let refusal = second.join_by_command("eu", eu, false).await.expect_err("held by another").to_string();
    assert!(refusal.contains(&own) && refusal.contains("which is running"), "{refusal}");
    let refusal = second.join_by_command("eu", eu, true).await.expect_err("it is running").to_string();
    assert!(refusal.contains("cannot be taken over from a control plane that is running"), "{refusal}");
    assert!(second.hub.get(CLUSTER, "eu").await.is_none());

    // A Cluster object that was made by other means.
    second.join_by_object("eu").await;
    let is_refused = |cluster: &Object| reason(cluster, "Ready") == "HeldByAnotherControlPlane";
    let cluster = second.hub.when(CLUSTER, "eu", is_refused).await;
    let cluster = match condition(&cluster, "HeldByThisControlPlane").as_str() {
        "False" => cluster,
        found => panic!("HeldByThisControlPlane {found}: {cluster:#?}"),
    };
    assert!(message(&cluster, "Ready").contains(&own), "{cluster:#?}");
    place(&second, "theirs").await;
    second.hub.when_there(BINDING, "default/theirs-configmap").await;
    second.hub.create(crate::cluster_sets::set(&[("eu", "other")])).await;
    second.hub.when(SET, "prod", |set| set.0["status"].to_string().contains(&own)).await;

    // The first control plane still works, and the second one has not written.
    place(&first, "later").await;
    eu.when_there(CONFIG_MAP, "default/later").await;
    assert!(eu.get(CONFIG_MAP, "default/theirs").await.is_none());
    assert_eq!(versions(&objects_of_set(eu).await), versions(&before));

    // Giving up deletes nothing.
    second.hub.delete(CLUSTER, "eu").await;
    second.hub.when_gone(CLUSTER, "eu").await;
    assert_eq!(holder(eu).await, own);
    assert_eq!(versions(&objects_of_set(eu).await), versions(&before));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_plane_that_lost_its_disk_gets_its_members_back() {
    let first = federation().await;
    let (eu, us) = (first.member("eu"), first.member("us"));
    let (disturbances, scope) = (Disturbances::default(), Shutdown::new());
    for member in [eu, us] {
        disturbances.watch(member, &scope).await;
    }
    let before = [objects_of_set(eu).await, objects_of_set(us).await];
    let copy = eu.get(CONFIG_MAP, "default/app").await.expect("propagated");
    first.stop_controllers().await;

    let second = first.second_hub().await;
    let own = id(&second.hub).await;
    let refusal = second.join_by_command("eu", eu, false).await.expect_err("held by another").to_string();
    assert!(refusal.contains("last seen 2") && refusal.contains("--take-over"), "{refusal}");

    let joined = second.join_by_command("eu", eu, true).await.expect("it is gone");
    assert_eq!(joined.taken_from.expect("a holder").control_plane.id, id(&first.hub).await);
    assert_eq!(joined.membership.expect("a set").set, "prod");
    // `us` has not joined yet: what it exports stays.
    second.hub.when(SET, "prod", |set| set.0["status"]["joined"] == "1/1").await;
    let is_own = |object: &Object| object.label(OWNER) == Some(own.as_str());
    while objects_of_set(eu).await.iter().filter(|object| is_own(object)).count() < 1 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(uids(&objects_of_set(eu).await), uids(&before[0]));
    let import = eu.get(IMPORT, SERVE).await.expect("kept");
    assert_eq!(clusters(&import).len(), 2, "{import:#?}");

    let _joined = second.join_by_command("us", us, true).await.expect("it is gone");
    second.hub.when(SET, "prod", |set| set.0["status"]["joined"] == "2/2").await;
    for (member, before) in [eu, us].into_iter().zip(&before) {
        while objects_of_set(member).await.iter().any(|object| !is_own(object)) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(uids(&objects_of_set(member).await), uids(before));
    }
    // Nothing that the rebuilt hub does not know was deleted; applied again, it is taken over.
    assert_eq!(eu.get(CONFIG_MAP, "default/app").await.expect("kept").uid(), copy.uid());
    place(&second, "app").await;
    eu.when(CONFIG_MAP, "default/app", |found| is_own(found) && found.uid() == copy.uid()).await;
    let is_applied = |binding: &Object| condition(binding, "FullyApplied") == "True";
    second.hub.when(BINDING, "default/app-configmap", is_applied).await;

    assert_eq!(disturbances.all(), Vec::<String>::new());
    scope.request();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_plane_that_comes_back_stops_to_write_and_says_so() {
    let first = Federation::start(&["eu"]).await;
    let eu = first.member("eu");
    place(&first, "app").await;
    eu.when_there(CONFIG_MAP, "default/app").await;
    first.stop_controllers().await;
    let second = first.second_hub().await;
    let _joined = second.join_by_command("eu", eu, true).await.expect("it is gone");
    second.is_ready("eu").await;

    first.run_controllers();
    let is_refused = |cluster: &Object| reason(cluster, "Ready") == "HeldByAnotherControlPlane";
    let cluster = first.hub.when(CLUSTER, "eu", is_refused).await;
    assert!(message(&cluster, "Ready").contains(&id(&second.hub).await), "{cluster:#?}");
    first.hub.patch(CONFIG_MAP, "default/app", json!({ "data": { "k": "2" } })).await;
    let work = "karmada-es-eu/".to_owned() + &portolan_api::names::work("ConfigMap", "app", "default");
    let is_changed = |work: &Object| work.0["spec"].to_string().contains("\"k\":\"2\"");
    first.hub.when(WORK, &work, is_changed).await;
    // A deleted template deletes nothing in the member either.
    place(&second, "later").await;
    eu.when_there(CONFIG_MAP, "default/later").await;
    first.hub.delete(CONFIG_MAP, "default/app").await;
    place(&second, "last").await;
    eu.when_there(CONFIG_MAP, "default/last").await;
    assert_eq!(eu.get(CONFIG_MAP, "default/app").await.expect("kept").str_at(&["data", "k"]), "1");
    assert!(has_event(&first.hub, "HeldByAnotherControlPlane").await);
}

/// Whether an Event with the reason is written within a moment.
async fn has_event(hub: &Plane, reason: &str) -> bool {
    let events = hub.client.resource::<Object>(&resources::EVENT.into());
    for _ in 0..1000 {
        let listed = events.list(&Selection::all()).await.expect("an API server that answers");
        if listed.items.iter().any(|event| event.object.str_at(&["reason"]) == reason) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_is_taken_away_stops_the_writes_of_a_running_control_plane() {
    let first = Federation::start(&["eu"]).await;
    let (own, eu) = (id(&first.hub).await, first.member("eu"));
    place(&first, "app").await;
    eu.when_there(CONFIG_MAP, "default/app").await;

    eu.patch(LEASE, LEASE_NAME, json!({ "spec": { "holderIdentity": "another" } })).await;
    let is_refused = |cluster: &Object| condition(cluster, "HeldByThisControlPlane") == "False";
    first.hub.when(CLUSTER, "eu", is_refused).await;
    assert_eq!(holder(eu).await, "another", "it is not taken back");
    eu.delete(CONFIG_MAP, "default/app").await;
    place(&first, "later").await;
    first.hub.when_there(BINDING, "default/later-configmap").await;
    let cluster = first.hub.get(CLUSTER, "eu").await.expect("a cluster");
    assert!(message(&cluster, "Ready").contains("control plane another"), "{cluster:#?}");
    for name in ["default/app", "default/later"] {
        assert!(eu.get(CONFIG_MAP, name).await.is_none(), "{name}");
    }

    // Given back, everything is written.
    eu.patch(LEASE, LEASE_NAME, json!({ "spec": { "holderIdentity": own } })).await;
    first.hub.when(CLUSTER, "eu", |cluster| condition(cluster, "HeldByThisControlPlane") == "True").await;
    for name in ["default/app", "default/later"] {
        eu.when_there(CONFIG_MAP, name).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_leaves_can_join_another_control_plane_at_once() {
    let first = federation().await;
    let eu = first.member("eu");
    first.hub.patch(SET, "prod", json!({ "spec": { "members": [{ "cluster": "us" }] } })).await;
    first.hub.delete(CLUSTER, "eu").await;
    first.hub.when_gone(CLUSTER, "eu").await;
    eu.when_gone(LEASE, LEASE_NAME).await;
    let second = first.second_hub().await;
    let joined = second.join_by_command("eu", eu, false).await.expect("no other control plane");
    assert!(joined.taken_from.is_none() && joined.membership.is_none());
    second.is_ready("eu").await;
    assert_eq!(holder(eu).await, id(&second.hub).await);
}
