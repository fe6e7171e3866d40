//! Replica sets.

use serde_json::{Map, Value};

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::apps::deployment;
use crate::kinds::table::Table;
use crate::kinds::table::cells::Row;
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NO_DELETION_STATE, NO_KEPT_STATE, NO_WARNINGS,
    NameRule, ONE_FORM, StatusRule, Subresource, pod_spec, workload,
};
use crate::tree::{child, default};
use crate::validation::FieldErrors;
use crate::validation::path::Path;

const SPEC: Path<'static> = Path::root("spec");

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "ReplicaSet", "replicasets")
        .singular("replicaset")
        .namespaced()
        .category(&["all"])
        .short(&["rs"])
        .subresources(&[Subresource::scale(), Subresource::status("ReplicaSet")]),
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
    pod_spec::default_template(spec);
    default(spec, "replicas", 1);
}

fn validate(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    let spec = workload::spec_of(new);
    errors.not_negative(&SPEC, spec, "replicas");
    errors.not_negative(&SPEC, spec, "minReadySeconds");
    workload::selector_and_template(spec, &deployment::WORDS, errors);
    workload::same_selector(new, old, errors);
}

static TABLE: Table = Table { columns: workload::REPLICA_COLUMNS, cells };

fn cells(row: Row<'_>) -> Vec<Value> {
    workload::replica_cells(row, row.selector("/spec/selector"))
}
