//! CustomResourceDefinitions. What they define is in [`crate::crd`].

use serde_json::Value;

use super::GROUP;
use crate::crd;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::{
    BuiltinKind, BuiltinResource, DEFAULT_TABLE, FinalizerRule, Generation, NAME_AND_NAMESPACE, NameRule,
    ONE_FORM, StatusRule, Subresource,
};
use crate::validation::FieldErrors;

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "CustomResourceDefinition", "customresourcedefinitions")
        .singular("customresourcedefinition")
        .short(&["crd", "crds"])
        .category(&["api-extensions"])
        .update_requires_version()
        .subresources(&[Subresource::status("CustomResourceDefinition")]),
    names: NameRule::Subdomain,
    generation: Generation::Spec,
    status: StatusRule::DroppedOnCreate,
    finalizers: FinalizerRule::Unchecked,
    defaults: Defined(crd::apply_defaults),
    prepare_for_create: Defined(crd::prepare_for_create),
    prepare_for_update: Defined(crd::prepare_for_update),
    prepare_for_delete: Defined(crd::prepare_for_delete),
    validate: Defined(validate),
    warnings: Defined(crd::validation::warnings),
    table: NotNeeded(DEFAULT_TABLE),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};

fn validate(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    errors.extend(match old {
        None => crd::validation::create(new),
        Some(old) => crd::validation::update(new, old),
    });
}
