//! Replica sets.

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NO_KEPT_STATE, NO_WARNINGS, NameRule, ONE_FORM,
    StatusRule, Subresource, selectable,
};
use crate::{defaults, tables, validation};

/// The kind.
pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "ReplicaSet", "replicasets")
        .singular("replicaset")
        .namespaced()
        .category(&["all"])
        .short(&["rs"])
        .subresources(&[Subresource::scale(), Subresource::status("ReplicaSet")]),
    names: NameRule::Subdomain,
    generation: Generation::Spec,
    status: StatusRule::DroppedOnCreate,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(defaults::workloads::replica_set),
    prepare_for_create: Defined(defaults::initial::replicas),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    validate: Defined(validation::workloads::replica_set),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&tables::workloads::REPLICA_SET),
    selectable: Defined(selectable::REPLICAS),
    conversion: NotNeeded(ONE_FORM),
};
