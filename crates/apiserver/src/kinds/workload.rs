//! Rules that controllers of pods share: selector and template, rollout numbers, replicas.

use serde_json::{Map, Value, json};

use crate::kinds::selectable::{SelectableField, field};
use crate::kinds::table::cells::Row;
use crate::kinds::table::{AGE, CONTAINERS, Column, IMAGES, NAME, SELECTOR};
use crate::kinds::{pod_spec, status};
use crate::tree;
use crate::tree::child;
use crate::validation::errors::printed;
use crate::validation::path::Path;
use crate::validation::{FieldErrors, names, selectors};

const SPEC: Path<'static> = Path::root("spec");
const NO_MATCH: &str = "`selector` does not match template `labels`";
pub(crate) const TEMPLATE: &str = "/spec/template/spec";
pub(crate) const REPLICA_COLUMNS: &[Column] = &[
    NAME,
    Column::integer("Desired", "Pods that should exist."),
    Column::integer("Current", "Pods that exist."),
    Column::integer("Ready", "Pods that are ready."),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

pub(crate) fn spec_of(object: &Value) -> &Value {
    object.get("spec").unwrap_or(&Value::Null)
}

/// The words of a kind in the errors of its selector and template.
pub(crate) struct Words {
    /// Kind in errors about the selector.
    pub(crate) kind: &'static str,
    /// Kind in errors about the template.
    pub(crate) controller: &'static str,
    /// Error text for an invalid selector, besides the errors of its parts.
    pub(crate) unreadable: &'static str,
}

/// Validates the selector of a controller of long-running pods, and the template that must satisfy it.
///
/// A missing selector matches nothing; with an unreadable one the template is not looked at.
pub(crate) fn selector_and_template(spec: &Value, words: &Words, errors: &mut FieldErrors) {
    let path = SPEC.child("selector");
    let Some(selector) = tree::present(spec, "/selector") else {
        errors.required(&path, "");
        no_match(&SPEC.child("template"), spec.get("template").unwrap_or(&Value::Null), errors);
        always_running(spec, &json!({}), words.controller, errors);
        return;
    };
    let before = errors.len();
    selectors::selector(&path, selector, errors);
    let is_unreadable = errors.len() > before;
    if selectors::is_empty(selector) {
        let detail = format!("empty selector is invalid for {}", words.kind);
        errors.invalid(&path, selector.clone(), detail);
    }
    if is_unreadable {
        errors.invalid_text(&path, selectors::printed(selector), words.unreadable);
    } else {
        always_running(spec, selector, words.controller, errors);
    }
}

pub(crate) fn always_running(spec: &Value, selector: &Value, controller: &str, errors: &mut FieldErrors) {
    let template = spec.get("template").unwrap_or(&Value::Null);
    let path = SPEC.child("template");
    matching_labels(&path, selector, template, errors);
    pod_spec::validate_template(&path, template, errors);
    runs_always(&path, template, controller, errors);
}

fn matching_labels(path: &Path<'_>, selector: &Value, template: &Value, errors: &mut FieldErrors) {
    if !selectors::is_empty(selector) && !selectors::matches(selector, template.pointer("/metadata/labels")) {
        no_match(path, template, errors);
    }
}

pub(crate) fn no_match(path: &Path<'_>, template: &Value, errors: &mut FieldErrors) {
    let labels = template.pointer("/metadata/labels").cloned().unwrap_or(Value::Null);
    errors.invalid(&path.child("metadata").child("labels"), labels, NO_MATCH);
}

fn runs_always(path: &Path<'_>, template: &Value, controller: &str, errors: &mut FieldErrors) {
    let at = path.child("spec");
    let restart = tree::str_at(template, "/spec/restartPolicy");
    if restart != "Always" {
        errors.not_supported(&at.child("restartPolicy"), restart, &["Always"]);
    }
    if tree::present(template, "/spec/activeDeadlineSeconds").is_some() {
        let detail = format!("activeDeadlineSeconds in {controller} is not Supported");
        errors.forbidden(&at.child("activeDeadlineSeconds"), detail);
    }
}

pub(crate) fn same_selector(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    if let Some(old) = old {
        errors.immutable(&SPEC.child("selector"), new, old, "/spec/selector");
    }
}

/// A strategy as errors print it: members have their Go names.
pub(crate) fn printed_strategy(strategy: Option<&Value>) -> String {
    let member = |name: &str| strategy.and_then(|strategy| strategy.get(name)).unwrap_or(&Value::Null);
    printed(&[("Type", Some(member("type"))), ("RollingUpdate", Some(member("rollingUpdate")))])
}

/// A number that is not negative, or a share.
pub(crate) fn count_or_percent(path: &Path<'_>, value: Option<&Value>, errors: &mut FieldErrors) {
    match value {
        Some(Value::String(text)) => errors.texts(path, text, names::percent(text)),
        Some(number) if number.as_i64().is_some_and(|number| number < 0) => {
            errors.invalid(path, number.clone(), "must be greater than or equal to 0");
        }
        _ => {}
    }
}

/// A share that is not more than everything.
pub(crate) fn at_most_all(path: &Path<'_>, value: Option<&Value>, errors: &mut FieldErrors) {
    if let Some(text) = value.and_then(Value::as_str)
        && percent(text).is_some_and(|percent| percent > 100)
    {
        errors.invalid(path, text, "must not be greater than 100%");
    }
}

fn percent(text: &str) -> Option<u64> {
    text.strip_suffix('%')?.parse().ok()
}

/// Whether a number or share amounts to nothing.
pub(crate) fn is_none(value: Option<&Value>) -> bool {
    match value {
        Some(Value::String(text)) => percent(text).unwrap_or_default() == 0,
        value => value.and_then(Value::as_i64).unwrap_or_default() == 0,
    }
}

pub(crate) fn template_labels(spec: &Map<String, Value>) -> Option<Value> {
    let labels = spec.get("template")?.pointer("/metadata/labels")?;
    labels.as_object().filter(|labels| !labels.is_empty()).map(|labels| Value::Object(labels.clone()))
}

/// An object without labels takes those of its pods.
pub(crate) fn own_labels(object: &mut Map<String, Value>, labels: Value) {
    if let Some(metadata) = child(object, "metadata")
        && metadata.get("labels").and_then(Value::as_object).is_none_or(Map::is_empty)
    {
        metadata.insert("labels".to_owned(), labels);
    }
}

pub(crate) fn replica_cells(row: Row<'_>, selector: String) -> Vec<Value> {
    let [names, images] = row.containers(TEMPLATE);
    vec![
        row.name(),
        json!(row.integer("/spec/replicas")),
        json!(row.integer("/status/replicas")),
        json!(row.integer("/status/readyReplicas")),
        row.age(),
        names,
        images,
        json!(selector),
    ]
}

pub(crate) fn ready_of_desired(row: Row<'_>) -> Value {
    json!(format!("{}/{}", row.integer("/status/readyReplicas"), row.integer("/spec/replicas")))
}

pub(crate) const REPLICAS: &[SelectableField] = &[field("status.replicas", &["status", "replicas"]).or("0")];

/// A status without replicas.
pub(crate) fn without_replicas(object: &mut Value) {
    status::counts(object, &["replicas"]);
}
