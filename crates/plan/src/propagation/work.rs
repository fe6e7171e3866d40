//! The Work of one cluster: the template with the changes for that cluster.

use std::collections::BTreeMap;

use portolan_api::cluster::Cluster;
use portolan_api::kubernetes::{Job, View};
use portolan_api::meta::ObjectMeta;
use portolan_api::work::{ResourceBindingSpec, TargetCluster, Work, WorkSpec, WorkloadTemplate};
use portolan_api::{annotations, finalizers, labels, names, resources};
use portolan_object::{Object, ObjectKey};
use serde_json::json;

use super::overrides::{self, Applied, OverrideError, Policy};
use super::preserved_labels::preserved_labels;
use super::prune::prune;
use super::replicas::{divide_completions, revise};
use crate::covers::agree;

/// The input from which the Works of one binding are built.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The template.
    pub template: &'a Object,
    /// Metadata of its binding.
    pub binding: &'a ObjectMeta,
    /// Spec of its binding, scheduled.
    pub spec: &'a ResourceBindingSpec,
    /// Cluster-wide override policies.
    pub cluster_overrides: &'a [Policy<'a>],
    /// Override policies of the template's namespace.
    pub overrides: &'a [Policy<'a>],
}

/// One target, and its Cluster object.
#[derive(Debug, Clone, Copy)]
pub struct Recipient<'a> {
    /// The target.
    pub target: &'a TargetCluster,
    /// The cluster.
    pub cluster: &'a Cluster,
}

/// Target clusters: the scheduled ones, and those of bindings that depend on this one.
pub fn targets(spec: &ResourceBindingSpec) -> Vec<TargetCluster> {
    let mut targets: BTreeMap<&str, &TargetCluster> = BTreeMap::new();
    for snapshot in &spec.required_by {
        targets.extend(snapshot.clusters.iter().map(|target| (target.name.as_str(), target)));
    }
    targets.extend(spec.clusters.iter().map(|target| (target.name.as_str(), target)));
    targets.into_values().cloned().collect()
}

/// The key of the Work of a template for a cluster.
pub fn key(template: &Object, cluster: &str) -> ObjectKey {
    let name = names::work(template.kind(), template.name(), template.namespace());
    ObjectKey::namespaced(names::execution_namespace(cluster), name)
}

/// The one manifest of a Work.
pub fn manifest(work: &Work) -> Option<Object> {
    work.spec.workload.manifests.first().cloned().map(Object)
}

/// Whether the manifest of a Work is the object of `template`, in any version. It is another object if an earlier release
/// let an override change its identity.
pub fn is_of_template(work: &Work, template: &Object) -> bool {
    let Some(manifest) = manifest(work) else { return true };
    let (manifest_kind, template_kind) = (manifest.group_version_kind(), template.group_version_kind());
    manifest_kind.group_kind() == template_kind.group_kind() && manifest.key() == template.key()
}

/// Whether a Work made for a template has the manifest that it is named after; see [`key`]. Works that others wrote can
/// have any name and manifest.
pub fn is_named_after_manifest(work: &Work) -> bool {
    let metadata = &work.metadata;
    let bindings = [annotations::binding::NAME, annotations::cluster_binding::NAME];
    let is_of_binding = bindings.iter().any(|name| metadata.annotation(name).is_some());
    let is_of_namespace = metadata.owner_references.iter().any(|owner| owner.kind == "Namespace");
    let Some(manifest) = manifest(work) else { return true };
    let name = names::work(manifest.kind(), manifest.name(), manifest.namespace());
    !(is_of_binding || is_of_namespace) || metadata.name == name
}

/// The template with the replicas of one target, by the built-in rules.
pub fn revised(template: &Object, spec: &ResourceBindingSpec, target: &TargetCluster) -> Object {
    let mut manifest = template.clone();
    if spec.replicas > 0 {
        revise(&mut manifest, i64::from(target.replicas));
    }
    manifest
}

/// Builds the Work for one target.
///
/// `manifest` is the template with the replicas of the target: [`revised`], or what a customised interpreter made of it.
/// `old` is the Work that there is; without one the permanent id is `new_id`. The same input gives the same Work.
///
/// # Errors
/// When an override policy cannot be applied; the caller keeps the existing Work.
pub fn build(
    input: &Input<'_>,
    manifest: Object,
    target: &TargetCluster,
    cluster: &Cluster,
    old: Option<&Work>,
    new_id: &str,
) -> Result<Work, OverrideError> {
    build_with(input, manifest, Recipient { target, cluster }, old, new_id, |_| Ok(()))
}

/// As [`build`], for a template that has changes for single clusters of its own: `change` makes them in the manifest after
/// the override policies.
///
/// # Errors
/// When an override policy cannot be applied, and those of `change`; the caller keeps the existing Work.
pub fn build_with<E: From<OverrideError>>(
    input: &Input<'_>,
    mut manifest: Object,
    recipient: Recipient<'_>,
    old: Option<&Work>,
    new_id: &str,
    change: impl FnOnce(&mut Object) -> Result<(), E>,
) -> Result<Work, E> {
    let Input { template, binding, spec, .. } = input;
    let Recipient { target, cluster } = recipient;
    let id = old.and_then(|old| old.metadata.label(labels::work::PERMANENT_ID)).unwrap_or(new_id);
    if spec.replicas > 0 {
        share_completions(&mut manifest, spec, target);
    }
    prune(&mut manifest);
    let cluster_applied = overrides::apply(input.cluster_overrides, &mut manifest, cluster)?;
    let applied = if template.namespace().is_empty() {
        Vec::new()
    } else {
        overrides::apply(input.overrides, &mut manifest, cluster)?
    };
    change(&mut manifest)?;
    let is_only = targets(spec).len() == 1;
    let preserved = preserved_labels(spec, &cluster.metadata.name, is_only, old.map(|old| &old.metadata));
    for (label, value) in &preserved {
        manifest.set_label(label, value.as_str());
    }
    let key = key(template, &cluster.metadata.name);
    let conflict_resolution = conflict_resolution(template, spec);
    let marks = Marks { template, binding, work: &key, id, conflict_resolution };
    marks.put_on(&mut manifest);
    let mut metadata = ObjectMeta::namespaced(&*key.namespace, &*key.name);
    metadata.finalizers = vec![finalizers::EXECUTION.to_owned()];
    metadata.labels = marks.binding_labels();
    metadata.labels.insert(labels::work::PERMANENT_ID.to_owned(), id.to_owned());
    metadata.annotations = marks.binding_annotations();
    metadata
        .annotations
        .insert(annotations::work::CONFLICT_RESOLUTION.to_owned(), conflict_resolution.to_owned());
    record(&mut metadata, annotations::policy::APPLIED_CLUSTER_OVERRIDES, &cluster_applied);
    record(&mut metadata, annotations::policy::APPLIED_OVERRIDES, &applied);
    if !preserved.is_empty() {
        let recorded = json!(preserved).to_string();
        metadata.annotations.insert(annotations::work::PRESERVED_LABELS.to_owned(), recorded);
    }
    let spec = WorkSpec {
        workload: WorkloadTemplate { manifests: vec![manifest.0] },
        suspend_dispatching: is_suspended(spec, &cluster.metadata.name).then_some(true),
        preserve_resources_on_deletion: spec.preserve_resources_on_deletion,
    };
    Ok(Work { metadata, spec, ..Work::default() })
}

/// Divides a Job's completions in proportion to its parallelism.
fn share_completions(manifest: &mut Object, spec: &ResourceBindingSpec, target: &TargetCluster) {
    use portolan_api::policy::ReplicaSchedulingType::Divided;
    let scheduling = spec.placement.as_ref().and_then(|placement| placement.replica_scheduling.as_ref());
    let is_divided = scheduling.is_some_and(|scheduling| scheduling.replica_scheduling_type == Divided);
    if !is_divided || !resources::JOB.is_kind_of(manifest) {
        return;
    }
    let Some(completions) = Job::read(manifest).ok().and_then(|job| job.spec.completions) else { return };
    let shares: Vec<(String, i64)> =
        spec.clusters.iter().map(|cluster| (cluster.name.clone(), i64::from(cluster.replicas))).collect();
    let divided = divide_completions(completions, &shares, &spec.resource.uid);
    let mine = shares.iter().zip(divided).find(|((name, _), _)| *name == target.name);
    if let Some((_, share)) = mine {
        manifest.0["spec"]["completions"] = json!(share);
    }
}

/// The template's annotation overrides the policy; unknown values are ignored.
fn conflict_resolution(template: &Object, spec: &ResourceBindingSpec) -> &'static str {
    match template.annotation(annotations::work::CONFLICT_RESOLUTION) {
        Some("overwrite") => "overwrite",
        Some("abort") => "abort",
        _ => spec.conflict_resolution.annotation(),
    }
}

/// Whether a cluster gets no changes.
pub fn is_suspended(spec: &ResourceBindingSpec, cluster: &str) -> bool {
    let Some(suspension) = &spec.suspension else { return false };
    let here = suspension.dispatching_on_clusters.as_ref();
    suspension.dispatching == Some(true)
        || here.is_some_and(|clusters| clusters.cluster_names.iter().any(|name| name == cluster))
}

fn record(metadata: &mut ObjectMeta, annotation: &str, applied: &[Applied]) {
    if !applied.is_empty() {
        metadata.annotations.insert(annotation.to_owned(), json!(applied).to_string());
    }
}

/// Labels and annotations that mark an object in a member as managed, and identify its template.
struct Marks<'a> {
    template: &'a Object,
    binding: &'a ObjectMeta,
    work: &'a ObjectKey,
    id: &'a str,
    conflict_resolution: &'a str,
}

impl Marks<'_> {
    fn binding_labels(&self) -> BTreeMap<String, String> {
        let key = if self.binding.namespace.is_empty() {
            labels::cluster_binding::PERMANENT_ID
        } else {
            labels::binding::PERMANENT_ID
        };
        let id = self.binding.label(key).unwrap_or_default();
        BTreeMap::from([(key.to_owned(), id.to_owned())])
    }

    fn binding_annotations(&self) -> BTreeMap<String, String> {
        let entry = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        if self.binding.namespace.is_empty() {
            return BTreeMap::from([entry(annotations::cluster_binding::NAME, &self.binding.name)]);
        }
        BTreeMap::from([
            entry(annotations::binding::NAMESPACE, &self.binding.namespace),
            entry(annotations::binding::NAME, &self.binding.name),
        ])
    }

    fn put_on(&self, manifest: &mut Object) {
        for (key, value) in self.binding_labels() {
            manifest.set_label(&key, value);
        }
        manifest.set_label(labels::MANAGED, labels::TRUE);
        manifest.set_label(labels::work::PERMANENT_ID, self.id);
        for (key, value) in self.binding_annotations() {
            manifest.set_annotation(&key, value);
        }
        manifest.set_annotation(annotations::work::NAMESPACE, &*self.work.namespace);
        manifest.set_annotation(annotations::work::NAME, &*self.work.name);
        manifest.set_annotation(annotations::work::CONFLICT_RESOLUTION, self.conflict_resolution);
        manifest.set_annotation(annotations::template::UID, self.template.uid());
        if self.template.generation() > 0 {
            manifest
                .set_annotation(annotations::template::GENERATION, self.template.generation().to_string());
        }
        record_managed_keys(manifest);
    }
}

/// Records the keys that the manifest sets, so that a later manifest without one of them removes it in the member.
pub(super) fn record_managed_keys(manifest: &mut Object) {
    let managed_labels: Vec<String> = manifest.labels().into_keys().collect();
    manifest.set_annotation(annotations::template::MANAGED_LABELS, managed_labels.join(","));
    manifest.set_annotation(annotations::template::MANAGED_ANNOTATIONS, "");
    let managed_annotations: Vec<String> = manifest.annotations().into_keys().collect();
    manifest.set_annotation(annotations::template::MANAGED_ANNOTATIONS, managed_annotations.join(","));
}

/// Whether two specs say the same, although an API server may have normalised one of them.
fn is_same_spec(actual: &WorkSpec, wanted: &WorkSpec) -> bool {
    let flags = |spec: &WorkSpec| {
        [spec.suspend_dispatching, spec.preserve_resources_on_deletion].map(|flag| flag == Some(true))
    };
    let (actual_manifests, manifests) = (&actual.workload.manifests, &wanted.workload.manifests);
    let is_same = |(actual, wanted): (&serde_json::Value, &serde_json::Value)| {
        actual == wanted || agree(&Object(actual.clone()), &Object(wanted.clone()))
    };
    flags(actual) == flags(wanted)
        && actual_manifests.len() == manifests.len()
        && actual_manifests.iter().zip(manifests).all(is_same)
}

/// Whether the existing Work agrees with `wanted`; additional metadata of other writers does not count.
pub fn is_current(actual: &Work, wanted: &Work) -> bool {
    let covers = |actual: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>| {
        wanted.iter().all(|(key, value)| actual.get(key) == Some(value))
    };
    let overrides = [annotations::policy::APPLIED_OVERRIDES, annotations::policy::APPLIED_CLUSTER_OVERRIDES];
    let is_going = actual.metadata.annotation(annotations::work::REMOVAL_CAUSE).is_some();
    !is_going
        && is_same_spec(&actual.spec, &wanted.spec)
        && covers(&actual.metadata.labels, &wanted.metadata.labels)
        && covers(&actual.metadata.annotations, &wanted.metadata.annotations)
        && overrides.iter().all(|key| actual.metadata.annotation(key) == wanted.metadata.annotation(key))
}

#[cfg(test)]
mod tests;
