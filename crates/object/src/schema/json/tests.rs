use serde_json::json;

use super::*;
use crate::builtin;
use crate::key::GroupVersionKind;

fn findings(text: &str) -> Vec<String> {
    let schema = builtin::schema(&GroupVersionKind::new("apps", "v1", "Deployment")).expect("built in");
    let parsed = parse_as(text.as_bytes(), schema).expect("JSON");
    parsed.findings.iter().map(ToString::to_string).collect()
}

#[test]
fn findings_stand_in_the_order_of_the_text() {
    let text = r#"{"metadata": {"name": "d", "foo": 1},
        "spec": {"bogus": {"bogus": 1, "bogus": 2}, "replicas": 1, "replicas": 2,
            "template": {"spec": {"containers": [{"name": "c", "imag": "x"}]}}}}"#;
    assert_eq!(
        findings(text),
        [
            "unknown field \"metadata.foo\"",
            "unknown field \"spec.bogus\"",
            "duplicate field \"spec.replicas\"",
            "unknown field \"spec.template.spec.containers[0].imag\"",
        ]
    );
}

#[test]
fn field_names_are_case_sensitive_and_map_entries_are_free() {
    let text = r#"{"Metadata": {}, "metadata": {"labels": {"any": "x", "any": "y"}}}"#;
    assert_eq!(findings(text), ["unknown field \"Metadata\"", "duplicate field \"metadata.labels.any\""]);
}

#[test]
fn without_a_schema_only_duplicates_are_noted() {
    let parsed = parse(br#"{"a": [{"b": 1, "b": 2, "b": 3}], "c": {"c": 1}}"#).expect("JSON");
    assert_eq!(parsed.findings, [Finding::Duplicate("a[0].b".to_owned())]);
    assert_eq!(parsed.value, json!({"a": [{"b": 3}], "c": {"c": 1}}));
}

#[test]
fn numbers_keep_64_bits() {
    let parsed =
        parse(b"[9007199254740993, -9223372036854775808, 9223372036854775808, 1.5, 1e2]").expect("JSON");
    assert_eq!(parsed.value[0], json!(9_007_199_254_740_993_i64));
    assert_eq!(parsed.value[1], json!(i64::MIN));
    assert!(parsed.value[2].is_f64());
    assert_eq!(parsed.value[3], json!(1.5));
    assert!(parsed.value[4].is_f64());
}

#[test]
fn whole_numbers_lose_their_fraction() {
    let mut value = json!({"a": [1.0, 100.0, 1.5, -0.0, 1e300], "b": 9_007_199_254_740_993_i64});
    whole_numbers(&mut value);
    assert_eq!(value, json!({"a": [1, 100, 1.5, 0, 1e300], "b": 9_007_199_254_740_993_i64}));
}

#[test]
fn findings_are_bounded() {
    let fields: Vec<String> = (0..500).map(|at| format!("\"x{at}\": 1")).collect();
    assert_eq!(findings(&format!("{{{}}}", fields.join(","))).len(), MAX_FINDINGS);
}

#[test]
fn syntax_errors_are_worded_as_in_go() {
    let deep = "[".repeat(500);
    let cases = [
        ("", "unexpected end of JSON input"),
        ("{\"a\"", "unexpected end of JSON input"),
        ("garbage", "invalid character 'g' looking for beginning of value"),
        ("\u{1f}\u{2}", r"invalid character '\x1f' looking for beginning of value"),
        ("{a: 1}", "invalid character 'a' looking for beginning of object key string"),
        ("{\"a\" 1}", "invalid character '1' after object key"),
        ("{\"a\": 1 \"b\"}", "invalid character '\"' after object key:value pair"),
        ("[1 2]", "invalid character '2' after array element"),
        ("{} x", "invalid character 'x' after top-level value"),
    ];
    for (text, message) in cases {
        let error = parse(text.as_bytes()).expect_err(text);
        assert_eq!(error.to_string(), message, "{text}");
    }
    assert!(parse(deep.as_bytes()).is_err(), "depth is bounded");
}
