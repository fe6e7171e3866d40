//! The caches of ResourceRegistries follow registries and clusters.

use std::time::Duration;

use serde_json::{Value, json};

use crate::federation::{Federation, condition, message};

const REGISTRY: &str = "search.karmada.io/v1alpha1/ResourceRegistry";
const TIMEOUT: Duration = Duration::from_secs(60);

fn registry(clusters: &[&str], selectors: &Value) -> Value {
    json!({ "apiVersion": "search.karmada.io/v1alpha1", "kind": "ResourceRegistry", "metadata": { "name": "all" },
        "spec": { "targetCluster": { "clusterNames": clusters }, "resourceSelectors": selectors } })
}

fn config_map(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "namespace": "default", "name": name } })
}

/// The cached ConfigMaps with these names, as `cluster/name`; `None` if no registry asks for ConfigMaps.
fn found(set: &Federation, names: &[&str]) -> Option<Vec<String>> {
    let (_, collections) = set.search.of("", "v1", "configmaps")?;
    let objects = collections.iter().flat_map(|one| {
        let listed = one.cache.list_namespace("default").into_iter();
        listed.map(|object| format!("{}/{}", one.cluster, object.name()))
    });
    Some(objects.filter(|object| names.iter().any(|name| object.ends_with(&format!("/{name}")))).collect())
}

async fn eventually(set: &Federation, wanted: Option<&[&str]>) {
    let wanted = wanted.map(|wanted| wanted.iter().map(ToString::to_string).collect::<Vec<_>>());
    let reached = async {
        while found(set, &["a", "b"]) != wanted {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(TIMEOUT, reached).await;
    assert!(waited.is_ok(), "{wanted:?} was expected, and {:?} is cached", found(set, &["a", "b"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_registry_names_is_cached_while_it_exists() {
    let set = Federation::start(&["eu", "us"]).await;
    set.member("eu").create(config_map("a")).await;
    set.member("us").create(config_map("b")).await;
    eventually(&set, None).await;
    let selectors = json!([{ "apiVersion": "v1", "kind": "ConfigMap", "namespace": "default" }]);
    set.hub.create(registry(&["eu", "us"], &selectors)).await;
    eventually(&set, Some(&["eu/a", "us/b"])).await;
    set.hub.when(REGISTRY, "all", |registry| condition(registry, "Cached") == "True").await;
    set.hub.patch(REGISTRY, "all", json!({ "spec": { "targetCluster": { "clusterNames": ["us"] } } })).await;
    eventually(&set, Some(&["us/b"])).await;
    set.member("us").delete("v1/ConfigMap", "default/b").await;
    eventually(&set, Some(&[])).await;
    set.hub.delete(REGISTRY, "all").await;
    eventually(&set, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_says_what_is_missing() {
    let set = Federation::start(&["eu"]).await;
    set.hub
        .create(registry(&["eu", "nowhere"], &json!([{ "apiVersion": "example.io/v1", "kind": "Foo" }])))
        .await;
    let says = |registry: &portolan_object::Object| {
        condition(registry, "Cached") == "False"
            && message(registry, "Cached").contains("example.io/v1 Foo is not served by eu")
    };
    set.hub.when(REGISTRY, "all", says).await;
}
