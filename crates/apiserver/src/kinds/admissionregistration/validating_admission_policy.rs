//! Validating admission policies.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{GROUP, policies, run_here};
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::table::cells::Row;
use crate::kinds::table::{AGE, Column, NAME, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DELETION_STATE,
    NO_INITIAL_STATE, NO_KEPT_STATE, NameRule, ONE_FORM, StatusRule, Subresource,
};
use crate::tree;
use crate::validation::path::Path;
use crate::validation::{FieldErrors, names};

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies")
        .singular("validatingadmissionpolicy")
        .category(&["api-extensions"])
        .update_requires_version()
        .subresources(&[Subresource::status("ValidatingAdmissionPolicy")]),
    names: NameRule::Subdomain,
    generation: Generation::Content,
    status: StatusRule::DroppedOnCreate,
    finalizers: FinalizerRule::Unchecked,
    defaults: Defined(policies::default_policy),
    prepare_for_create: NotNeeded(NO_INITIAL_STATE),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: Defined(validate),
    warnings: Defined(warn),
    table: Defined(&TABLE),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};

fn validate(new: &Value, _: Option<&Value>, errors: &mut FieldErrors) {
    policies::validate_policy(new, errors);
    let spec = Path::root("spec");
    if ["validations", "auditAnnotations"]
        .iter()
        .all(|field| tree::list(&new["spec"], &format!("/{field}")).is_empty())
    {
        let detail = "validations or auditAnnotations must contain at least one item";
        errors.required(&spec.child("validations"), detail);
        errors.required(&spec.child("auditAnnotations"), detail);
    }
    let is_run_here = run_here::is_run_here(new);
    policies::check_variables(&spec.child("variables"), new, errors);
    check_annotations(&spec.child("auditAnnotations"), new, errors);
    let list = spec.child("validations");
    for (index, validation) in tree::list(new, "/spec/validations").iter().enumerate() {
        let path = list.index(index);
        if tree::str_at(validation, "/expression").trim().is_empty() {
            errors.required(&path.child("expression"), "expression is not specified");
        }
        if let Some(reason) = tree::present(validation, "/reason").and_then(Value::as_str)
            && !REASONS.contains(&reason)
        {
            errors.not_supported(&path.child("reason"), reason, &SUGGESTED_REASONS);
        }
    }
    if is_run_here {
        policies::check_expressions(&spec, new, EXPRESSIONS, errors);
    }
}

/// Lists with expressions, and the fields that are expressions.
const EXPRESSIONS: policies::Expressions<'static> = &[
    ("matchConditions", &["expression"]),
    ("variables", &["expression"]),
    ("validations", &["expression", "messageExpression"]),
];

/// Reasons of a refusal; errors name those without `Unauthorized`, as upstream does.
const REASONS: [&str; 4] = ["Unauthorized", "Forbidden", "Invalid", "RequestEntityTooLarge"];
const SUGGESTED_REASONS: [&str; 3] = ["Forbidden", "Invalid", "RequestEntityTooLarge"];

fn check_annotations(list: &Path<'_>, policy: &Value, errors: &mut FieldErrors) {
    let (name, mut seen) = (tree::str_at(policy, "/metadata/name"), BTreeSet::new());
    for (index, annotation) in tree::list(policy, "/spec/auditAnnotations").iter().enumerate() {
        let (path, key) = (list.index(index), tree::str_at(annotation, "/key"));
        if name.is_empty() {
            errors.invalid(&path.child("key"), key, "requires metadata.name be non-empty");
        } else {
            let whole = format!("{name}/{key}");
            errors.texts(&path.child("key"), &whole, names::label_key_errors(&whole));
        }
        if tree::str_at(annotation, "/valueExpression").trim().is_empty() {
            errors.required(&path.child("valueExpression"), "valueExpression is not specified");
        }
        if !seen.insert(key) {
            errors.duplicate(&path.child("key"), key);
        }
    }
}

/// What a policy that is run here cannot do.
fn warn(policy: &Value, old: Option<&Value>) -> Vec<String> {
    let mut warnings = run_here::warn(policy, old);
    if run_here::is_run_here(policy) && !tree::list(policy, "/spec/auditAnnotations").is_empty() {
        warnings.push(format!("spec.auditAnnotations: {}", run_here::NO_AUDIT));
    }
    warnings
}

static TABLE: Table = Table {
    columns: &[
        NAME,
        Column::integer("Validations", "Number of rules."),
        Column::string("ParamKind", "Kind of the objects that set parameters."),
        AGE,
    ],
    cells,
};

fn cells(row: Row<'_>) -> Vec<Value> {
    vec![row.name(), json!(row.list("/spec/validations").len()), policies::parameter_kind(row), row.age()]
}
