//! Ingress classes.

use serde_json::{Map, Value, json};

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::table::cells::Row;
use crate::kinds::table::{AGE, Column, NAME, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DELETION_STATE,
    NO_INITIAL_STATE, NO_KEPT_STATE, NO_WARNINGS, NameRule, ONE_FORM, StatusRule,
};
use crate::tree;
use crate::tree::{child_if_present, default};
use crate::validation::path::Path;
use crate::validation::{FieldErrors, metadata, names};

const SPEC: Path<'static> = Path::root("spec");

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "IngressClass", "ingressclasses").singular("ingressclass"),
    names: NameRule::Subdomain,
    generation: Generation::Spec,
    status: StatusRule::None,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(defaults),
    prepare_for_create: NotNeeded(NO_INITIAL_STATE),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: Defined(validate),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&TABLE),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};

fn defaults(object: &mut Map<String, Value>) {
    let spec = child_if_present(object, "spec");
    if let Some(parameters) = spec.and_then(|spec| child_if_present(spec, "parameters")) {
        default(parameters, "scope", "Cluster");
    }
}

fn validate(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    let controller = tree::str_at(new, "/spec/controller");
    let path = SPEC.child("controller");
    if controller.len() > 250 {
        errors.too_long(&path.to_string(), 250);
    }
    match controller.split_once('/') {
        _ if controller.is_empty() => errors.required(&path, ""),
        Some((domain, rest)) if !domain.is_empty() && !rest.is_empty() => {
            errors.texts(&path, domain, metadata::domain_errors(domain));
        }
        _ => errors.invalid(&path, controller, "must be a domain-prefixed path (such as \"acme.io/foo\")"),
    }
    if let Some(parameters) = tree::present(new, "/spec/parameters") {
        check_parameters(&SPEC.child("parameters"), parameters, errors);
    }
    if let Some(old) = old {
        errors.immutable(&path, new, old, "/spec/controller");
    }
}

fn check_parameters(path: &Path<'_>, parameters: &Value, errors: &mut FieldErrors) {
    if let Some(group) = tree::present(parameters, "/apiGroup").and_then(Value::as_str) {
        errors.texts(&path.child("apiGroup"), group, names::subdomain(group));
    }
    for field in ["kind", "name"] {
        match tree::str_at(parameters, &format!("/{field}")) {
            "" => errors.required(&path.child(field), ""),
            text => errors.texts(&path.child(field), text, names::path_segment(text)),
        }
    }
    let scope = tree::present(parameters, "/scope").and_then(Value::as_str);
    let namespace = tree::present(parameters, "/namespace").and_then(Value::as_str);
    match (scope, namespace) {
        (None, _) => errors.required(&path.child("scope"), ""),
        (Some("Cluster"), Some(_)) => {
            errors.forbidden(&path.child("namespace"), "`parameters.scope` is set to 'Cluster'");
        }
        (Some("Namespace"), None | Some("")) => {
            errors.required(&path.child("namespace"), "`parameters.scope` is set to 'Namespace'");
        }
        (Some("Namespace"), Some(namespace)) => {
            errors.texts(&path.child("namespace"), namespace, names::label(namespace));
        }
        (Some("Cluster"), None) => {}
        (Some(other), _) => errors.not_supported(&path.child("scope"), other, &["Cluster", "Namespace"]),
    }
}

static TABLE: Table = Table {
    columns: &[
        NAME,
        Column::string("Controller", "Controller that serves ingresses of the class."),
        Column::string("Parameters", "Object with further settings."),
        AGE,
    ],
    cells,
};

fn cells(row: Row<'_>) -> Vec<Value> {
    let is_default = row.text("/metadata/annotations/ingressclass.kubernetes.io~1is-default-class") == "true";
    let name = row.text("/metadata/name");
    let parameters = tree::present(row.object, "/spec/parameters").map(|parameters| {
        let kind = tree::str_at(parameters, "/kind");
        let name = tree::str_at(parameters, "/name");
        match tree::str_at(parameters, "/apiGroup") {
            "" => format!("{kind}/{name}"),
            group => format!("{kind}.{group}/{name}"),
        }
    });
    vec![
        if is_default { json!(format!("{name} (default)")) } else { json!(name) },
        json!(row.text("/spec/controller")),
        json!(parameters.as_deref().unwrap_or("<none>")),
        row.age(),
    ]
}
