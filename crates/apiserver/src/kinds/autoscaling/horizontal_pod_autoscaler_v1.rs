//! Horizontal pod autoscalers of `autoscaling/v1`, which have only the CPU target.

mod conversion;

use serde_json::Value;

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::autoscaling::horizontal_pod_autoscaler;
use crate::kinds::autoscaling::horizontal_pod_autoscaler::validation;
use crate::kinds::{
    BuiltinKind, BuiltinResource, Conversion, FinalizerRule, Generation, NAME_AND_NAMESPACE,
    NO_DELETION_STATE, NO_KEPT_STATE, NO_WARNINGS, NameRule, StatusRule, Subresource,
};
use crate::tree;
use crate::validation::FieldErrors;
use crate::validation::path::Path;

const SPEC: Path<'static> = Path::root("spec");

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
        .singular("horizontalpodautoscaler")
        .namespaced()
        .short(&["hpa"])
        .category(&["all"])
        .subresources(&[Subresource::status("HorizontalPodAutoscaler")]),
    names: NameRule::Subdomain,
    generation: Generation::None,
    status: StatusRule::DroppedOnCreate,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(horizontal_pod_autoscaler::defaults),
    prepare_for_create: Defined(horizontal_pod_autoscaler::prepare_for_create),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: Defined(validate),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&horizontal_pod_autoscaler::TABLE),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: Defined(Conversion {
        stored: &super::horizontal_pod_autoscaler::KIND,
        from_stored: conversion::from_v2,
        to_stored: conversion::to_v2,
    }),
};

/// The first version is checked in the form of the second, and its errors name the fields of that.
fn validate(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    validation::bounds(new, old, errors);
    let list = SPEC.child("metrics");
    if let Some(target) = tree::integer(new, "/spec/targetCPUUtilizationPercentage")
        && target < 1
    {
        let metric = list.index(0);
        let resource = metric.child("resource");
        let detail = "must be greater than 0";
        errors.invalid(&resource.child("target").child("averageUtilization"), target, detail);
    }
    validation::scale_to_zero(new, false, errors);
}
