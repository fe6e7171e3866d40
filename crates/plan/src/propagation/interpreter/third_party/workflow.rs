//! `argoproj.io` Workflow.

use portolan_api::config::DependentObjectReference;
use portolan_api::kubernetes::ViewError;
use portolan_api::resources::StaticResource;
use portolan_object::Object;
use serde_json::Value;

use super::combine::{optional_number, status_of, text};
use crate::propagation::fields;
use crate::propagation::interpreter::counters::set_in_spec;
use crate::propagation::interpreter::pod_references::PodReferences;
use crate::propagation::interpreter::{Hook, Interpreter, Replicas, Requirements};

pub(super) const INTERPRETER: Interpreter = Interpreter {
    resource: StaticResource::namespaced("argoproj.io", "v1alpha1", "Workflow", "workflows"),
    status_fields: &["phase"],
    replicas: Hook::Custom(Replicas {
        count: parallelism,
        set: |manifest, share| set_in_spec(manifest, "parallelism", share),
        // Node selector, affinity and tolerations have the names that they have in a pod.
        requirements: Requirements::OfPodSpec(&["spec"]),
    }),
    components: Hook::Default,
    prune: Hook::Default,
    retain: Hook::Custom(retain),
    reflect: Hook::Default,
    health: Hook::Custom(is_healthy),
    aggregate: Hook::Default,
    dependencies: Hook::Custom(dependencies),
};

fn parallelism(template: &Object) -> i64 {
    optional_number(&template.0, &["spec", "parallelism"]).unwrap_or(1)
}

/// A workflow is suspended and resumed in the member, and a status written without its subresource is part of the object.
fn retain(manifest: &mut Object, observed: &Object) {
    fields::copy(manifest, observed, &["spec", "suspend"]);
    fields::copy(manifest, observed, &["status"]);
}

fn is_healthy(object: &Object) -> Result<bool, ViewError> {
    Ok(!matches!(text(status_of(object), &["phase"]), "" | "Error" | "Failed"))
}

/// Volumes, registries and accounts of the workflow, with the claims that it makes.
fn dependencies(template: &Object) -> Result<Vec<DependentObjectReference>, ViewError> {
    let unreadable = |source| ViewError { kind: "Workflow", object: template.key().to_string(), source };
    let Some(spec) = template.at(&["spec"]) else { return Ok(Vec::new()) };
    let mut found = PodReferences::default();
    found.add_pod_spec(spec).map_err(unreadable)?;
    found.add_service_account(text(spec, &["executor", "serviceAccountName"]));
    let claims = spec.get("volumeClaimTemplates").and_then(Value::as_array);
    claims.into_iter().flatten().for_each(|claim| found.add_claim(text(claim, &["metadata", "name"])));
    Ok(found.in_namespace(template.namespace()))
}
