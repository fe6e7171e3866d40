//! Claims of volumes.

use serde_json::{Map, Value, json};

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::core::storage;
use crate::kinds::table::cells::Row;
use crate::kinds::table::{AGE, Column, NAME, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DELETION_STATE,
    NO_KEPT_STATE, NO_WARNINGS, NameRule, ONE_FORM, StatusRule, Subresource, quantities, status,
};
use crate::tree;
use crate::tree::{child, default};
use crate::validation::path::Path;
use crate::validation::{FieldErrors, resources, selectors};

const SPEC: Path<'static> = Path::root("spec");

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "PersistentVolumeClaim", "persistentvolumeclaims")
        .singular("persistentvolumeclaim")
        .namespaced()
        .short(&["pvc"])
        .delete_returns_object()
        .subresources(&[Subresource::status("PersistentVolumeClaim")]),
    names: NameRule::Subdomain,
    generation: Generation::None,
    status: StatusRule::DroppedOnCreate,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(defaults),
    prepare_for_create: Defined(status::pending),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: Defined(validate),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&TABLE),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};

pub(crate) fn defaults(object: &mut Map<String, Value>) {
    if let Some(spec) = child(object, "spec") {
        default_spec(spec);
    }
    if let Some(status) = child(object, "status") {
        default(status, "phase", "Pending");
        quantities::canonical_map(status, "capacity");
    }
}

pub(crate) fn default_spec(spec: &mut Map<String, Value>) {
    default(spec, "volumeMode", "Filesystem");
    if let Some(amounts) = child(spec, "resources") {
        quantities::canonical_requirements(amounts);
    }
}

fn validate(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    let spec = new.get("spec").unwrap_or(&Value::Null);
    validate_spec(&SPEC, spec, errors);
    let Some(old) = old else { return };
    let before = old.get("spec").unwrap_or(&Value::Null);
    let is_bound = tree::str_at(new, "/status/phase") == "Bound";
    if fixed_part(spec, before, is_bound) != fixed_part(before, before, is_bound) {
        let detail = "spec is immutable after creation except resources.requests and volumeAttributesClassName for \
                      bound claims";
        errors.forbidden(&SPEC, detail);
    }
    let size = |object: &Value, pointer: &str| tree::present(object, pointer).and_then(resources::quantity);
    let asked = size(spec, "/resources/requests/storage").unwrap_or_default();
    let given = size(old, "/status/capacity/storage").unwrap_or_default();
    if size(before, "/resources/requests/storage").is_some_and(|before| asked < before) && asked <= given {
        let detail = "field can not be less than status.capacity";
        errors.forbidden(&SPEC.child("resources").child("requests").child("storage"), detail);
    }
    errors.immutable(&Path::root("volumeMode"), new, old, "/spec/volumeMode");
}

/// The spec of a claim, also inside templates.
pub(crate) fn validate_spec(path: &Path<'_>, spec: &Value, errors: &mut FieldErrors) {
    storage::validate_access_modes(path, spec, "at least 1 access mode is required", errors);
    if let Some(selector) = tree::present(spec, "/selector") {
        selectors::selector(&path.child("selector"), selector, errors);
    }
    let at = path.child("resources");
    match tree::present(spec, "/resources/requests/storage") {
        None => errors.required(&at.key("storage"), ""),
        Some(amount) => resources::positive(&at.key("storage"), amount, errors),
    }
    storage::validate_class_name(path, spec, errors);
    let mode = tree::str_at(spec, "/volumeMode");
    if !mode.is_empty() {
        errors.one_of(&path.child("volumeMode"), mode, &storage::VOLUME_MODES);
    }
}

/// The spec without what may change: the volume once, the size and the class of attributes when it is bound.
fn fixed_part(spec: &Value, old: &Value, is_bound: bool) -> Value {
    let mut fixed = spec.clone();
    let Some(members) = fixed.as_object_mut() else { return fixed };
    if is_bound {
        members.remove("volumeAttributesClassName");
        let requests = members.get_mut("resources").and_then(|resources| resources.get_mut("requests"));
        if let Some(requests) = requests.and_then(Value::as_object_mut) {
            requests.remove("storage");
        }
    }
    if tree::str_at(old, "/volumeName").is_empty() {
        members.remove("volumeName");
    }
    if tree::present(old, "/storageClassName").is_none() {
        members.remove("storageClassName");
    }
    members.retain(|_, value| !value.is_null());
    fixed
}

static TABLE: Table = Table {
    columns: &[
        NAME,
        Column::string("Status", "Whether the claim has a volume."),
        Column::string("Volume", "Volume that the claim holds."),
        Column::string("Capacity", "Size of the volume."),
        Column::string("Access Modes", "Ways in which the volume can be mounted."),
        Column::string("StorageClass", "Class of the claim."),
        Column::string("VolumeAttributesClass", "Class of the changeable attributes."),
        AGE,
        Column::string("VolumeMode", "File system or raw block device.").wide(),
    ],
    cells,
};

fn cells(row: Row<'_>) -> Vec<Value> {
    let volume = row.text("/spec/volumeName");
    let (capacity, modes) = match volume {
        "" => (String::new(), String::new()),
        _ => (
            row.text_or("/status/capacity/storage", "0").to_owned(),
            storage::access_modes_cell(row, "/status/accessModes"),
        ),
    };
    vec![
        row.name(),
        json!(storage::phase_cell(row)),
        json!(volume),
        json!(capacity),
        json!(modes),
        json!(storage::class_cell(row)),
        json!(row.text_or("/spec/volumeAttributesClassName", "<unset>")),
        row.age(),
        json!(row.text_or("/spec/volumeMode", "<unset>")),
    ]
}
