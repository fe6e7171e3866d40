//! `apps.kruise.io`: OpenKruise.

mod advanced_cron_job;
mod broadcast_job;
mod clone_set;
mod daemon_set;
mod sidecar_set;
mod stateful_set;
mod united_deployment;

pub(super) use advanced_cron_job::INTERPRETER as ADVANCED_CRON_JOB;
pub(super) use broadcast_job::INTERPRETER as BROADCAST_JOB;
pub(super) use clone_set::INTERPRETER as CLONE_SET;
pub(super) use daemon_set::INTERPRETER as DAEMON_SET;
pub(super) use sidecar_set::INTERPRETER as SIDECAR_SET;
pub(super) use stateful_set::INTERPRETER as STATEFUL_SET;
pub(super) use united_deployment::INTERPRETER as UNITED_DEPLOYMENT;

use portolan_api::kubernetes::ViewError;
use portolan_api::resources::StaticResource;
use portolan_object::Object;

use super::combine::{number, optional_number, status_of};

const POD_SPEC: &[&str] = &["spec", "template", "spec"];

const fn resource(version: &'static str, kind: &'static str, plural: &'static str) -> StaticResource {
    StaticResource::namespaced("apps.kruise.io", version, kind, plural)
}

/// `spec.replicas`, one if absent.
fn replicas(template: &Object) -> i64 {
    optional_number(&template.0, &["spec", "replicas"]).unwrap_or(1)
}

/// All pods run the newest template and are available.
fn is_rolled_out(object: &Object) -> Result<bool, ViewError> {
    let status = status_of(object);
    let wanted = optional_number(&object.0, &["spec", "replicas"]).unwrap_or_default();
    let updated = number(status, &["updatedReplicas"]);
    Ok(number(status, &["observedGeneration"]) == object.generation()
        && updated >= wanted
        && number(status, &["availableReplicas"]) >= updated)
}
