//! The status of a template follows the members, whatever happens meanwhile.

use futures::future::join_all;
use portolan_object::Object;
use serde_json::{Value, json};

use crate::federation::{DEPLOYMENT, Federation, deployment, policy};

/// The status of a rolled out Deployment with one replica in each of two members.
fn is_rolled_out(template: &Object) -> bool {
    let want = json!({ "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2,
        "observedGeneration": template.generation() });
    template.at(&["status"]) == Some(&want)
}

/// The states through which a member's Deployment goes in a rollout with a surge of one.
fn rollout() -> [Value; 4] {
    [
        json!({ "replicas": 1, "updatedReplicas": null, "readyReplicas": 1, "availableReplicas": 1, "unavailableReplicas": null }),
        json!({ "replicas": 2, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1, "unavailableReplicas": 1 }),
        json!({ "replicas": 2, "updatedReplicas": 1, "readyReplicas": 2, "availableReplicas": 2, "unavailableReplicas": null }),
        json!({ "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1, "unavailableReplicas": null }),
    ]
}

/// What the controllers of a member do after an update.
async fn roll_out(set: &Federation, member: &str, name: &str, image: &str) {
    let path = format!("default/{name}");
    let is_new = |copy: &Object| {
        copy.at(&["spec", "template", "spec", "containers"]).is_some_and(|all| all[0]["image"] == image)
    };
    let copy = set.member(member).when(DEPLOYMENT, &path, is_new).await;
    for mut status in rollout() {
        status["observedGeneration"] = json!(copy.generation());
        set.member(member).patch_status(DEPLOYMENT, &path, json!({ "status": status })).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_intermediate_status_of_a_rollout_stays() {
    let set = Federation::start(&["eu", "us"]).await;
    let names: Vec<String> = (0..12).map(|index| format!("web-{index}")).collect();
    for name in &names {
        set.hub.create(deployment(name, 1)).await;
        set.hub.create(policy(name, DEPLOYMENT, name, &["eu", "us"])).await;
    }
    for round in 0..4 {
        let image = format!("nginx:{round}");
        for name in &names {
            let containers = json!([{ "name": "web", "image": image }]);
            let spec = json!({ "spec": { "template": { "spec": { "containers": containers } } } });
            set.hub.patch(DEPLOYMENT, &format!("default/{name}"), spec).await;
        }
        let (set, image) = (&set, image.as_str());
        let rollouts =
            names.iter().flat_map(|name| ["eu", "us"].map(|member| roll_out(set, member, name, image)));
        join_all(rollouts).await;
        for name in &names {
            set.hub.when(DEPLOYMENT, &format!("default/{name}"), is_rolled_out).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_another_client_writes_is_put_right() {
    let set = Federation::start(&["eu", "us"]).await;
    set.hub.create(deployment("web", 1)).await;
    set.hub.create(policy("web", DEPLOYMENT, "web", &["eu", "us"])).await;
    for member in ["eu", "us"] {
        roll_out(&set, member, "web", "nginx").await;
    }
    set.hub.when(DEPLOYMENT, "default/web", is_rolled_out).await;
    let wrong = json!({ "status": { "replicas": 7, "unavailableReplicas": 5, "readyReplicas": null } });
    set.hub.patch_status(DEPLOYMENT, "default/web", wrong).await;
    set.hub.when(DEPLOYMENT, "default/web", is_rolled_out).await;
}
