//! CSI drivers of one node.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::table::{AGE, Column, NAME, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DEFAULTS,
    NO_DELETION_STATE, NO_INITIAL_STATE, NO_KEPT_STATE, NO_WARNINGS, NameRule, ONE_FORM, StatusRule,
};
use crate::tree;
use crate::validation::path::Path;
use crate::validation::{FieldErrors, names};

const SPEC: Path<'static> = Path::root("spec");

/// Length of the id of a node.
const MAX_NODE_ID: usize = 192;

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "CSINode", "csinodes")
        .singular("csinode")
        .delete_returns_object()
        .update_requires_version(),
    names: NameRule::Subdomain,
    generation: Generation::None,
    status: StatusRule::None,
    finalizers: FinalizerRule::Standard,
    defaults: NotNeeded(NO_DEFAULTS),
    prepare_for_create: NotNeeded(NO_INITIAL_STATE),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: Defined(validate),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&TABLE),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};

/// Most topology keys are labels of a node.
fn validate(new: &Value, _: Option<&Value>, errors: &mut FieldErrors) {
    let list = SPEC.child("drivers");
    let mut seen = BTreeSet::new();
    for (index, driver) in tree::list(new, "/spec/drivers").iter().enumerate() {
        let path = list.index(index);
        let name = tree::str_at(driver, "/name");
        super::check_driver_name(&path.child("name"), name, errors);
        match tree::str_at(driver, "/nodeID") {
            "" => errors.required(&path.child("nodeID"), ""),
            id if id.len() > MAX_NODE_ID => {
                errors.invalid(
                    &path.child("nodeID"),
                    id,
                    format!("must be {MAX_NODE_ID} characters or less"),
                );
            }
            _ => {}
        }
        if let Some(count) = tree::integer(driver, "/allocatable/count")
            && count < 0
        {
            errors.invalid(
                &path.child("allocatable").child("count"),
                count,
                "must be greater than or equal to 0",
            );
        }
        check_topology(&path, driver, errors);
        if !name.is_empty() && !seen.insert(name) {
            errors.duplicate(&path.child("name"), name);
        }
    }
}

fn check_topology(path: &Path<'_>, driver: &Value, errors: &mut FieldErrors) {
    let mut seen = BTreeSet::new();
    for key in tree::list(driver, "/topologyKeys").iter().map(|key| key.as_str().unwrap_or_default()) {
        if key.is_empty() {
            errors.required(path, "");
        }
        errors.texts(path, key, names::label_key_errors(key));
        if !seen.insert(key) {
            errors.duplicate(path, key);
        }
    }
}

static TABLE: Table = Table {
    columns: &[NAME, Column::integer("Drivers", "Drivers on the node."), AGE],
    cells: |source| vec![source.name(), json!(source.list("/spec/drivers").len()), source.age()],
};
