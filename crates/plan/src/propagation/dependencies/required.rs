//! What the independent bindings of one object require together.

use std::collections::BTreeMap;

use portolan_api::meta::ObjectMeta;
use portolan_api::policy::{ConflictResolution, PurgeMode};
use portolan_api::work::{BindingSnapshot, ResourceBindingSpec, TargetCluster};
use portolan_api::{labels, names};
use portolan_object::Object;

use super::reference::{recorded, refers_to};

/// An independent binding.
#[derive(Debug, Clone, Copy)]
pub struct Independent<'a> {
    /// Its metadata, with the recorded references.
    pub metadata: &'a ObjectMeta,
    /// Its spec.
    pub spec: &'a ResourceBindingSpec,
}

/// What all independent bindings of an object require.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Required {
    /// One snapshot per binding, by namespace and name.
    pub snapshots: Vec<BindingSnapshot>,
    /// One label per binding, with its permanent id.
    pub labels: BTreeMap<String, String>,
    /// `Overwrite` if one of the bindings says so.
    pub conflict_resolution: ConflictResolution,
    /// Whether one of the bindings preserves objects; `None` without a binding.
    pub preserve_resources_on_deletion: Option<bool>,
    /// Settings in which the bindings disagree, in the words of Karmada's event.
    pub disagreements: Vec<&'static str>,
}

/// Collects what independent bindings require of one object, one binding at a time, so that a reader of many bindings holds only
/// one of them.
#[derive(Debug)]
pub struct Requirements<'a> {
    object: &'a Object,
    required: Required,
    total: usize,
    overwriting: usize,
    preserving: usize,
}

impl<'a> Requirements<'a> {
    /// No binding requires anything of `object` yet.
    pub fn new(object: &'a Object) -> Self {
        Self { object, required: Required::default(), total: 0, overwriting: 0, preserving: 0 }
    }

    /// Adds a binding. One that does not refer to the object, or has no clusters, does not count.
    pub fn add(&mut self, one: Independent<'_>) {
        let counts = one.spec.propagate_deps
            && !one.metadata.is_deleting()
            && one.metadata.namespace == self.object.namespace()
            && recorded(one.metadata).iter().any(|reference| refers_to(reference, self.object));
        if !counts {
            return;
        }
        let snapshot = snapshot(one);
        if snapshot.clusters.is_empty() {
            return;
        }
        self.total += 1;
        self.overwriting += usize::from(one.spec.conflict_resolution == ConflictResolution::Overwrite);
        self.preserving += usize::from(one.spec.preserve_resources_on_deletion == Some(true));
        self.required.labels.insert(label(one.metadata), permanent_id(one.metadata));
        self.required.snapshots.push(snapshot);
    }

    /// What all bindings together require, in an order that does not depend on that of their adding.
    pub fn finish(self) -> Required {
        let Self { mut required, total, overwriting, preserving, .. } = self;
        required
            .snapshots
            .sort_by(|one, other| (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name)));
        if overwriting > 0 {
            required.conflict_resolution = ConflictResolution::Overwrite;
        }
        required.preserve_resources_on_deletion = (total > 0).then_some(preserving > 0);
        let is_split = |count: usize| count > 0 && count < total;
        if is_split(overwriting) {
            required.disagreements.push("ConflictResolution conflicted (Overwrite vs Abort)");
        }
        if is_split(preserving) {
            required.disagreements.push("PreserveResourcesOnDeletion conflicted (true vs false)");
        }
        required
    }
}

/// The clusters of a binding: the scheduled ones, and those from which its object is evicted only when it runs elsewhere.
fn snapshot(binding: Independent<'_>) -> BindingSnapshot {
    let mut clusters = binding.spec.clusters.clone();
    for task in &binding.spec.graceful_eviction_tasks {
        let is_scheduled = clusters.iter().any(|target| target.name == task.from_cluster);
        if task.purge_mode != Some(PurgeMode::Directly) && !is_scheduled {
            clusters.push(TargetCluster { name: task.from_cluster.clone(), ..TargetCluster::default() });
        }
    }
    let ObjectMeta { namespace, name, .. } = binding.metadata;
    BindingSnapshot { namespace: namespace.clone(), name: name.clone(), clusters }
}

/// The label on attached bindings that refers to an independent binding.
fn label(binding: &ObjectMeta) -> String {
    let reference = names::binding_reference(&binding.namespace, &binding.name);
    format!("{}{reference}", labels::binding::DEPENDED_BY_PREFIX)
}

fn permanent_id(binding: &ObjectMeta) -> String {
    binding.label(labels::binding::PERMANENT_ID).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use portolan_api::annotations::binding::DEPENDENCIES;
    use serde_json::{Value, json};

    use super::*;

    fn independent(name: &str, refers_to: &str, spec: Value) -> (ObjectMeta, ResourceBindingSpec) {
        let mut metadata = ObjectMeta::namespaced("shop", name);
        metadata.labels.insert(labels::binding::PERMANENT_ID.to_owned(), format!("id-{name}"));
        let reference =
            json!([{ "apiVersion": "v1", "kind": "ConfigMap", "namespace": "shop", "name": refers_to }]);
        metadata.annotations.insert(DEPENDENCIES.to_owned(), reference.to_string());
        let mut spec: ResourceBindingSpec = serde_json::from_value(spec).expect("a spec");
        spec.propagate_deps = true;
        (metadata, spec)
    }

    fn map() -> Object {
        Object(
            json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "namespace": "shop", "name": "app" } }),
        )
    }

    fn of(bindings: &[(ObjectMeta, ResourceBindingSpec)]) -> Required {
        let object = map();
        let mut requirements = Requirements::new(&object);
        bindings.iter().for_each(|(metadata, spec)| requirements.add(Independent { metadata, spec }));
        requirements.finish()
    }

    fn on(cluster: &str) -> Value {
        json!({ "clusters": [{ "name": cluster, "replicas": 2 }] })
    }

    #[test]
    fn every_binding_that_refers_to_the_object_has_a_snapshot() {
        let mut leaving = independent("d", "app", on("eu"));
        leaving.0.deletion_timestamp = Some("t".to_owned());
        let mut off = independent("e", "app", on("eu"));
        off.1.propagate_deps = false;
        let required = of(&[
            independent("b", "app", on("us")),
            independent("a", "app", on("eu")),
            independent("c", "other", on("eu")),
            independent("f", "app", json!({})),
            leaving,
            off,
        ]);
        let snapshots: Vec<_> =
            required.snapshots.iter().map(|one| (one.name.as_str(), one.clusters[0].name.as_str())).collect();
        assert_eq!(snapshots, [("a", "eu"), ("b", "us")]);
        let ids: Vec<&str> = required.labels.values().map(String::as_str).collect();
        assert_eq!(ids.len(), 2);
        assert!(ids.contains(&"id-a") && ids.contains(&"id-b"), "{ids:?}");
        assert!(required.labels.keys().all(|key| key.starts_with("resourcebinding.karmada.io/depended-by-")));
    }

    #[test]
    fn dependencies_stay_where_their_workload_still_runs() {
        let evicting = |mode: &str| {
            json!({ "clusters": [{ "name": "us" }],
                "gracefulEvictionTasks": [{ "fromCluster": "eu", "purgeMode": mode, "reason": "R", "producer": "P" }] })
        };
        let clusters = |mode: &str| {
            let required = of(&[independent("a", "app", evicting(mode))]);
            required.snapshots[0].clusters.iter().map(|target| target.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(clusters("Gracefully"), ["us", "eu"]);
        assert_eq!(clusters("Directly"), ["us"]);
    }

    #[test]
    fn overwrite_and_preserve_win_and_disagreements_are_told() {
        let spec = |resolution: &str, preserve: Option<bool>| {
            let mut spec = on("eu");
            spec["conflictResolution"] = json!(resolution);
            if let Some(preserve) = preserve {
                spec["preserveResourcesOnDeletion"] = json!(preserve);
            }
            spec
        };
        let conflict = "ConflictResolution conflicted (Overwrite vs Abort)";
        let preserve = "PreserveResourcesOnDeletion conflicted (true vs false)";
        let cases = [
            (
                ("Overwrite", Some(true)),
                ("Abort", Some(false)),
                ("overwrite", true),
                vec![conflict, preserve],
            ),
            (("Overwrite", Some(false)), ("Abort", None), ("overwrite", false), vec![conflict]),
            (("Overwrite", Some(true)), ("Overwrite", None), ("overwrite", true), vec![preserve]),
            (("Overwrite", Some(true)), ("Overwrite", Some(true)), ("overwrite", true), vec![]),
            (("Abort", None), ("Abort", Some(false)), ("abort", false), vec![]),
        ];
        for (one, other, want, disagreements) in cases {
            let required = of(&[
                independent("a", "app", spec(one.0, one.1)),
                independent("b", "app", spec(other.0, other.1)),
            ]);
            let resolution = required.conflict_resolution.annotation();
            assert_eq!(
                (resolution, required.preserve_resources_on_deletion),
                (want.0, Some(want.1)),
                "{one:?} {other:?}"
            );
            assert_eq!(required.disagreements, disagreements, "{one:?} {other:?}");
        }
        assert_eq!(of(&[]), Required::default());
    }
}
