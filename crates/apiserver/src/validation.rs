//! What the API server refuses in built-in kinds, field by field and with the texts clients know.
//!
//! [`create`] and [`update`] run after defaulting, on objects whose shape the schema has checked. Faults come out in
//! the order of the object. Custom resources are held to their schema elsewhere; only [`metadata`] is for all.

mod access;
mod autoscaling;
mod cluster;
mod configuration;
mod container;
mod event;
mod faults;
mod ingress;
mod jobs;
pub mod metadata;
mod names;
mod network;
mod path;
mod pod;
mod resources;
mod schedule;
mod selectors;
mod service;
mod storage;
mod volume;
mod workloads;

#[cfg(test)]
mod tests;

use portolan_object::{FieldError, GroupVersionKind};
use serde_json::Value;

use crate::kinds;
use faults::Faults;

/// Faults of a new object of a built-in kind.
///
/// An empty list means the object may be stored. Kinds that are not built in have no faults here.
pub fn create(kind: &GroupVersionKind, object: &Value) -> Vec<FieldError> {
    let Some(resource) = kinds::find_kind(&kind.group, &kind.version, &kind.kind) else {
        return Vec::new();
    };
    let mut faults = Faults::default();
    metadata::check(object, resource.names, resource.namespaced, &mut faults);
    check_finalizers(kind, object, &mut faults);
    check(kind, object, None, &mut faults);
    faults.into_errors()
}

/// Faults of a changed object of a built-in kind.
///
/// `old` is the stored object; `new` already carries the metadata that the server restores.
pub fn update(kind: &GroupVersionKind, new: &Value, old: &Value) -> Vec<FieldError> {
    if kinds::find_kind(&kind.group, &kind.version, &kind.kind).is_none() {
        return Vec::new();
    }
    let mut faults = Faults::default();
    metadata::check_update(new, old, &mut faults);
    check_finalizers(kind, new, &mut faults);
    check(kind, new, Some(old), &mut faults);
    faults.into_errors()
}

/// Some kinds never had their finalizers looked at.
fn check_finalizers(kind: &GroupVersionKind, object: &Value, faults: &mut Faults) {
    let is_lax = matches!(
        (kind.group.as_str(), kind.kind.as_str()),
        ("", "Event")
            | ("policy", "PodDisruptionBudget")
            | ("coordination.k8s.io", "Lease")
            | ("node.k8s.io", "RuntimeClass")
    );
    if !is_lax {
        metadata::check_standard_finalizers(object, faults);
    }
}

fn check(kind: &GroupVersionKind, new: &Value, old: Option<&Value>, faults: &mut Faults) {
    if let Some(check) = check_of(&kind.group, &kind.version, &kind.kind) {
        check(new, old, faults);
    }
}

/// Checks everything but the metadata; the second object is the stored one when there is one.
type Check = fn(&Value, Option<&Value>, &mut Faults);

fn check_of(group: &str, version: &str, kind: &str) -> Option<Check> {
    Some(match (group, kind) {
        ("", "Pod") => pod::pod,
        ("", "PodTemplate") => pod::pod_template,
        ("", "ReplicationController") => workloads::replication_controller,
        ("", "Service") => service::service,
        ("", "Endpoints") => network::endpoints,
        ("", "ConfigMap") => configuration::config_map,
        ("", "Secret") => configuration::secret,
        ("", "Namespace") => cluster::namespace,
        ("", "Node") => cluster::node,
        ("", "Event") => event::core,
        ("", "PersistentVolume") => storage::volume,
        ("", "PersistentVolumeClaim") => storage::claim,
        ("", "ResourceQuota") => cluster::resource_quota,
        ("events.k8s.io", "Event") => event::events,
        ("apps", "Deployment") => workloads::deployment,
        ("apps", "ReplicaSet") => workloads::replica_set,
        ("apps", "StatefulSet") => workloads::stateful_set,
        ("apps", "DaemonSet") => workloads::daemon_set,
        ("apps", "ControllerRevision") => workloads::controller_revision,
        ("batch", "Job") => jobs::job,
        ("batch", "CronJob") => jobs::cron_job,
        ("autoscaling", "HorizontalPodAutoscaler") if version == "v1" => autoscaling::first_autoscaler,
        ("autoscaling", "HorizontalPodAutoscaler") => autoscaling::autoscaler,
        ("policy", "PodDisruptionBudget") => autoscaling::disruption_budget,
        ("discovery.k8s.io", "EndpointSlice") => network::endpoint_slice,
        ("networking.k8s.io", "Ingress") => ingress::ingress,
        ("networking.k8s.io", "IngressClass") => ingress::ingress_class,
        ("networking.k8s.io", "NetworkPolicy") => network::network_policy,
        ("rbac.authorization.k8s.io", "Role") => access::role,
        ("rbac.authorization.k8s.io", "ClusterRole") => access::cluster_role,
        ("rbac.authorization.k8s.io", "RoleBinding") => access::role_binding,
        ("rbac.authorization.k8s.io", "ClusterRoleBinding") => access::cluster_role_binding,
        ("coordination.k8s.io", "Lease") => cluster::lease,
        ("storage.k8s.io", "StorageClass") => storage::storage_class,
        ("storage.k8s.io", "CSIDriver") => storage::csi_driver,
        ("node.k8s.io", "RuntimeClass") => cluster::runtime_class,
        ("scheduling.k8s.io", "PriorityClass") => cluster::priority_class,
        ("admissionregistration.k8s.io", _) => cluster::admission,
        _ => return None,
    })
}
