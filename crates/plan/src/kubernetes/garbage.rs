//! Garbage collection: which objects are deleted because their owners are (kubernetes
//! pkg/controller/garbagecollector/garbagecollector.go).

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

/// Whether a dependent blocks the deletion of an owner that waits in the foreground.
pub fn is_blocked<'a>(owner: &Object, dependents: impl IntoIterator<Item = &'a Object>) -> bool {
    let blocks = |dependent: &Object| {
        owners(dependent).any(|reference| reference.uid == owner.uid() && reference.block_owner_deletion)
    };
    dependents.into_iter().any(blocks)
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
            ("one waits, one stays", owned_by(&["waits", "there"]), false, drop(&["waits"])),
        ];
        for (name, object, has_dependents, want) in cases {
            assert_eq!(verdict(&object, has_dependents, state), want, "{name}");
        }
        let mut leaving = owned_by(&["gone"]);
        leaving.metadata_mut().insert("deletionTimestamp".to_owned(), json!("t"));
        assert_eq!(verdict(&leaving, false, state), Verdict::Keep, "already going");
    }

    #[test]
    fn only_blocking_dependents_hold_an_owner() {
        let owner = |uid: &str| Object(json!({"metadata": {"uid": uid}}));
        assert!(is_blocked(&owner("there"), [&owned_by(&["there"])]));
        assert!(!is_blocked(&owner("loose"), [&owned_by(&["loose"])]));
        assert!(!is_blocked(&owner("other"), [&owned_by(&["there"])]));
    }
}
