//! Stateful sets.

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_KEPT_STATE, NO_WARNINGS,
    NameRule, ONE_FORM, StatusRule, Subresource,
};
use crate::{defaults, tables, validation};

/// The kind.
pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "StatefulSet", "statefulsets")
        .singular("statefulset")
        .namespaced()
        .category(&["all"])
        .short(&["sts"])
        .subresources(&[Subresource::scale(), Subresource::status("StatefulSet")]),
    // Pods are named after the set, and a pod's name becomes a host name.
    names: NameRule::Label,
    generation: Generation::Spec,
    status: StatusRule::DroppedOnCreate,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(defaults::workloads::stateful_set),
    prepare_for_create: Defined(defaults::initial::stateful_set),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    validate: Defined(validation::workloads::stateful_set),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&tables::workloads::STATEFUL_SET),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};
