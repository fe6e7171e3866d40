//! Volumes of the cluster.

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
use crate::tree::{child, child_if_present, default};
use crate::validation::path::Path;
use crate::validation::{FieldErrors, resources};

const SPEC: Path<'static> = Path::root("spec");
/// Members of a volume's spec that do not say where the volume is.
const NOT_SOURCES: [&str; 10] = [
    "accessModes",
    "capacity",
    "claimRef",
    "mountOptions",
    "nodeAffinity",
    "persistentVolumeReclaimPolicy",
    "storageClassName",
    "volumeAttributesClassName",
    "volumeMode",
    "status",
];

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "PersistentVolume", "persistentvolumes")
        .singular("persistentvolume")
        .short(&["pv"])
        .delete_returns_object()
        .subresources(&[Subresource::status("PersistentVolume")]),
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

fn defaults(object: &mut Map<String, Value>) {
    let Some(spec) = child(object, "spec") else { return };
    default(spec, "persistentVolumeReclaimPolicy", "Retain");
    default(spec, "volumeMode", "Filesystem");
    quantities::canonical_map(spec, "capacity");
    if let Some(path) = child_if_present(spec, "hostPath")
        && path.get("type").is_none_or(Value::is_null)
    {
        path.insert("type".to_owned(), json!(""));
    }
    if let Some(status) = child(object, "status") {
        default(status, "phase", "Pending");
    }
}

fn validate(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    let spec = new.get("spec").unwrap_or(&Value::Null);
    storage::validate_access_modes(&SPEC, spec, "", errors);
    let path = SPEC.child("capacity");
    let capacity = tree::map(spec, "/capacity");
    if capacity.is_none_or(serde_json::Map::is_empty) {
        errors.required(&path, "");
    }
    if capacity.is_none_or(|capacity| capacity.len() != 1 || !capacity.contains_key("storage")) {
        errors.not_supported(&path, json!(capacity), &["storage"]);
    }
    for (name, amount) in tree::entries(spec, "/capacity") {
        if let Some(below) = resources::quantity(amount).filter(|amount| amount.is_negative()) {
            errors.invalid(&path.key(name), below.round_up(), "must be a valid resource quantity");
        }
        resources::positive(&path.key(name), amount, errors);
    }
    let policy = tree::str_at(spec, "/persistentVolumeReclaimPolicy");
    errors.one_of(&SPEC.child("persistentVolumeReclaimPolicy"), policy, &["Delete", "Recycle", "Retain"]);
    source(spec, errors);
    storage::validate_class_name(&SPEC, spec, errors);
    errors.one_of(&SPEC.child("volumeMode"), tree::str_at(spec, "/volumeMode"), &storage::VOLUME_MODES);
    let Some(old) = old else { return };
    let sources = |object: &Value| {
        let members = tree::map(object, "/spec").cloned().unwrap_or_default().into_iter();
        members.filter(|(name, value)| is_source(name, value)).collect::<Vec<_>>()
    };
    if sources(new) != sources(old) {
        let detail = "spec.persistentvolumesource is immutable after creation";
        errors.forbidden(&SPEC.child("persistentvolumesource"), detail);
    }
    errors.immutable(&Path::root("volumeMode"), new, old, "/spec/volumeMode");
}

fn is_source(name: &str, value: &Value) -> bool {
    !NOT_SOURCES.contains(&name) && !value.is_null()
}

fn source(spec: &Value, errors: &mut FieldErrors) {
    let members = tree::map(spec, "").into_iter().flatten();
    let sources: Vec<&String> =
        members.filter(|(name, value)| is_source(name, value)).map(|(name, _)| name).collect();
    match sources.as_slice() {
        [] => errors.required(&SPEC, "must specify a volume type"),
        [one] => {
            if *one == "local" && tree::present(spec, "/nodeAffinity/required").is_none() {
                errors.required(&SPEC.child("nodeAffinity"), "Local volume requires node affinity");
            }
        }
        [_, others @ ..] => {
            for other in others {
                errors.forbidden(&SPEC.child(other), "may not specify more than 1 volume type");
            }
        }
    }
}

static TABLE: Table = Table {
    columns: &[
        NAME,
        Column::string("Capacity", "Size of the volume."),
        Column::string("Access Modes", "Ways in which the volume can be mounted."),
        Column::string("Reclaim Policy", "What happens to the volume after its claim."),
        Column::string("Status", "Whether the volume is free, bound or released."),
        Column::string("Claim", "Claim that holds the volume."),
        Column::string("StorageClass", "Class of the volume."),
        Column::string("VolumeAttributesClass", "Class of the changeable attributes."),
        Column::string("Reason", "Why the volume is in its state."),
        AGE,
        Column::string("VolumeMode", "File system or raw block device.").wide(),
    ],
    cells,
};

fn cells(row: Row<'_>) -> Vec<Value> {
    let claim = tree::present(row.object, "/spec/claimRef")
        .map(|claim| format!("{}/{}", tree::str_at(claim, "/namespace"), tree::str_at(claim, "/name")));
    vec![
        row.name(),
        json!(row.text_or("/spec/capacity/storage", "0")),
        json!(storage::access_modes_cell(row, "/spec/accessModes")),
        json!(row.text("/spec/persistentVolumeReclaimPolicy")),
        json!(storage::phase_cell(row)),
        json!(claim.unwrap_or_default()),
        json!(storage::class_cell(row)),
        json!(row.text_or("/spec/volumeAttributesClassName", "<unset>")),
        json!(row.text("/status/reason")),
        row.age(),
        json!(row.text_or("/spec/volumeMode", "<unset>")),
    ]
}
