//! Scheduling of bindings: what happens to what runs already, and workloads that depend on each other.

use std::time::Duration;

use serde_json::{Value, json};

use crate::federation::{
    BINDING, CLUSTER, CONFIG_MAP, DEPLOYMENT, Federation, condition, config_map, deployment, message, policy,
};

const POLICY: &str = "policy.karmada.io/v1alpha1/PropagationPolicy";

/// `eu:2 us:1`: the targets of a binding.
fn targets(binding: &portolan_object::Object) -> String {
    let clusters = binding.at(&["spec", "clusters"]).and_then(Value::as_array).into_iter().flatten();
    let target = |one: &Value| match one["replicas"].as_i64() {
        Some(replicas) => format!("{}:{replicas}", one["name"].as_str().unwrap_or_default()),
        None => one["name"].as_str().unwrap_or_default().to_owned(),
    };
    clusters.map(target).collect::<Vec<_>>().join(" ")
}

fn place(clusters: &[&str]) -> Value {
    json!({ "spec": { "placement": { "clusterAffinity": { "clusterNames": clusters } } } })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_typing_error_in_a_placement_removes_nothing() {
    let set = Federation::start(&["eu", "us"]).await;
    set.hub.create(config_map("app", "1")).await;
    set.hub.create(policy("app", CONFIG_MAP, "app", &["eu"])).await;
    let uid = set.member("eu").when_there(CONFIG_MAP, "default/app").await.uid().to_owned();

    set.hub.patch(POLICY, "default/app", place(&["ue"])).await;
    let binding = set
        .hub
        .when(BINDING, "default/app-configmap", |binding| condition(binding, "Scheduled") == "False")
        .await;
    let text = message(&binding, "Scheduled");
    assert!(text.contains("clusters that do not exist: ue"), "{text}");
    assert_eq!(targets(&binding), "eu");
    let copy = set.member("eu").get(CONFIG_MAP, "default/app").await.expect("it stays");
    assert_eq!(copy.uid(), uid);

    set.hub.patch(POLICY, "default/app", place(&["us"])).await;
    set.member("us").when_there(CONFIG_MAP, "default/app").await;
    set.member("eu").when_gone(CONFIG_MAP, "default/app").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn spread_constraints_choose_and_follow() {
    let set = Federation::start(&["eu", "us"]).await;
    for (cluster, region) in [("eu", "europe"), ("us", "america")] {
        set.hub.patch(CLUSTER, cluster, json!({ "spec": { "region": region } })).await;
    }
    let spread = |count: u32| {
        json!({ "spec": { "placement": { "clusterAffinity": null, "spreadConstraints": [
            { "spreadByField": "region", "minGroups": count, "maxGroups": count },
            { "spreadByField": "cluster", "minGroups": count, "maxGroups": count }] } } })
    };
    let mut both = policy("web", DEPLOYMENT, "web", &[]);
    both["spec"]["placement"] = spread(2)["spec"]["placement"].clone();
    both["spec"]["placement"].as_object_mut().expect("a map").remove("clusterAffinity");
    set.hub.create(deployment("web", 2)).await;
    set.hub.create(both).await;
    let all = |binding: &portolan_object::Object| targets(binding) == "eu:2 us:2";
    set.hub.when(BINDING, "default/web-deployment", all).await;

    set.hub.patch(POLICY, "default/web", spread(1)).await;
    let one = |binding: &portolan_object::Object| matches!(targets(binding).as_str(), "eu:2" | "us:2");
    set.hub.when(BINDING, "default/web-deployment", one).await;

    set.hub.patch(POLICY, "default/web", spread(3)).await;
    let failed = |binding: &portolan_object::Object| condition(binding, "Scheduled") == "False";
    let binding = set.hub.when(BINDING, "default/web-deployment", failed).await;
    assert!(message(&binding, "Scheduled").contains("less than spreadConstraint.MinGroups"));
    assert!(one(&binding), "what runs stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn workloads_of_an_anti_affinity_group_get_different_clusters() {
    let set = Federation::start(&["eu", "us"]).await;
    let labelled = |name: &str| {
        let mut template = deployment(name, 1);
        template["metadata"]["labels"] = json!({ "group": "database" });
        template
    };
    let mut spread = policy("all", DEPLOYMENT, "", &["eu", "us"]);
    spread["spec"]["placement"]["spreadConstraints"] = json!([{ "maxGroups": 1, "minGroups": 1 }]);
    spread["spec"]["placement"]["workloadAffinity"] =
        json!({ "antiAffinity": { "groupByLabelKey": "group" } });
    set.hub.create(spread).await;
    for name in ["one", "two", "three"] {
        set.hub.create(labelled(name)).await;
    }
    let mut placed = Vec::new();
    for name in ["one", "two", "three"] {
        let key = format!("default/{name}-deployment");
        let decided = |binding: &portolan_object::Object| !condition(binding, "Scheduled").is_empty();
        let binding = set.hub.when(BINDING, &key, decided).await;
        placed.push((targets(&binding), name));
    }
    placed.sort();
    let clusters: Vec<&str> = placed.iter().map(|(clusters, _)| clusters.as_str()).collect();
    assert_eq!(clusters, ["", "eu:1", "us:1"], "two have a cluster each, and none is left for the third");

    // The one that waits takes the place of one that leaves.
    set.hub.delete(DEPLOYMENT, &format!("default/{}", placed[1].1)).await;
    let key = format!("default/{}-deployment", placed[0].1);
    set.hub.when(BINDING, &key, |binding| targets(binding) == "eu:1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_a_cluster_is_a_new_scheduling_with_the_same_result() {
    let set = Federation::start(&["eu", "us"]).await;
    set.hub.create(config_map("app", "1")).await;
    set.hub.create(policy("app", CONFIG_MAP, "app", &["eu"])).await;
    let scheduled =
        |binding: &portolan_object::Object| binding.str_at(&["status", "lastScheduledTime"]).to_owned();
    let first =
        set.hub.when(BINDING, "default/app-configmap", |binding| !scheduled(binding).is_empty()).await;
    // The time has whole seconds, so changes in the second of the first scheduling do not show.
    let moves = async {
        for round in 0.. {
            set.hub
                .patch(CLUSTER, "eu", json!({ "metadata": { "labels": { "round": round.to_string() } } }))
                .await;
            let binding = set.hub.when_there(BINDING, "default/app-configmap").await;
            if scheduled(&binding) > scheduled(&first) {
                return binding;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        unreachable!("the rounds have no end");
    };
    let later = tokio::time::timeout(Duration::from_secs(60), moves).await.expect("the time moves");
    assert_eq!(targets(&later), "eu");
}
