//! What the API server fills in that a client left out of a built-in kind.
//!
//! [`apply`] runs on every write before validation and changes nothing on an object that has been through it.
//! [`on_create`] adds what only the server may say about a new object, once its name and identity are known.
//! Custom resources take their defaults from their schema instead.

mod autoscaling;
mod configuration;
mod initial;
mod network;
mod pod;
pub mod pod_account;
mod storage;
mod workloads;

#[cfg(test)]
mod tests;

use portolan_object::GroupVersionKind;
use serde_json::{Map, Value};

pub use initial::on_create;

/// Completes an object of a built-in kind; objects of other kinds stay as they are.
///
/// Quantities are brought into canonical form, and `stringData` of secrets is folded into `data`.
pub fn apply(kind: &GroupVersionKind, object: &mut Value) {
    let Some(object) = object.as_object_mut() else {
        return;
    };
    if let Some(complete) = defaults_of(&kind.group, &kind.kind) {
        complete(object);
    }
}

/// Completes one object.
type Defaults = fn(&mut Map<String, Value>);

fn defaults_of(group: &str, kind: &str) -> Option<Defaults> {
    Some(match (group, kind) {
        ("", "Pod") => pod::pod,
        ("", "PodTemplate") => pod::pod_template,
        ("", "ReplicationController") => workloads::replication_controller,
        ("", "Service") => network::service,
        ("", "Endpoints") => network::endpoints,
        ("", "ConfigMap") => configuration::config_map,
        ("", "Secret") => configuration::secret,
        ("", "Namespace") => configuration::namespace,
        ("", "Node") => configuration::node,
        ("", "LimitRange") => configuration::limit_range,
        ("", "ResourceQuota") => configuration::resource_quota,
        ("", "PersistentVolume") => storage::volume,
        ("", "PersistentVolumeClaim") => storage::claim,
        ("apps", "Deployment") => workloads::deployment,
        ("apps", "ReplicaSet") => workloads::replica_set,
        ("apps", "StatefulSet") => workloads::stateful_set,
        ("apps", "DaemonSet") => workloads::daemon_set,
        ("batch", "Job") => workloads::job,
        ("batch", "CronJob") => workloads::cron_job,
        ("autoscaling", "HorizontalPodAutoscaler") => autoscaling::autoscaler,
        ("discovery.k8s.io", "EndpointSlice") => network::endpoint_slice,
        ("networking.k8s.io", "Ingress") => network::ingress,
        ("networking.k8s.io", "IngressClass") => network::ingress_class,
        ("networking.k8s.io", "NetworkPolicy") => network::network_policy,
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => configuration::role_binding,
        ("storage.k8s.io", "StorageClass") => storage::storage_class,
        ("storage.k8s.io", "CSIDriver") => storage::csi_driver,
        ("", "Event") => configuration::core_event,
        ("events.k8s.io", "Event") => configuration::event,
        ("coordination.k8s.io", "Lease") => configuration::lease,
        ("scheduling.k8s.io", "PriorityClass") => configuration::priority_class,
        _ => return None,
    })
}
