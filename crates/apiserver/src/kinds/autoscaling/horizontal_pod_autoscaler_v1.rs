//! Horizontal pod autoscalers of `autoscaling/v1`, which have only the CPU target.

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::{
    BuiltinKind, BuiltinResource, Conversion, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_KEPT_STATE,
    NO_WARNINGS, NameRule, StatusRule, Subresource,
};
use crate::{defaults, tables, validation};

/// The kind.
pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
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
    validate: Defined(validation::autoscaling::first_autoscaler),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&tables::autoscaling::AUTOSCALER),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: Defined(Conversion {
        stored: &super::horizontal_pod_autoscaler::KIND,
        from_stored: crate::conversion::autoscaler::from_v2,
        to_stored: crate::conversion::autoscaler::to_v2,
    }),
};
