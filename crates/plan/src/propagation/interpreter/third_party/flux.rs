//! The toolkit kinds of Flux.
//!
//! Their status is combined alike: revisions and artifacts of the last member, the conditions of all, counters summed.

mod bucket;
mod git_repository;
mod helm_chart;
mod helm_release;
mod helm_repository;
mod kustomization;
mod oci_repository;

pub(super) use bucket::INTERPRETER as BUCKET;
pub(super) use git_repository::INTERPRETER as GIT_REPOSITORY;
pub(super) use helm_chart::INTERPRETER as HELM_CHART;
pub(super) use helm_release::INTERPRETER as HELM_RELEASE;
pub(super) use helm_repository::INTERPRETER as HELM_REPOSITORY;
pub(super) use kustomization::INTERPRETER as KUSTOMIZATION;
pub(super) use oci_repository::INTERPRETER as OCI_REPOSITORY;

use portolan_api::config::DependentObjectReference;
use portolan_object::Object;
use serde_json::{Value, json};

use super::combine::{Fields, merge_conditions, status_of, text, true_condition};
use crate::propagation::fields;
use crate::propagation::interpreter::Report;
use crate::propagation::interpreter::pod_references::PodReferences;

/// Reconciliation is suspended and resumed in the member.
fn retain(manifest: &mut Object, observed: &Object) {
    fields::copy(manifest, observed, &["spec", "suspend"]);
}

/// Whether the object is ready for one of these reasons.
fn is_ready(object: &Object, reasons: &[&str]) -> bool {
    true_condition(status_of(object), "Ready")
        .is_some_and(|condition| reasons.contains(&text(condition, &["reason"])))
}

fn aggregate(template: &Object, status: Value, reports: &[Report], fields: &Fields) -> Value {
    let mut status = fields.combine(template, status, reports);
    status["conditions"] = json!(merge_conditions(reports));
    status
}

/// The Secrets named at these paths, and the account.
fn references(template: &Object, secrets: &[&[&str]], has_account: bool) -> Vec<DependentObjectReference> {
    let mut found = PodReferences::default();
    secrets.iter().for_each(|path| found.add_secret(text(&template.0, path)));
    if has_account {
        found.add_service_account(text(&template.0, &["spec", "serviceAccountName"]));
    }
    found.in_namespace(template.namespace())
}
