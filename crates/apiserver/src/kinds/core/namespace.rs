//! Namespaces.

use serde_json::{Value, json};

use super::{GROUP, WITHOUT_COLLECTION};
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NO_WARNINGS, NameRule, ONE_FORM, StatusRule,
    Subresource, selectable,
};
use crate::{defaults, tables, validation};

/// The kind.
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
    defaults: Defined(defaults::configuration::namespace),
    prepare_for_create: Defined(prepare_for_create),
    prepare_for_update: Defined(label),
    validate: Defined(validation::cluster::namespace),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&tables::cluster::NAMESPACE),
    selectable: Defined(selectable::NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};

/// The label by which selectors find a namespace by its name.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

fn prepare_for_create(namespace: &mut Value) {
    label(namespace);
    defaults::initial::namespace(namespace);
}

/// Restores the label with the name.
fn label(namespace: &mut Value) {
    let name = namespace["metadata"]["name"].clone();
    if !namespace["metadata"]["labels"].is_object() {
        namespace["metadata"]["labels"] = json!({});
    }
    namespace["metadata"]["labels"][NAME_LABEL] = name;
}
