//! Interpreters: kinds of other projects, and those that users customise.

use portolan_object::Object;
use portolan_runtime::client::Selection;
use serde_json::{Value, json};

use crate::federation::{
    BINDING, CLUSTER, CONFIG_MAP, DEPLOYMENT, Federation, WORK, condition, config_map, deployment, message,
    policy,
};

const WIDGET: &str = "example.io/v1/Widget";
const CUSTOMIZATION: &str = "config.karmada.io/v1alpha1/ResourceInterpreterCustomization";

/// A definition of any fields, with a status.
fn definition(group: &str, kind: &str) -> Value {
    let plural = format!("{}s", kind.to_lowercase());
    json!({ "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("{plural}.{group}") },
        "spec": { "group": group, "scope": "Namespaced",
            "names": { "kind": kind, "listKind": format!("{kind}List"), "plural": plural, "singular": kind.to_lowercase() },
            "versions": [{ "name": "v1", "served": true, "storage": true, "subresources": { "status": {} },
                "schema": { "openAPIV3Schema": { "type": "object", "x-kubernetes-preserve-unknown-fields": true } } }] } })
}

/// Defines a kind in the hub and in all members, and waits until the hub knows that they serve it: a workload that is divided
/// before keeps the clusters that served its kind then.
async fn define(set: &Federation, members: &[&str], group: &str, kind: &str) {
    set.hub.define(definition(group, kind)).await;
    for member in members {
        set.member(member).define(definition(group, kind)).await;
    }
    for member in members {
        let serves = |cluster: &Object| cluster.0["status"]["apiEnablements"].to_string().contains(kind);
        set.hub.when(CLUSTER, member, serves).await;
    }
}

fn widget(size: i64) -> Value {
    json!({ "apiVersion": "example.io/v1", "kind": "Widget", "metadata": { "namespace": "default", "name": "w" },
        "spec": { "size": size } })
}

fn customization(scripts: &[(&str, &str)]) -> Value {
    let scripts: serde_json::Map<String, Value> =
        scripts.iter().map(|(rule, script)| ((*rule).to_owned(), json!({ "luaScript": script }))).collect();
    json!({ "apiVersion": "config.karmada.io/v1alpha1", "kind": "ResourceInterpreterCustomization",
        "metadata": { "name": "widgets" },
        "spec": { "target": { "apiVersion": "example.io/v1", "kind": "Widget" }, "customizations": scripts } })
}

/// A policy that divides one object equally over two members.
fn divided(kind: &str, name: &str) -> Value {
    let mut policy = policy(name, kind, name, &["eu", "us"]);
    let weight = |cluster: &str| json!({ "targetCluster": { "clusterNames": [cluster] }, "weight": 1 });
    policy["spec"]["placement"]["replicaScheduling"] = json!({
        "replicaSchedulingType": "Divided", "replicaDivisionPreference": "Weighted",
        "weightPreference": { "staticWeightList": [weight("eu"), weight("us")] } });
    policy
}

/// Waits for an event about an object with such a text.
async fn event(set: &Federation, object: &str, text: &str) {
    let events = portolan_runtime::Resource::namespaced("", "v1", "Event", "events");
    let is_it = |event: &Object| {
        event.str_at(&["involvedObject", "name"]) == object && event.str_at(&["message"]).contains(text)
    };
    let seen = async {
        loop {
            let list = set.hub.client.resource::<Object>(&events).list(&Selection::all()).await;
            if list.is_ok_and(|list| list.items.iter().any(|seen| is_it(&seen.object))) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    let waited = tokio::time::timeout(std::time::Duration::from_secs(60), seen).await;
    assert!(waited.is_ok(), "no event about {object} says {text:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn workloads_of_other_projects_are_divided() {
    let set = Federation::start(&["eu", "us"]).await;
    define(&set, &["eu", "us"], "apps.kruise.io", "CloneSet").await;
    let kind = "apps.kruise.io/v1/CloneSet";
    set.hub
        .create(json!({ "apiVersion": "apps.kruise.io/v1", "kind": "CloneSet",
            "metadata": { "namespace": "default", "name": "web" },
            "spec": { "replicas": 4, "template": { "spec": { "containers": [{ "name": "c",
                "resources": { "requests": { "cpu": "100m" } } }] } } } }))
        .await;
    set.hub.create(divided(kind, "web")).await;
    for member in ["eu", "us"] {
        let has_its_share = |copy: &Object| copy.at(&["spec", "replicas"]) == Some(&json!(2));
        set.member(member).when(kind, "default/web", has_its_share).await;
        let status = json!({ "status": { "replicas": 2, "readyReplicas": 1 } });
        set.member(member).patch_status(kind, "default/web", status).await;
    }
    let is_summed = |template: &Object| template.at(&["status", "readyReplicas"]) == Some(&json!(2));
    set.hub.when(kind, "default/web", is_summed).await;
    let binding = set.hub.when_there(BINDING, "default/web-cloneset").await;
    assert_eq!(binding.at(&["spec", "replicaRequirements", "resourceRequest", "cpu"]), Some(&json!("100m")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customised_kind_is_divided_retained_and_aggregated() {
    let set = Federation::start(&["eu", "us"]).await;
    define(&set, &["eu", "us"], "example.io", "Widget").await;
    set.hub
        .create(customization(&[
            ("replicaResource", "function GetReplicas(obj) return obj.spec.size end"),
            ("replicaRevision", "function ReviseReplica(obj, size) obj.spec.size = size return obj end"),
            ("retention", "function Retain(desired, observed) desired.spec.colour = observed.spec.colour return desired end"),
            ("statusReflection", "function ReflectStatus(observed) return { parts = observed.status.parts } end"),
            ("healthInterpretation", "function InterpretHealth(observed) return observed.status.parts > 1 end"),
            (
                "statusAggregation",
                "function AggregateStatus(desired, items)
                    local parts = 0
                    for _, item in ipairs(items or {}) do
                        if item.status ~= nil then parts = parts + item.status.parts end
                    end
                    desired.status = { parts = parts }
                    return desired
                end",
            ),
        ]))
        .await;
    set.hub.create(widget(4)).await;
    set.hub.create(divided(WIDGET, "w")).await;
    for (member, parts) in [("eu", 1), ("us", 2)] {
        let copy = set
            .member(member)
            .when(WIDGET, "default/w", |copy| copy.at(&["spec", "size"]) == Some(&json!(2)));
        copy.await;
        let status = json!({ "status": { "parts": parts, "secret": 1 } });
        set.member(member).patch_status(WIDGET, "default/w", status).await;
    }
    set.hub
        .when(WIDGET, "default/w", |template| template.at(&["status"]) == Some(&json!({ "parts": 3 })))
        .await;
    let binding = set
        .hub
        .when(BINDING, "default/w-widget", |binding| {
            binding.0["status"]["aggregatedStatus"][1]["health"] == "Healthy"
        })
        .await;
    let items = &binding.0["status"]["aggregatedStatus"];
    assert_eq!((&items[0]["health"], &items[0]["status"]), (&json!("Unhealthy"), &json!({ "parts": 1 })));

    set.member("eu").patch(WIDGET, "default/w", json!({ "spec": { "colour": "red" } })).await;
    set.hub.patch(WIDGET, "default/w", json!({ "spec": { "size": 6 } })).await;
    let copy = set
        .member("eu")
        .when(WIDGET, "default/w", |copy| copy.at(&["spec", "size"]) == Some(&json!(3)))
        .await;
    assert_eq!(copy.str_at(&["spec", "colour"]), "red");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_customization_takes_effect_on_what_is_there() {
    let set = Federation::start(&["eu", "us"]).await;
    define(&set, &["eu", "us"], "example.io", "Widget").await;
    set.hub.create(widget(4)).await;
    set.hub.create(divided(WIDGET, "w")).await;
    let has = |size: i64| move |copy: &Object| copy.at(&["spec", "size"]) == Some(&json!(size));
    set.member("eu").when(WIDGET, "default/w", has(4)).await;
    set.hub
        .create(customization(&[
            ("replicaResource", "function GetReplicas(obj) return obj.spec.size end"),
            ("replicaRevision", "function ReviseReplica(obj, size) obj.spec.size = size return obj end"),
        ]))
        .await;
    for member in ["eu", "us"] {
        set.member(member).when(WIDGET, "default/w", has(2)).await;
    }
    set.hub.delete(CUSTOMIZATION, "widgets").await;
    set.member("eu").when(WIDGET, "default/w", has(4)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_faulty_script_is_reported_and_delays_no_other_kind() {
    let set = Federation::start(&["eu"]).await;
    define(&set, &["eu"], "example.io", "Widget").await;
    set.hub
        .create(customization(&[
            ("retention", "function Retain() while true do end end"),
            ("statusReflection", "function ReflectStatus() error('no parts') end"),
        ]))
        .await;
    set.hub.create(widget(1)).await;
    set.hub.create(policy("w", WIDGET, "w", &["eu"])).await;
    set.member("eu").when_there(WIDGET, "default/w").await;
    let work =
        set.hub.client.kind::<portolan_api::work::Work>().list(&Selection::all()).await.expect("works");
    let work = work.items.iter().map(|seen| &seen.object);
    let work = work.clone().find(|work| work.spec.workload.manifests[0]["kind"] == "Widget").expect("a work");
    event(
        &set,
        &work.metadata.name,
        "ResourceInterpreterCustomization widgets, operation InterpretStatus: the script failed",
    )
    .await;

    let not_read = |binding: &Object| {
        condition(binding, "StatusCollected") == "False"
            && message(binding, "StatusCollected")
                .starts_with("In cluster eu: ResourceInterpreterCustomization widgets")
    };
    set.hub.when(BINDING, "default/w-widget", not_read).await;

    set.hub.patch(WIDGET, "default/w", json!({ "spec": { "size": 2 } })).await;
    let name = format!("karmada-es-eu/{}", work.metadata.name);
    let failed = set.hub.when(WORK, &name, |work| condition(work, "Applied") == "False").await;
    let text = message(&failed, "Applied");
    let want = "ResourceInterpreterCustomization widgets, operation Retain: the script did not end within 1s";
    assert!(text.contains(want), "{text}");

    set.hub.create(config_map("app", "1")).await;
    set.hub.create(policy("app", CONFIG_MAP, "app", &["eu"])).await;
    set.member("eu").when_there(CONFIG_MAP, "default/app").await;

    set.hub.delete(CUSTOMIZATION, "widgets").await;
    let is_read = |binding: &Object| condition(binding, "StatusCollected") == "True";
    set.hub.when(BINDING, "default/w-widget", is_read).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_a_script_cannot_count_is_a_condition_of_the_binding() {
    let set = Federation::start(&["eu"]).await;
    define(&set, &["eu"], "example.io", "Widget").await;
    set.hub.create(widget(1)).await;
    set.hub.create(policy("w", WIDGET, "w", &["eu"])).await;
    let is_applied = |binding: &Object| condition(binding, "FullyApplied") == "True";
    set.hub.when(BINDING, "default/w-widget", is_applied).await;
    set.hub
        .create(customization(&[("replicaResource", "function GetReplicas(obj) error('no size') end")]))
        .await;
    let says_why = |binding: &Object| {
        condition(binding, "FullyApplied") == "False"
            && message(binding, "FullyApplied")
                .starts_with("the latest change of the object is not in the members")
            && message(binding, "FullyApplied").contains("no size")
    };
    set.hub.when(BINDING, "default/w-widget", says_why).await;
    set.hub.delete(CUSTOMIZATION, "widgets").await;
    set.hub.when(BINDING, "default/w-widget", is_applied).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_cannot_count_is_reported_on_the_template() {
    let set = Federation::start(&["eu"]).await;
    define(&set, &["eu"], "example.io", "Widget").await;
    set.hub
        .create(customization(&[(
            "replicaResource",
            "function GetReplicas(obj) return obj.spec.none.size end",
        )]))
        .await;
    set.hub.create(widget(1)).await;
    set.hub.create(policy("w", WIDGET, "w", &["eu"])).await;
    event(
        &set,
        "w",
        "ResourceInterpreterCustomization widgets, operation InterpretReplica: the script failed",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_does_not_answer_is_reported_on_the_template() {
    let set = Federation::start(&["eu"]).await;
    define(&set, &["eu"], "example.io", "Widget").await;
    set.hub
        .create(json!({ "apiVersion": "config.karmada.io/v1alpha1", "kind": "ResourceInterpreterWebhookConfiguration",
            "metadata": { "name": "hooks" }, "webhooks": [{ "name": "widgets.example.io",
                "clientConfig": { "url": "http://127.0.0.1:1/interpret" }, "timeoutSeconds": 1,
                "rules": [{ "operations": ["InterpretReplica"], "apiGroups": ["example.io"], "apiVersions": ["*"],
                            "kinds": ["Widget"] }],
                "interpreterContextVersions": ["v1alpha1"] }] }))
        .await;
    set.hub.create(widget(1)).await;
    set.hub.create(policy("w", WIDGET, "w", &["eu"])).await;
    let want = "webhook widgets.example.io of ResourceInterpreterWebhookConfiguration hooks, operation InterpretReplica";
    event(&set, "w", want).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_fails_is_a_condition_of_the_binding() {
    let set = Federation::start(&["eu", "us"]).await;
    define(&set, &["eu", "us"], "example.io", "Widget").await;
    let scripts = [
        ("replicaResource", "function GetReplicas(object) return 2, nil end"),
        ("replicaRevision", "function ReviseReplica(object, replicas) error('no way') end"),
    ];
    set.hub.create(customization(&scripts)).await;
    set.hub.create(widget(2)).await;
    set.hub.create(divided(WIDGET, "w")).await;
    let says_why = |binding: &Object| {
        condition(binding, "FullyApplied") == "False" && message(binding, "FullyApplied").contains("no way")
    };
    set.hub.when(BINDING, "default/w-widget", says_why).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_is_available_once_all_members_say_so() {
    let set = Federation::start(&["eu", "us"]).await;
    set.hub.create(deployment("web", 1)).await;
    set.hub.create(policy("web", DEPLOYMENT, "web", &["eu", "us"])).await;
    for member in ["eu", "us"] {
        let copy = set.member(member).when_there(DEPLOYMENT, "default/web").await;
        let status = json!({ "status": { "replicas": 1, "availableReplicas": 1, "observedGeneration": copy.generation(),
            "conditions": [{ "type": "Available", "status": "True", "reason": "MinimumReplicasAvailable",
                "message": "Deployment has minimum availability.", "lastUpdateTime": "2026-01-01T00:00:00Z",
                "lastTransitionTime": "2026-01-01T00:00:00Z" }] } });
        set.member(member).patch_status(DEPLOYMENT, "default/web", status).await;
    }
    set.hub.when(DEPLOYMENT, "default/web", |template| condition(template, "Available") == "True").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_port_that_is_taken_is_allocated_by_the_member() {
    let set = Federation::start(&["eu", "us"]).await;
    let service = |name: &str, node_port: Option<i64>| {
        let mut port = json!({ "port": 80 });
        if let Some(node_port) = node_port {
            port["nodePort"] = json!(node_port);
        }
        json!({ "apiVersion": "v1", "kind": "Service",
            "metadata": { "namespace": "default", "name": name },
            "spec": { "type": "NodePort", "selector": { "app": "web" }, "ports": [port] } })
    };
    const SERVICE: &str = "v1/Service";
    let port = |service: &Object| service.0["spec"]["ports"][0]["nodePort"].as_i64().unwrap_or_default();
    let allocated = port(&set.hub.create(service("web", None)).await);
    let written = if allocated == 30_081 { 30_082 } else { 30_081 };
    set.hub.create(service("fixed", Some(written))).await;
    set.member("eu").create(service("theirs", Some(allocated))).await;
    for name in ["web", "fixed"] {
        set.hub.create(policy(name, SERVICE, name, &["eu", "us"])).await;
    }
    let eu = set.member("eu").when_there(SERVICE, "default/web").await;
    let us = set.member("us").when_there(SERVICE, "default/web").await;
    assert_ne!(port(&eu), allocated);
    assert_eq!(port(&us), allocated);
    let fixed = set.member("eu").when_there(SERVICE, "default/fixed").await;
    assert_eq!(port(&fixed), written);
    let is_applied = |binding: &Object| condition(binding, "FullyApplied") == "True";
    set.hub.when(BINDING, "default/web-service", is_applied).await;
    // A port that the user wrote is not changed where it is taken, also after the template's own writes.
    set.hub.create(service("clash", Some(port(&eu)))).await;
    set.hub.create(policy("clash", SERVICE, "clash", &["eu", "us"])).await;
    let there = set.member("us").when_there(SERVICE, "default/clash").await;
    assert_eq!(port(&there), port(&eu));
    let is_refused = |binding: &Object| condition(binding, "FullyApplied") == "False";
    set.hub.when(BINDING, "default/clash-service", is_refused).await;
    set.hub.patch(SERVICE, "default/clash", json!({ "metadata": { "labels": { "a": "b" } } })).await;
    let is_labelled = |service: &Object| service.label("a") == Some("b");
    set.member("us").when(SERVICE, "default/clash", is_labelled).await;
    assert!(set.member("eu").get(SERVICE, "default/clash").await.is_none(), "no other port was allocated");
    // A change of the template leaves the port that the member has allocated.
    set.hub.patch(SERVICE, "default/web", json!({ "spec": { "selector": { "app": "other" } } })).await;
    let is_new = |service: &Object| service.str_at(&["spec", "selector", "app"]) == "other";
    let changed = set.member("eu").when(SERVICE, "default/web", is_new).await;
    assert_eq!(port(&changed), port(&eu));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_a_member_has_already_keeps_its_node_port_when_it_is_taken_over() {
    let set = Federation::start(&["eu"]).await;
    let service = json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "namespace": "default", "name": "web" },
        "spec": { "type": "NodePort", "selector": { "app": "web" }, "ports": [{ "port": 80, "nodePort": 30_082 }] } });
    set.member("eu").create(service.clone()).await;
    set.hub.create(service).await;
    let mut overwriting = policy("web", "v1/Service", "web", &["eu"]);
    overwriting["spec"]["conflictResolution"] = json!("Overwrite");
    set.hub.create(overwriting).await;
    let is_applied = |binding: &Object| condition(binding, "FullyApplied") == "True";
    set.hub.when(BINDING, "default/web-service", is_applied).await;
}
