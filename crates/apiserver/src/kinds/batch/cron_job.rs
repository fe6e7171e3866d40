//! Cron jobs.

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_KEPT_STATE, NO_WARNINGS,
    NameRule, ONE_FORM, StatusRule, Subresource,
};
use crate::{defaults, tables, validation};

/// The kind.
pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "CronJob", "cronjobs")
        .singular("cronjob")
        .namespaced()
        .category(&["all"])
        .short(&["cj"])
        .subresources(&[Subresource::status("CronJob")]),
    // The controller appends a dash and ten digits, and the job's name becomes a label value of 63 characters.
    names: NameRule::ShortSubdomain(52),
    generation: Generation::Spec,
    status: StatusRule::DroppedOnCreate,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(defaults::workloads::cron_job),
    prepare_for_create: Defined(defaults::initial::empty_status),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    validate: Defined(validation::jobs::cron_job),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&tables::workloads::CRON_JOB),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};
