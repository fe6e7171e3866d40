//! Ingresses.

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_KEPT_STATE, NO_WARNINGS,
    NameRule, ONE_FORM, StatusRule, Subresource,
};
use crate::{defaults, tables, validation};

/// The kind.
pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "Ingress", "ingresses")
        .singular("ingress")
        .namespaced()
        .short(&["ing"])
        .subresources(&[Subresource::status("Ingress")]),
    names: NameRule::Subdomain,
    generation: Generation::Spec,
    status: StatusRule::DroppedOnCreate,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(defaults::network::ingress),
    prepare_for_create: Defined(defaults::initial::load_balancer),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    validate: Defined(validation::ingress::ingress),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&tables::network::INGRESS),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};
