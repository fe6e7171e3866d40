//! Applying override policies to the manifest for one cluster (karmada pkg/util/overridemanager).
//!
//! Cluster-wide policies come first, then those of the object's namespace; later changes win. This runs last, on the
//! finished manifest, so that an override may even change what scheduling decided. It cannot change which object the
//! manifest is; see [`protected`].

mod containers;
mod fields;
mod image;
mod maps;
mod protected;

use portolan_api::annotations::policy::{APPLIED_CLUSTER_OVERRIDES, APPLIED_OVERRIDES};
use portolan_api::cluster::Cluster;
use portolan_api::meta::ObjectMeta;
use portolan_api::policy::{ClusterAffinity, OverrideOperator, OverrideSpec, Overriders, PlaintextOverrider};
use portolan_object::patch::strict_json_patch;
use portolan_object::{Object, ObjectKey};
use serde::Serialize;
use serde_json::Value;

use super::affinity;
use super::matching::{Rank, best_rank};
use protected::Protected;

/// An override policy as this module needs it.
#[derive(Debug, Clone, Copy)]
pub struct Policy<'a> {
    /// Name, and namespace if it has one.
    pub metadata: &'a ObjectMeta,
    /// Its rules.
    pub spec: &'a OverrideSpec,
}

/// The changes of one policy, as recorded on the Work.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Applied {
    /// Name of the policy.
    pub policy_name: String,
    /// Its changes for this cluster, merged from all its rules that apply.
    pub overriders: Overriders,
}

/// A policy that could not be applied.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("override policy {policy} cannot be applied to {object} for cluster {cluster}: {fault}")]
pub struct OverrideError {
    /// Name of the policy.
    pub policy: String,
    /// Its namespace; empty for a ClusterOverridePolicy.
    pub policy_namespace: String,
    /// Kind, namespace and name of the template.
    pub object: String,
    /// The cluster.
    pub cluster: String,
    /// The cause.
    pub fault: Box<OverrideFault>,
}

/// The cause of a failed override.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum OverrideFault {
    /// A path does not exist.
    #[error("{operator} {path}: the path does not exist in the object")]
    NoSuchPath {
        /// The operation.
        operator: &'static str,
        /// The path.
        path: String,
    },
    /// The value at a path is of the wrong type.
    #[error("{path} is not {wanted}")]
    WrongType {
        /// The path.
        path: String,
        /// The required type.
        wanted: &'static str,
    },
    /// The text in a field cannot be read.
    #[error("the text at {path} is not {format}: {cause}")]
    UnreadableText {
        /// The path.
        path: String,
        /// JSON or YAML.
        format: &'static str,
        /// The message of the parser.
        cause: String,
    },
    /// The policy changes something that overrides cannot change.
    #[error("{field} cannot be overridden: {reason}")]
    Protected {
        /// The field, as a JSON pointer.
        field: String,
        /// Why, and what to do.
        reason: &'static str,
    },
}

/// Applies the matching policies in their order and says which ones changed something.
///
/// # Errors
/// The first policy that fails; the contents of `manifest` are unspecified then.
pub fn apply(
    policies: &[Policy<'_>],
    manifest: &mut Object,
    cluster: &Cluster,
) -> Result<Vec<Applied>, OverrideError> {
    let mut applied = Vec::new();
    let object = format!("{} {}", manifest.kind(), manifest.key());
    for policy in in_order(policies, manifest) {
        let failed = |fault| OverrideError {
            policy: policy.metadata.name.clone(),
            policy_namespace: policy.metadata.namespace.clone(),
            object: object.clone(),
            cluster: cluster.metadata.name.clone(),
            fault: Box::new(fault),
        };
        let protected = Protected::of(manifest, policy.metadata);
        let rules = rules(policy.spec)
            .filter(|(target, _)| target.is_none_or(|target| affinity::matches(target, cluster)));
        let mut merged = Overriders::default();
        for (_, overriders) in rules {
            apply_overriders(overriders, manifest).map_err(failed)?;
            protected.check(manifest).map_err(failed)?;
            extend(&mut merged, overriders);
        }
        if merged != Overriders::default() {
            applied.push(Applied { policy_name: policy.metadata.name.clone(), overriders: merged });
        }
    }
    applied.sort_by(|one, other| one.policy_name.cmp(&other.policy_name));
    Ok(applied)
}

/// The names of the containers and init containers of an object, as overrides find them.
pub fn container_names(object: &Object) -> Vec<String> {
    let mut object = object.clone();
    let mut names = Vec::new();
    for container in containers::containers(&mut object) {
        names.extend(container.get("name").and_then(Value::as_str).map(str::to_owned));
    }
    names
}

/// The override policies that a Work records as applied to an object of `namespace`.
pub fn recorded(work: &ObjectMeta, namespace: &str) -> Vec<ObjectKey> {
    let names = |record: &str| -> Vec<String> {
        let recorded = work.annotation(record).and_then(|text| serde_json::from_str::<Value>(text).ok());
        let policies = recorded.as_ref().and_then(Value::as_array).into_iter().flatten();
        policies.filter_map(|applied| Some(applied.get("policyName")?.as_str()?.to_owned())).collect()
    };
    let cluster_wide = names(APPLIED_CLUSTER_OVERRIDES).into_iter().map(ObjectKey::cluster);
    let namespaced = names(APPLIED_OVERRIDES).into_iter();
    cluster_wide.chain(namespaced.map(|name| ObjectKey::namespaced(namespace, name))).collect()
}

/// Whether a policy is about an object; one without selectors is about everything.
pub fn selects(spec: &OverrideSpec, object: &Object) -> bool {
    override_rank(spec, object).is_some()
}

fn override_rank(spec: &OverrideSpec, object: &Object) -> Option<Rank> {
    if spec.resource_selectors.is_empty() {
        return Some(Rank::Kind);
    }
    best_rank(&spec.resource_selectors, object)
}

/// The closest fit last, so that it has the last word; equal fits by name.
fn in_order<'a>(policies: &[Policy<'a>], object: &Object) -> Vec<Policy<'a>> {
    let matching = policies.iter().filter_map(|policy| Some((override_rank(policy.spec, object)?, *policy)));
    let mut matching: Vec<(Rank, Policy<'a>)> = matching.collect();
    matching.sort_by(|(one_rank, one), (other_rank, other)| {
        (one_rank, &one.metadata.name).cmp(&(other_rank, &other.metadata.name))
    });
    matching.into_iter().map(|(_, policy)| policy).collect()
}

/// The rules, or the deprecated single one when there are none.
fn rules(spec: &OverrideSpec) -> impl Iterator<Item = (Option<&ClusterAffinity>, &Overriders)> {
    let legacy = spec.override_rules.is_empty().then_some((spec.target_cluster.as_ref(), &spec.overriders));
    spec.override_rules.iter().map(|rule| (rule.target_cluster.as_ref(), &rule.overriders)).chain(legacy)
}

fn apply_overriders(overriders: &Overriders, manifest: &mut Object) -> Result<(), OverrideFault> {
    for overrider in &overriders.image_overrider {
        image::apply(overrider, manifest)?;
    }
    for overrider in &overriders.command_overrider {
        containers::apply(
            manifest,
            "command",
            &overrider.container_name,
            overrider.operator,
            &overrider.value,
        );
    }
    for overrider in &overriders.args_overrider {
        containers::apply(manifest, "args", &overrider.container_name, overrider.operator, &overrider.value);
    }
    for overrider in &overriders.labels_overrider {
        maps::apply(manifest, "labels", overrider);
    }
    for overrider in &overriders.annotations_overrider {
        maps::apply(manifest, "annotations", overrider);
    }
    for overrider in &overriders.field_overrider {
        fields::apply(overrider, manifest)?;
    }
    for overrider in &overriders.plaintext {
        apply_plaintext(overrider, &mut manifest.0)?;
    }
    Ok(())
}

fn apply_plaintext(overrider: &PlaintextOverrider, manifest: &mut Value) -> Result<(), OverrideFault> {
    patch(manifest, &overrider.path, overrider.operator, overrider.value.as_ref())
}

/// One RFC 6902 operation.
fn patch(
    target: &mut Value,
    path: &str,
    operator: OverrideOperator,
    value: Option<&Value>,
) -> Result<(), OverrideFault> {
    let operation = match operator {
        OverrideOperator::Add => "add",
        OverrideOperator::Replace => "replace",
        OverrideOperator::Remove => "remove",
    };
    let failed = || OverrideFault::NoSuchPath { operator: operation, path: path.to_owned() };
    let mut step = serde_json::json!({ "op": operation, "path": path });
    if operator != OverrideOperator::Remove {
        step["value"] = value.cloned().unwrap_or_default();
    }
    *target = strict_json_patch(target, &Value::Array(vec![step])).map_err(|_| failed())?;
    Ok(())
}

fn extend(merged: &mut Overriders, more: &Overriders) {
    merged.plaintext.extend(more.plaintext.iter().cloned());
    merged.image_overrider.extend(more.image_overrider.iter().cloned());
    merged.command_overrider.extend(more.command_overrider.iter().cloned());
    merged.args_overrider.extend(more.args_overrider.iter().cloned());
    merged.labels_overrider.extend(more.labels_overrider.iter().cloned());
    merged.annotations_overrider.extend(more.annotations_overrider.iter().cloned());
    merged.field_overrider.extend(more.field_overrider.iter().cloned());
}

#[cfg(test)]
mod tests;
