//! `helm.toolkit.fluxcd.io` HelmRelease.

use portolan_api::config::DependentObjectReference;
use portolan_api::kubernetes::ViewError;
use portolan_api::resources::StaticResource;
use portolan_object::Object;
use serde_json::Value;

use super::{is_ready, retain};
use crate::propagation::interpreter::counters::pick_with_generations;
use crate::propagation::interpreter::pod_references::PodReferences;
use crate::propagation::interpreter::third_party::combine::{Fields, text};
use crate::propagation::interpreter::{Hook, Interpreter, Report};

const FIELDS: Fields = Fields {
    sums: &["failures", "upgradeFailures", "installFailures"],
    last: &[
        "lastAttemptedRevision",
        "lastAppliedRevision",
        "lastAttemptedValuesChecksum",
        "helmChart",
        "lastReleaseRevision",
    ],
};

pub(in crate::propagation::interpreter::third_party) const INTERPRETER: Interpreter = Interpreter {
    resource: StaticResource::namespaced("helm.toolkit.fluxcd.io", "v2beta1", "HelmRelease", "helmreleases"),
    status_fields: &[
        "conditions",
        "observedGeneration",
        "lastAttemptedRevision",
        "lastAppliedRevision",
        "lastAttemptedValuesChecksum",
        "helmChart",
        "lastReleaseRevision",
        "failures",
        "upgradeFailures",
        "installFailures",
    ],
    replicas: Hook::Default,
    components: Hook::Default,
    prune: Hook::Default,
    retain: Hook::Custom(retain),
    reflect: Hook::Custom(reflect),
    health: Hook::Custom(is_healthy),
    aggregate: Hook::Custom(aggregate),
    dependencies: Hook::Custom(dependencies),
};

fn reflect(object: &Object) -> Option<Value> {
    pick_with_generations(object, INTERPRETER.status_fields)
}

fn is_healthy(object: &Object) -> Result<bool, ViewError> {
    Ok(is_ready(object, &["ReconciliationSucceeded"]))
}

fn aggregate(template: &Object, status: Value, reports: &[Report]) -> Option<Value> {
    Some(super::aggregate(template, status, reports, &FIELDS))
}

/// Values, the key of the chart's signature, the kubeconfig, and the account.
fn dependencies(template: &Object) -> Result<Vec<DependentObjectReference>, ViewError> {
    let mut found = PodReferences::default();
    let values = template.at(&["spec", "valuesFrom"]).and_then(Value::as_array);
    for source in values.into_iter().flatten() {
        match text(source, &["kind"]) {
            "Secret" => found.add_secret(text(source, &["name"])),
            "ConfigMap" => found.add_config_map(text(source, &["name"])),
            _ => {}
        }
    }
    found.add_secret(text(&template.0, &["spec", "chart", "spec", "verify", "secretRef", "name"]));
    found.add_secret(text(&template.0, &["spec", "kubeConfig", "secretRef", "name"]));
    found.add_service_account(text(&template.0, &["spec", "serviceAccountName"]));
    Ok(found.in_namespace(template.namespace()))
}
