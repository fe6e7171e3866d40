use super::*;

const DEPLOYMENT: &str = r#"{
  "kind": "Deployment", "apiVersion": "apps/v1",
  "metadata": {
    "name": "web", "namespace": "shop", "uid": "u1", "resourceVersion": "7", "generation": 9007199254740993,
    "creationTimestamp": "2026-01-02T03:04:05Z", "deletionTimestamp": "2026-01-02T03:05:05Z",
    "deletionGracePeriodSeconds": 30, "labels": {"app": "web"}, "annotations": {"a": "\u003cb\u003e"},
    "finalizers": ["x.io/a"], "managedFields": [{"fieldsV1": {"f:spec": {}}}],
    "ownerReferences": [{"apiVersion": "v1", "kind": "Thing", "name": "t", "uid": "o1", "controller": true}]
  },
  "spec": {"replicas": 3, "template": {"spec": {"containers": [{"name": "c", "args": ["{", "]"]}]}}}
}"#;

#[test]
fn reads_type_and_metadata() {
    let envelope = Envelope::parse(DEPLOYMENT.as_bytes()).expect("well-formed");
    assert_eq!(envelope.group_version_kind().to_string(), "apps/v1, Kind=Deployment");
    assert_eq!(envelope.key().to_string(), "shop/web");
    assert!(envelope.is_deleting());
    assert_eq!(envelope.controller().map(|owner| owner.uid.as_str()), Some("o1"));
    let metadata = envelope.metadata;
    assert_eq!(metadata.generation, 9_007_199_254_740_993);
    assert_eq!(metadata.deletion_grace_period_seconds, Some(30));
    assert_eq!(metadata.annotations["a"], "<b>");
    assert_eq!(metadata.finalizers, ["x.io/a"]);
}

#[test]
fn accepts_null_for_whatever_is_empty() {
    let text =
        r#"{"metadata": {"name": "x", "creationTimestamp": null, "labels": null, "ownerReferences": null}}"#;
    let envelope = Envelope::parse(text.as_bytes()).expect("nulls are allowed");
    assert_eq!(envelope.metadata, Metadata { name: "x".to_owned(), ..Metadata::default() });
    assert_eq!(Envelope::parse(br#"{"metadata": null}"#).expect("no metadata"), Envelope::default());
}

#[test]
fn refuses_what_is_no_object() {
    let cases: &[(&str, &[u8])] = &[
        ("empty", b""),
        ("list", b"[1]"),
        ("truncated", br#"{"kind":"#),
        ("trailing bytes", br#"{"kind": "A"} x"#),
        ("label of a wrong type", br#"{"metadata": {"labels": {"a": 1}}}"#),
        ("metadata of a wrong type", br#"{"metadata": "x"}"#),
    ];
    for (name, bytes) in cases {
        assert!(Envelope::parse(bytes).is_err(), "{name}");
    }
}

#[test]
fn deep_nesting_in_skipped_parts_does_not_overflow() {
    let depth = 200_000;
    let text = format!(r#"{{"spec": {}{}, "kind": "A"}}"#, "[".repeat(depth), "]".repeat(depth));
    assert_eq!(Envelope::parse(text.as_bytes()).map(|e| e.kind).unwrap_or_default(), "A");
}
