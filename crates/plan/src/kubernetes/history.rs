//! The templates that a workload had, kept as ControllerRevisions (kubernetes pkg/controller/history).
//!
//! The form of their data is that of Kubernetes, so that `kubectl rollout history` and `undo` work on them.

use std::collections::BTreeSet;

use portolan_api::kubernetes::{ControllerRevision, View};
use portolan_object::{Object, ObjectKey};
use serde_json::{Value, json};

use super::pods::{self, controller_reference};

/// The template that a pod was made from.
pub const REVISION_LABEL: &str = "controller-revision-hash";
/// The hash on the ControllerRevision itself.
const HASH_LABEL: &str = "controller.kubernetes.io/hash";
/// Old revisions that are kept, unless the workload says otherwise.
const DEFAULT_LIMIT: u32 = 10;
/// Not copied from the workload: it is as long as the workload itself.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A change of the ControllerRevisions of a workload.
#[derive(Debug, Clone, PartialEq)]
pub enum RevisionStep {
    /// Create one; its name follows from the template.
    Create(Object),
    /// Make an old one the newest: the workload went back to its template.
    Renumber(ObjectKey, i64),
    /// Delete one beyond the limit.
    Delete(ObjectKey),
}

/// The name of the revision of the present template, of which `hash` is the hash.
pub(super) fn name(owner: &Object, hash: &str) -> String {
    format!("{}-{hash}", owner.name())
}

/// Records the present template.
pub(super) fn record(owner: &Object, hash: &str, revisions: &[&Object]) -> Option<RevisionStep> {
    let newest = revisions.iter().map(|revision| number(revision)).max().unwrap_or_default();
    let name = name(owner, hash);
    match revisions.iter().find(|revision| revision.name() == name) {
        None => Some(RevisionStep::Create(new_revision(owner, &name, hash, newest + 1))),
        Some(known) if number(known) < newest => Some(RevisionStep::Renumber(known.key(), newest + 1)),
        Some(_) => None,
    }
}

/// Deletes the oldest revisions beyond the limit that are not in `live`, a set of names.
pub(super) fn forget(revisions: &[&Object], live: &BTreeSet<&str>, limit: Option<u32>) -> Vec<RevisionStep> {
    let mut old: Vec<&&Object> =
        revisions.iter().filter(|revision| !live.contains(revision.name())).collect();
    old.sort_by_key(|revision| number(revision));
    let limit = usize::try_from(limit.unwrap_or(DEFAULT_LIMIT)).unwrap_or(usize::MAX);
    let surplus = old.len().saturating_sub(limit);
    old.into_iter().take(surplus).map(|revision| RevisionStep::Delete(revision.key())).collect()
}

/// The template in a revision, without the directive that tells a strategic merge patch to replace it.
pub(super) fn template_of(revision: &Object) -> Value {
    let mut template = revision.at(&["data", "spec", "template"]).cloned().unwrap_or_default();
    if let Some(template) = template.as_object_mut() {
        template.remove("$patch");
    }
    template
}

fn number(revision: &Object) -> i64 {
    ControllerRevision::read(revision).unwrap_or_default().revision
}

fn new_revision(owner: &Object, name: &str, hash: &str, number: i64) -> Object {
    let mut template = pods::template(owner);
    let mut labels = template.pointer("/metadata/labels").cloned().unwrap_or_else(|| json!({}));
    labels[HASH_LABEL] = json!(hash);
    template["$patch"] = json!("replace");
    let mut annotations = owner.annotations();
    annotations.remove(LAST_APPLIED);
    Object(json!({
        "apiVersion": "apps/v1", "kind": "ControllerRevision",
        "metadata": {
            "name": name, "namespace": owner.namespace(), "labels": labels, "annotations": annotations,
            "ownerReferences": [controller_reference(owner)],
        },
        "data": { "spec": { "template": template } },
        "revision": number,
    }))
}
