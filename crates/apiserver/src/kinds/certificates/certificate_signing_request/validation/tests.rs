use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, DnType, KeyPair};
use serde_json::json;

use super::*;

/// A request for a user of one group, as `spec.request` holds it.
fn request(group: &str) -> Value {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, "alice");
    parameters.distinguished_name.push(DnType::OrganizationName, group);
    let request = parameters.serialize_request(&KeyPair::generate().unwrap()).unwrap();
    json!(STANDARD.encode(request.pem().unwrap()))
}

fn certificate_text() -> Value {
    let certificate = CertificateParams::default().self_signed(&KeyPair::generate().unwrap()).unwrap();
    json!(STANDARD.encode(certificate.pem()))
}

fn lines(object: &Value, old: Option<&Value>) -> String {
    let mut errors = FieldErrors::default();
    validate(object, old, &mut errors);
    errors.into_errors().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn new_requests() {
    let valid = json!({
        "request": request("devs"), "signerName": "example.com/signer.a", "usages": ["client auth"],
        "expirationSeconds": 600,
    });
    let cases = [
        ("valid", json!({}), ""),
        (
            "no request",
            json!({ "request": "anVuaw==" }),
            r#"spec.request: Invalid value: "anVuaw==": PEM block type must be CERTIFICATE REQUEST"#,
        ),
        ("no usage", json!({ "usages": [] }), "spec.usages: Required value"),
        ("usage twice", json!({ "usages": ["any", "any"] }), r#"spec.usages[1]: Duplicate value: "any""#),
        ("no signer", json!({ "signerName": "" }), "spec.signerName: Required value"),
        (
            "legacy signer",
            json!({ "signerName": "kubernetes.io/legacy-unknown" }),
            r#"spec.signerName: Invalid value: "kubernetes.io/legacy-unknown": the legacy signerName is not allowed via this API version"#,
        ),
        (
            "no path",
            json!({ "signerName": "signer" }),
            r#"spec.signerName: Invalid value: "signer": must be a fully qualified domain and path of the form 'example.com/signer-name'"#,
        ),
        (
            "no domain",
            json!({ "signerName": "example/signer" }),
            r#"spec.signerName: Invalid value: "example": should be a domain with at least two segments separated by dots"#,
        ),
        (
            "too short",
            json!({ "expirationSeconds": 599 }),
            "spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 600 seconds (10 minutes)",
        ),
    ];
    for (name, change, want) in cases {
        let mut spec = valid.clone();
        for (field, value) in change.as_object().unwrap() {
            spec[field] = value.clone();
        }
        assert_eq!(lines(&json!({ "spec": spec }), None), want, "{name}");
    }
    let mut unknown = json!({ "spec": valid });
    unknown["spec"]["usages"] = json!(["everything"]);
    assert!(lines(&unknown, None).starts_with(r#"spec.usages[0]: Unsupported value: "everything""#));
}

#[test]
fn subjects_that_the_client_signer_must_not_sign() {
    let object =
        |signer: &str, request: Value| json!({ "spec": { "signerName": signer, "request": request } });
    let refusal =
        "use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed";
    let cases = [
        ("masters", object(API_SERVER_CLIENT, request("system:masters")), Some(refusal)),
        ("others", object(API_SERVER_CLIENT, request("devs")), None),
        ("another signer", object("example.com/a", request("system:masters")), None),
    ];
    for (name, object, want) in cases {
        assert_eq!(restricted_subject(&object).as_deref(), want, "{name}");
    }
}

#[test]
fn changes_of_the_status() {
    let condition = |kind: &str, status: &str| json!({ "type": kind, "status": status });
    let with = |conditions: Vec<Value>| json!({ "status": { "conditions": conditions } });
    let (approved, denied) = (condition("Approved", "True"), condition("Denied", "True"));
    let cases = [
        ("approved", with(vec![]), with(vec![approved.clone()]), ""),
        (
            "both",
            with(vec![approved.clone()]),
            with(vec![approved.clone(), denied]),
            r#"status.conditions[1].type: Invalid value: "Denied": Approved and Denied conditions are mutually exclusive"#,
        ),
        (
            "removed",
            with(vec![approved.clone()]),
            with(vec![]),
            r#"status.conditions: Forbidden: updates may not remove a condition of type "Approved""#,
        ),
        (
            "not true",
            with(vec![]),
            with(vec![condition("Approved", "False")]),
            r#"status.conditions[0].status: Unsupported value: "False": supported values: "True""#,
        ),
        (
            "twice",
            with(vec![]),
            with(vec![approved.clone(), approved]),
            r#"status.conditions[1].type: Duplicate value: "Approved""#,
        ),
        (
            "no certificate",
            with(vec![]),
            json!({ "status": { "conditions": [], "certificate": "anVuaw==" } }),
            r#"status.certificate: Invalid value: "<certificate data>": must contain at least one CERTIFICATE PEM block"#,
        ),
        (
            "a certificate",
            with(vec![]),
            json!({ "status": { "conditions": [], "certificate": certificate_text() } }),
            "",
        ),
        (
            "another certificate",
            json!({ "status": { "certificate": certificate_text() } }),
            json!({ "status": { "certificate": certificate_text() } }),
            "status.certificate: Forbidden: updates may not modify existing certificate content",
        ),
    ];
    for (name, old, new, want) in cases {
        assert_eq!(lines(&new, Some(&old)), want, "{name}");
    }
}

#[test]
fn only_approval_approves() {
    let with = |conditions: Value| json!({ "status": { "conditions": conditions } });
    let approved = json!({ "type": "Approved", "status": "True", "reason": "a" });
    let mut changed = approved.clone();
    changed["reason"] = json!("b");
    let failed = json!({ "type": "Failed", "status": "True" });
    let cases = [
        (
            "added",
            with(json!([])),
            with(json!([approved])),
            "updates may not add a condition of type \"Approved\"",
        ),
        (
            "changed",
            with(json!([approved])),
            with(json!([changed])),
            "updates may not modify a condition of type \"Approved\"",
        ),
        ("kept", with(json!([approved])), with(json!([approved, failed])), ""),
    ];
    for (name, old, new, want) in cases {
        let errors: Vec<String> = check_approval_kept(&new, &old).iter().map(ToString::to_string).collect();
        assert_eq!(errors.join("\n").trim_start_matches("status.conditions: Forbidden: "), want, "{name}");
    }
}
