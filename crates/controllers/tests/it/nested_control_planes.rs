//! A member that is a control plane itself, and has policies of its own.

use portolan_api::{annotations, labels};
use portolan_object::Object;
use portolan_plan::propagation::claim::has_marks;
use serde_json::{Value, json};

use crate::federation::{CLUSTER, CONFIG_MAP, Federation, config_map, policy};

fn policies() -> Value {
    json!({ "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": "propagationpolicies.policy.karmada.io" },
        "spec": { "group": "policy.karmada.io", "scope": "Namespaced",
            "names": { "kind": "PropagationPolicy", "listKind": "PropagationPolicyList",
                "plural": "propagationpolicies", "singular": "propagationpolicy" },
            "versions": [{ "name": "v1alpha1", "served": true, "storage": true,
                "schema": { "openAPIV3Schema": { "type": "object", "x-kubernetes-preserve-unknown-fields": true } } }] } })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_claims_of_a_member_with_policies_of_its_own_stay() {
    let set = Federation::start(&["eu"]).await;
    let (hub, eu) = (&set.hub, set.member("eu"));
    eu.define(policies()).await;
    let serves =
        |cluster: &Object| cluster.0["status"]["apiEnablements"].to_string().contains("PropagationPolicy");
    hub.when(CLUSTER, "eu", serves).await;

    hub.create(config_map("c", "first")).await;
    hub.create(policy("c", CONFIG_MAP, "c", &["eu"])).await;
    let placed = eu.when_there(CONFIG_MAP, "default/c").await;
    assert!(!has_marks(&placed), "{placed:?}");

    let claim = json!({ "metadata": {
        "labels": { labels::propagation_policy::PERMANENT_ID: "of-eu" },
        "annotations": { annotations::propagation_policy::NAME: "in-eu", annotations::propagation_policy::NAMESPACE: "default" } } });
    eu.patch(CONFIG_MAP, "default/c", claim).await;
    hub.patch(CONFIG_MAP, "default/c", json!({ "data": { "k": "second" } })).await;
    let changed = eu.when(CONFIG_MAP, "default/c", |object| object.0["data"]["k"] == "second").await;
    assert_eq!(changed.label(labels::propagation_policy::PERMANENT_ID), Some("of-eu"));
    assert_eq!(changed.annotation(annotations::propagation_policy::NAME), Some("in-eu"));
}
