//! `ray.io`: KubeRay.

mod ray_cluster;
mod ray_job;
mod ray_service;

pub(super) use ray_cluster::INTERPRETER as RAY_CLUSTER;
pub(super) use ray_job::INTERPRETER as RAY_JOB;
pub(super) use ray_service::INTERPRETER as RAY_SERVICE;

use portolan_api::config::DependentObjectReference;
use portolan_api::kubernetes::ViewError;
use portolan_api::work::Component;
use portolan_object::Object;
use serde_json::Value;

use super::combine::{at, number, text};
use super::pod_groups;

/// The groups of workers of a RayCluster's spec.
fn workers(cluster: &Value) -> &[Value] {
    at(cluster, &["workerGroupSpecs"]).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// One head, and each group of workers.
fn components(cluster: &Value) -> Vec<Component> {
    let mut components = Vec::new();
    if let Some(head) = at(cluster, &["headGroupSpec", "template"]) {
        components.push(pod_groups::component("ray-head", 1, Some(head)));
    }
    for (group, index) in workers(cluster).iter().zip(1..) {
        let name = match text(group, &["groupName"]) {
            "" => format!("worker-{index}"),
            name => name.to_owned(),
        };
        let pods = at(group, &["template"]);
        components.push(pod_groups::component(&name, number(group, &["replicas"]), pods));
    }
    components
}

fn dependencies(object: &Object, cluster: &Value) -> Result<Vec<DependentObjectReference>, ViewError> {
    let head = at(cluster, &["headGroupSpec", "template"]);
    let groups = workers(cluster).iter().filter_map(|group| at(group, &["template"]));
    pod_groups::dependencies(object, &head.into_iter().chain(groups).collect::<Vec<_>>())
}
