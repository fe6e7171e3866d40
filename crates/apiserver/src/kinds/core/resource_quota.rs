//! Resource quotas.

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_KEPT_STATE, NO_WARNINGS,
    NameRule, ONE_FORM, StatusRule, Subresource,
};
use crate::{defaults, tables, validation};

/// The kind.
pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "ResourceQuota", "resourcequotas")
        .singular("resourcequota")
        .namespaced()
        .short(&["quota"])
        .delete_returns_object()
        .subresources(&[Subresource::status("ResourceQuota")]),
    names: NameRule::Subdomain,
    generation: Generation::None,
    status: StatusRule::DroppedOnCreate,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(defaults::configuration::resource_quota),
    prepare_for_create: Defined(defaults::initial::empty_status),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    validate: Defined(validation::cluster::resource_quota),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&tables::cluster::QUOTA),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};
