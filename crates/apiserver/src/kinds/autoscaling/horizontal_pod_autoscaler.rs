//! Horizontal pod autoscalers of `autoscaling/v2`, the version that is stored.

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_KEPT_STATE, NO_WARNINGS,
    NameRule, ONE_FORM, StatusRule, Subresource,
};
use crate::{defaults, tables, validation};

/// The kind.
pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
        .singular("horizontalpodautoscaler")
        .namespaced()
        .short(&["hpa"])
        .category(&["all"])
        .subresources(&[Subresource::status("HorizontalPodAutoscaler")]),
    names: NameRule::Subdomain,
    generation: Generation::Spec,
    status: StatusRule::DroppedOnCreate,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(defaults::autoscaling::autoscaler),
    prepare_for_create: Defined(defaults::initial::autoscaler),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    validate: Defined(validation::autoscaling::autoscaler),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&tables::autoscaling::AUTOSCALER),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};
