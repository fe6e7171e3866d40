//! Replication controllers.

use serde_json::{Map, Value, json};

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::table::Table;
use crate::kinds::table::cells::Row;
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NO_DELETION_STATE, NO_KEPT_STATE, NO_WARNINGS,
    NameRule, ONE_FORM, StatusRule, Subresource, pod_spec, workload,
};
use crate::tree;
use crate::tree::{child, default};
use crate::validation::FieldErrors;
use crate::validation::path::Path;

const SPEC: Path<'static> = Path::root("spec");

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "ReplicationController", "replicationcontrollers")
        .singular("replicationcontroller")
        .namespaced()
        .short(&["rc"])
        .category(&["all"])
        .subresources(&[Subresource::scale(), Subresource::status("ReplicationController")]),
    names: NameRule::Subdomain,
    generation: Generation::Spec,
    status: StatusRule::DroppedOnCreate,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(defaults),
    prepare_for_create: Defined(workload::without_replicas),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: Defined(validate),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&TABLE),
    selectable: Defined(workload::REPLICAS),
    conversion: NotNeeded(ONE_FORM),
};

fn defaults(object: &mut Map<String, Value>) {
    let Some(spec) = child(object, "spec") else { return };
    default(spec, "replicas", 1);
    if spec.get("template").is_some_and(Value::is_object) {
        pod_spec::default_template(spec);
    }
    let labels = workload::template_labels(spec);
    if let Some(labels) = labels {
        if spec.get("selector").and_then(Value::as_object).is_none_or(Map::is_empty) {
            spec.insert("selector".to_owned(), labels.clone());
        }
        workload::own_labels(object, labels);
    }
}

fn validate(new: &Value, _: Option<&Value>, errors: &mut FieldErrors) {
    let spec = workload::spec_of(new);
    errors.not_negative(&SPEC, spec, "minReadySeconds");
    let labels = tree::map(spec, "/selector").filter(|labels| !labels.is_empty());
    if labels.is_none() {
        errors.required(&SPEC.child("selector"), "");
    }
    errors.not_negative(&SPEC, spec, "replicas");
    match tree::present(spec, "/template") {
        None => errors.required(&SPEC.child("template"), ""),
        Some(_) => {
            let selector = json!({ "matchLabels": labels });
            workload::always_running(spec, &selector, "ReplicationController", errors);
        }
    }
}

static TABLE: Table = Table { columns: workload::REPLICA_COLUMNS, cells };

fn cells(row: Row<'_>) -> Vec<Value> {
    workload::replica_cells(row, row.labels("/spec/selector"))
}
