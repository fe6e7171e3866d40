//! Garbage collection: which objects are deleted because their owners are (kubernetes
//! pkg/controller/garbagecollector/garbagecollector.go).

use std::collections::BTreeSet;
use std::sync::Arc;

use portolan_api::kubernetes::{OwnerReference, owners};
use portolan_object::Object;

/// The finalizer by which an owner waits for its dependents.
pub const FOREGROUND: &str = "foregroundDeletion";
/// The finalizer by which an owner leaves its dependents behind.
pub const ORPHAN: &str = "orphan";

/// The state of an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnerState {
    /// It exists.
    Present,
    /// It is being deleted and waits for its dependents.
    Waiting,
    /// No object has its uid.
    Absent,
    /// The reference is not valid: it names a kind with namespaces, and the dependent is in none. As upstream, such a
    /// dependent stays, because an owner that cannot be looked up cannot be known to be absent.
    Misplaced,
}

/// The decision about a dependent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The object stays as it is.
    Keep,
    /// The object is deleted.
    Delete {
        /// Its dependents are deleted first, because its owner waits for them as well.
        foreground: bool,
    },
    /// Another owner exists: only the references to these uids are removed.
    DropReferences(Vec<String>),
}

/// Decides about one object from the state of its owners.
pub fn verdict(
    object: &Object,
    has_dependents: bool,
    state: impl Fn(&OwnerReference<'_>) -> OwnerState,
) -> Verdict {
    let mut present = false;
    let mut waiting = Vec::new();
    let mut absent = Vec::new();
    for reference in owners(object) {
        let uid = reference.uid.to_owned();
        match state(&reference) {
            OwnerState::Present => present = true,
            OwnerState::Waiting => waiting.push(uid),
            OwnerState::Absent => absent.push(uid),
            OwnerState::Misplaced => return Verdict::Keep,
        }
    }
    let doomed = waiting.len() + absent.len();
    if doomed == 0 || (object.is_deleting() && waiting.is_empty()) {
        return Verdict::Keep;
    }
    if present {
        waiting.extend(absent);
        return Verdict::DropReferences(waiting);
    }
    if object.is_deleting() {
        return Verdict::Keep;
    }
    Verdict::Delete { foreground: !waiting.is_empty() && has_dependents }
}

/// Whether a dependent blocks the deletion of an owner that waits in the foreground; `dependents` returns the objects
/// that name a uid as their owner.
///
/// Objects of a cycle that all wait in the foreground do not block each other.
pub fn is_blocked(owner: &Object, dependents: impl Fn(&str) -> Vec<Arc<Object>>) -> bool {
    let waits = |blocker: Arc<Object>| waits_for(blocker, owner.uid(), &dependents);
    blockers(owner, &dependents).into_iter().any(|blocker| !waits(blocker))
}

/// Whether an object waits in the foreground, by any number of steps, for the object with this uid.
fn waits_for(object: Arc<Object>, uid: &str, dependents: &impl Fn(&str) -> Vec<Arc<Object>>) -> bool {
    let (mut open, mut seen) = (vec![object], BTreeSet::new());
    while let Some(next) = open.pop() {
        if !is_leaving_with(&next, FOREGROUND) {
            continue;
        }
        if next.uid() == uid {
            return true;
        }
        if seen.insert(next.uid().to_owned()) {
            open.extend(blockers(&next, dependents));
        }
    }
    false
}

/// The dependents that ask their owner to wait for them.
fn blockers(owner: &Object, dependents: &impl Fn(&str) -> Vec<Arc<Object>>) -> Vec<Arc<Object>> {
    let blocks = |dependent: &Arc<Object>| {
        is_in_scope(dependent, owner.namespace())
            && owners(dependent)
                .any(|reference| reference.uid == owner.uid() && reference.block_owner_deletion)
    };
    dependents(owner.uid()).into_iter().filter(blocks).collect()
}

/// Whether a dependent may name an owner of this namespace, which is empty for cluster-scoped owners.
pub fn is_in_scope(dependent: &Object, owner_namespace: &str) -> bool {
    owner_namespace.is_empty() || owner_namespace == dependent.namespace()
}

/// The reason of the Event about a dependent with an owner in another scope.
pub const INVALID_NAMESPACE: &str = "OwnerRefInvalidNamespace";

/// The text of the Event about a dependent with an owner in another scope.
pub fn invalid_namespace(dependent: &Object, reference: &OwnerReference<'_>) -> String {
    let OwnerReference { api_version, kind, name, uid, .. } = reference;
    let namespace = dependent.namespace();
    format!(
        "ownerRef [{api_version}/{kind}, namespace: {namespace}, name: {name}, uid: {uid}] does not exist in namespace \
         {namespace:?}"
    )
}

/// Whether an object that is being deleted carries the finalizer.
pub fn is_leaving_with(object: &Object, finalizer: &str) -> bool {
    object.is_deleting() && object.finalizers().any(|held| held == finalizer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn owned_by(uids: &[&str]) -> Object {
        let references: Vec<Value> = uids
            .iter()
            .map(|uid| json!({"uid": uid, "kind": "X", "name": uid, "blockOwnerDeletion": *uid != "loose"}))
            .collect();
        Object(json!({"metadata": {"name": "d", "ownerReferences": references}}))
    }

    fn state(reference: &OwnerReference<'_>) -> OwnerState {
        match reference.uid {
            "gone" | "gone2" => OwnerState::Absent,
            "waits" => OwnerState::Waiting,
            "misplaced" => OwnerState::Misplaced,
            _ => OwnerState::Present,
        }
    }

    #[test]
    fn verdicts() {
        let drop = |uids: &[&str]| Verdict::DropReferences(uids.iter().map(|&uid| uid.to_owned()).collect());
        let cases = [
            ("no owner", owned_by(&[]), false, Verdict::Keep),
            ("owner is there", owned_by(&["there"]), false, Verdict::Keep),
            ("owner is gone", owned_by(&["gone"]), false, Verdict::Delete { foreground: false }),
            ("one of two is gone", owned_by(&["gone", "there"]), false, drop(&["gone"])),
            ("both are gone", owned_by(&["gone", "gone2"]), false, Verdict::Delete { foreground: false }),
            ("owner waits", owned_by(&["waits"]), false, Verdict::Delete { foreground: false }),
            ("owner waits, has dependents", owned_by(&["waits"]), true, Verdict::Delete { foreground: true }),
            ("owner in a namespace", owned_by(&["misplaced"]), false, Verdict::Keep),
            ("one is gone, one in a namespace", owned_by(&["gone", "misplaced"]), false, Verdict::Keep),
            ("one waits, one stays", owned_by(&["waits", "there"]), false, drop(&["waits"])),
        ];
        for (name, object, has_dependents, want) in cases {
            assert_eq!(verdict(&object, has_dependents, state), want, "{name}");
        }
        let mut leaving = owned_by(&["gone"]);
        leaving.metadata_mut().insert("deletionTimestamp".to_owned(), json!("t"));
        assert_eq!(verdict(&leaving, false, state), Verdict::Keep, "already going");
    }

    /// An object that waits in the foreground unless its uid is `stays`, owned by others that wait for it.
    fn waiting(uid: &str, owners: &[&str]) -> Arc<Object> {
        let mut object = owned_by(owners);
        object.metadata_mut().insert("uid".to_owned(), json!(uid));
        if uid != "stays" {
            object.metadata_mut().insert("deletionTimestamp".to_owned(), json!("t"));
            object.metadata_mut().insert("finalizers".to_owned(), json!([FOREGROUND]));
        }
        Arc::new(object)
    }

    #[test]
    fn only_blocking_dependents_hold_an_owner() {
        let held = |uid: &str, dependents: &[Arc<Object>]| {
            let find = |uid: &str| {
                let names = |object: &&Arc<Object>| owners(object).any(|reference| reference.uid == uid);
                dependents.iter().filter(names).cloned().collect()
            };
            is_blocked(&waiting(uid, &[]), find)
        };
        assert!(held("a", &[waiting("stays", &["a"])]));
        assert!(held("a", &[waiting("b", &["a"])]), "it waits, for others");
        assert!(!held("loose", &[waiting("stays", &["loose"])]));
        assert!(!held("other", &[waiting("stays", &["a"])]));
        let cycle = [waiting("a", &["c"]), waiting("b", &["a"]), waiting("c", &["b"])];
        assert!(!held("a", &cycle), "all are being deleted");
        assert!(!held("a", &[waiting("a", &["a"])]), "its own owner");
        let [a, b, _] = cycle;
        let broken = [a, b, waiting("stays", &["b"])];
        assert!(held("a", &broken), "one of the cycle is not being deleted");
    }

    #[test]
    fn owners_are_in_the_same_namespace_or_in_none() {
        let inside = Object(json!({ "metadata": { "namespace": "shop" } }));
        let outside = Object(json!({ "metadata": {} }));
        assert!(is_in_scope(&inside, "shop") && is_in_scope(&inside, "") && is_in_scope(&outside, ""));
        assert!(!is_in_scope(&inside, "other") && !is_in_scope(&outside, "shop"));
        let reference =
            OwnerReference { api_version: "v1", kind: "Pod", name: "a", uid: "u", ..Default::default() };
        assert_eq!(
            invalid_namespace(&outside, &reference),
            "ownerRef [v1/Pod, namespace: , name: a, uid: u] does not exist in namespace \"\""
        );
    }
}
