//! Namespaces.

use serde_json::{Map, Value, json};

use super::{GROUP, WITHOUT_COLLECTION};
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::selectable::{SelectableField, field};
use crate::kinds::table::{AGE, Column, NAME, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NO_DELETION_STATE, NO_WARNINGS, NameRule,
    ONE_FORM, StatusRule, Subresource,
};
use crate::tree;
use crate::tree::{child, default};
use crate::validation::path::Path;
use crate::validation::{FieldErrors, metadata};

const SPEC: Path<'static> = Path::root("spec");

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "Namespace", "namespaces")
        .singular("namespace")
        .short(&["ns"])
        .verbs(WITHOUT_COLLECTION)
        .delete_returns_object()
        .subresources(&[
            Subresource::new("finalize", "Namespace", &["update"]),
            Subresource::status("Namespace"),
        ]),
    names: NameRule::Label,
    generation: Generation::None,
    status: StatusRule::DroppedOnCreate,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(defaults),
    prepare_for_create: Defined(prepare_for_create),
    prepare_for_update: Defined(label),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: Defined(validate),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&TABLE),
    selectable: Defined(SELECTABLE),
    conversion: NotNeeded(ONE_FORM),
};

/// The label by which selectors find a namespace by its name.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

fn prepare_for_create(namespace: &mut Value) {
    label(namespace);
    initial_state(namespace);
}

/// Restores the label with the name.
fn label(namespace: &mut Value) {
    let name = namespace["metadata"]["name"].clone();
    if !namespace["metadata"]["labels"].is_object() {
        namespace["metadata"]["labels"] = json!({});
    }
    namespace["metadata"]["labels"][NAME_LABEL] = name;
}

fn defaults(object: &mut Map<String, Value>) {
    let Some(metadata) = child(object, "metadata") else { return };
    let name = metadata.get("name").cloned().unwrap_or(Value::Null);
    if name.as_str().is_some_and(|name| !name.is_empty())
        && let Some(labels) = child(metadata, "labels")
    {
        labels.insert("kubernetes.io/metadata.name".to_owned(), name);
    }
    if let Some(status) = child(object, "status") {
        default(status, "phase", "Active");
    }
}

fn initial_state(object: &mut Value) {
    let Some(object) = object.as_object_mut() else { return };
    if let Some(spec) = child(object, "spec") {
        let finalizers = spec.entry("finalizers").or_insert_with(|| json!([]));
        if let Some(finalizers) = finalizers.as_array_mut()
            && !finalizers.contains(&json!("kubernetes"))
        {
            finalizers.push(json!("kubernetes"));
        }
    }
    if let Some(status) = child(object, "status") {
        status.insert("phase".to_owned(), json!("Active"));
    }
}

fn validate(new: &Value, _: Option<&Value>, errors: &mut FieldErrors) {
    let path = SPEC.child("finalizers");
    for finalizer in tree::strings_at(new, "/spec/finalizers") {
        errors.texts(&path, finalizer, metadata::qualified_name_errors(finalizer));
        metadata::standard_finalizer(&path, finalizer, errors);
    }
}

static TABLE: Table = Table {
    columns: &[NAME, Column::string("Status", "Whether the namespace is in use or going away."), AGE],
    cells: |source| vec![source.name(), json!(source.text("/status/phase")), source.age()],
};

const SELECTABLE: &[SelectableField] = &[field("status.phase", &["status", "phase"])];
