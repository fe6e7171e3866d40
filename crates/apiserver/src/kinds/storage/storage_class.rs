//! Storage classes.

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

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "StorageClass", "storageclasses")
        .singular("storageclass")
        .delete_returns_object()
        .short(&["sc"]),
    names: NameRule::Subdomain,
    generation: Generation::None,
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
    default(object, "reclaimPolicy", "Delete");
    default(object, "volumeBindingMode", "Immediate");
}

fn validate(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    super::check_provisioner(&Path::root("provisioner"), tree::str_at(new, "/provisioner"), errors);
    let policy = tree::str_at(new, "/reclaimPolicy");
    errors.one_of(&Path::root("reclaimPolicy"), policy, &["Delete", "Retain"]);
    let mode = tree::str_at(new, "/volumeBindingMode");
    errors.one_of(&Path::root("volumeBindingMode"), mode, &["Immediate", "WaitForFirstConsumer"]);
    let Some(old) = old else { return };
    for field in ["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"] {
        errors.immutable(&Path::root(field), new, old, &format!("/{field}"));
    }
}

static TABLE: Table = Table {
    columns: &[
        NAME,
        Column::string("Provisioner", "Driver that makes volumes."),
        Column::string("ReclaimPolicy", "What happens to a volume after its claim."),
        Column::string("VolumeBindingMode", "When volumes are made and bound."),
        Column::string("AllowVolumeExpansion", "Whether volumes can grow."),
        AGE,
    ],
    cells,
};

fn cells(row: Row<'_>) -> Vec<Value> {
    let marks =
        ["storageclass.kubernetes.io~1is-default-class", "storageclass.beta.kubernetes.io~1is-default-class"];
    let is_default = marks.iter().any(|mark| row.text(&format!("/metadata/annotations/{mark}")) == "true");
    let name = row.text("/metadata/name");
    vec![
        if is_default { json!(format!("{name} (default)")) } else { json!(name) },
        json!(row.text("/provisioner")),
        json!(row.text_or("/reclaimPolicy", "Delete")),
        json!(row.text_or("/volumeBindingMode", "Immediate")),
        json!(tree::is_true(row.object, "/allowVolumeExpansion")),
        row.age(),
    ]
}
