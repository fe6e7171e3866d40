//! Admission of the federation's kinds: defaults, identities and validation (karmada pkg/webhook).
//!
//! The embedded API server asks here; controllers cope without it on an API server that has no such rules. Texts of
//! refusals name the webhook, because that is what users of Karmada search for.

mod agents;
mod autoscaling;
mod cluster;
mod config;
mod cron_autoscaling;
mod failover;
mod federation;
mod kubefed;
mod multi_cluster_services;
mod overrides;
mod placement;
mod propagation;
mod quota;
mod recognised;
mod registries;
mod remedies;
mod selectors;
mod taint_policies;
mod traffic_policies;

pub use agents::{AgentWrite, agent_of, confine_agent, make_role};
pub use config::{faulty_script, refuse_conflicts};
pub use failover::without_eviction;
pub use recognised::unrecognised_values;

use portolan_object::{FieldError, GroupVersionKind, Object, Status};
use serde_json::Value;

use crate::autoscaling::{CronFederatedHPA, FederatedHPA};
use crate::config::{
    DependentObjectReference, ResourceInterpreterCustomization, ResourceInterpreterWebhookConfiguration,
};
use crate::federation::Federation;
use crate::kind::Kind;
use crate::kubefed::{FederatedTypeConfig, KubeFedConfig, ReplicaSchedulingPreference};
use crate::networking::MultiClusterService;
use crate::policy::{
    ClusterOverridePolicy, ClusterPropagationPolicy, ClusterTaintPolicy, FederatedResourceQuota,
    OverridePolicy, PropagationPolicy,
};
use crate::remedy::Remedy;
use crate::search::{self, ResourceRegistry};
use crate::traffic::TrafficPolicy;
use crate::{annotations, labels};
use crate::{cluster::Cluster, work};

/// Operation of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// The object is new.
    Create,
    /// The object changes.
    Update,
    /// The object goes.
    Delete,
}

/// Changes `object` as the webhooks would, or refuses the write.
///
/// `old` is the state before an update; `new_id` makes permanent ids. The texts returned are warnings.
///
/// # Errors
/// 403 for policies and protected objects, 422 for clusters, as the original system answers.
pub fn admit(
    operation: Operation,
    kind: &GroupVersionKind,
    namespace: &str,
    object: &mut Value,
    old: Option<&Value>,
    mut new_id: impl FnMut() -> String,
) -> Result<Vec<String>, Status> {
    if operation == Operation::Delete {
        return refuse_protected(kind, object).map(|()| Vec::new());
    }
    selectors::refuse_malformed(kind, object, old)?;
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("policy.karmada.io", PropagationPolicy::KIND) => {
            let id = (operation == Operation::Create).then(&mut new_id);
            return propagation::admit::<PropagationPolicy>(object, old, namespace, id);
        }
        ("policy.karmada.io", ClusterPropagationPolicy::KIND) => {
            let id = (operation == Operation::Create).then(&mut new_id);
            return propagation::admit::<ClusterPropagationPolicy>(object, old, "", id);
        }
        ("policy.karmada.io", OverridePolicy::KIND) => {
            return overrides::admit::<OverridePolicy>(object, namespace);
        }
        ("policy.karmada.io", ClusterOverridePolicy::KIND) => {
            return overrides::admit::<ClusterOverridePolicy>(object, "");
        }
        ("work.karmada.io", work::ResourceBinding::KIND) => {
            refuse_other_namespace(object, old, namespace)?;
            refuse_malformed_dependencies(object)?;
            identify(object, labels::binding::PERMANENT_ID, new_id)
        }
        ("work.karmada.io", work::ClusterResourceBinding::KIND) => {
            identify(object, labels::cluster_binding::PERMANENT_ID, new_id);
        }
        ("work.karmada.io", work::Work::KIND) => identify(object, labels::work::PERMANENT_ID, new_id),
        ("config.karmada.io", ResourceInterpreterCustomization::KIND) => config::admit_customization(object)?,
        ("config.karmada.io", ResourceInterpreterWebhookConfiguration::KIND) => {
            config::admit_webhooks(object)?
        }
        ("cluster.karmada.io", Cluster::KIND) => cluster::admit(object, old)?,
        ("policy.karmada.io", FederatedResourceQuota::KIND) => return quota::admit(object),
        ("policy.karmada.io", ClusterTaintPolicy::KIND) => return taint_policies::admit(object),
        ("autoscaling.karmada.io", FederatedHPA::KIND) => return autoscaling::admit(object),
        ("autoscaling.karmada.io", CronFederatedHPA::KIND) => return cron_autoscaling::admit(object),
        ("portolan.dev", Federation::KIND) => federation::admit(object)?,
        ("core.kubefed.io", KubeFedConfig::KIND) => return kubefed::admit_config(object, namespace),
        ("core.kubefed.io", FederatedTypeConfig::KIND) => {
            return Ok(kubefed::type_config_warnings(object, namespace));
        }
        (ReplicaSchedulingPreference::GROUP, ReplicaSchedulingPreference::KIND) => {
            return Ok(kubefed::preference_warnings(object));
        }
        ("networking.karmada.io", MultiClusterService::KIND) => {
            return multi_cluster_services::admit(object, old, new_id);
        }
        (search::GROUP, ResourceRegistry::KIND) => return registries::admit(object),
        (TrafficPolicy::GROUP, TrafficPolicy::KIND) => return traffic_policies::admit(object),
        ("remedy.karmada.io", Remedy::KIND) => return Ok(remedies::warnings(object)),
        _ => {}
    }
    Ok(Vec::new())
}

/// Gives an object the identity that it keeps, unless it has one.
fn identify(object: &mut Value, label: &str, new_id: impl FnOnce() -> String) {
    let has_one = object["metadata"]["labels"][label].as_str().is_some_and(|id| !id.is_empty());
    if has_one {
        return;
    }
    let mut tree = Object(object.take());
    tree.set_label(label, new_id());
    *object = tree.0;
}

/// A binding is in the namespace of its template, so that writers of one namespace cannot propagate objects of another.
/// A binding that has another one already can still change otherwise, so that its finalizer can be removed.
fn refuse_other_namespace(object: &Value, old: Option<&Value>, namespace: &str) -> Result<(), Status> {
    let resource = |object: &Value| object["spec"]["resource"].clone();
    let named = object["spec"]["resource"]["namespace"].as_str().unwrap_or_default();
    if named.is_empty() || named == namespace || old.is_some_and(|old| resource(old) == resource(object)) {
        return Ok(());
    }
    let detail =
        "must be the namespace of the binding; objects without a namespace have ClusterResourceBindings";
    let error = FieldError::invalid("spec.resource.namespace", &Value::from(named), detail);
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    Err(Status::invalid(work::ResourceBinding::GROUP, work::ResourceBinding::KIND, name, &[error]))
}

/// The recorded dependencies are a JSON array of references.
fn refuse_malformed_dependencies(object: &Value) -> Result<(), Status> {
    let Some(text) = object["metadata"]["annotations"][annotations::binding::DEPENDENCIES].as_str() else {
        return Ok(());
    };
    let read: Result<Vec<DependentObjectReference>, _> = serde_json::from_str(text);
    let Err(error) = read else { return Ok(()) };
    let field = format!("metadata.annotations.{}", annotations::binding::DEPENDENCIES);
    let detail = format!("annotation value must be a valid JSON array of references: {error}");
    deny_for("resourcebinding.karmada.io", &[FieldError::invalid(field, &Value::from(text), detail)])
}

/// A template with the label cannot be deleted until the label is removed.
fn refuse_protected(kind: &GroupVersionKind, object: &Value) -> Result<(), Status> {
    let protection = object["metadata"]["labels"][labels::template::DELETION_PROTECTED].as_str();
    if protection != Some(labels::template::ALWAYS) {
        return Ok(());
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let label = labels::template::DELETION_PROTECTED;
    let cause = format!("This resource is protected, please make sure to remove the label: {label}");
    Err(denied("resourcedeletionprotection.karmada.io", &format!("{} {name}: {cause}", kind.kind)))
}

/// The answer to a write of a ResourceBinding that would use more than a FederatedResourceQuota allows.
pub fn quota_exceeded(cause: &str) -> Status {
    let message = format!("admission webhook \"resourcebinding.karmada.io\" denied the request: {cause}");
    Status::new(403, crate::conditions::binding::QUOTA_EXCEEDED, message)
}

/// The answer of a webhook that refuses.
fn denied(webhook: &str, cause: &str) -> Status {
    Status::new(403, "Forbidden", format!("admission webhook \"{webhook}\" denied the request: {cause}"))
}

/// Joins all errors into one message.
fn deny_for(webhook: &str, errors: &[FieldError]) -> Result<(), Status> {
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    match texts.as_slice() {
        [] => Ok(()),
        [one] => Err(denied(webhook, one)),
        many => Err(denied(webhook, &format!("[{}]", many.join(", ")))),
    }
}

/// Reads the typed object; `None` for one that does not fit its schema, which validation refuses in its own words.
fn typed<T: Kind>(object: &Value) -> Option<T> {
    serde_json::from_value(object.clone()).ok()
}

#[cfg(test)]
mod tests;
