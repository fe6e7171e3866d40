//! Volumes of the cluster.

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_KEPT_STATE, NO_WARNINGS,
    NameRule, ONE_FORM, StatusRule, Subresource,
};
use crate::{defaults, tables, validation};

/// The kind.
pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "PersistentVolume", "persistentvolumes")
        .singular("persistentvolume")
        .short(&["pv"])
        .delete_returns_object()
        .subresources(&[Subresource::status("PersistentVolume")]),
    names: NameRule::Subdomain,
    generation: Generation::None,
    status: StatusRule::DroppedOnCreate,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(defaults::storage::volume),
    prepare_for_create: Defined(defaults::initial::pending),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    validate: Defined(validation::storage::volume),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&tables::storage::VOLUME),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};
