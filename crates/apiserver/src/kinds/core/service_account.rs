//! Service accounts.

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::table::{AGE, NAME, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, CREATE_ONLY, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DEFAULTS,
    NO_DELETION_STATE, NO_INITIAL_STATE, NO_KEPT_STATE, NO_WARNINGS, NameRule, ONE_FORM, StatusRule,
    Subresource,
};

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "ServiceAccount", "serviceaccounts")
        .singular("serviceaccount")
        .namespaced()
        .short(&["sa"])
        .delete_returns_object()
        .subresources(&[
            Subresource::new("token", "TokenRequest", CREATE_ONLY).in_group("authentication.k8s.io", "v1")
        ]),
    names: NameRule::Subdomain,
    generation: Generation::None,
    status: StatusRule::None,
    finalizers: FinalizerRule::Standard,
    defaults: NotNeeded(NO_DEFAULTS),
    prepare_for_create: NotNeeded(NO_INITIAL_STATE),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: NotNeeded("upstream checks only its metadata"),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&TABLE),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};

static TABLE: Table = Table { columns: &[NAME, AGE], cells: |source| vec![source.name(), source.age()] };
