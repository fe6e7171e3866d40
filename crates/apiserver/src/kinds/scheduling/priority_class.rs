//! Priority classes.

use serde_json::{Map, Value, json};

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::table::cells::Row;
use crate::kinds::table::{AGE, Column, NAME, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DELETION_STATE,
    NO_INITIAL_STATE, NO_KEPT_STATE, NO_WARNINGS, NameRule, ONE_FORM, StatusRule,
};
use crate::tree;
use crate::tree::default;
use crate::validation::FieldErrors;
use crate::validation::path::Path;

/// Higher priorities are kept for the system.
const HIGHEST_PRIORITY: i64 = 1_000_000_000;

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "PriorityClass", "priorityclasses")
        .singular("priorityclass")
        .short(&["pc"]),
    names: NameRule::Subdomain,
    // Set once: a priority class has no spec that could change.
    generation: Generation::Spec,
    status: StatusRule::None,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(defaults),
    prepare_for_create: NotNeeded(NO_INITIAL_STATE),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: Defined(validate),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&TABLE),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};

fn defaults(object: &mut Map<String, Value>) {
    default(object, "preemptionPolicy", "PreemptLowerPriority");
}

fn validate(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    let name = tree::str_at(new, "/metadata/name");
    let value = tree::integer(new, "/value").unwrap_or_default();
    let is_system = ["system-cluster-critical", "system-node-critical"].contains(&name);
    if name.starts_with("system-") && !is_system {
        let metadata = Path::root("metadata");
        let detail = format!(
            "priority class names with 'system-' prefix are reserved for system use only. error: {name} is not a known \
             system priority class"
        );
        errors.forbidden(&metadata.child("name"), detail);
    }
    if let Some(old) = old {
        if tree::integer(old, "/value").unwrap_or_default() != value {
            errors.forbidden(&Path::root("value"), "may not be changed in an update.");
        }
        errors.immutable(&Path::root("preemptionPolicy"), new, old, "/preemptionPolicy");
        return;
    }
    if value > HIGHEST_PRIORITY && !is_system {
        let detail = format!("maximum allowed value of a user defined priority is {HIGHEST_PRIORITY}");
        errors.forbidden(&Path::root("value"), detail);
    }
    let policy = tree::str_at(new, "/preemptionPolicy");
    errors.one_of(&Path::root("preemptionPolicy"), policy, &["PreemptLowerPriority", "Never"]);
}

static TABLE: Table = Table {
    columns: &[
        NAME,
        Column::integer("Value", "Priority; higher is served first."),
        Column::boolean("Global-Default", "Whether pods without a class are of this one."),
        AGE,
        Column::string("PreemptionPolicy", "Whether pods of the class evict others."),
    ],
    cells,
};

fn cells(row: Row<'_>) -> Vec<Value> {
    vec![
        row.name(),
        json!(row.integer("/value")),
        json!(tree::is_true(row.object, "/globalDefault")),
        row.age(),
        json!(row.text("/preemptionPolicy")),
    ]
}
