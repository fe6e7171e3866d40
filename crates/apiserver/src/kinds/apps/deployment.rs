//! Deployments.

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_KEPT_STATE, NO_WARNINGS,
    NameRule, ONE_FORM, StatusRule, Subresource,
};
use crate::{defaults, tables, validation};

/// The kind.
pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "Deployment", "deployments")
        .singular("deployment")
        .namespaced()
        .category(&["all"])
        .short(&["deploy"])
        .subresources(&[Subresource::scale(), Subresource::status("Deployment")]),
    names: NameRule::Subdomain,
    generation: Generation::SpecAndAnnotations,
    status: StatusRule::DroppedOnCreate,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(defaults::workloads::deployment),
    prepare_for_create: Defined(defaults::initial::empty_status),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    validate: Defined(validation::workloads::deployment),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&tables::workloads::DEPLOYMENT),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};
