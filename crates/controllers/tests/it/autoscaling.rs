//! Workloads that are scaled by metrics of their members, or by the time of day.

use portolan_object::Object;
use serde_json::{Value, json};

use crate::federation::{DEPLOYMENT, Federation, Plane, condition, config_map, deployment, message, policy};
use crate::policies::when_event;

const AUTOSCALER: &str = "autoscaling.karmada.io/v1alpha1/FederatedHPA";
const CRON: &str = "autoscaling.karmada.io/v1alpha1/CronFederatedHPA";

fn autoscaler(max: i32) -> Value {
    json!({ "apiVersion": "autoscaling.karmada.io/v1alpha1", "kind": "FederatedHPA",
        "metadata": { "namespace": "default", "name": "web" },
        "spec": { "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" },
            "minReplicas": 1, "maxReplicas": max,
            "metrics": [{ "type": "Resource", "resource": { "name": "cpu",
                "target": { "type": "Utilization", "averageUtilization": 50 } } }] } })
}

/// Serves metrics.k8s.io from objects that the test creates.
async fn serve_metrics(plane: &Plane) {
    let schema = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    plane
        .define(json!({ "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": { "name": "pods.metrics.k8s.io",
                "annotations": { "api-approved.kubernetes.io": "unapproved, for a test" } },
            "spec": { "group": "metrics.k8s.io", "scope": "Namespaced",
                "names": { "plural": "pods", "singular": "pod", "kind": "PodMetrics" },
                "versions": [{ "name": "v1beta1", "served": true, "storage": true,
                    "schema": { "openAPIV3Schema": schema } }] } }))
        .await;
}

/// A pod of `web` that has been ready for long, and what it uses of the 100m that it requests.
async fn pod(plane: &Plane, name: &str, cpu: &str) {
    let labels = json!({ "app": "web" });
    plane
        .create(json!({ "apiVersion": "v1", "kind": "Pod",
            "metadata": { "namespace": "default", "name": name, "labels": labels },
            "spec": { "containers": [{ "name": "web", "image": "nginx",
                "resources": { "requests": { "cpu": "100m" } } }] } }))
        .await;
    let long_ago = "2020-01-01T00:00:00Z";
    plane
        .patch_status(
            "v1/Pod",
            &format!("default/{name}"),
            json!({ "status": { "phase": "Running", "startTime": long_ago,
                "conditions": [{ "type": "Ready", "status": "True", "lastTransitionTime": long_ago }] } }),
        )
        .await;
    let metrics = Object(json!({ "apiVersion": "metrics.k8s.io/v1beta1", "kind": "PodMetrics",
        "metadata": { "namespace": "default", "name": name, "labels": labels },
        "timestamp": "2026-01-01T00:00:00Z", "window": "30s",
        "containers": [{ "name": "web", "usage": { "cpu": cpu } }] }));
    let gvk = metrics.group_version_kind();
    let resource = portolan_runtime::Resource { gvk, plural: "pods".to_owned(), namespaced: true };
    plane.client.resource(&resource).create(&metrics).await.expect("metrics");
}

#[tokio::test(flavor = "multi_thread")]
async fn busy_members_get_more_replicas() {
    let set = Federation::start(&["eu", "us"]).await;
    set.hub.create(deployment("web", 2)).await;
    let mut divided = policy("web", DEPLOYMENT, "web", &["eu", "us"]);
    divided["spec"]["placement"]["replicaScheduling"] = json!({ "replicaSchedulingType": "Divided",
        "replicaDivisionPreference": "Weighted",
        "weightPreference": { "staticWeightList": [
            { "targetCluster": { "clusterNames": ["eu"] }, "weight": 1 },
            { "targetCluster": { "clusterNames": ["us"] }, "weight": 1 }] } });
    set.hub.create(divided).await;
    for cluster in ["eu", "us"] {
        let member = set.member(cluster);
        serve_metrics(member).await;
        member.when_there(DEPLOYMENT, "default/web").await;
        pod(member, "web-1", "100m").await;
    }
    set.hub.create(autoscaler(10)).await;
    set.hub.when(DEPLOYMENT, "default/web", |web| web.at(&["spec", "replicas"]) == Some(&json!(4))).await;
    let is_scaled = |one: &Object| {
        condition(one, "ScalingActive") == "True" && one.at(&["status", "desiredReplicas"]) == Some(&json!(4))
    };
    let done = set.hub.when(AUTOSCALER, "default/web", is_scaled).await;
    let current = &done.0["status"]["currentMetrics"][0]["resource"]["current"];
    assert_eq!(current, &json!({ "averageUtilization": 100, "averageValue": "100m" }));
    set.member("eu")
        .when(DEPLOYMENT, "default/web", |web| web.at(&["spec", "replicas"]) == Some(&json!(2)))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_without_metrics_are_named() {
    let set = Federation::start(&["eu"]).await;
    set.hub.create(deployment("web", 2)).await;
    set.hub.create(autoscaler(10)).await;
    let blocked =
        set.hub.when(AUTOSCALER, "default/web", |one| condition(one, "AbleToScale") == "False").await;
    assert!(message(&blocked, "AbleToScale").contains("no policy selects it"), "{blocked:?}");

    set.hub.create(policy("web", DEPLOYMENT, "web", &["eu"])).await;
    set.member("eu").when_there(DEPLOYMENT, "default/web").await;
    // A change of the spec is looked at without waiting for the period.
    set.hub.patch(AUTOSCALER, "default/web", json!({ "spec": { "maxReplicas": 9 } })).await;
    let told =
        set.hub.when(AUTOSCALER, "default/web", |one| condition(one, "ScalingActive") == "False").await;
    let text = message(&told, "ScalingActive");
    assert!(text.contains("cluster eu: it serves no metrics.k8s.io/v1beta1"), "{text}");
    let web = set.hub.get(DEPLOYMENT, "default/web").await.expect("a Deployment");
    assert_eq!(web.at(&["spec", "replicas"]), Some(&json!(2)));
}

/// A rule that was due long ago, which a controller makes good at once.
async fn missed(set: &Federation, target: Value, rule: Value) {
    set.stop_controllers().await;
    let mut rule = rule;
    rule["name"] = json!("r");
    rule["schedule"] = json!("* * * * *");
    set.hub
        .create(json!({ "apiVersion": "autoscaling.karmada.io/v1alpha1", "kind": "CronFederatedHPA",
            "metadata": { "namespace": "default", "name": "cron" },
            "spec": { "scaleTargetRef": target, "rules": [rule] } }))
        .await;
    let histories = json!([{ "ruleName": "r", "nextExecutionTime": "2026-01-01T00:00:00Z" }]);
    set.hub
        .patch_status(CRON, "default/cron", json!({ "status": { "executionHistories": histories } }))
        .await;
    set.run_controllers();
}

fn has_run(cron: &Object, list: &str) -> bool {
    let histories = cron.at(&["status", "executionHistories"]).and_then(Value::as_array);
    histories.is_some_and(|histories| histories[0][list].as_array().is_some_and(|runs| runs.len() == 1))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_scales_a_workload() {
    let set = Federation::start(&[]).await;
    set.hub.create(deployment("web", 1)).await;
    let target = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" });
    missed(&set, target, json!({ "targetReplicas": 4 })).await;
    set.hub.when(DEPLOYMENT, "default/web", |web| web.at(&["spec", "replicas"]) == Some(&json!(4))).await;
    let cron = set.hub.when(CRON, "default/cron", |cron| has_run(cron, "successfulExecutions")).await;
    let history = &cron.0["status"]["executionHistories"][0];
    assert_eq!(history["successfulExecutions"][0]["appliedReplicas"], json!(4));
    assert!(history["nextExecutionTime"].as_str() > Some("2026-01-01T00:00:00Z"), "{history}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_changes_the_limits_of_an_autoscaler() {
    let set = Federation::start(&[]).await;
    set.hub.create(autoscaler(10)).await;
    let target =
        json!({ "apiVersion": "autoscaling.karmada.io/v1alpha1", "kind": "FederatedHPA", "name": "web" });
    missed(&set, target, json!({ "targetMinReplicas": 2, "targetMaxReplicas": 20 })).await;
    let limits = |one: &Object| (one.0["spec"]["minReplicas"].clone(), one.0["spec"]["maxReplicas"].clone());
    set.hub.when(AUTOSCALER, "default/web", |one| limits(one) == (json!(2), json!(20))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_without_a_target_fails_in_its_history() {
    let set = Federation::start(&[]).await;
    let target = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" });
    missed(&set, target, json!({ "targetReplicas": 4 })).await;
    let cron = set.hub.when(CRON, "default/cron", |cron| has_run(cron, "failedExecutions")).await;
    let text = cron.0["status"]["executionHistories"][0]["failedExecutions"][0]["message"].to_string();
    assert!(text.contains("Deployment default/web does not exist"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_cannot_be_scaled_is_said_before_a_rule_is_due() {
    let set = Federation::start(&[]).await;
    set.hub.create(config_map("app", "1")).await;
    let cases = [
        (
            "no-scale",
            "v1",
            "ConfigMap",
            "app",
            "ConfigMap default/app cannot be scaled: its kind has no scale",
        ),
        ("no-object", "apps/v1", "Deployment", "wbe", "Deployment default/wbe does not exist"),
        ("no-kind", "apps/v1", "Deploymnet", "web", "the control plane does not serve"),
        (
            "no-limits",
            "autoscaling.karmada.io/v1alpha1",
            "FederatedHPA",
            "wbe",
            "FederatedHPA default/wbe does not",
        ),
    ];
    for (name, version, kind, target, want) in cases {
        let limits =
            json!({ "name": "r", "schedule": "0 3 29 2 *", "targetMinReplicas": 1, "targetMaxReplicas": 2 });
        let replicas = json!({ "name": "r", "schedule": "0 3 29 2 *", "targetReplicas": 1 });
        let rule = if kind == "FederatedHPA" { limits } else { replicas };
        set.hub
            .create(json!({ "apiVersion": "autoscaling.karmada.io/v1alpha1", "kind": "CronFederatedHPA",
                "metadata": { "namespace": "default", "name": name },
                "spec": { "scaleTargetRef": { "apiVersion": version, "kind": kind, "name": target },
                    "rules": [rule] } }))
            .await;
        let said = when_event(&set.hub, name, "TargetNotScalable").await;
        assert!(said.contains(want), "{name}: {said}");
    }
}
