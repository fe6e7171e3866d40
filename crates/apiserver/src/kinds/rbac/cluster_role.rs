//! Cluster roles.

use serde_json::Value;

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::rbac::rules;
use crate::kinds::{
    BuiltinKind, BuiltinResource, DEFAULT_TABLE, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DEFAULTS,
    NO_DELETION_STATE, NO_INITIAL_STATE, NO_KEPT_STATE, NO_WARNINGS, NameRule, ONE_FORM, StatusRule,
};
use crate::tree;
use crate::validation::path::Path;
use crate::validation::{FieldErrors, selectors};

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "ClusterRole", "clusterroles")
        .singular("clusterrole")
        .create_on_update(),
    names: NameRule::PathSegment,
    generation: Generation::None,
    status: StatusRule::None,
    finalizers: FinalizerRule::Standard,
    defaults: NotNeeded(NO_DEFAULTS),
    prepare_for_create: NotNeeded(NO_INITIAL_STATE),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: Defined(validate),
    warnings: NotNeeded(NO_WARNINGS),
    table: NotNeeded(DEFAULT_TABLE),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};

fn validate(new: &Value, _: Option<&Value>, errors: &mut FieldErrors) {
    rules::validate(new, false, errors);
    let Some(aggregation) = tree::present(new, "/aggregationRule") else { return };
    let root = Path::root("aggregationRule");
    let list = root.child("clusterRoleSelectors");
    let all = tree::list(aggregation, "/clusterRoleSelectors");
    if all.is_empty() {
        errors.required(&list, "at least one clusterRoleSelector required if aggregationRule is non-nil");
    }
    for (index, selector) in all.iter().enumerate() {
        let before = errors.len();
        selectors::selector(&list.index(index), selector, errors);
        if errors.len() > before {
            errors.invalid(&list.index(index), Value::Null, "invalid label selector.");
        }
    }
}
