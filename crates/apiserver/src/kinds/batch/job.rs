//! Jobs.

pub(super) mod spec;
mod table;

use serde_json::{Map, Value, json};

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::selectable::{SelectableField, field};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NO_DELETION_STATE, NO_KEPT_STATE, NO_WARNINGS,
    NameRule, ONE_FORM, StatusRule, Subresource, pod_spec, workload,
};
use crate::tree;
use crate::tree::{child, child_if_present, children, default};
use crate::validation::path::Path;
use crate::validation::{FieldErrors, selectors};

const SPEC: Path<'static> = Path::root("spec");

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "Job", "jobs")
        .singular("job")
        .namespaced()
        .category(&["all"])
        .subresources(&[Subresource::status("Job")]),
    names: NameRule::Subdomain,
    generation: Generation::Spec,
    status: StatusRule::DroppedOnCreate,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(defaults),
    prepare_for_create: Defined(prepare_for_create),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: Defined(validate),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&table::TABLE),
    selectable: Defined(SELECTABLE),
    conversion: NotNeeded(ONE_FORM),
};

fn defaults(object: &mut Map<String, Value>) {
    let Some(spec) = child(object, "spec") else { return };
    default_spec(spec);
    if let Some(labels) = workload::template_labels(spec) {
        workload::own_labels(object, labels);
    }
}

fn default_spec(spec: &mut Map<String, Value>) {
    pod_spec::default_template(spec);
    let is_set = |spec: &Map<String, Value>, name: &str| spec.get(name).is_some_and(|value| !value.is_null());
    if !is_set(spec, "completions") && !is_set(spec, "parallelism") {
        spec.insert("completions".to_owned(), json!(1));
    }
    default(spec, "parallelism", 1);
    let limit = if is_set(spec, "backoffLimitPerIndex") { i64::from(i32::MAX) } else { 6 };
    default(spec, "backoffLimit", limit);
    default(spec, "completionMode", "NonIndexed");
    default(spec, "suspend", false);
    default(spec, "manualSelector", false);
    let replacement = if is_set(spec, "podFailurePolicy") { "Failed" } else { "TerminatingOrFailed" };
    default(spec, "podReplacementPolicy", replacement);
    if let Some(policy) = child_if_present(spec, "podFailurePolicy") {
        for rule in children(policy, "rules") {
            for pattern in children(rule, "onPodConditions") {
                default(pattern, "status", "True");
            }
        }
    }
}

/// The labels by which a job finds its pods, made from its identity so that no other job finds them.
fn prepare_for_create(job: &mut Value) {
    if let Some(object) = job.as_object_mut() {
        child(object, "status");
    }
    if tree::is_true(job, "/spec/manualSelector") {
        return;
    }
    let name = tree::str_at(job, "/metadata/name").to_owned();
    let uid = tree::str_at(job, "/metadata/uid").to_owned();
    let Some(spec) = job.get_mut("spec").and_then(Value::as_object_mut) else { return };
    let mut own = Map::new();
    let labels = child(spec, "template")
        .and_then(|template| child(template, "metadata"))
        .and_then(|metadata| child(metadata, "labels"));
    if let Some(labels) = labels {
        for (key, value) in [
            ("job-name", &name),
            ("batch.kubernetes.io/job-name", &name),
            ("controller-uid", &uid),
            ("batch.kubernetes.io/controller-uid", &uid),
        ] {
            labels.entry(key).or_insert_with(|| json!(value));
        }
        own = labels.clone();
    }
    let selector = child(spec, "selector").and_then(|selector| child(selector, "matchLabels"));
    if let Some(selector) = selector {
        selector.entry("batch.kubernetes.io/controller-uid").or_insert_with(|| json!(uid));
    }
    // A job without labels takes those of its pods, as the other workloads do.
    let labels = job.get_mut("metadata").and_then(Value::as_object_mut);
    if let Some(labels) =
        labels.and_then(|metadata| child(metadata, "labels")).filter(|labels| labels.is_empty())
    {
        *labels = own;
    }
}

fn validate(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    let spec = new.get("spec").unwrap_or(&Value::Null);
    if !tree::is_true(spec, "/manualSelector") && tree::present(spec, "/selector").is_some() {
        generated_labels(new, spec, errors);
    }
    spec::validate_spec(&SPEC, spec, errors);
    let path = SPEC.child("selector");
    let labels = spec.pointer("/template/metadata/labels");
    let selector = tree::present(spec, "/selector");
    match selector {
        None => errors.required(&path, ""),
        Some(selector) => selectors::selector(&path, selector, errors),
    }
    if selector.is_none_or(|selector| !selectors::matches(selector, labels)) {
        let template = SPEC.child("template");
        let labels = labels.cloned().unwrap_or(Value::Null);
        let detail = "`selector` does not match template `labels`";
        errors.invalid(&template.child("metadata").child("labels"), labels, detail);
    }
    if let Some(old) = old {
        changes(new, old, errors);
    }
}

fn changes(new: &Value, old: &Value, errors: &mut FieldErrors) {
    if tree::str_at(new, "/spec/completionMode") != "Indexed" {
        errors.immutable(&SPEC.child("completions"), new, old, "/spec/completions");
    }
    errors.immutable(&SPEC.child("selector"), new, old, "/spec/selector");
    let is_suspended = tree::is_true(old, "/spec/suspend");
    if !is_suspended || undirected(new) != undirected(old) {
        errors.immutable(&SPEC.child("template"), new, old, "/spec/template");
    }
    for field in ["completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"]
    {
        errors.immutable(&SPEC.child(field), new, old, &format!("/spec/{field}"));
    }
}

/// The template without what a suspended job may still be told: where its pods go and what they use.
fn undirected(job: &Value) -> Value {
    let mut template = job.pointer("/spec/template").cloned().unwrap_or(Value::Null);
    if let Some(metadata) = template.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|name, _| !["annotations", "labels"].contains(&name.as_str()));
    }
    for part in ["/spec/containers", "/spec/initContainers"] {
        for container in template.pointer_mut(part).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(container) = container.as_object_mut() {
                container.remove("resources");
            }
        }
    }
    let Some(spec) = template.get_mut("spec").and_then(Value::as_object_mut) else { return template };
    for name in ["nodeSelector", "tolerations", "schedulingGates"] {
        spec.remove(name);
    }
    if let Some(affinity) = spec.get_mut("affinity").and_then(Value::as_object_mut) {
        affinity.remove("nodeAffinity");
        affinity.retain(|_, value| !value.is_null());
        if affinity.is_empty() {
            spec.remove("affinity");
        }
    }
    template
}

/// Labels that the user set against those that the server generates.
fn generated_labels(job: &Value, spec: &Value, errors: &mut FieldErrors) {
    let template = SPEC.child("template");
    let metadata = template.child("metadata");
    let path = metadata.child("labels");
    let labels = spec.pointer("/template/metadata/labels").unwrap_or(&Value::Null);
    let (name, uid) = (tree::str_at(job, "/metadata/name"), tree::str_at(job, "/metadata/uid"));
    for (key, want) in [
        ("controller-uid", uid),
        ("job-name", name),
        ("batch.kubernetes.io/controller-uid", uid),
        ("batch.kubernetes.io/job-name", name),
    ] {
        let detail = format!("must be '{want}'");
        match labels.get(key).and_then(Value::as_str) {
            None => errors.required(&path.key(key), &detail),
            Some(found) if found != want => errors.invalid(&path.key(key), labels.clone(), detail),
            Some(_) => {}
        }
    }
    let selector = spec.get("selector").unwrap_or(&Value::Null);
    let expected = json!({
        "controller-uid": uid, "job-name": name,
        "batch.kubernetes.io/controller-uid": uid, "batch.kubernetes.io/job-name": name,
    });
    if !selectors::matches(selector, Some(&expected)) {
        let text = selectors::printed(selector);
        errors.invalid_text(&SPEC.child("selector"), text, "`selector` not auto-generated");
    }
}

const SELECTABLE: &[SelectableField] = &[field("status.successful", &["status", "succeeded"]).or("0")];
