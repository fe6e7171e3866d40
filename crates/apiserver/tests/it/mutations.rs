//! Mutating admission policies that this API server runs itself.

use serde_json::{Value, json};

use crate::cluster::{CONFIG_MAPS, Cluster, config_map};

const GROUP: &str = "/apis/admissionregistration.k8s.io/v1";

/// A cluster, and a user with all rights who is not a part of this process.
async fn start() -> (Cluster, Cluster) {
    let admin = Cluster::start().await;
    let binding = json!({ "metadata": { "name": "jane" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin" },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jane" }] });
    let made = admin.post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", &binding).await;
    assert_eq!(made.code, 201, "{}", made.text);
    let jane = admin.as_user("jane");
    (admin, jane)
}

fn apply(expression: &str) -> Value {
    json!({ "patchType": "ApplyConfiguration", "applyConfiguration": { "expression": expression } })
}

fn json_patch(expression: &str) -> Value {
    json!({ "patchType": "JSONPatch", "jsonPatch": { "expression": expression } })
}

/// A policy over config maps and its binding; `more` are further fields of the policy's spec.
async fn bind(cluster: &Cluster, name: &str, mutations: Value, more: Value) {
    let annotations = json!({ "portolan.dev/run-here": "true" });
    let mut spec = json!({
        "matchConstraints": { "resourceRules": [{ "operations": ["CREATE", "UPDATE"], "apiGroups": [""],
            "apiVersions": ["v1"], "resources": ["configmaps"] }] },
        "reinvocationPolicy": "Never", "mutations": mutations,
    });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut bound = json!({ "policyName": name });
    if spec.get("paramKind").is_some() {
        bound["paramRef"] =
            json!({ "name": "settings", "namespace": "default", "parameterNotFoundAction": "Deny" });
    }
    let metadata = json!({ "name": name, "annotations": annotations });
    for (plural, spec) in [("mutatingadmissionpolicies", spec), ("mutatingadmissionpolicybindings", bound)] {
        let made =
            cluster.post(&format!("{GROUP}/{plural}"), &json!({ "metadata": metadata, "spec": spec })).await;
        assert_eq!((made.code, made.warnings()), (201, Vec::new()), "{}", made.text);
    }
}

#[tokio::test]
async fn both_kinds_of_patches_change_the_object_in_order() {
    let (_, jane) = start().await;
    let label = "Object{metadata: Object.metadata{labels: {'example.com/seen': variables.name}}}";
    let patch = "[JSONPatch{op: 'test', path: '/metadata/labels/' + jsonpatch.escapeKey('example.com/seen'), \
                 value: object.metadata.name}, JSONPatch{op: 'add', path: '/data/more', value: 'x'}]";
    let failing =
        "[JSONPatch{op: 'test', path: '/data/k', value: 'other'}, JSONPatch{op: 'remove', path: '/data'}]";
    let variables = json!([{ "name": "name", "expression": "object.metadata.name" }]);
    bind(
        &jane,
        "mark",
        json!([apply(label), json_patch(patch), json_patch(failing)]),
        json!({ "variables": variables }),
    )
    .await;
    let made = jane.post(CONFIG_MAPS, &config_map("a", "v")).await;
    assert_eq!(made.code, 201, "{}", made.text);
    assert_eq!(made.body["metadata"]["labels"], json!({ "example.com/seen": "a" }));
    assert_eq!(made.body["data"], json!({ "k": "v", "more": "x" }));
    let stored = jane.get(&format!("{CONFIG_MAPS}/a")).await;
    assert_eq!(stored.body["data"], made.body["data"]);
}

#[tokio::test]
async fn parameters_and_conditions_decide() {
    let (admin, jane) = start().await;
    let conditions = json!([{ "name": "others", "expression": "object.metadata.name != 'settings'" }]);
    let more =
        json!({ "paramKind": { "apiVersion": "v1", "kind": "ConfigMap" }, "matchConditions": conditions });
    let expression = "Object{metadata: Object.metadata{annotations: {'team': params.data.team}}}";
    bind(&jane, "team", json!([apply(expression)]), more).await;
    let refused = jane.post(CONFIG_MAPS, &config_map("a", "v")).await;
    let text = "policy 'team' with binding 'team' denied request: failed to configure binding: no params found for policy \
                binding with `Deny` parameterNotFoundAction";
    assert_eq!((refused.code, refused.body["message"].as_str()), (403, Some(text)));
    let mut settings = config_map("settings", "v");
    settings["data"] = json!({ "team": "blue" });
    assert_eq!(admin.post(CONFIG_MAPS, &settings).await.code, 201);
    let made = jane.post(CONFIG_MAPS, &config_map("a", "v")).await;
    assert_eq!(made.body["metadata"]["annotations"]["team"], "blue", "{}", made.text);
}

#[tokio::test]
async fn a_policy_that_fails_refuses_or_is_ignored() {
    let (_, jane) = start().await;
    let missing = json!([apply("Object{data: object.absent}")]);
    bind(&jane, "ignored", missing.clone(), json!({ "failurePolicy": "Ignore" })).await;
    assert_eq!(jane.post(CONFIG_MAPS, &config_map("a", "v")).await.code, 201);
    bind(&jane, "needed", missing, json!({})).await;
    let refused = jane.post(CONFIG_MAPS, &config_map("b", "v")).await;
    assert_eq!((refused.code, refused.body["reason"].as_str()), (403, Some("Invalid")), "{}", refused.text);
    let message = refused.body["message"].as_str().unwrap();
    assert!(message.starts_with("policy 'needed' with binding 'needed' denied request: "), "{message}");
    let renamed = json!([json_patch("[JSONPatch{op: 'replace', path: '/metadata/name', value: 'z'}]")]);
    assert_eq!(jane.delete(&format!("{GROUP}/mutatingadmissionpolicies/needed")).await.code, 200);
    bind(&jane, "rename", renamed, json!({})).await;
    let refused = jane.post(CONFIG_MAPS, &config_map("c", "v")).await;
    assert!(refused.text.contains("the patch changes /metadata/name"), "{}", refused.text);
}

#[tokio::test]
async fn a_policy_is_run_again_when_it_asks_for_that() {
    let (_, jane) = start().await;
    let count = "[JSONPatch{op: 'add', path: '/data/count', value: string(int(object.data[?'count'].orValue('0')) + 1)}]";
    bind(&jane, "once", json!([json_patch(&count.replace("count", "once"))]), json!({})).await;
    bind(&jane, "twice", json!([json_patch(count)]), json!({ "reinvocationPolicy": "IfNeeded" })).await;
    let made = jane.post(CONFIG_MAPS, &config_map("a", "v")).await;
    assert_eq!(made.body["data"], json!({ "k": "v", "once": "1", "count": "2" }), "{}", made.text);
}
