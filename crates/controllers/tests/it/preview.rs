//! `portolan plan`: applying the manifests changes in the members exactly what the plan says, and the next plan is empty.

use std::collections::{BTreeMap, BTreeSet};

use portolan_controllers::preview::{Plan, plan};
use portolan_object::Object;
use portolan_plan::field_changes::manifest_changes;
use portolan_plan::preview::{Action, Change};
use portolan_runtime::client::Apply;
use portolan_runtime::client::Selection;
use serde_json::{Value, json};

use crate::federation::{BINDING, CONFIG_MAP, Federation, condition, config_map, policy};

/// The managed ConfigMaps of all members, by cluster and name.
async fn members(set: &Federation) -> BTreeMap<(String, String), Object> {
    let mut all = BTreeMap::new();
    for cluster in ["eu", "us"] {
        let resource = portolan_api::resources::CONFIG_MAP.into();
        let api = set.member(cluster).client.resource::<Object>(&resource);
        let listed = api.list(&Selection::labels("karmada.io/managed=true")).await.expect("a list");
        for seen in listed.items {
            all.insert((cluster.to_owned(), seen.object.key().to_string()), seen.object);
        }
    }
    all
}

/// Changes as `eu Update default/app data.k: …`.
fn planned(plan: &Plan) -> BTreeSet<String> {
    plan.members.changes.iter().map(line).collect()
}

fn line(change: &Change) -> String {
    let fields: Vec<String> = change.fields.iter().map(ToString::to_string).collect();
    format!("{} {:?} {} {}", change.cluster, change.action, change.object, fields.join("; "))
}

/// The same of what has changed in the members.
fn difference(
    before: &BTreeMap<(String, String), Object>,
    after: &BTreeMap<(String, String), Object>,
) -> BTreeSet<String> {
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let lines = keys.into_iter().filter_map(|key| {
        let (action, fields) = match (before.get(key), after.get(key)) {
            (Some(_), None) => (Action::Delete, Vec::new()),
            (None, Some(_)) => (Action::Create, Vec::new()),
            (Some(old), Some(new)) => (Action::Update, manifest_changes(old, new)),
            (None, None) => return None,
        };
        if action == Action::Update && fields.is_empty() {
            return None;
        }
        let fields: Vec<String> = fields.iter().map(ToString::to_string).collect();
        Some(format!("{} {action:?} {} {}", key.0, key.1, fields.join("; ")))
    });
    lines.collect()
}

/// Applies the manifests, as `kubectl apply --server-side` does.
async fn apply(set: &Federation, manifests: &[Value]) {
    let discovery = set.hub.client.discover().await.expect("kinds");
    for manifest in manifests {
        let object = Object(manifest.clone());
        let kind = object.group_version_kind();
        let resource = discovery.find(&kind.group, &kind.kind).expect("a served kind").resource.clone();
        let options = Apply { manager: "test".to_owned(), force: true };
        set.hub.client.resource::<Object>(&resource).apply(&object, &options).await.expect("applied");
    }
}

async fn plan_of(set: &Federation, manifests: &[Value]) -> Plan {
    plan(&set.hub.client, "default", manifests.iter().cloned().map(Object).collect()).await.expect("a plan")
}

/// Plans and applies, and compares the plan with what happens.
async fn check(set: &Federation, name: &str, manifests: &[Value]) {
    let before = members(set).await;
    let plan = plan_of(set, manifests).await;
    let want = planned(&plan);
    apply(set, manifests).await;
    let reached = async {
        while difference(&before, &members(set).await) != want {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    if tokio::time::timeout(std::time::Duration::from_secs(60), reached).await.is_err() {
        panic!("{name}: planned {want:#?}, changed {:#?}", difference(&before, &members(set).await));
    }
    let again = plan_of(set, manifests).await;
    assert!(again.members.changes.is_empty(), "{name}: {again:#?}");
}

fn overriding(cluster: &str, value: &str) -> Value {
    json!({ "apiVersion": "policy.karmada.io/v1alpha1", "kind": "OverridePolicy",
        "metadata": { "namespace": "default", "name": "tune" },
        "spec": { "resourceSelectors": [{ "apiVersion": "v1", "kind": "ConfigMap" }],
            "overrideRules": [{ "targetCluster": { "clusterNames": [cluster] }, "overriders": { "plaintext": [
                { "path": "/data/k", "operator": "replace", "value": value }] } }] } })
}

#[tokio::test(flavor = "multi_thread")]
async fn applying_changes_what_the_plan_says_and_the_next_plan_is_empty() {
    let set = Federation::start(&["eu", "us"]).await;
    let everywhere = policy("all", CONFIG_MAP, "app", &["eu", "us"]);
    let mut both = everywhere.clone();
    let second = json!({ "apiVersion": "v1", "kind": "ConfigMap", "name": "other" });
    both["spec"]["resourceSelectors"].as_array_mut().expect("a list").push(second);
    let steps: [(&str, Vec<Value>); 9] = [
        ("objects without a policy", vec![config_map("app", "1"), config_map("other", "1")]),
        ("a policy for one", vec![everywhere]),
        ("a policy for both", vec![both]),
        ("changed data", vec![config_map("app", "2")]),
        ("an override", vec![overriding("eu", "of eu")]),
        ("the override for another cluster", vec![overriding("us", "of us")]),
        ("fewer clusters", vec![policy("all", CONFIG_MAP, "app", &["eu"])]),
        ("another cluster", vec![policy("all", CONFIG_MAP, "app", &["us"])]),
        (
            "object and policy at once",
            vec![config_map("new", "1"), policy("new", CONFIG_MAP, "new", &["eu", "us"])],
        ),
    ];
    for (name, manifests) in steps {
        check(&set, name, &manifests).await;
    }
    set.hub
        .when(BINDING, "default/new-configmap", |binding| condition(binding, "FullyApplied") == "True")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_writes_nothing_and_says_what_would_be_refused() {
    let set = Federation::start(&["eu"]).await;
    let manifests = [config_map("app", "1"), policy("app", CONFIG_MAP, "app", &["eu"])];
    let made = plan_of(&set, &manifests).await;
    assert_eq!(planned(&made), BTreeSet::from(["eu Create default/app ".to_owned()]));
    assert!(set.hub.get(CONFIG_MAP, "default/app").await.is_none());

    let unknown = json!({ "apiVersion": "example.io/v1", "kind": "Widget", "metadata": { "name": "w" } });
    let error =
        plan(&set.hub.client, "default", vec![Object(unknown)]).await.expect_err("not served").to_string();
    assert!(error.contains("CustomResourceDefinition"), "{error}");
    let mut invalid = config_map("app", "1");
    invalid["data"] = json!({ "k": 5 });
    let error =
        plan(&set.hub.client, "default", vec![Object(invalid)]).await.expect_err("refused").to_string();
    assert!(error.contains("would be refused"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_in_a_new_namespace_are_planned() {
    let set = Federation::start(&["eu"]).await;
    let mut map = config_map("app", "1");
    map["metadata"]["namespace"] = json!("shop");
    let mut of_shop = policy("app", CONFIG_MAP, "app", &["eu"]);
    of_shop["metadata"]["namespace"] = json!("shop");
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "shop" } });
    let made = plan_of(&set, &[namespace, map, of_shop]).await;
    let want = ["eu Create shop ", "eu Create shop/app "].map(str::to_owned);
    assert_eq!(planned(&made), BTreeSet::from(want));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_federations_and_federated_objects_do_is_noted_as_not_planned() {
    let set = Federation::start(&["eu"]).await;
    let federation = json!({ "apiVersion": "portolan.dev/v1alpha1", "kind": "Federation",
        "metadata": { "name": "maps" }, "spec": { "kinds": [{ "apiVersion": "v1", "kind": "ConfigMap" }] } });
    set.hub.create(federation).await;
    let federated = json!({ "apiVersion": "types.kubefed.io/v1beta1", "kind": "FederatedConfigMap",
        "metadata": { "namespace": "default", "name": "old" },
        "spec": { "template": { "data": {} }, "placement": { "clusters": [{ "name": "eu" }] } } });
    let made = plan_of(&set, &[config_map("app", "1"), federated]).await;
    let notes = made.members.notes.join("\n");
    assert!(notes.contains("Federation maps selects ConfigMap default/app"), "{notes}");
    assert!(notes.contains("what a FederatedConfigMap does in the members is not in this plan"), "{notes}");
}
