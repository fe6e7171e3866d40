//! Capacities that CSI drivers publish.

use portolan_object::quantity::Quantity;
use serde_json::Value;

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::{
    BuiltinKind, BuiltinResource, DEFAULT_TABLE, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DEFAULTS,
    NO_DELETION_STATE, NO_INITIAL_STATE, NO_KEPT_STATE, NO_WARNINGS, NameRule, ONE_FORM, StatusRule,
};
use crate::tree;
use crate::validation::path::Path;
use crate::validation::{FieldErrors, names, selectors};

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "CSIStorageCapacity", "csistoragecapacities")
        .singular("csistoragecapacity")
        .delete_returns_object()
        .namespaced()
        .update_requires_version(),
    names: NameRule::Subdomain,
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

fn validate(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    if let Some(selector) = tree::present(new, "/nodeTopology") {
        selectors::selector(&Path::root("nodeTopology"), selector, errors);
    }
    let class = tree::str_at(new, "/storageClassName");
    errors.texts(&Path::root("storageClassName"), class, names::subdomain(class));
    for field in ["capacity", "maximumVolumeSize"] {
        let amount = tree::str_at(new, &format!("/{field}"));
        if Quantity::parse(amount).is_ok_and(Quantity::is_negative) {
            errors.invalid(&Path::root(field), amount, "must be greater than or equal to 0");
        }
    }
    if let Some(old) = old {
        errors.immutable(&Path::root("nodeTopology"), new, old, "/nodeTopology");
        errors.immutable(&Path::root("storageClassName"), new, old, "/storageClassName");
    }
}
