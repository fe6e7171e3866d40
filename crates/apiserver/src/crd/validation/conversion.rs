//! Validation of `spec.conversion`: strategy `None` or `Webhook`.

use portolan_object::FieldError;
use serde_json::{Value, json};

use super::names;
use crate::tree;
use crate::validation::webhook_client;

/// Versions of `ConversionReview` of which a webhook must understand one.
const REVIEWS: [&str; 2] = ["v1", "v1beta1"];

pub(super) fn check(spec: &Value, errors: &mut Vec<FieldError>) {
    let conversion = &spec["conversion"];
    let strategy = tree::str_at(conversion, "/strategy");
    if strategy != "None" && tree::is_true(spec, "/preserveUnknownFields") {
        let detail = "must be None if spec.preserveUnknownFields is true";
        errors.push(FieldError::invalid("spec.conversion.strategy", &json!(strategy), detail));
    }
    match strategy {
        "None" | "Webhook" => {}
        "" => errors.push(FieldError::required("spec.conversion.strategy", "")),
        other => {
            let allowed = &["None", "Webhook"];
            errors.push(FieldError::not_supported("spec.conversion.strategy", &json!(other), allowed));
        }
    }
    let client = tree::present(conversion, "/webhook/clientConfig");
    let field = "spec.conversion.webhookClientConfig";
    let reviews: Vec<&str> = tree::strings_at(conversion, "/webhook/conversionReviewVersions").collect();
    if strategy == "Webhook" {
        match client {
            Some(client) => webhook_client::check(client, field, errors),
            None => errors.push(FieldError::required(field, "required when strategy is set to Webhook")),
        }
        check_reviews(&reviews, errors);
        return;
    }
    let detail = "should not be set when strategy is not set to Webhook";
    if client.is_some() {
        errors.push(FieldError::forbidden(field, detail));
    }
    if !reviews.is_empty() {
        errors.push(FieldError::forbidden("spec.conversion.conversionReviewVersions", detail));
    }
}

fn check_reviews(reviews: &[&str], errors: &mut Vec<FieldError>) {
    let field = "spec.conversion.conversionReviewVersions";
    if reviews.is_empty() {
        errors.push(FieldError::required(field, ""));
        return;
    }
    for (index, review) in reviews.iter().enumerate() {
        let field = format!("{field}[{index}]");
        if reviews[..index].contains(review) {
            errors.push(FieldError::invalid(field, &json!(review), "duplicate version"));
        } else if let Some(detail) = names::label_errors(review) {
            errors.push(FieldError::invalid(field, &json!(review), detail));
        }
    }
    if !reviews.iter().any(|review| REVIEWS.contains(review)) {
        let detail = format!("must include at least one of {}", REVIEWS.join(", "));
        errors.push(FieldError::invalid(field, &json!(reviews), detail));
    }
}
