//! Daemon sets.

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_KEPT_STATE, NO_WARNINGS,
    NameRule, ONE_FORM, StatusRule, Subresource,
};
use crate::{defaults, tables, validation};

/// The kind.
pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "DaemonSet", "daemonsets")
        .singular("daemonset")
        .namespaced()
        .category(&["all"])
        .short(&["ds"])
        .subresources(&[Subresource::status("DaemonSet")]),
    names: NameRule::Subdomain,
    generation: Generation::Spec,
    status: StatusRule::DroppedOnCreate,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(defaults::workloads::daemon_set),
    prepare_for_create: Defined(defaults::initial::daemon_set),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    validate: Defined(validation::workloads::daemon_set),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&tables::workloads::DAEMON_SET),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};
