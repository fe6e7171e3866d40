//! Tables for what is asked, and for what answers mean.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portolan_object::Status;
use serde_json::{Value, json};

use super::matching::selects;
use super::review::{decision, patched, version};

const UID: &str = "u";

fn answer(response: Value) -> Vec<u8> {
    json!({ "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response })
        .to_string()
        .into_bytes()
}

fn decide(response: Value) -> Result<Option<Status>, String> {
    decision("a.example.org", "v1", UID, &answer(response)).map(|decision| decision.refusal)
}

#[test]
fn a_refusal_says_which_webhook_refused_and_why() {
    for (status, expected) in [
        (json!(null), (400, "admission webhook \"a.example.org\" denied the request without explanation")),
        (json!({ "message": "no" }), (400, "admission webhook \"a.example.org\" denied the request: no")),
        (
            json!({ "reason": "Bad", "code": 403 }),
            (403, "admission webhook \"a.example.org\" denied the request: Bad"),
        ),
    ] {
        let refusal = decide(json!({ "uid": UID, "allowed": false, "status": status })).unwrap().unwrap();
        assert_eq!((refusal.code, refusal.message.as_str()), expected);
    }
    assert_eq!(decide(json!({ "uid": UID, "allowed": true })), Ok(None));
}

#[test]
fn an_answer_that_is_none_is_a_failed_call() {
    for (bytes, expected) in [
        (answer(json!({ "uid": "other", "allowed": true })), "expected response.uid=\"u\", got \"other\""),
        (
            answer(json!({ "uid": UID })),
            "couldn't get version/kind; json parse error: missing field `allowed`",
        ),
        (answer(Value::Null), "webhook response was absent"),
        (b"{}".to_vec(), "expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview"),
        (b"nonsense".to_vec(), "couldn't get version/kind"),
        (
            answer(json!({ "uid": UID, "allowed": true, "patch": "W10=" })),
            "webhook returned response.patch but not response.patchType",
        ),
        (
            answer(json!({ "uid": UID, "allowed": true, "patch": "?", "patchType": "JSONPatch" })),
            "response.patch: ",
        ),
    ] {
        let error = decision("a.example.org", "v1", UID, &bytes).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn a_patch_is_applied() {
    let patch = STANDARD.encode(json!([{ "op": "add", "path": "/data", "value": { "a": "b" } }]).to_string());
    let response =
        json!({ "uid": UID, "allowed": true, "patch": patch, "patchType": "JSONPatch", "warnings": ["w"] });
    let decision = decision("a.example.org", "v1", UID, &answer(response)).unwrap();
    assert_eq!(decision.warnings, ["w"]);
    assert_eq!(
        patched(&json!({ "kind": "ConfigMap" }), &decision.patch),
        Ok(json!({ "kind": "ConfigMap", "data": { "a": "b" } }))
    );
    assert!(patched(&json!({}), &json!([{ "op": "remove", "path": "/absent" }])).is_err());
}

#[test]
fn the_first_known_version_of_reviews_is_spoken() {
    let version = |list: &[&str]| version(&list.iter().map(|&item| item.to_owned()).collect::<Vec<_>>());
    assert_eq!(version(&["v9", "v1beta1", "v1"]), Some("v1beta1"));
    assert_eq!(version(&["v9"]), None);
}

#[test]
fn an_empty_selector_selects_everything() {
    let labels = json!({ "a": "b" });
    for (selector, expected) in [
        (Value::Null, true),
        (json!({}), true),
        (json!({ "matchLabels": { "a": "b" } }), true),
        (json!({ "matchLabels": { "a": "c" } }), false),
        (json!({ "matchExpressions": [{ "key": "x", "operator": "DoesNotExist" }] }), true),
    ] {
        assert_eq!(selects(&selector, &labels), expected, "{selector}");
    }
}
