//! `apps/v1` Deployment.

use portolan_api::config::DependentObjectReference;
use portolan_api::kubernetes::{Deployment, DeploymentCondition, View, ViewError};
use portolan_api::resources;
use portolan_object::Object;
use serde_json::Value;

use super::conditions::{combine, reported};
use super::counters::{pick_with_generations, retain_replicas, set_spec_replicas, sum_observed};
use super::{Hook, Interpreter, Replicas, Report, Requirements, pod_references};
use crate::propagation::fields;

const COUNTERS: &[&str] =
    &["replicas", "readyReplicas", "updatedReplicas", "availableReplicas", "unavailableReplicas"];

const POD_SPEC: &[&str] = &["spec", "template", "spec"];

pub(super) const INTERPRETER: Interpreter = Interpreter {
    resource: resources::DEPLOYMENT,
    status_fields: &[
        "replicas",
        "readyReplicas",
        "updatedReplicas",
        "availableReplicas",
        "unavailableReplicas",
        "observedGeneration",
        "conditions",
    ],
    replicas: Hook::Custom(Replicas {
        count: replicas,
        set: set_spec_replicas,
        requirements: Requirements::OfPodSpec(POD_SPEC),
    }),
    components: Hook::Default,
    prune: Hook::Custom(prune),
    retain: Hook::Custom(retain_replicas),
    reflect: Hook::Custom(reflect),
    health: Hook::Custom(is_healthy),
    aggregate: Hook::Custom(aggregate),
    dependencies: Hook::Custom(dependencies),
};

fn replicas(template: &Object) -> i64 {
    Deployment::read(template).ok().and_then(|deployment| deployment.spec.replicas).unwrap_or(1)
}

fn prune(template: &mut Object) {
    let revisions = ["deployment.kubernetes.io/revision", "deployment.kubernetes.io/revision-history"];
    fields::remove_annotations(template, &revisions);
}

fn reflect(object: &Object) -> Option<Value> {
    pick_with_generations(object, INTERPRETER.status_fields)
}

fn is_healthy(object: &Object) -> Result<bool, ViewError> {
    let Deployment { spec, status } = Deployment::read(object)?;
    Ok(status.observed_generation == object.generation()
        && status.updated_replicas >= spec.replicas.unwrap_or(1)
        && status.available_replicas >= status.updated_replicas)
}

/// Karmada leaves the conditions out, so that `kubectl wait --for=condition=Available` never ends on a template.
fn aggregate(template: &Object, status: Value, reports: &[Report]) -> Option<Value> {
    let mut status = sum_observed(template, status, reports, COUNTERS);
    let conditions = conditions(reports);
    if !conditions.is_empty() {
        status["conditions"] = Value::Array(conditions);
    } else if let Some(fields) = status.as_object_mut() {
        fields.remove("conditions");
    }
    Some(status)
}

/// Available if it is available in every cluster, progressing unless a cluster has given up.
fn conditions(reports: &[Report]) -> Vec<Value> {
    let mut available = reported(reports, "Available");
    let silent =
        reports.iter().find(|report| available.iter().all(|(cluster, _)| *cluster != report.cluster));
    if let (false, Some(silent)) = (available.is_empty(), silent) {
        let condition = DeploymentCondition {
            kind: "Available",
            status: "False",
            reason: "MinimumReplicasUnavailable",
            message: "no status has been reported yet",
            ..available[0].1
        };
        available.push((&silent.cluster, condition));
    }
    let mut failures = reported(reports, "ReplicaFailure");
    failures.retain(|(_, condition)| condition.status == "True");
    let all = [
        combine(&available, "True"),
        combine(&reported(reports, "Progressing"), "True"),
        combine(&failures, "False"),
    ];
    all.into_iter().flatten().collect()
}

fn dependencies(template: &Object) -> Result<Vec<DependentObjectReference>, ViewError> {
    pod_references::of_pod_spec(template, POD_SPEC)
}
