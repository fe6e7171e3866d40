//! `v1` Pod.

use std::collections::BTreeSet;

use portolan_api::config::DependentObjectReference;
use portolan_api::kubernetes::{Pod, View, ViewError};
use portolan_api::resources;
use portolan_object::Object;
use serde_json::{Map, Value, json};

use super::counters::statuses;
use super::{Hook, Interpreter, Replicas, Report, Requirements, pod_references};
use crate::propagation::fields;

pub(super) const INTERPRETER: Interpreter = Interpreter {
    resource: resources::POD,
    status_fields: &["phase", "containerStatuses", "initContainerStatuses"],
    // A pod is one replica and has no place to write another number to.
    replicas: Hook::Custom(Replicas {
        count: |_| 1,
        set: |_, _| {},
        requirements: Requirements::OfPodSpec(&["spec"]),
    }),
    components: Hook::Default,
    prune: Hook::Default,
    retain: Hook::Custom(retain),
    reflect: Hook::Default,
    health: Hook::Custom(is_healthy),
    aggregate: Hook::Custom(aggregate),
    dependencies: Hook::Custom(dependencies),
};

/// The member's scheduler and admission write the node, the service account, and the volume of its token.
fn retain(manifest: &mut Object, observed: &Object) {
    for field in ["nodeName", "serviceAccountName", "volumes"] {
        fields::copy(manifest, observed, &["spec", field]);
    }
    for list in ["containers", "initContainers"] {
        let theirs = observed.at(&["spec", list]).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let ours =
            manifest.0.get_mut("spec").and_then(|spec| spec.get_mut(list)).and_then(Value::as_array_mut);
        for container in ours.into_iter().flatten() {
            let same = theirs.iter().find(|other| other["name"] == container["name"]);
            if let Some(mounts) = same.and_then(|other| other.get("volumeMounts")) {
                container["volumeMounts"] = mounts.clone();
            }
        }
    }
}

fn is_healthy(object: &Object) -> Result<bool, ViewError> {
    let status = Pod::read(object)?.status;
    Ok(status.phase == "Succeeded" || (status.phase == "Running" && status.is_ready()))
}

/// The worst phase, and the containers of all clusters.
fn aggregate(_template: &Object, _status: Value, reports: &[Report]) -> Option<Value> {
    let phases: BTreeSet<&str> = reports
        .iter()
        .map(|report| report.status.as_ref().and_then(|status| status["phase"].as_str()).unwrap_or("Pending"))
        .collect();
    let precedence = ["Failed", "Pending", "Running", "Succeeded"];
    let mut status = Map::new();
    if let Some(phase) = precedence.into_iter().find(|phase| phases.contains(phase)) {
        status.insert("phase".to_owned(), json!(phase));
    }
    for field in ["containerStatuses", "initContainerStatuses"] {
        let containers = statuses(reports).filter_map(|status| status[field].as_array()).flatten();
        let trimmed: Vec<Value> = containers
            .map(|container| json!({ "ready": container["ready"], "state": container["state"] }))
            .collect();
        if !trimmed.is_empty() {
            status.insert(field.to_owned(), Value::Array(trimmed));
        }
    }
    Some(Value::Object(status))
}

fn dependencies(template: &Object) -> Result<Vec<DependentObjectReference>, ViewError> {
    pod_references::of_pod_spec(template, &["spec"])
}
