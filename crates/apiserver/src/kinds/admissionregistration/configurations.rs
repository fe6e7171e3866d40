//! Rules that both kinds of webhook configurations share (kubernetes
//! pkg/apis/admissionregistration/{v1/defaults.go,validation/validation.go}).

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{rules, run_here};
use crate::kinds::table::{AGE, Column, NAME, Table};
use crate::tree::{self, child_if_present, children, default};
use crate::validation::path::Path;
use crate::validation::{FieldErrors, names, webhook_client};

/// Versions of `AdmissionReview` of which a webhook must understand one.
const REVIEWS: [&str; 2] = ["v1", "v1beta1"];
const SIDE_EFFECTS: &[&str] = &["None", "NoneOnDryRun"];
const REINVOCATIONS: &[&str] = &["IfNeeded", "Never"];

/// Sets the defaults of validating webhooks.
pub(super) fn default_validating(object: &mut Map<String, Value>) {
    for webhook in children(object, "webhooks") {
        default(webhook, "failurePolicy", "Fail");
        rules::default_matching(webhook);
        default(webhook, "timeoutSeconds", 10);
        rules::default_scopes(webhook, "rules");
        let service = child_if_present(webhook, "clientConfig");
        if let Some(service) = service.and_then(|client| child_if_present(client, "service")) {
            default(service, "port", 443);
        }
    }
}

/// Sets the defaults of mutating webhooks.
pub(super) fn default_mutating(object: &mut Map<String, Value>) {
    default_validating(object);
    children(object, "webhooks").for_each(|webhook| default(webhook, "reinvocationPolicy", "Never"));
}

/// Checks all webhooks of a configuration.
pub(super) fn validate(new: &Value, _: Option<&Value>, errors: &mut FieldErrors) {
    let (list, mut seen) = (Path::root("webhooks"), BTreeSet::new());
    let is_run_here = run_here::is_run_here(new);
    for (index, webhook) in tree::list(new, "/webhooks").iter().enumerate() {
        let path = list.index(index);
        check_webhook(&path, webhook, errors);
        rules::check_conditions(&path.child("matchConditions"), webhook, errors);
        if is_run_here {
            check_run_here(&path, webhook, errors);
        }
        check_reviews(&path.child("admissionReviewVersions"), webhook, errors);
        let name = tree::str_at(webhook, "/name");
        if !name.is_empty() && !seen.insert(name) {
            errors.duplicate(&path.child("name"), name);
        }
    }
}

fn check_webhook(path: &Path<'_>, webhook: &Value, errors: &mut FieldErrors) {
    check_name(&path.child("name"), tree::str_at(webhook, "/name"), errors);
    let list = path.child("rules");
    for (index, rule) in tree::list(webhook, "/rules").iter().enumerate() {
        rules::check(&list.index(index), rule, errors);
    }
    rules::supported(path, webhook, "failurePolicy", rules::FAILURE_POLICIES, errors);
    rules::check_matching(path, webhook, errors);
    match tree::str_at(webhook, "/sideEffects") {
        "" => errors.required(
            &path.child("sideEffects"),
            &format!("must specify one of {}", SIDE_EFFECTS.join(", ")),
        ),
        effects if !SIDE_EFFECTS.contains(&effects) => {
            errors.not_supported(&path.child("sideEffects"), effects, SIDE_EFFECTS);
        }
        _ => {}
    }
    if let Some(seconds) = tree::integer(webhook, "/timeoutSeconds")
        && !(1..=30).contains(&seconds)
    {
        let detail = "the timeout value must be between 1 and 30 seconds";
        errors.invalid(&path.child("timeoutSeconds"), seconds, detail);
    }
    rules::supported(path, webhook, "reinvocationPolicy", REINVOCATIONS, errors);
    let mut found = Vec::new();
    let client = webhook.get("clientConfig").unwrap_or(&Value::Null);
    webhook_client::check(client, &path.child("clientConfig").to_string(), &mut found);
    errors.extend(found);
}

/// What this server needs to call a webhook.
fn check_run_here(path: &Path<'_>, webhook: &Value, errors: &mut FieldErrors) {
    if tree::str_at(webhook, "/clientConfig/caBundle").is_empty() {
        let detail = "this API server trusts no certificate authorities of its system";
        errors.required(&path.child("clientConfig").child("caBundle"), detail);
    }
    let list = path.child("matchConditions");
    for (index, condition) in tree::list(webhook, "/matchConditions").iter().enumerate() {
        let (at, source) = (list.index(index), tree::str_at(condition, "/expression"));
        run_here::check_expression(&at.child("expression"), source, &run_here::WEBHOOK_VARIABLES, errors);
    }
}

/// The name of a webhook is a domain of at least three segments.
fn check_name(path: &Path<'_>, name: &str, errors: &mut FieldErrors) {
    if name.is_empty() {
        return errors.required(path, "");
    }
    let faults = names::subdomain(name);
    if faults.is_empty() && name.split('.').count() < 3 {
        return errors.invalid(
            path,
            name,
            "should be a domain with at least three segments separated by dots",
        );
    }
    errors.texts(path, name, faults);
}

fn check_reviews(path: &Path<'_>, webhook: &Value, errors: &mut FieldErrors) {
    let reviews: Vec<&str> = tree::strings_at(webhook, "/admissionReviewVersions").collect();
    if reviews.is_empty() {
        return errors.required(path, &format!("must specify one of {}", REVIEWS.join(", ")));
    }
    for (index, review) in reviews.iter().enumerate() {
        if reviews[..index].contains(review) {
            errors.invalid(&path.index(index), *review, "duplicate version");
        }
    }
    if !reviews.iter().any(|review| REVIEWS.contains(review)) {
        let detail = format!("must include at least one of {}", REVIEWS.join(", "));
        errors.invalid(path, json!(reviews), detail);
    }
}

pub(super) static WEBHOOKS: Table = Table {
    columns: &[NAME, Column::integer("Webhooks", "Number of webhooks."), AGE],
    cells: |source| vec![source.name(), json!(source.list("/webhooks").len()), source.age()],
};
