//! Replication controllers.

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NO_KEPT_STATE, NO_WARNINGS, NameRule, ONE_FORM,
    StatusRule, Subresource, selectable,
};
use crate::{defaults, tables, validation};

/// The kind.
pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "ReplicationController", "replicationcontrollers")
        .singular("replicationcontroller")
        .namespaced()
        .short(&["rc"])
        .category(&["all"])
        .subresources(&[Subresource::scale(), Subresource::status("ReplicationController")]),
    names: NameRule::Subdomain,
    generation: Generation::Spec,
    status: StatusRule::DroppedOnCreate,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(defaults::workloads::replication_controller),
    prepare_for_create: Defined(defaults::initial::replicas),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    validate: Defined(validation::workloads::replication_controller),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&tables::workloads::REPLICATION_CONTROLLER),
    selectable: Defined(selectable::REPLICAS),
    conversion: NotNeeded(ONE_FORM),
};
