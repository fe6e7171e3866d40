//! Deployments.

use serde_json::{Map, Value, json};

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::table::cells::Row;
use crate::kinds::table::{AGE, CONTAINERS, Column, IMAGES, NAME, SELECTOR, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DELETION_STATE,
    NO_KEPT_STATE, NO_WARNINGS, NameRule, ONE_FORM, StatusRule, Subresource, pod_spec, status, workload,
};
use crate::tree;
use crate::tree::{child, default};
use crate::validation::FieldErrors;
use crate::validation::path::Path;

const SPEC: Path<'static> = Path::root("spec");
pub(crate) const WORDS: workload::Words =
    workload::Words { kind: "deployment", controller: "ReplicaSet", unreadable: "invalid label selector" };

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "Deployment", "deployments")
        .singular("deployment")
        .namespaced()
        .category(&["all"])
        .short(&["deploy"])
        .subresources(&[Subresource::scale(), Subresource::status("Deployment")]),
    names: NameRule::Subdomain,
    generation: Generation::SpecAndAnnotations,
    status: StatusRule::DroppedOnCreate,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(defaults),
    prepare_for_create: Defined(status::empty_status),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: Defined(validate),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&TABLE),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};

fn defaults(object: &mut Map<String, Value>) {
    let Some(spec) = child(object, "spec") else { return };
    pod_spec::default_template(spec);
    default(spec, "replicas", 1);
    default(spec, "revisionHistoryLimit", 10);
    default(spec, "progressDeadlineSeconds", 600);
    let Some(strategy) = child(spec, "strategy") else { return };
    default(strategy, "type", "RollingUpdate");
    if strategy["type"] == "RollingUpdate"
        && let Some(rolling) = child(strategy, "rollingUpdate")
    {
        default(rolling, "maxUnavailable", "25%");
        default(rolling, "maxSurge", "25%");
    }
}

fn validate(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    let spec = workload::spec_of(new);
    errors.not_negative(&SPEC, spec, "replicas");
    workload::selector_and_template(spec, &WORDS, errors);
    rollout(spec, errors);
    for field in ["minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"] {
        errors.not_negative(&SPEC, spec, field);
    }
    let ready = tree::integer(spec, "/minReadySeconds").unwrap_or_default();
    if let Some(deadline) = tree::integer(spec, "/progressDeadlineSeconds")
        && deadline <= ready
    {
        let detail = "must be greater than minReadySeconds";
        errors.invalid(&SPEC.child("progressDeadlineSeconds"), deadline, detail);
    }
    workload::same_selector(new, old, errors);
}

fn rollout(spec: &Value, errors: &mut FieldErrors) {
    let path = SPEC.child("strategy");
    let rolling = tree::present(spec, "/strategy/rollingUpdate");
    let at = path.child("rollingUpdate");
    match (tree::str_at(spec, "/strategy/type"), rolling) {
        ("Recreate", Some(_)) => {
            errors.forbidden(&at, "may not be specified when strategy `type` is 'Recreate'");
        }
        ("Recreate", None) => {}
        ("RollingUpdate", None) => errors.required(&at, "this should be defaulted and never be nil"),
        ("RollingUpdate", Some(rolling)) => {
            for field in ["maxUnavailable", "maxSurge"] {
                workload::count_or_percent(&at.child(field), rolling.get(field), errors);
            }
            if workload::is_none(rolling.get("maxUnavailable")) && workload::is_none(rolling.get("maxSurge"))
            {
                let value = rolling.get("maxUnavailable").cloned().unwrap_or(Value::Null);
                errors.invalid(&at.child("maxUnavailable"), value, "may not be 0 when `maxSurge` is 0");
            }
            workload::at_most_all(&at.child("maxUnavailable"), rolling.get("maxUnavailable"), errors);
        }
        _ => {
            let strategy = workload::printed_strategy(spec.get("strategy"));
            errors.not_supported_text(&path, strategy, &["Recreate", "RollingUpdate"]);
        }
    }
}

static TABLE: Table = Table {
    columns: &[
        NAME,
        Column::string("Ready", "Pods that are ready, of those that should exist."),
        Column::string("Up-to-date", "Pods of the current template."),
        Column::string("Available", "Pods that have been ready for long enough."),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ],
    cells,
};

fn cells(row: Row<'_>) -> Vec<Value> {
    let [names, images] = row.containers(workload::TEMPLATE);
    vec![
        row.name(),
        workload::ready_of_desired(row),
        json!(row.integer("/status/updatedReplicas")),
        json!(row.integer("/status/availableReplicas")),
        row.age(),
        names,
        images,
        json!(row.selector("/spec/selector")),
    ]
}
