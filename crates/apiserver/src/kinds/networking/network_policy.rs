//! Network policies.

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_INITIAL_STATE,
    NO_KEPT_STATE, NO_WARNINGS, NameRule, ONE_FORM, StatusRule,
};
use crate::{defaults, tables, validation};

/// The kind.
pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "NetworkPolicy", "networkpolicies")
        .singular("networkpolicy")
        .namespaced()
        .short(&["netpol"]),
    names: NameRule::Subdomain,
    generation: Generation::Spec,
    status: StatusRule::None,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(defaults::network::network_policy),
    prepare_for_create: NotNeeded(NO_INITIAL_STATE),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    validate: Defined(validation::network::network_policy),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&tables::network::NETWORK_POLICY),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};
