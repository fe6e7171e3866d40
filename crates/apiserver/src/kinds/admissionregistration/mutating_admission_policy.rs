//! Mutating admission policies.

use serde_json::{Value, json};

use super::{GROUP, policies, run_here};
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::table::cells::Row;
use crate::kinds::table::{AGE, Column, NAME, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DELETION_STATE,
    NO_INITIAL_STATE, NO_KEPT_STATE, NameRule, ONE_FORM, StatusRule,
};
use crate::tree;
use crate::validation::FieldErrors;
use crate::validation::path::Path;

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "MutatingAdmissionPolicy", "mutatingadmissionpolicies")
        .singular("mutatingadmissionpolicy")
        .category(&["api-extensions"])
        .update_requires_version(),
    names: NameRule::Subdomain,
    generation: Generation::Content,
    status: StatusRule::None,
    finalizers: FinalizerRule::Unchecked,
    defaults: Defined(policies::default_policy),
    prepare_for_create: NotNeeded(NO_INITIAL_STATE),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: Defined(validate),
    warnings: Defined(run_here::warn),
    table: Defined(&TABLE),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};

const PATCHES: &[&str] = &["ApplyConfiguration", "JSONPatch"];
const REINVOCATIONS: &[&str] = &["IfNeeded", "Never"];
const OPERATIONS: &[&str] = &["*", "CONNECT", "CREATE", "UPDATE"];

fn validate(new: &Value, _: Option<&Value>, errors: &mut FieldErrors) {
    policies::validate_policy(new, errors);
    let spec = Path::root("spec");
    check_operations(&spec, new, errors);
    policies::check_variables(&spec.child("variables"), new, errors);
    let (list, mutations) = (spec.child("mutations"), tree::list(new, "/spec/mutations"));
    if mutations.is_empty() {
        errors.required(&list, "mutations must contain at least one item");
    }
    for (index, mutation) in mutations.iter().enumerate() {
        check_mutation(&list.index(index), mutation, errors);
    }
    let reinvocation = tree::str_at(new, "/spec/reinvocationPolicy");
    errors.one_of(&spec.child("reinvocationPolicy"), reinvocation, REINVOCATIONS);
    if run_here::is_run_here(new) {
        policies::check_expressions(
            &spec,
            new,
            &[("matchConditions", &["expression"]), ("variables", &["expression"])],
            errors,
        );
        for (index, mutation) in mutations.iter().enumerate() {
            for field in ["applyConfiguration", "jsonPatch"] {
                let path = list.index(index);
                let path = path.child(field);
                let source = tree::str_at(mutation, &format!("/{field}/expression"));
                if !source.trim().is_empty() {
                    run_here::check_patch(&path.child("expression"), source, errors);
                }
            }
        }
    }
}

/// Only new and changed objects can be changed.
fn check_operations(spec: &Path<'_>, policy: &Value, errors: &mut FieldErrors) {
    let constraints = spec.child("matchConstraints");
    let rules = constraints.child("resourceRules");
    for rule in tree::list(policy, "/spec/matchConstraints/resourceRules") {
        for operation in tree::strings_at(rule, "/operations") {
            if !OPERATIONS.contains(&operation) {
                errors.not_supported(&rules.child("operations"), operation, OPERATIONS);
            }
        }
    }
}

/// A mutation has the expression of its type of patch, and no other.
fn check_mutation(path: &Path<'_>, mutation: &Value, errors: &mut FieldErrors) {
    let patch = tree::str_at(mutation, "/patchType");
    let fields = match patch {
        "JSONPatch" => ["jsonPatch", "applyConfiguration"],
        "ApplyConfiguration" => ["applyConfiguration", "jsonPatch"],
        _ => return errors.one_of(&path.child("patchType"), patch, PATCHES),
    };
    let [own, other] = fields;
    match tree::present(mutation, &format!("/{own}")) {
        None => errors.required(&path.child(own), &format!("must be specified when patchType is {patch}")),
        Some(found) if tree::str_at(found, "/expression").trim().is_empty() => {
            errors.required(&path.child(own).child("expression"), "");
        }
        Some(_) => {}
    }
    if tree::present(mutation, &format!("/{other}")).is_some() {
        let detail = format!("must not be specified when patchType is {patch}");
        errors.invalid(&path.child(other), format!("{{{other}}}"), detail);
    }
}

static TABLE: Table = Table {
    columns: &[
        NAME,
        Column::integer("Mutations", "Number of changes."),
        Column::string("ParamKind", "Kind of the objects that set parameters."),
        AGE,
    ],
    cells,
};

fn cells(row: Row<'_>) -> Vec<Value> {
    vec![row.name(), json!(row.list("/spec/mutations").len()), policies::parameter_kind(row), row.age()]
}
