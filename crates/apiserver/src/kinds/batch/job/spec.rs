//! Validation of the job spec in jobs and cron jobs.

use serde_json::Value;

use crate::kinds::pod_spec;
use crate::tree;
use crate::validation::FieldErrors;
use crate::validation::path::Path;

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

pub(crate) fn validate_spec(path: &Path<'_>, spec: &Value, errors: &mut FieldErrors) {
    for field in COUNTS {
        errors.not_negative(path, spec, field);
    }
    let mode = tree::str_at(spec, "/completionMode");
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
    let replacement = tree::str_at(spec, "/podReplacementPolicy");
    let allowed: &[&str] = match tree::present(spec, "/podFailurePolicy") {
        Some(_) => &["Failed"],
        None => &["Failed", "TerminatingOrFailed"],
    };
    if !replacement.is_empty() && !allowed.contains(&replacement) {
        errors.not_supported(&path.child("podReplacementPolicy"), replacement, allowed);
    }
    let template = path.child("template");
    pod_spec::validate_template(&template, spec.get("template").unwrap_or(&Value::Null), errors);
    restart_policy(&template.child("spec").child("restartPolicy"), spec, errors);
}

fn restart_policy(path: &Path<'_>, spec: &Value, errors: &mut FieldErrors) {
    let policy = tree::str_at(spec, "/template/spec/restartPolicy");
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
