//! Jobs and cron jobs.

use serde_json::{Value, json};

use super::errors::FieldErrors;
use super::path::Path;
use super::{pod, schedule, selectors};
use crate::tree;

const SPEC: Path<'static> = Path::root("spec");
const INDEXED: &str = "requires indexed completion mode";
const COUNTS: [&str; 7] = [
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
    "backoffLimitPerIndex",
    "maxFailedIndexes",
];

pub(crate) fn job(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    let spec = new.get("spec").unwrap_or(&Value::Null);
    if !tree::is_true(spec, "/manualSelector") && tree::present(spec, "/selector").is_some() {
        generated_labels(new, spec, errors);
    }
    job_spec(&SPEC, spec, errors);
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
    if tree::text(new, "/spec/completionMode") != "Indexed" {
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
    let (name, uid) = (tree::text(job, "/metadata/name"), tree::text(job, "/metadata/uid"));
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

pub(crate) fn cron_job(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    let spec = new.get("spec").unwrap_or(&Value::Null);
    let path = SPEC.child("schedule");
    match tree::text(spec, "/schedule") {
        "" => errors.required(&path, ""),
        text => {
            let allows_zone = old.is_some_and(|old| tree::text(old, "/spec/schedule").contains("TZ"));
            if let Err(detail) = schedule::check(text) {
                errors.invalid(&path, text, detail);
            }
            if !allows_zone && text.contains("TZ") {
                let detail = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
                errors.invalid(&path, text, detail);
            }
        }
    }
    errors.not_negative(&SPEC, spec, "startingDeadlineSeconds");
    time_zone(spec, errors);
    let policy = tree::text(spec, "/concurrencyPolicy");
    errors.one_of(&SPEC.child("concurrencyPolicy"), policy, &["Allow", "Forbid", "Replace"]);
    job_template(spec, errors);
    for field in ["successfulJobsHistoryLimit", "failedJobsHistoryLimit"] {
        errors.not_negative(&SPEC, spec, field);
    }
}

fn time_zone(spec: &Value, errors: &mut FieldErrors) {
    let Some(zone) = tree::present(spec, "/timeZone").and_then(Value::as_str) else { return };
    let path = SPEC.child("timeZone");
    if zone.is_empty() {
        errors.invalid(&path, zone, "timeZone must be nil or non-empty string");
        return;
    }
    let is_part = |part: &str| {
        let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-+".contains(&byte);
        !part.is_empty()
            && part != "."
            && part != ".."
            && !part.starts_with('-')
            && part.bytes().all(is_inner)
    };
    if !zone.split('/').all(is_part) {
        errors.invalid(&path, zone, format!("unknown time zone {zone}"));
    } else if zone.eq_ignore_ascii_case("local") {
        let detail = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";
        errors.invalid(&path, zone, detail);
    }
}

fn job_template(spec: &Value, errors: &mut FieldErrors) {
    let template = SPEC.child("jobTemplate");
    let path = template.child("spec");
    let job = spec.pointer("/jobTemplate/spec").unwrap_or(&Value::Null);
    job_spec(&path, job, errors);
    if let Some(selector) = tree::present(job, "/selector") {
        errors.invalid(&path.child("selector"), selector.clone(), "`selector` will be auto-generated");
    }
    if tree::is_true(job, "/manualSelector") {
        errors.not_supported(&path.child("manualSelector"), true, &["nil", "false"]);
    }
}

fn job_spec(path: &Path<'_>, spec: &Value, errors: &mut FieldErrors) {
    for field in COUNTS {
        errors.not_negative(path, spec, field);
    }
    let mode = tree::text(spec, "/completionMode");
    if !mode.is_empty() {
        errors.one_of(&path.child("completionMode"), mode, &["NonIndexed", "Indexed"]);
    }
    if mode == "Indexed" {
        if tree::integer(spec, "/completions").is_none() {
            errors.required(&path.child("completions"), "when completion mode is Indexed");
        }
        let parallelism = tree::integer(spec, "/parallelism").unwrap_or_default();
        if parallelism > 100_000 {
            let detail = "must be less than or equal to 100000 when completion mode is Indexed";
            errors.invalid(&path.child("parallelism"), parallelism, detail);
        }
    } else {
        for field in ["backoffLimitPerIndex", "maxFailedIndexes", "successPolicy"] {
            if let Some(value) = tree::present(spec, &format!("/{field}")) {
                errors.invalid(&path.child(field), value.clone(), INDEXED);
            }
        }
    }
    let replacement = tree::text(spec, "/podReplacementPolicy");
    let allowed: &[&str] = match tree::present(spec, "/podFailurePolicy") {
        Some(_) => &["Failed"],
        None => &["Failed", "TerminatingOrFailed"],
    };
    if !replacement.is_empty() && !allowed.contains(&replacement) {
        errors.not_supported(&path.child("podReplacementPolicy"), replacement, allowed);
    }
    let template = path.child("template");
    pod::template(&template, spec.get("template").unwrap_or(&Value::Null), errors);
    restart_policy(&template.child("spec").child("restartPolicy"), spec, errors);
}

fn restart_policy(path: &Path<'_>, spec: &Value, errors: &mut FieldErrors) {
    let policy = tree::text(spec, "/template/spec/restartPolicy");
    match policy {
        "" | "Always" => errors.required(path, r#"valid values: "OnFailure", "Never""#),
        "OnFailure" if tree::present(spec, "/podFailurePolicy").is_some() => {
            let detail = r#"only "Never" is supported when podFailurePolicy is specified"#;
            errors.invalid(path, policy, detail);
        }
        "OnFailure" | "Never" => {}
        _ => errors.not_supported(path, policy, &["OnFailure", "Never"]),
    }
}
