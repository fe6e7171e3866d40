//! Configurations of mutating webhooks.

use super::{GROUP, configurations, run_here};
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DELETION_STATE,
    NO_INITIAL_STATE, NO_KEPT_STATE, NameRule, ONE_FORM, StatusRule,
};

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(
        GROUP,
        "v1",
        "MutatingWebhookConfiguration",
        "mutatingwebhookconfigurations",
    )
    .singular("mutatingwebhookconfiguration")
    .category(&["api-extensions"])
    .update_requires_version(),
    names: NameRule::Subdomain,
    generation: Generation::Content,
    status: StatusRule::None,
    finalizers: FinalizerRule::Unchecked,
    defaults: Defined(configurations::default_mutating),
    prepare_for_create: NotNeeded(NO_INITIAL_STATE),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: Defined(configurations::validate),
    warnings: Defined(run_here::warn),
    table: Defined(&configurations::WEBHOOKS),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};
