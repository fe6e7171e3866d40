//! Validation of signing requests, as kubernetes pkg/apis/certificates/validation/validation.go.
//!
//! The spec cannot be changed, so it is validated once. Conditions and the certificate are validated when they change.

use std::collections::BTreeSet;

use portolan_object::FieldError;
use serde_json::Value;

use crate::kinds::certificates::pem;
use crate::tree;
use crate::validation::path::Path;
use crate::validation::{FieldErrors, names};

const SPEC: Path<'static> = Path::root("spec");
const STATUS: Path<'static> = Path::root("status");
const CONDITIONS: Path<'static> = STATUS.child("conditions");

/// The signer of client certificates for the API server.
const API_SERVER_CLIENT: &str = "kubernetes.io/kube-apiserver-client";
/// The signer that only version v1beta1 had.
const LEGACY: &str = "kubernetes.io/legacy-unknown";
/// The shortest life that can be asked for, in seconds.
const SHORTEST: i64 = 600;
/// Maximum length of the domain of a signer, in characters.
const DOMAIN_LIMIT: usize = 253;
/// Conditions that a decision or a failure leaves for good.
const LASTING: [&str; 3] = ["Approved", "Denied", "Failed"];
/// Conditions that only the subresource `approval` sets.
const DECISIONS: [&str; 2] = ["Approved", "Denied"];
const USAGES: [&str; 23] = [
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
];

pub(super) fn validate(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    if old.is_none() {
        spec(new, errors);
    }
    let is_changed =
        |pointer| old.is_none_or(|old| tree::present(old, pointer) != tree::present(new, pointer));
    if is_changed("/status/conditions") {
        conditions(new, old, errors);
    }
    if is_changed("/status/certificate") {
        certificate(new, old, errors);
    }
}

/// Why the signer must not get the request of a new object: client certificates for the API server with the group
/// `system:masters` could not be revoked. Upstream: plugin/pkg/admission/certificates/subjectrestriction.
pub(crate) fn restricted_subject(object: &Value) -> Option<String> {
    if tree::str_at(object, "/spec/signerName") != API_SERVER_CLIENT {
        return None;
    }
    match pem::organizations(object.pointer("/spec/request").unwrap_or(&Value::Null)) {
        Ok(groups) if groups.iter().any(|group| group == "system:masters") => {
            Some(format!("use of {API_SERVER_CLIENT} signer with system:masters group is not allowed"))
        }
        Ok(_) => None,
        Err(fault) => Some(format!("failed to parse CSR: {fault}")),
    }
}

/// The errors of a write to `status` that approves or denies, which only `approval` may do.
pub(crate) fn check_approval_kept(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = FieldErrors::default();
    for kind in DECISIONS {
        let [now, before] = [new, old].map(|object| of_type(object, kind));
        if now.len() > before.len() {
            errors.forbidden(&CONDITIONS, format!("updates may not add a condition of type {kind:?}"));
        } else if now.len() == before.len() && now != before {
            errors.forbidden(&CONDITIONS, format!("updates may not modify a condition of type {kind:?}"));
        }
    }
    errors.into_errors()
}

fn spec(object: &Value, errors: &mut FieldErrors) {
    let request = object.pointer("/spec/request").unwrap_or(&Value::Null);
    if let Err(fault) = pem::organizations(request)
        && fault != pem::PemFault::Organization
    {
        errors.invalid(&SPEC.child("request"), request.clone(), fault.to_string());
    }
    let usages = SPEC.child("usages");
    let listed: Vec<&str> = tree::strings_at(object, "/spec/usages").collect();
    if listed.is_empty() {
        errors.required(&usages, "");
    }
    for (index, usage) in listed.iter().enumerate() {
        if !USAGES.contains(usage) {
            errors.not_supported(&usages.index(index), *usage, &USAGES);
        }
    }
    let mut seen = BTreeSet::new();
    for (index, usage) in listed.iter().enumerate() {
        if !seen.insert(*usage) {
            errors.duplicate(&usages.index(index), *usage);
        }
    }
    signer_name(tree::str_at(object, "/spec/signerName"), errors);
    if let Some(seconds) = tree::integer(object, "/spec/expirationSeconds")
        && seconds < SHORTEST
    {
        let detail = "may not specify a duration less than 600 seconds (10 minutes)";
        errors.invalid(&SPEC.child("expirationSeconds"), seconds, detail);
    }
}

/// kubernetes pkg/apis/core/validation/validation.go `ValidateSignerName`.
fn signer_name(name: &str, errors: &mut FieldErrors) {
    let path = SPEC.child("signerName");
    if name.is_empty() {
        errors.required(&path, "");
        return;
    }
    if name == LEGACY {
        errors.invalid(&path, name, "the legacy signerName is not allowed via this API version");
        return;
    }
    let Some((domain, segment)) = name.split_once('/').filter(|(_, segment)| !segment.contains('/')) else {
        let detail = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
        errors.invalid(&path, name, detail);
        return;
    };
    if domain.len() > DOMAIN_LIMIT {
        errors.too_long(&path.to_string(), DOMAIN_LIMIT as u64);
    }
    let mut labels = 0;
    for label in domain.split('.') {
        labels += 1;
        for text in names::label(label) {
            errors.invalid(&path, domain, format!("validating label {label:?}: {text}"));
        }
    }
    if labels < 2 {
        errors.invalid(&path, domain, "should be a domain with at least two segments separated by dots");
    }
    for label in segment.split('.') {
        for text in names::subdomain(label) {
            errors.invalid(&path, segment, format!("validating label {label:?}: {text}"));
        }
    }
    // A domain, a slash, and a path of a subdomain and a label.
    let limit = DOMAIN_LIMIT + 1 + DOMAIN_LIMIT + 1 + 63;
    if name.len() > limit {
        errors.too_long(&path.to_string(), limit as u64);
    }
}

fn conditions(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for (index, condition) in tree::list(new, "/status/conditions").iter().enumerate() {
        let at = CONDITIONS.index(index);
        let kind = tree::str_at(condition, "/type");
        if kind.is_empty() {
            errors.required(&at.child("type"), "");
        }
        let allowed: &[&str] =
            if LASTING.contains(&kind) { &["True"] } else { &["False", "True", "Unknown"] };
        errors.one_of(&at.child("status"), tree::str_at(condition, "/status"), allowed);
        let other = match kind {
            "Approved" => "Denied",
            "Denied" => "Approved",
            _ => "",
        };
        if seen.contains(other) {
            let detail = "Approved and Denied conditions are mutually exclusive";
            errors.invalid(&at.child("type"), kind, detail);
        }
        if !seen.insert(kind) {
            errors.duplicate(&at.child("type"), kind);
        }
    }
    let Some(old) = old else { return };
    for kind in LASTING {
        if of_type(new, kind).len() < of_type(old, kind).len() {
            errors.forbidden(&CONDITIONS, format!("updates may not remove a condition of type {kind:?}"));
        }
    }
}

fn certificate(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    let path = STATUS.child("certificate");
    let certificate = new.pointer("/status/certificate").unwrap_or(&Value::Null);
    if !tree::is_unset(Some(certificate))
        && let Err(fault) = pem::check_certificates(certificate)
    {
        errors.invalid(&path, "<certificate data>", fault.to_string());
    }
    if old.is_some_and(|old| !tree::str_at(old, "/status/certificate").is_empty()) {
        errors.forbidden(&path, "updates may not modify existing certificate content");
    }
}

fn of_type<'a>(object: &'a Value, kind: &str) -> Vec<&'a Value> {
    let conditions = tree::list(object, "/status/conditions").iter();
    conditions.filter(|condition| tree::str_at(condition, "/type") == kind).collect()
}

#[cfg(test)]
mod tests;
