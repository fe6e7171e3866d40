//! Validation of `spec.conversion`: strategy `None` or `Webhook`.

use portolan_object::FieldError;
use serde_json::{Value, json};

use super::names;
use crate::tree;

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
            Some(client) => check_client(client, field, errors),
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

fn check_client(client: &Value, field: &str, errors: &mut Vec<FieldError>) {
    match (tree::present(client, "/url"), tree::present(client, "/service")) {
        (Some(url), None) => check_url(url.as_str().unwrap_or_default(), &format!("{field}.url"), errors),
        (None, Some(service)) => check_service(service, &format!("{field}.service"), errors),
        _ => errors.push(FieldError::required(field, "exactly one of url or service is required")),
    }
}

fn check_url(url: &str, field: &str, errors: &mut Vec<FieldError>) {
    let (rest, fragment) = url.split_once('#').unwrap_or((url, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (scheme, rest) = rest.split_once("://").unwrap_or(("", ""));
    let authority = rest.split('/').next().unwrap_or_default();
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let form = "; desired format: https://host[/path]";
    let mut refuse = |holds: bool, value: &str, detail: String| {
        if holds {
            errors.push(FieldError::invalid(field, &json!(value), detail));
        }
    };
    refuse(scheme != "https", scheme, format!("'https' is the only allowed URL scheme{form}"));
    refuse(host.is_empty(), host, format!("host must be specified{form}"));
    refuse(!user.is_empty(), user, "user information is not permitted in the URL".to_owned());
    refuse(!fragment.is_empty(), fragment, "fragments are not permitted in the URL".to_owned());
    refuse(!query.is_empty(), query, "query parameters are not permitted in the URL".to_owned());
}

fn check_service(service: &Value, field: &str, errors: &mut Vec<FieldError>) {
    for member in ["name", "namespace"] {
        if tree::is_unset(service.get(member)) {
            errors.push(FieldError::required(format!("{field}.{member}"), ""));
        }
    }
    let port = tree::integer(service, "/port").unwrap_or(443);
    if !(1..=65535).contains(&port) {
        let detail = "port is not valid: must be between 1 and 65535, inclusive";
        errors.push(FieldError::invalid(format!("{field}.port"), &json!(port), detail));
    }
    check_path(tree::str_at(service, "/path"), &format!("{field}.path"), errors);
}

fn check_path(path: &str, field: &str, errors: &mut Vec<FieldError>) {
    if path.is_empty() || path == "/" {
        return;
    }
    let mut refuse = |detail: String| errors.push(FieldError::invalid(field, &json!(path), detail));
    if !path.starts_with('/') {
        refuse("must start with a '/'".to_owned());
    }
    // The first character is taken for the slash that it should be, as upstream does.
    let inner: String = path.chars().skip(1).collect();
    for (index, segment) in inner.strip_suffix('/').unwrap_or(&inner).split('/').enumerate() {
        if segment.is_empty() {
            refuse(format!("segment[{index}] may not be empty"));
        } else if let Some(detail) = names::subdomain_errors(segment) {
            refuse(format!("segment[{index}]: {detail}"));
        }
    }
}
