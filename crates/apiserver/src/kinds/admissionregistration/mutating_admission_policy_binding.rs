//! Bindings of mutating admission policies.

use super::{GROUP, policies};
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DELETION_STATE,
    NO_INITIAL_STATE, NO_KEPT_STATE, NameRule, ONE_FORM, StatusRule,
};

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
    generation: Generation::All,
    status: StatusRule::None,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(policies::default_binding),
    prepare_for_create: NotNeeded(NO_INITIAL_STATE),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: Defined(|new, _, errors| policies::validate_binding(new, errors)),
    warnings: Defined(policies::warn),
    table: Defined(&policies::BINDING_TABLE),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};
