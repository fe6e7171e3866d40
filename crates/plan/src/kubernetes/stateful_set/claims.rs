//! The PersistentVolumeClaims of a StatefulSet: one for each volume claim template and pod.
//!
//! A claim outlives its pod, so that the next pod of the ordinal has the same volume. By
//! `persistentVolumeClaimRetentionPolicy` it belongs to the set or to a pod that goes for good, and is collected with it
//! (KEP-1847; kubernetes pkg/controller/statefulset/stateful_set_utils.go, updateClaimOwnerRefForSetAndPod).

use portolan_api::kubernetes::StatefulSetSpec;
use portolan_api::resources;
use portolan_object::Object;
use serde_json::{Map, Value, json};

use super::{StatefulSetAction, ordinal, ordinals};

/// The claims that the pod of an ordinal still needs.
pub(super) fn missing(
    set: &Object,
    spec: &StatefulSetSpec<'_>,
    number: i64,
    claims: &[&Object],
) -> Vec<StatefulSetAction> {
    let new = templates(set).filter_map(|template| {
        let name = claim_name(set, template, number);
        if claims.iter().any(|claim| claim.name() == name) {
            return None;
        }
        let mut claim = json!({
            "apiVersion": "v1", "kind": resources::PERSISTENT_VOLUME_CLAIM.kind,
            "metadata": { "name": name, "namespace": set.namespace() },
            "spec": template["spec"],
        });
        for field in ["labels", "annotations"] {
            if let Some(value) = template["metadata"].get(field) {
                claim["metadata"][field] = value.clone();
            }
        }
        // The labels of the selector find the claims of a set, as in Kubernetes.
        let labels = set.at(&["spec", "selector", "matchLabels"]).and_then(Value::as_object);
        for (key, value) in labels.into_iter().flatten() {
            claim["metadata"]["labels"][key] = value.clone();
        }
        if spec.persistent_volume_claim_retention_policy.when_deleted == "Delete" {
            claim["metadata"]["ownerReferences"] = json!([reference(set, "apps/v1", "StatefulSet")]);
        }
        Some(StatefulSetAction::Claim(Object(claim)))
    });
    new.collect()
}

/// The volumes of the pod of an ordinal: those of its template, and its claims in place of volumes of their names.
pub(super) fn volumes(set: &Object, template: &Value, number: i64) -> Value {
    let own: Vec<Value> = templates(set)
        .map(|claim| {
            let source = json!({ "claimName": claim_name(set, claim, number) });
            json!({ "name": claim["metadata"]["name"], "persistentVolumeClaim": source })
        })
        .collect();
    let others = template["volumes"].as_array().into_iter().flatten();
    let others = others.filter(|volume| own.iter().all(|claim| claim["name"] != volume["name"]));
    others.cloned().chain(own.iter().cloned()).collect()
}

/// Changes of owners that the retention policy asks for, before a pod goes.
pub(super) fn owners(
    set: &Object,
    spec: &StatefulSetSpec<'_>,
    pods: &[&Object],
    claims: &[&Object],
) -> Vec<StatefulSetAction> {
    let policy = &spec.persistent_volume_claim_retention_policy;
    let (first, end) = ordinals(spec);
    let change = |claim: &&Object| {
        let number = templates(set).find_map(|template| {
            let prefix = format!("{}-{}-", template["metadata"]["name"].as_str()?, set.name());
            claim.name().strip_prefix(&prefix)?.parse::<i64>().ok()
        })?;
        let is_surplus = !(first..end).contains(&number);
        let pod = pods.iter().find(|pod| ordinal(set, pod) == Some(number));
        let owner = match (is_surplus && policy.when_scaled == "Delete", policy.when_deleted == "Delete") {
            // A claim of a pod that is gone keeps the owner that it had.
            (true, _) => Some(reference(pod?, "v1", "Pod")),
            (false, true) => Some(reference(set, "apps/v1", "StatefulSet")),
            (false, false) => None,
        };
        let present = claim.at(&["metadata", "ownerReferences"]).and_then(Value::as_array);
        let present: Vec<Value> = present.cloned().unwrap_or_default();
        let is_ours = |reference: &Value| {
            reference["uid"] == set.uid() || (reference["kind"] == "Pod" && reference["apiVersion"] == "v1")
        };
        let is_current = match &owner {
            None => !present.iter().any(is_ours),
            Some(owner) => {
                let ours: Vec<&Value> = present.iter().filter(|reference| is_ours(reference)).collect();
                ours.len() == 1 && ours[0]["uid"] == owner["uid"]
            }
        };
        if is_current {
            return None;
        }
        let others = present.iter().filter(|reference| !is_ours(reference)).cloned();
        let owners: Value = others.chain(owner).collect();
        Some(StatefulSetAction::ClaimOwners(claim.key(), claim.uid().to_owned(), owners))
    };
    claims.iter().filter_map(change).collect()
}

fn templates(set: &Object) -> impl Iterator<Item = &Value> {
    set.at(&["spec", "volumeClaimTemplates"]).and_then(Value::as_array).into_iter().flatten()
}

fn claim_name(set: &Object, template: &Value, number: i64) -> String {
    format!("{}-{}-{number}", template["metadata"]["name"].as_str().unwrap_or_default(), set.name())
}

fn reference(owner: &Object, api_version: &str, kind: &str) -> Value {
    let fields = [("apiVersion", api_version), ("kind", kind), ("name", owner.name()), ("uid", owner.uid())];
    Value::Object(Map::from_iter(fields.map(|(field, text)| (field.to_owned(), json!(text)))))
}

#[cfg(test)]
mod tests {
    use portolan_api::kubernetes::{StatefulSet, View};

    use super::*;

    fn set(replicas: i64, policy: Value) -> Object {
        Object(json!({ "apiVersion": "apps/v1", "kind": "StatefulSet",
            "metadata": { "name": "db", "namespace": "shop", "uid": "s" },
            "spec": { "replicas": replicas, "persistentVolumeClaimRetentionPolicy": policy,
                "selector": { "matchLabels": { "app": "db" } },
                "volumeClaimTemplates": [{ "metadata": { "name": "data", "labels": { "tier": "1" } }, "spec": { "a": 1 } }] } }))
    }

    fn claim(name: &str, owners: Value) -> Object {
        Object(
            json!({ "metadata": { "name": name, "namespace": "shop", "uid": name, "ownerReferences": owners } }),
        )
    }

    #[test]
    fn a_pod_has_a_claim_of_its_own() {
        let set = set(1, Value::Null);
        let view = StatefulSet::read(&set).expect("readable");
        let steps = missing(&set, &view.spec, 0, &[]);
        let [StatefulSetAction::Claim(made)] = &steps[..] else { panic!("{steps:?}") };
        assert_eq!(made.name(), "data-db-0");
        assert_eq!(made.0["metadata"]["labels"], json!({ "tier": "1", "app": "db" }));
        assert_eq!(made.0["spec"], json!({ "a": 1 }));
        assert_eq!(missing(&set, &view.spec, 0, &[made]), []);
        let template =
            json!({ "volumes": [{ "name": "data", "emptyDir": {} }, { "name": "tmp", "emptyDir": {} }] });
        let want = json!([{ "name": "tmp", "emptyDir": {} },
            { "name": "data", "persistentVolumeClaim": { "claimName": "data-db-0" } }]);
        assert_eq!(volumes(&set, &template, 0), want);
    }

    #[test]
    fn claims_belong_to_whom_the_policy_says() {
        let pods: Vec<Object> = ["db-0", "db-1"]
            .map(|name| Object(json!({ "metadata": { "name": name, "namespace": "shop", "uid": name } })))
            .into();
        let pods: Vec<&Object> = pods.iter().collect();
        let owned = |policy: Value, name: &str, owners: Value| -> Option<Vec<String>> {
            let set = set(1, policy);
            let view = StatefulSet::read(&set).expect("readable");
            let steps = super::owners(&set, &view.spec, &pods, &[&claim(name, owners)]);
            let Some(StatefulSetAction::ClaimOwners(_, _, owners)) = steps.first() else { return None };
            let uids =
                owners.as_array().expect("a list").iter().map(|owner| owner["uid"].as_str().expect("a uid"));
            Some(uids.map(str::to_owned).collect())
        };
        let both = json!({ "whenDeleted": "Delete", "whenScaled": "Delete" });
        let deleted = json!({ "whenDeleted": "Delete", "whenScaled": "Retain" });
        let scaled = json!({ "whenDeleted": "Retain", "whenScaled": "Delete" });
        let of_set = json!([{ "apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "uid": "s" }]);
        let foreign = json!([{ "apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "x" }]);
        let uids = |uids: &[&str]| Some(uids.iter().map(|uid| (*uid).to_owned()).collect::<Vec<_>>());
        assert_eq!(owned(Value::Null, "data-db-0", json!([])), None, "retained");
        assert_eq!(owned(Value::Null, "data-db-0", of_set.clone()), uids(&[]), "retained again");
        assert_eq!(owned(deleted.clone(), "data-db-0", foreign), uids(&["x", "s"]));
        assert_eq!(owned(deleted, "data-db-1", of_set.clone()), None);
        assert_eq!(owned(both, "data-db-1", of_set), uids(&["db-1"]), "above the replicas");
        assert_eq!(owned(scaled, "data-db-1", json!([])), uids(&["db-1"]));
        assert_eq!(owned(Value::Null, "other-db-0", json!([])), None, "of no template");
    }
}
