//! Jobs.

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NO_KEPT_STATE, NO_WARNINGS, NameRule, ONE_FORM,
    StatusRule, Subresource, selectable,
};
use crate::{defaults, tables, validation};

/// The kind.
pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "Job", "jobs")
        .singular("job")
        .namespaced()
        .category(&["all"])
        .subresources(&[Subresource::status("Job")]),
    names: NameRule::Subdomain,
    generation: Generation::Spec,
    status: StatusRule::DroppedOnCreate,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(defaults::workloads::job),
    prepare_for_create: Defined(defaults::initial::job_selector),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    validate: Defined(validation::jobs::job),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&tables::workloads::JOB),
    selectable: Defined(selectable::JOB),
    conversion: NotNeeded(ONE_FORM),
};
