//! How a webhook is reached: a URL, or a Service of the cluster (kubernetes
//! staging/src/k8s.io/apiserver/pkg/util/webhook/validation.go).

use portolan_object::FieldError;
use serde_json::{Value, json};

use super::names;
use crate::tree;

/// Checks `clientConfig`, which stands at `field`.
pub(crate) fn check(client: &Value, field: &str, errors: &mut Vec<FieldError>) {
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
            continue;
        }
        names::subdomain(segment)
            .into_iter()
            .for_each(|detail| refuse(format!("segment[{index}]: {detail}")));
    }
}
