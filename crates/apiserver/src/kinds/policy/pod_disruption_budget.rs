//! Pod disruption budgets.

use serde_json::{Value, json};

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::table::cells::{Row, scalar};
use crate::kinds::table::{AGE, Column, NAME, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DEFAULTS,
    NO_DELETION_STATE, NO_KEPT_STATE, NO_WARNINGS, NameRule, ONE_FORM, StatusRule, Subresource, status,
    workload,
};
use crate::tree;
use crate::validation::path::Path;
use crate::validation::{FieldErrors, selectors};

const SPEC: Path<'static> = Path::root("spec");

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "PodDisruptionBudget", "poddisruptionbudgets")
        .singular("poddisruptionbudget")
        .namespaced()
        .short(&["pdb"])
        .update_requires_version()
        .subresources(&[Subresource::status("PodDisruptionBudget")]),
    names: NameRule::PathSegment,
    generation: Generation::Spec,
    status: StatusRule::DroppedOnCreate,
    finalizers: FinalizerRule::Unchecked,
    defaults: NotNeeded(NO_DEFAULTS),
    prepare_for_create: Defined(prepare_for_create),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: Defined(validate),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&TABLE),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};

/// A disruption budget of no pods.
fn prepare_for_create(object: &mut Value) {
    status::counts(object, &["currentHealthy", "desiredHealthy", "disruptionsAllowed", "expectedPods"]);
}

fn validate(new: &Value, _: Option<&Value>, errors: &mut FieldErrors) {
    let spec = new.get("spec").unwrap_or(&Value::Null);
    let limits = ["minAvailable", "maxUnavailable"];
    if limits.iter().all(|field| tree::present(spec, &format!("/{field}")).is_some()) {
        let selector = tree::present(spec, "/selector").map_or_else(|| "null".to_owned(), selectors::printed);
        let member = |name: &str| spec.get(name).unwrap_or(&Value::Null);
        let text = format!(
            r#"{{"MinAvailable":{},"Selector":{selector},"MaxUnavailable":{},"UnhealthyPodEvictionPolicy":{}}}"#,
            member("minAvailable"),
            member("maxUnavailable"),
            member("unhealthyPodEvictionPolicy")
        );
        errors.invalid_text(&SPEC, text, "minAvailable and maxUnavailable cannot be both set");
    }
    for field in limits {
        workload::count_or_percent(&SPEC.child(field), spec.get(field), errors);
        workload::at_most_all(&SPEC.child(field), spec.get(field), errors);
    }
    if let Some(selector) = tree::present(spec, "/selector") {
        selectors::selector(&SPEC.child("selector"), selector, errors);
    }
    let policies = ["AlwaysAllow", "IfHealthyBudget"];
    if let Some(policy) = tree::present(spec, "/unhealthyPodEvictionPolicy").and_then(Value::as_str)
        && !policies.contains(&policy)
    {
        errors.not_supported(&SPEC.child("unhealthyPodEvictionPolicy"), policy, &policies);
    }
}

static TABLE: Table = Table {
    columns: &[
        NAME,
        Column::string("Min Available", "Pods that must stay available."),
        Column::string("Max Unavailable", "Pods that may be unavailable."),
        Column::integer("Allowed Disruptions", "Pods that may be disrupted now."),
        AGE,
    ],
    cells,
};

fn cells(row: Row<'_>) -> Vec<Value> {
    let limit = |pointer| tree::present(row.object, pointer).map_or_else(|| "N/A".to_owned(), scalar);
    vec![
        row.name(),
        json!(limit("/spec/minAvailable")),
        json!(limit("/spec/maxUnavailable")),
        json!(row.integer("/status/disruptionsAllowed")),
        row.age(),
    ]
}
