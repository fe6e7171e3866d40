//! Bindings of mutating admission policies.

use serde_json::Value;

use super::{GROUP, policies, run_here};
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DELETION_STATE,
    NO_INITIAL_STATE, NO_KEPT_STATE, NameRule, ONE_FORM, StatusRule,
};
use crate::validation::FieldErrors;

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(
        GROUP,
        "v1",
        "MutatingAdmissionPolicyBinding",
        "mutatingadmissionpolicybindings",
    )
    .singular("mutatingadmissionpolicybinding")
    .category(&["api-extensions"])
    .update_requires_version(),
    names: NameRule::Subdomain,
    generation: Generation::Content,
    status: StatusRule::None,
    finalizers: FinalizerRule::Unchecked,
    defaults: Defined(policies::default_binding),
    prepare_for_create: NotNeeded(NO_INITIAL_STATE),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: Defined(validate),
    warnings: Defined(run_here::warn),
    table: Defined(&policies::BINDING_TABLE),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};

fn validate(new: &Value, _: Option<&Value>, errors: &mut FieldErrors) {
    policies::validate_binding(new, errors);
}
