//! Pod disruption budgets.

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DEFAULTS, NO_KEPT_STATE,
    NO_WARNINGS, NameRule, ONE_FORM, StatusRule, Subresource,
};
use crate::{defaults, tables, validation};

/// The kind.
pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "PodDisruptionBudget", "poddisruptionbudgets")
        .singular("poddisruptionbudget")
        .namespaced()
        .short(&["pdb"])
        .update_requires_version()
        .subresources(&[Subresource::status("PodDisruptionBudget")]),
    names: NameRule::PathSegment,
    generation: Generation::Spec,
    status: StatusRule::DroppedOnCreate,
    finalizers: FinalizerRule::Unchecked,
    defaults: NotNeeded(NO_DEFAULTS),
    prepare_for_create: Defined(defaults::initial::disruption_budget),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    validate: Defined(validation::autoscaling::disruption_budget),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&tables::autoscaling::DISRUPTION_BUDGET),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};
