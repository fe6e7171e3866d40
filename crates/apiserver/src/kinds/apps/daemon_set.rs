//! Daemon sets.

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
use crate::validation::path::Path;
use crate::validation::{FieldErrors, selectors};

const SPEC: Path<'static> = Path::root("spec");

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "DaemonSet", "daemonsets")
        .singular("daemonset")
        .namespaced()
        .category(&["all"])
        .short(&["ds"])
        .subresources(&[Subresource::status("DaemonSet")]),
    names: NameRule::Subdomain,
    generation: Generation::Spec,
    status: StatusRule::DroppedOnCreate,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(defaults),
    prepare_for_create: Defined(prepare_for_create),
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
    default(spec, "revisionHistoryLimit", 10);
    let Some(strategy) = child(spec, "updateStrategy") else { return };
    default(strategy, "type", "RollingUpdate");
    if strategy["type"] == "RollingUpdate"
        && let Some(rolling) = child(strategy, "rollingUpdate")
    {
        default(rolling, "maxUnavailable", 1);
        default(rolling, "maxSurge", 0);
    }
}

/// A daemon set on no node.
fn prepare_for_create(object: &mut Value) {
    let names = ["currentNumberScheduled", "desiredNumberScheduled", "numberMisscheduled", "numberReady"];
    status::counts(object, &names);
}

fn validate(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    let spec = workload::spec_of(new);
    let template = SPEC.child("template");
    match tree::present(spec, "/selector") {
        None => {
            workload::no_match(&template, spec.get("template").unwrap_or(&Value::Null), errors);
            workload::always_running(spec, &json!({}), "DaemonSet", errors);
        }
        Some(selector) => {
            let path = SPEC.child("selector");
            selectors::selector(&path, selector, errors);
            if selectors::is_empty(selector) {
                errors.invalid(&path, selector.clone(), "empty selector is invalid for daemonset");
            }
            workload::always_running(spec, selector, "DaemonSet", errors);
        }
    }
    for field in ["minReadySeconds", "revisionHistoryLimit"] {
        errors.not_negative(&SPEC, spec, field);
    }
    let path = SPEC.child("updateStrategy");
    match tree::str_at(spec, "/updateStrategy/type") {
        "OnDelete" => {}
        "RollingUpdate" => node_rollout(&path.child("rollingUpdate"), spec, errors),
        _ => {
            let strategy = workload::printed_strategy(spec.get("updateStrategy"));
            errors.not_supported_text(&path, strategy, &["RollingUpdate", "OnDelete"]);
        }
    }
    workload::same_selector(new, old, errors);
}

fn node_rollout(path: &Path<'_>, spec: &Value, errors: &mut FieldErrors) {
    let Some(rolling) = tree::present(spec, "/updateStrategy/rollingUpdate") else {
        errors.required(path, "");
        return;
    };
    for field in ["maxUnavailable", "maxSurge"] {
        workload::count_or_percent(&path.child(field), rolling.get(field), errors);
        workload::at_most_all(&path.child(field), rolling.get(field), errors);
    }
    match (workload::is_none(rolling.get("maxUnavailable")), workload::is_none(rolling.get("maxSurge"))) {
        (false, false) => {
            let surge = rolling.get("maxSurge").cloned().unwrap_or(Value::Null);
            errors.invalid(&path.child("maxSurge"), surge, "may not be set when maxUnavailable is non-zero");
        }
        (true, true) => errors.required(&path.child("maxUnavailable"), "cannot be 0 when maxSurge is 0"),
        _ => {}
    }
}

static TABLE: Table = Table {
    columns: &[
        NAME,
        Column::integer("Desired", "Nodes that should run the pod."),
        Column::integer("Current", "Nodes that run the pod and should."),
        Column::integer("Ready", "Nodes with a ready pod."),
        Column::integer("Up-to-date", "Nodes that run the current template."),
        Column::integer("Available", "Nodes with a pod that has been ready for long enough."),
        Column::string("Node Selector", "Labels of the nodes that should run the pod."),
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
        json!(row.integer("/status/desiredNumberScheduled")),
        json!(row.integer("/status/currentNumberScheduled")),
        json!(row.integer("/status/numberReady")),
        json!(row.integer("/status/updatedNumberScheduled")),
        json!(row.integer("/status/numberAvailable")),
        json!(row.labels("/spec/template/spec/nodeSelector")),
        row.age(),
        names,
        images,
        json!(row.selector("/spec/selector")),
    ]
}
