//! CSI drivers.

use serde_json::{Map, Value, json};

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::table::cells::{Row, joined, or_word};
use crate::kinds::table::{AGE, Column, NAME, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DELETION_STATE,
    NO_INITIAL_STATE, NO_KEPT_STATE, NO_WARNINGS, NameRule, ONE_FORM, StatusRule,
};
use crate::tree;
use crate::tree::{child, default};
use crate::validation::FieldErrors;
use crate::validation::path::Path;

const SPEC: Path<'static> = Path::root("spec");
const LIFECYCLES: [&str; 2] = ["Persistent", "Ephemeral"];

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "CSIDriver", "csidrivers")
        .singular("csidriver")
        .delete_returns_object()
        .update_requires_version(),
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
    let Some(spec) = child(object, "spec") else { return };
    default(spec, "attachRequired", true);
    default(spec, "podInfoOnMount", false);
    default(spec, "storageCapacity", false);
    default(spec, "fsGroupPolicy", "ReadWriteOnceWithFSType");
    default(spec, "requiresRepublish", false);
    default(spec, "seLinuxMount", false);
    if spec.get("volumeLifecycleModes").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        spec.insert("volumeLifecycleModes".to_owned(), json!(["Persistent"]));
    }
}

fn validate(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    for mode in
        tree::list(new, "/spec/volumeLifecycleModes").iter().map(|mode| mode.as_str().unwrap_or_default())
    {
        if !LIFECYCLES.contains(&mode) {
            errors.not_supported(&SPEC.child("volumeLifecycleModes"), mode, &LIFECYCLES);
        }
    }
    let Some(old) = old else { return };
    errors.immutable(&SPEC.child("attachedRequired"), new, old, "/spec/attachRequired");
    errors.immutable(&SPEC.child("volumeLifecycleModes"), new, old, "/spec/volumeLifecycleModes");
}

static TABLE: Table = Table {
    columns: &[
        NAME,
        Column::boolean("AttachRequired", "Whether volumes are attached before they are mounted."),
        Column::boolean("PodInfoOnMount", "Whether the driver is told about the pod."),
        Column::boolean("StorageCapacity", "Whether the driver publishes free capacity."),
        Column::string("TokenRequests", "Audiences of the tokens that the driver gets."),
        Column::boolean("RequiresRepublish", "Whether volumes are published again and again."),
        Column::string("Modes", "Life cycles of the driver's volumes."),
        AGE,
    ],
    cells,
};

fn cells(row: Row<'_>) -> Vec<Value> {
    let attach = tree::present(row.object, "/spec/attachRequired").and_then(Value::as_bool);
    let tokens = match tree::present(row.object, "/spec/tokenRequests") {
        Some(_) => {
            joined(row.list("/spec/tokenRequests").iter().map(|entry| tree::str_at(entry, "/audience")))
        }
        None => "<unset>".to_owned(),
    };
    let modes = joined(tree::strings_at(row.object, "/spec/volumeLifecycleModes"));
    vec![
        row.name(),
        json!(attach.unwrap_or(true)),
        json!(tree::is_true(row.object, "/spec/podInfoOnMount")),
        json!(tree::is_true(row.object, "/spec/storageCapacity")),
        json!(tokens),
        json!(tree::is_true(row.object, "/spec/requiresRepublish")),
        json!(or_word(modes, "<none>")),
        row.age(),
    ]
}
