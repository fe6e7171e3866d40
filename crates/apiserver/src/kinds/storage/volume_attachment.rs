//! Attachments of volumes to nodes.

use serde_json::{Value, json};

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::table::cells::Row;
use crate::kinds::table::{AGE, Column, NAME, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DEFAULTS,
    NO_DELETION_STATE, NO_INITIAL_STATE, NO_KEPT_STATE, NO_WARNINGS, NameRule, ONE_FORM, StatusRule,
    Subresource,
};
use crate::tree;
use crate::validation::path::Path;
use crate::validation::{FieldErrors, names};

const SPEC: Path<'static> = Path::root("spec");

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "VolumeAttachment", "volumeattachments")
        .singular("volumeattachment")
        .delete_returns_object()
        .update_requires_version()
        .subresources(&[Subresource::status("VolumeAttachment")]),
    names: NameRule::Subdomain,
    generation: Generation::None,
    status: StatusRule::DroppedOnCreate,
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

fn validate(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    super::check_driver_name(&SPEC.child("attacher"), tree::str_at(new, "/spec/attacher"), errors);
    let source = SPEC.child("source");
    let volume = tree::present(new, "/spec/source/persistentVolumeName").and_then(Value::as_str);
    let has_inline = tree::present(new, "/spec/source/inlineVolumeSpec").is_some();
    let path = source.child("persistentVolumeName");
    match volume {
        Some(name) if !has_inline => {
            if name.is_empty() {
                errors.required(&path, "must specify non empty persistentVolumeName");
            }
            errors.texts(&path, name, names::subdomain(name));
        }
        None if has_inline => {}
        _ => {
            errors.required(&source, "must specify exactly one of inlineVolumeSpec and persistentVolumeName")
        }
    }
    let node = tree::str_at(new, "/spec/nodeName");
    errors.texts(&SPEC.child("nodeName"), node, names::subdomain(node));
    if let Some(old) = old {
        errors.immutable(&SPEC, new, old, "/spec");
    }
}

static TABLE: Table = Table {
    columns: &[
        NAME,
        Column::string("Attacher", "Driver that attaches the volume.").identifying(),
        Column::string("PV", "Volume that is attached."),
        Column::string("Node", "Node that it is attached to."),
        Column::boolean("Attached", "Whether it is attached."),
        AGE,
    ],
    cells,
};

fn cells(row: Row<'_>) -> Vec<Value> {
    vec![
        row.name(),
        json!(row.text("/spec/attacher")),
        json!(row.text("/spec/source/persistentVolumeName")),
        json!(row.text("/spec/nodeName")),
        json!(tree::is_true(row.object, "/status/attached")),
        row.age(),
    ]
}
