//! Works that were deleted by hand and are made again.
//!
//! Between the end of such a Work and the next one, nothing in the control plane tells that the cluster has the object. The
//! binding notes it before, so that the object goes although its template is deleted, or the cluster is withdrawn, just then.

use std::collections::BTreeSet;
use std::sync::Arc;

use portolan_api::annotations::binding::REMADE_WORKS;
use portolan_api::meta::ObjectMeta;
use portolan_api::work::{ObjectReference, Work, WorkSpec, WorkloadTemplate};
use portolan_api::{annotations, finalizers, names};
use serde_json::json;

use super::removal::Cause;

/// What a pass over a binding does about such Works, in this order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Remaking {
    /// Works to create for objects that have no Work and are no longer wanted. They are not applied; their deletion
    /// deletes the object.
    pub stand_ins: Vec<Work>,
    /// The new value of the annotation, if it changes: empty removes it.
    pub note: Option<String>,
    /// Works that were deleted by hand: without their finalizers they end, and are made again.
    pub released: Vec<Arc<Work>>,
}

/// Decides about the Works of a binding for `object`, which stays in members if it `is_preserved`. `targets` are the
/// clusters that have the object, none if the binding is being deleted.
pub fn remaking(
    binding: &ObjectMeta,
    object: &ObjectReference,
    is_preserved: Option<bool>,
    works: &[Arc<Work>],
    targets: &[&str],
) -> Remaking {
    let noted = noted(binding);
    let cluster_of =
        |work: &Arc<Work>| names::cluster_of_execution_namespace(&work.metadata.namespace).map(str::to_owned);
    let is_by_hand = |work: &&Arc<Work>| {
        let is_wanted = cluster_of(work).is_some_and(|cluster| targets.contains(&cluster.as_str()));
        work.metadata.is_deleting() && Cause::of(work).is_none() && is_wanted
    };
    let released: Vec<Arc<Work>> = works.iter().filter(is_by_hand).cloned().collect();
    let present: BTreeSet<String> = works.iter().filter_map(cluster_of).collect();
    let lasting: BTreeSet<String> =
        works.iter().filter(|work| !work.metadata.is_deleting()).filter_map(cluster_of).collect();
    let unwanted = |cluster: &&String| !targets.contains(&cluster.as_str()) && !present.contains(*cluster);
    let lost: BTreeSet<String> = noted.iter().filter(unwanted).cloned().collect();
    let mut next: BTreeSet<String> = noted.difference(&lasting).cloned().collect();
    next.extend(released.iter().filter_map(cluster_of));
    next.retain(|cluster| !lost.contains(cluster));
    Remaking {
        stand_ins: lost.iter().map(|cluster| stand_in(binding, object, is_preserved, cluster)).collect(),
        note: (next != noted).then(|| next.into_iter().collect::<Vec<_>>().join(",")),
        released,
    }
}

fn noted(binding: &ObjectMeta) -> BTreeSet<String> {
    let note = binding.annotation(REMADE_WORKS).unwrap_or_default();
    note.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// A Work that is not applied, with the identity of the object only.
fn stand_in(
    binding: &ObjectMeta,
    object: &ObjectReference,
    is_preserved: Option<bool>,
    cluster: &str,
) -> Work {
    let (kind, name, namespace) = (&object.kind, &object.name, &object.namespace);
    let mut metadata =
        ObjectMeta::namespaced(names::execution_namespace(cluster), names::work(kind, name, namespace));
    metadata.finalizers = vec![finalizers::EXECUTION.to_owned()];
    let marks = match binding.namespace.as_str() {
        "" => vec![(annotations::cluster_binding::NAME, &binding.name)],
        _ => vec![
            (annotations::binding::NAMESPACE, &binding.namespace),
            (annotations::binding::NAME, &binding.name),
        ],
    };
    metadata.annotations = marks.into_iter().map(|(key, value)| (key.to_owned(), value.clone())).collect();
    let mut manifest = json!({ "apiVersion": object.api_version, "kind": kind, "metadata": { "name": name,
        "annotations": { annotations::template::UID: object.uid } } });
    if !namespace.is_empty() {
        manifest["metadata"]["namespace"] = json!(namespace);
    }
    let spec = WorkSpec {
        workload: WorkloadTemplate { manifests: vec![manifest] },
        suspend_dispatching: Some(true),
        preserve_resources_on_deletion: is_preserved,
    };
    Work { metadata, spec, ..Work::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::propagation::work::is_named_after_manifest;

    fn binding(note: &str) -> (ObjectMeta, ObjectReference) {
        let mut metadata = ObjectMeta::namespaced("shop", "c-configmap");
        if !note.is_empty() {
            metadata.annotations.insert(REMADE_WORKS.to_owned(), note.to_owned());
        }
        let resource = ObjectReference {
            api_version: "v1".to_owned(),
            kind: "ConfigMap".to_owned(),
            namespace: "shop".to_owned(),
            name: "c".to_owned(),
            uid: "u1".to_owned(),
            ..ObjectReference::default()
        };
        (metadata, resource)
    }

    fn work(cluster: &str, is_deleting: bool, cause: Option<Cause>) -> Arc<Work> {
        let mut metadata = ObjectMeta::namespaced(names::execution_namespace(cluster), "w");
        metadata.deletion_timestamp = is_deleting.then(|| "t".to_owned());
        if let Some(cause) = cause {
            metadata.annotations.insert(annotations::work::REMOVAL_CAUSE.to_owned(), cause.to_string());
        }
        Arc::new(Work { metadata, ..Work::default() })
    }

    #[test]
    fn a_binding_notes_a_work_that_ends_until_there_is_the_next() {
        let targets = ["eu", "us"];
        let all: &[&str] = &targets;
        let withdrawn = Some(Cause::Withdrawn);
        // Each row: note, works, targets, then the new note, the released and the stand-ins.
        let cases = [
            ("all is well", "", vec![work("eu", false, None)], all, None, 0, 0),
            ("deleted by hand", "", vec![work("eu", true, None)], all, Some("eu"), 1, 0),
            ("noted, and not released yet", "eu", vec![work("eu", true, None)], all, None, 1, 0),
            ("it has ended", "eu", vec![], all, None, 0, 0),
            ("there is the next", "eu", vec![work("eu", false, None)], all, Some(""), 0, 0),
            ("two clusters", "us", vec![work("eu", true, None)], all, Some("eu,us"), 1, 0),
            ("it has a cause", "", vec![work("eu", true, withdrawn)], all, None, 0, 0),
            ("withdrawn while it was gone", "eu", vec![], &all[1..], Some(""), 0, 1),
            (
                "the binding goes while it was gone",
                "eu,us",
                vec![work("us", false, None)],
                &all[..0],
                Some(""),
                0,
                1,
            ),
            (
                "the binding goes before the release",
                "eu",
                vec![work("eu", true, None)],
                &all[..0],
                None,
                0,
                0,
            ),
        ];
        for (name, note, works, targets, want, released, stand_ins) in cases {
            let (metadata, object) = binding(note);
            let result = remaking(&metadata, &object, None, &works, targets);
            assert_eq!(result.note.as_deref(), want, "{name}");
            assert_eq!((result.released.len(), result.stand_ins.len()), (released, stand_ins), "{name}");
        }
    }

    #[test]
    fn a_stand_in_is_the_work_of_the_object() {
        let (metadata, object) = binding("eu");
        let work = &remaking(&metadata, &object, None, &[], &[]).stand_ins[0];
        assert_eq!(work.metadata.namespace, "karmada-es-eu");
        assert!(is_named_after_manifest(work));
        assert_eq!(work.spec.suspend_dispatching, Some(true), "it is not applied");
        let manifest = &work.spec.workload.manifests[0];
        assert_eq!(manifest["metadata"]["namespace"], "shop");
        assert_eq!(manifest["metadata"]["annotations"]["resourcetemplate.karmada.io/uid"], "u1");
    }
}
