//! Which objects belong to a workload: those that its selector matches and that no other controller owns (kubernetes
//! pkg/controller/controller_ref_manager.go).
//!
//! An orphan that matches is adopted. An object that is owned and does not match any more is released, and the workload
//! replaces it.

use portolan_api::kubernetes::controller;
use portolan_object::selector::LabelSelector;
use portolan_object::{Object, ObjectKey};
use serde_json::{Value, json};

use super::pods::{controller_reference, is_controlled_by};

/// A change of the owner of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// The object.
    pub key: ObjectKey,
    /// A strategic merge patch; it fails when another object has taken the name.
    pub patch: Value,
    /// Whether the object gets the owner; otherwise it loses it.
    pub is_adoption: bool,
}

/// The objects that a workload has, and the changes of owners that come first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Claims<'a> {
    /// Controlled by the workload, and matched.
    pub owned: Vec<&'a Object>,
    /// Adoptions and releases.
    pub changes: Vec<Claim>,
}

/// Divides the objects of the namespace of `owner` that it controls or that have no controller. A workload that is being
/// deleted adopts nothing.
pub fn claim<'a>(
    owner: &Object,
    selector: &LabelSelector,
    candidates: impl IntoIterator<Item = &'a Object>,
) -> Claims<'a> {
    let mut claims = Claims::default();
    for object in candidates {
        let matches = selector.matches_object(object);
        if is_controlled_by(object, owner) {
            if matches {
                claims.owned.push(object);
            } else if !owner.is_deleting() {
                claims.changes.push(release(owner, object));
            }
        } else if matches && controller(object).is_none() && !object.is_deleting() && !owner.is_deleting() {
            claims.changes.push(adopt(owner, object));
        }
    }
    claims
}

/// The selector of a workload: `spec.selector`, which for a ReplicationController is a map of labels. Selects nothing if it
/// is empty or cannot be read.
pub fn selector(owner: &Object) -> LabelSelector {
    let selector = owner.at(&["spec", "selector"]).cloned().unwrap_or_default();
    let selector = match owner.kind() {
        "ReplicationController" => json!({ "matchLabels": selector }),
        _ => selector,
    };
    let parsed = LabelSelector::from_value(&selector).unwrap_or_else(|_| LabelSelector::nothing());
    if parsed.is_everything() { LabelSelector::nothing() } else { parsed }
}

fn adopt(owner: &Object, object: &Object) -> Claim {
    let metadata = json!({ "uid": object.uid(), "ownerReferences": [controller_reference(owner)] });
    Claim { key: object.key(), patch: json!({ "metadata": metadata }), is_adoption: true }
}

fn release(owner: &Object, object: &Object) -> Claim {
    let owners = json!([{ "$patch": "delete", "uid": owner.uid() }]);
    let metadata = json!({ "uid": object.uid(), "ownerReferences": owners });
    Claim { key: object.key(), patch: json!({ "metadata": metadata }), is_adoption: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> Object {
        Object(json!({"apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {"name": "web", "namespace": "shop", "uid": "w"},
            "spec": {"selector": {"matchLabels": {"app": "web"}}}}))
    }

    fn pod(name: &str, app: &str, owner: Option<&str>) -> Object {
        let owners: Vec<Value> = owner
            .map(|uid| json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "x", "uid": uid, "controller": true}))
            .into_iter()
            .collect();
        Object(json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": "shop", "uid": name, "labels": {"app": app}, "ownerReferences": owners}}))
    }

    #[test]
    fn orphans_are_adopted_and_strangers_released() {
        let pods = [
            pod("own", "web", Some("w")),
            pod("relabelled", "other", Some("w")),
            pod("orphan", "web", None),
            pod("unrelated", "other", None),
            pod("foreign", "web", Some("another")),
        ];
        let mut leaving = pod("leaving", "web", None);
        leaving.metadata_mut().insert("deletionTimestamp".to_owned(), json!("now"));
        let owner = owner();
        let claims = claim(&owner, &selector(&owner), pods.iter().chain([&leaving]));
        let owned: Vec<&str> = claims.owned.iter().map(|pod| pod.name()).collect();
        assert_eq!(owned, ["own"]);
        let changes: Vec<(&str, bool)> =
            claims.changes.iter().map(|change| (change.key.name.as_str(), change.is_adoption)).collect();
        assert_eq!(changes, [("relabelled", false), ("orphan", true)]);
        assert_eq!(claims.changes[1].patch["metadata"]["uid"], "orphan", "not another pod of that name");
    }

    #[test]
    fn a_workload_that_is_deleted_changes_no_owners() {
        let mut owner = owner();
        owner.metadata_mut().insert("deletionTimestamp".to_owned(), json!("now"));
        let pods =
            [pod("orphan", "web", None), pod("relabelled", "other", Some("w")), pod("own", "web", Some("w"))];
        let claims = claim(&owner, &selector(&owner), &pods);
        assert_eq!((claims.owned.len(), claims.changes.len()), (1, 0));
    }

    #[test]
    fn an_empty_selector_selects_nothing() {
        let controller =
            Object(json!({"kind": "ReplicationController", "spec": {"selector": {"app": "web"}}}));
        assert!(selector(&controller).matches_object(&pod("a", "web", None)));
        let empty = Object(json!({"kind": "ReplicaSet", "spec": {"selector": {}}}));
        assert!(!selector(&empty).matches_object(&pod("a", "web", None)));
    }
}
