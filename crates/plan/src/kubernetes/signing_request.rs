//! The signer of client certificates for the API server, and the removal of old requests.
//!
//! Upstream: kubernetes pkg/controller/certificates/signer (signer.go) and cleaner (cleaner.go). Only requests that were
//! approved are signed; who approves is decided elsewhere.

use std::time::Duration;

use jiff::Timestamp;
use portolan_api::agents::SIGNER;
use portolan_api::kubernetes::CertificateSigningRequest;
use portolan_object::time::age;

/// Longest life of a certificate, and that of a request that names none.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);
/// Age at which a request that was decided is deleted.
const KEPT_DECIDED: Duration = Duration::from_secs(3600);
/// Age at which a request is deleted that was neither approved nor denied, or could not be signed.
const KEPT_PENDING: Duration = Duration::from_secs(24 * 3600);
/// Usages of a client's certificate.
const USAGES: [&str; 3] = ["client auth", "digital signature", "key encipherment"];

/// What to do with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Sign it, for this life.
    Sign(Duration),
    /// It can never be signed, for this reason.
    Fail(String),
    /// It is old enough to be deleted.
    Delete,
    /// Look again after this time.
    Wait(Duration),
}

/// The step for a request that was created at `created` (`metav1.Time`).
pub fn step(request: &CertificateSigningRequest<'_>, created: &str, now: Timestamp) -> Step {
    let is_open = request.status.certificate.is_empty() && !request.is("Denied") && !request.is("Failed");
    if is_open && request.is("Approved") && request.spec.signer_name == SIGNER {
        let foreign: Vec<&str> =
            request.spec.usages.iter().copied().filter(|usage| !USAGES.contains(usage)).collect();
        if !foreign.is_empty() || !request.spec.usages.contains(&"client auth") {
            return Step::Fail(format!(
                "{SIGNER} signs for the usages {}, which must include client auth; asked for: {}",
                USAGES.join(", "),
                request.spec.usages.join(", ")
            ));
        }
        let asked = request.spec.expiration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        return Step::Sign(asked.map_or(LONGEST, Duration::from_secs).min(LONGEST));
    }
    let is_decided = request.is("Denied") || !request.status.certificate.is_empty();
    let kept = if is_decided { KEPT_DECIDED } else { KEPT_PENDING };
    let Some(age) = age(created, now) else { return Step::Wait(kept) };
    match kept.checked_sub(age).filter(|left| !left.is_zero()) {
        Some(left) => Step::Wait(left),
        None => Step::Delete,
    }
}

#[cfg(test)]
mod tests {
    use portolan_api::kubernetes::View as _;
    use portolan_object::Object;
    use serde_json::{Value, json};

    use super::*;

    fn decide(spec: Value, conditions: &[&str], certificate: &str, minutes: i64) -> Step {
        let conditions: Vec<Value> =
            conditions.iter().map(|kind| json!({ "type": kind, "status": "True" })).collect();
        let object = Object(
            json!({ "spec": spec, "status": { "conditions": conditions, "certificate": certificate } }),
        );
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let later = now + jiff::SignedDuration::from_mins(minutes);
        step(&CertificateSigningRequest::read(&object).unwrap(), "2026-01-01T00:00:00Z", later)
    }

    #[test]
    fn what_is_approved_is_signed_and_what_is_old_is_deleted() {
        let usages = json!(["digital signature", "client auth"]);
        let spec =
            |seconds: Value| json!({ "signerName": SIGNER, "usages": usages, "expirationSeconds": seconds });
        let year = Duration::from_secs(365 * 24 * 3600);
        let cases = [
            ("approved", spec(json!(600)), &["Approved"][..], "", 0, Step::Sign(Duration::from_secs(600))),
            ("no life", spec(Value::Null), &["Approved"], "", 0, Step::Sign(year)),
            ("too long", spec(json!(1_000_000_000)), &["Approved"], "", 0, Step::Sign(year)),
            ("pending", spec(json!(600)), &[], "", 30, Step::Wait(Duration::from_secs(23 * 3600 + 1800))),
            ("pending for a day", spec(json!(600)), &[], "", 24 * 60, Step::Delete),
            ("denied", spec(json!(600)), &["Denied"], "", 59, Step::Wait(Duration::from_secs(60))),
            ("denied an hour ago", spec(json!(600)), &["Denied"], "", 61, Step::Delete),
            ("signed", spec(json!(600)), &["Approved"], "cGVt", 60, Step::Delete),
            (
                "failed",
                spec(json!(600)),
                &["Approved", "Failed"],
                "",
                61,
                Step::Wait(Duration::from_secs(22 * 3600 + 3540)),
            ),
        ];
        for (name, spec, conditions, certificate, minutes, want) in cases {
            assert_eq!(decide(spec, conditions, certificate, minutes), want, "{name}");
        }
        let serving = json!({ "signerName": SIGNER, "usages": ["server auth", "client auth"] });
        assert!(matches!(decide(serving, &["Approved"], "", 0), Step::Fail(_)));
        let other = json!({ "signerName": "kubernetes.io/kubelet-serving", "usages": ["server auth"] });
        assert!(matches!(decide(other, &["Approved"], "", 0), Step::Wait(_)), "another signer signs it");
    }
}
