//! Bindings of validating admission policies.

use serde_json::{Value, json};

use super::{GROUP, policies, run_here};
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DELETION_STATE,
    NO_INITIAL_STATE, NO_KEPT_STATE, NameRule, ONE_FORM, StatusRule,
};
use crate::tree;
use crate::validation::FieldErrors;
use crate::validation::path::Path;

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(
        GROUP,
        "v1",
        "ValidatingAdmissionPolicyBinding",
        "validatingadmissionpolicybindings",
    )
    .singular("validatingadmissionpolicybinding")
    .category(&["api-extensions"])
    .update_requires_version(),
    names: NameRule::Subdomain,
    generation: Generation::Content,
    status: StatusRule::None,
    finalizers: FinalizerRule::Unchecked,
    defaults: Defined(policies::default_binding),
    prepare_for_create: NotNeeded(NO_INITIAL_STATE),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: Defined(validate),
    warnings: Defined(warn),
    table: Defined(&policies::BINDING_TABLE),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};

const ACTIONS: &[&str] = &["Audit", "Deny", "Warn"];

fn validate(new: &Value, _: Option<&Value>, errors: &mut FieldErrors) {
    policies::validate_binding(new, errors);
    let spec = Path::root("spec");
    let path = spec.child("validationActions");
    let actions: Vec<&str> = tree::strings_at(new, "/spec/validationActions").collect();
    for (index, action) in actions.iter().enumerate() {
        if !ACTIONS.contains(action) {
            errors.not_supported(&path.index(index), *action, ACTIONS);
        }
        if actions[..index].contains(action) {
            errors.duplicate(&path.index(index), *action);
        }
    }
    if actions.contains(&"Deny") && actions.contains(&"Warn") {
        let detail = "must not contain both Deny and Warn (repeating the same validation failure information in the API \
                      response and headers serves no purpose)";
        errors.invalid(&path, json!(actions), detail);
    }
    if actions.is_empty() {
        errors.required(&path, "at least one validation action is required");
    }
}

/// What a binding that is run here cannot do.
fn warn(binding: &Value, old: Option<&Value>) -> Vec<String> {
    let mut warnings = run_here::warn(binding, old);
    if run_here::is_run_here(binding)
        && tree::strings_at(binding, "/spec/validationActions").any(|action| action == "Audit")
    {
        warnings.push(format!("spec.validationActions: Audit: {}", run_here::NO_AUDIT));
    }
    warnings
}
