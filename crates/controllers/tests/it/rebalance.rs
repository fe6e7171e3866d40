//! Workloads that are scheduled again by request.

use serde_json::{Value, json};

use crate::federation::{BINDING, DEPLOYMENT, Federation, deployment, policy};

const REBALANCER: &str = "apps.karmada.io/v1alpha1/WorkloadRebalancer";

fn workload(name: &str) -> Value {
    json!({ "apiVersion": "apps/v1", "kind": "Deployment", "namespace": "default", "name": name })
}

fn rebalancer(workloads: &[Value], ttl: Option<i32>) -> Value {
    json!({ "apiVersion": "apps.karmada.io/v1alpha1", "kind": "WorkloadRebalancer", "metadata": { "name": "again" },
        "spec": { "workloads": workloads, "ttlSecondsAfterFinished": ttl } })
}

/// Name, result and reason of each observed workload.
fn results(rebalancer: &portolan_object::Object) -> Vec<(String, String, String)> {
    let observed = rebalancer.at(&["status", "observedWorkloads"]).and_then(Value::as_array);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let row = |one: &Value| (text(&one["workload"]["name"]), text(&one["result"]), text(&one["reason"]));
    observed.into_iter().flatten().map(row).collect()
}

fn row(name: &str, result: &str, reason: &str) -> (String, String, String) {
    (name.to_owned(), result.to_owned(), reason.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn bindings_get_the_request_and_the_rebalancer_the_results() {
    let set = Federation::start(&["eu"]).await;
    for name in ["web", "later"] {
        set.hub.create(deployment(name, 1)).await;
        set.hub.create(policy(name, DEPLOYMENT, name, &["eu"])).await;
        set.hub.when_there(BINDING, &format!("default/{name}-deployment")).await;
    }
    let made = set.hub.create(rebalancer(&[workload("web"), workload("missing")], None)).await;
    let done = set.hub.when(REBALANCER, "again", |found| results(found).len() == 2).await;
    let want = [row("missing", "Failed", "ReferencedBindingNotFound"), row("web", "Successful", "")];
    assert_eq!(results(&done), want);
    assert!(!done.str_at(&["status", "finishTime"]).is_empty());
    let binding = set.hub.get(BINDING, "default/web-deployment").await.expect("a binding");
    assert_eq!(binding.str_at(&["spec", "rescheduleTriggeredAt"]), made.creation_timestamp());

    // What succeeded stays; what failed goes with the spec.
    set.hub.patch(REBALANCER, "again", json!({ "spec": { "workloads": [workload("later")] } })).await;
    let want = [row("later", "Successful", ""), row("web", "Successful", "")];
    set.hub.when(REBALANCER, "again", |found| results(found) == want).await;

    set.hub.patch(REBALANCER, "again", json!({ "spec": { "ttlSecondsAfterFinished": 0 } })).await;
    set.hub.when_gone(REBALANCER, "again").await;
}
