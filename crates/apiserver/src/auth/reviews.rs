//! Reviews of `authentication.k8s.io` and `authorization.k8s.io`.
//!
//! A review is a `create` that stores nothing: the reply is the body with its `status` set.

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use portolan_object::time::format_time;
use portolan_object::{FieldError, Status};
use serde_json::{Value, json};

use super::rule::Rule;
use super::token::TokenError;
use super::user::{ANONYMOUS, User};
use super::{AccessTarget, Attributes, Authentication, Decision, Directory, ResourceTarget, Rules};
use crate::tree;

const AUTHENTICATION: &str = "authentication.k8s.io";
const AUTHORIZATION: &str = "authorization.k8s.io";

/// `SelfSubjectReview`: the user of the request.
///
/// # Errors
/// 403 for anonymous requests.
pub fn self_subject(user: &User, now: Timestamp) -> Result<Value, Status> {
    if user.name == ANONYMOUS {
        let attributes =
            Attributes { user, verb: "create", target: collection(AUTHENTICATION, "selfsubjectreviews") };
        return Err(attributes.forbidden(""));
    }
    let created = format_time(now);
    Ok(json!({
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "SelfSubjectReview",
        "metadata": { "creationTimestamp": created },
        "status": { "userInfo": user.to_value() },
    }))
}

/// `TokenReview`: the user of a token.
///
/// # Errors
/// 400 without a token.
pub fn token(
    mut review: Value,
    authentication: &Authentication,
    directory: &dyn Directory,
    now: Timestamp,
) -> Result<Value, Status> {
    let token = tree::str_at(&review, "/spec/token");
    if token.is_empty() {
        return Err(Status::bad_request("token is required for TokenReview in authentication"));
    }
    let mut audiences: Vec<String> =
        tree::strings_at(&review, "/spec/audiences").map(str::to_owned).collect();
    if audiences.is_empty() {
        audiences = authentication.issuer().map(|issuer| issuer.audiences.clone()).unwrap_or_default();
    }
    let status = match authentication.token(token, &audiences, directory, now) {
        Ok((user, audiences)) => {
            json!({ "authenticated": true, "user": user.to_value(), "audiences": audiences })
        }
        Err(error @ TokenError::Unknown) => json!({ "user": {}, "error": error.to_string() }),
        Err(error) => json!({ "user": {}, "error": format!("[{}, {error}]", TokenError::Unknown) }),
    };
    review["status"] = status;
    Ok(review)
}

/// `SelfSubjectAccessReview`: whether the user of the request is allowed to do something.
///
/// # Errors
/// 422 unless it has either resource or non-resource attributes.
pub fn self_subject_access(mut review: Value, user: &User, rules: &Rules) -> Result<Value, Status> {
    let mut faults = targets(&review);
    faults.extend(metadata(&review, "must be empty"));
    refuse(faults)?;
    review["status"] = answer(&review, user, rules);
    Ok(review)
}

/// `SubjectAccessReview`: whether a user is allowed to do something.
///
/// # Errors
/// 422 unless it has a user or groups, and either resource or non-resource attributes.
pub fn subject_access(mut review: Value, rules: &Rules) -> Result<Value, Status> {
    let mut faults = targets(&review);
    faults.extend(subject(&review));
    faults.extend(metadata(&review, "must be empty"));
    refuse(faults)?;
    let user = User::from_review(review.pointer("/spec").unwrap_or(&Value::Null));
    review["status"] = answer(&review, &user, rules);
    Ok(review)
}

/// `LocalSubjectAccessReview`: whether a user is allowed to do something in the namespace of the request.
///
/// # Errors
/// As [`subject_access`], and when the body has another namespace.
pub fn local_subject_access(mut review: Value, namespace: &str, rules: &Rules) -> Result<Value, Status> {
    let own = match tree::str_at(&review, "/metadata/namespace") {
        "" => namespace.to_owned(),
        own => own.to_owned(),
    };
    let mut faults = targets(&review);
    faults.extend(subject(&review));
    faults.extend(metadata(&review, "must be empty except for namespace"));
    if let Some(attributes) = tree::present(&review, "/spec/resourceAttributes") {
        let asked = tree::str_at(attributes, "/namespace");
        if asked != own {
            let field = "spec.resourceAttributes.namespace";
            faults.push(FieldError::invalid(field, &json!(asked), "must match metadata.namespace"));
        }
    }
    if let Some(attributes) = tree::present(&review, "/spec/nonResourceAttributes") {
        let detail = "disallowed on this kind of request";
        faults.push(FieldError::invalid("spec.nonResourceAttributes", attributes, detail));
    }
    refuse(faults)?;
    if own != namespace {
        let text = format!("spec.resourceAttributes.namespace must match namespace: {namespace}");
        return Err(Status::bad_request(text));
    }
    let user = User::from_review(review.pointer("/spec").unwrap_or(&Value::Null));
    review["status"] = answer(&review, &user, rules);
    Ok(review)
}

/// `SelfSubjectRulesReview`: the rules of the user of the request in a namespace.
///
/// # Errors
/// 400 without a namespace.
pub fn self_subject_rules(review: &Value, user: &User, rules: &Rules) -> Result<Value, Status> {
    let namespace = tree::str_at(review, "/spec/namespace");
    if namespace.is_empty() {
        return Err(Status::bad_request("no namespace on request"));
    }
    let held = rules.held(user, namespace);
    let resources = held.iter().filter(|rule| !rule.resources.is_empty()).map(|rule| json!(rule));
    let paths = held.iter().filter(|rule| !rule.non_resource_urls.is_empty()).map(|rule| json!(rule));
    let all = || vec!["*".to_owned()];
    let (mut resource_rules, mut path_rules) = (Vec::new(), Vec::new());
    if user.is_master() {
        resource_rules.push(json!(Rule {
            verbs: all(),
            api_groups: all(),
            resources: all(),
            ..Rule::default()
        }));
        path_rules.push(json!(Rule { verbs: all(), non_resource_urls: all(), ..Rule::default() }));
    }
    resource_rules.extend(resources);
    path_rules.extend(paths);
    Ok(json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "metadata": { "creationTimestamp": null },
        "spec": {},
        "status": { "resourceRules": resource_rules, "nonResourceRules": path_rules, "incomplete": false },
    }))
}

fn collection<'a>(group: &'a str, resource: &'a str) -> AccessTarget<'a> {
    AccessTarget::Resource(ResourceTarget { group, resource, ..ResourceTarget::default() })
}

fn answer(review: &Value, user: &User, rules: &Rules) -> Value {
    let spec = review.pointer("/spec").unwrap_or(&Value::Null);
    let attributes = match tree::present(spec, "/resourceAttributes") {
        Some(asked) => Attributes {
            user,
            verb: tree::str_at(asked, "/verb"),
            target: AccessTarget::Resource(ResourceTarget {
                group: tree::str_at(asked, "/group"),
                resource: tree::str_at(asked, "/resource"),
                subresource: tree::str_at(asked, "/subresource"),
                namespace: tree::str_at(asked, "/namespace"),
                name: tree::str_at(asked, "/name"),
            }),
        },
        None => Attributes {
            user,
            verb: tree::str_at(spec, "/nonResourceAttributes/verb"),
            target: AccessTarget::Path(tree::str_at(spec, "/nonResourceAttributes/path")),
        },
    };
    let (allowed, reason) = match rules.authorize(&attributes) {
        Decision::Allowed(reason) => (true, reason),
        Decision::Denied(reason) => (false, reason),
    };
    let mut status = json!({ "allowed": allowed });
    if !reason.is_empty() {
        status["reason"] = json!(&*reason);
    }
    status
}

/// Checks that a review has either resource or non-resource attributes.
fn targets(review: &Value) -> Vec<FieldError> {
    let resource = tree::present(review, "/spec/resourceAttributes");
    let path = tree::present(review, "/spec/nonResourceAttributes");
    match (resource, path) {
        (Some(_), Some(path)) => vec![FieldError::invalid(
            "spec.nonResourceAttributes",
            path,
            "cannot be specified in combination with resourceAttributes",
        )],
        (None, None) => vec![FieldError::invalid(
            "spec.resourceAttributes",
            &Value::Null,
            "exactly one of nonResourceAttributes or resourceAttributes must be specified",
        )],
        _ => Vec::new(),
    }
}

fn subject(review: &Value) -> Option<FieldError> {
    let is_missing =
        tree::str_at(review, "/spec/user").is_empty() && tree::list(review, "/spec/groups").is_empty();
    is_missing.then(|| {
        FieldError::invalid("spec.user", &json!(""), "at least one of user or group must be specified")
    })
}

fn metadata(review: &Value, detail: &str) -> Option<FieldError> {
    let is_local = tree::str_at(review, "/kind") == "LocalSubjectAccessReview";
    let metadata = tree::map(review, "/metadata")?;
    let is_set = |(key, value): (&String, &Value)| {
        let is_ignored = key == "managedFields" || (is_local && key == "namespace");
        !is_ignored && !value.is_null() && value.as_str() != Some("")
    };
    metadata.iter().any(is_set).then(|| FieldError::invalid("metadata", &json!(metadata), detail))
}

/// 422 for a review. Its message has no kind, as upstream.
fn refuse(faults: Vec<FieldError>) -> Result<(), Status> {
    if faults.is_empty() { Ok(()) } else { Err(Status::invalid(AUTHORIZATION, "", "", &faults)) }
}
