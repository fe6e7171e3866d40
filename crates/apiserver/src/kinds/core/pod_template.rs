//! Pod templates.

use serde_json::{Map, Value, json};

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::table::cells::Row;
use crate::kinds::table::{Column, NAME, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DELETION_STATE,
    NO_INITIAL_STATE, NO_KEPT_STATE, NO_WARNINGS, NameRule, ONE_FORM, StatusRule, pod_spec,
};
use crate::validation::FieldErrors;
use crate::validation::path::Path;

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "PodTemplate", "podtemplates")
        .singular("podtemplate")
        .namespaced()
        .delete_returns_object(),
    names: NameRule::Subdomain,
    generation: Generation::Content,
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

/// An object of kind `PodTemplate`.
fn defaults(object: &mut Map<String, Value>) {
    pod_spec::default_template(object);
}

fn validate(new: &Value, _: Option<&Value>, errors: &mut FieldErrors) {
    pod_spec::validate_template(&Path::root("template"), new.get("template").unwrap_or(&Value::Null), errors);
}

static TABLE: Table = Table {
    columns: &[
        NAME,
        Column::string("Containers", "Names of the containers of the template."),
        Column::string("Images", "Images of the containers of the template."),
        Column::string("Pod Labels", "Labels of pods made from the template."),
    ],
    cells,
};

fn cells(row: Row<'_>) -> Vec<Value> {
    let [names, images] = row.containers("/template/spec");
    vec![row.name(), names, images, json!(row.labels("/template/metadata/labels"))]
}
