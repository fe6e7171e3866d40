//! Vectors are answers of a kube-apiserver 1.36 to the same definitions and objects.

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::crd::definition::Term;

/// Revision since which the definition is as it is.
const SINCE: Revision = Revision(10);

fn versions(list: Value) -> Vec<Arc<CustomVersion>> {
    let definition = json!({
        "spec": { "group": "ex.io", "scope": "Namespaced", "versions": list },
        "status": { "acceptedNames": { "plural": "widgets", "kind": "Widget" } },
    });
    CustomVersion::list(&Arc::new(definition), &Term { since: SINCE, retired: CancellationToken::new() })
}

fn version(name: &str, storage: bool, spec: Value) -> Value {
    let spec = json!({ "type": "object", "properties": spec });
    let schema = json!({ "type": "object", "properties": { "spec": spec } });
    json!({ "name": name, "served": true, "storage": storage, "schema": { "openAPIV3Schema": schema } })
}

/// A stored version that knows `a` and `only1`, and another that knows `a` and `only2`.
fn two_versions() -> Vec<Arc<CustomVersion>> {
    let text = json!({ "type": "string" });
    let defaulted = json!({ "type": "string", "default": "two" });
    versions(json!([
        version("v1beta1", true, json!({ "a": text, "only1": text })),
        version("v1", false, json!({ "a": text, "only2": defaulted })),
    ]))
}

fn object(version: &str, spec: Value) -> Value {
    json!({ "apiVersion": format!("ex.io/{version}"), "kind": "Widget", "metadata": { "name": "a" }, "spec": spec })
}

#[test]
fn another_version_shows_what_both_know() {
    let [beta, stable] = &two_versions()[..] else { panic!("two versions") };
    let stored = object("v1beta1", json!({ "a": "x", "only1": "one" }));
    let mut seen = stored.clone();
    stable.show(&mut seen, SINCE);
    assert_eq!(seen, object("v1", json!({ "a": "x" })), "no default of a version it was not written in");
    let written = stable.convert_to_stored(&object("v1", json!({ "a": "y", "only2": "two" }))).into_owned();
    assert_eq!(written["spec"], json!({ "a": "y" }));
    assert!(matches!(beta.convert_to_stored(&stored), Cow::Borrowed(_)));
    assert!(beta.has_stored_form(SINCE) && !stable.has_stored_form(SINCE));
}

#[test]
fn versions_of_one_schema_share_it() {
    let spec = json!({ "a": { "type": "string" } });
    let list = versions(json!([version("v1", true, spec.clone()), version("v2", false, spec)]));
    assert!(list.iter().all(|version| version.has_stored_form(SINCE)));
    let mut seen = object("v1", json!({ "a": "x" }));
    list[1].show(&mut seen, SINCE);
    assert_eq!(seen, object("v2", json!({ "a": "x" })));
}

#[test]
fn older_objects_are_read_as_the_definition_is_today() {
    let spec = json!({ "a": { "type": "string" }, "new": { "type": "integer", "default": 3 } });
    let list = versions(json!([version("v1", true, spec)]));
    let before = Revision(SINCE.0 - 1);
    let mut seen = object("v1", json!({ "a": "x", "gone": 1 }));
    list[0].show(&mut seen, before);
    assert_eq!(seen, object("v1", json!({ "a": "x", "new": 3 })));
    assert!(!list[0].has_stored_form(before));
}

#[test]
fn after_a_change_of_the_stored_version_defaults_are_those_of_the_writing() {
    let [beta, stable] = &two_versions()[..] else { panic!("two versions") };
    let before = Revision(SINCE.0 - 1);
    let mut written_earlier = object("v1", json!({ "a": "x" }));
    stable.show(&mut written_earlier, before);
    assert_eq!(written_earlier["spec"], json!({ "a": "x", "only2": "two" }), "it was stored as v1 then");
    let mut seen = object("v1", json!({ "a": "x" }));
    beta.show(&mut seen, before);
    assert_eq!(seen, object("v1beta1", json!({ "a": "x" })));
}

#[test]
fn without_a_webhook_only_the_stored_version_is_served() {
    let mut definition = json!({
        "spec": { "conversion": { "strategy": "Webhook" },
                  "versions": [version("v1", true, json!({})), version("v2", false, json!({}))] },
    });
    let served = |definition: &Value| -> Vec<bool> {
        let term = Term { since: SINCE, retired: CancellationToken::new() };
        CustomVersion::list(&Arc::new(definition.clone()), &term).iter().map(|one| one.is_served).collect()
    };
    assert_eq!(served(&definition), [true, false]);
    definition["spec"]["conversion"]["strategy"] = json!("None");
    assert_eq!(served(&definition), [true, true]);
}

/// A version with scale and status parts, an embedded resource, and room for anything.
fn rich() -> Arc<CustomVersion> {
    let spec = json!({ "type": "object", "properties": {
        "replicas": { "type": "integer", "minimum": 0 },
        "any": { "type": "object", "x-kubernetes-preserve-unknown-fields": true },
        "template": { "type": "object", "x-kubernetes-embedded-resource": true,
                      "x-kubernetes-preserve-unknown-fields": true },
    } });
    let status = json!({ "type": "object", "properties": {
        "replicas": { "type": "integer" }, "list": { "type": "array", "items": { "type": "string" } } } });
    let schema =
        json!({ "type": "object", "required": ["spec"], "properties": { "spec": spec, "status": status } });
    let scale = json!({ "specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas" });
    versions(json!([{
        "name": "v1", "served": true, "storage": true, "schema": { "openAPIV3Schema": schema },
        "subresources": { "status": {}, "scale": scale },
    }]))
    .remove(0)
}

#[test]
fn bodies_conform_or_are_refused() {
    let cases = [
        (
            "unknown fields go",
            json!({ "bogus": 1, "any": { "x": 1 } }),
            Ok((json!({ "any": { "x": 1 } }), "spec.bogus")),
        ),
        (
            "whole numbers",
            json!({ "replicas": 3.0, "any": { "f": 2.5, "g": 1.0 } }),
            Ok((json!({ "replicas": 3, "any": { "f": 2.5, "g": 1 } }), "")),
        ),
        (
            "embedded metadata",
            json!({ "template": { "metadata": { "name": "x", "bogus": 1 }, "z": 1 } }),
            Ok((
                json!({ "template": { "metadata": { "name": "x" }, "z": 1 } }),
                "spec.template.metadata.bogus",
            )),
        ),
        (
            "broken embedded metadata",
            json!({ "template": { "metadata": { "name": 3 } } }),
            Err(
                "spec.template.metadata: Invalid value: {\"name\":3}: json: cannot unmarshal number into Go struct \
                 field ObjectMeta.name of type string",
            ),
        ),
    ];
    for (name, spec, want) in cases {
        let mut body = object("v1", spec);
        let found = rich().conform(&mut body);
        let found = found.map(|dropped| (body["spec"].clone(), dropped.join(", ")));
        assert_eq!(
            found,
            want.map(|(spec, dropped)| (spec, dropped.to_owned())).map_err(str::to_owned),
            "{name}"
        );
    }
    let mut body = json!({ "metadata": { "labels": { "a": 1 } } });
    let error = rich().conform(&mut body).unwrap_err();
    assert_eq!(error, "json: cannot unmarshal number into Go struct field ObjectMeta.labels of type string");
}

fn texts(errors: &[FieldError]) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn errors_speak_of_schema_and_scale() {
    let negative = object("v1", json!({ "replicas": -1 }));
    assert_eq!(
        texts(&rich().validate(&negative, None, &Interrupt::never()).errors),
        [
            "spec.replicas: Invalid value: -1: spec.replicas in body should be greater than or equal to 0",
            ".spec.replicas: Invalid value: -1: should be a non-negative integer",
        ]
    );
}

#[test]
fn status_is_checked_alone() {
    // The spec that the schema has come to require is missing, which is not the business of who writes status.
    let mut old = object("v1", json!({}));
    old.as_object_mut().unwrap().remove("spec");
    let with = |status: Value| {
        let mut new = old.clone();
        new["status"] = status;
        texts(&rich().validate(&new, Some(&old), &Interrupt::never()).errors)
    };
    assert_eq!(with(json!({ "replicas": 2 })), Vec::<String>::new());
    assert_eq!(
        with(json!({ "replicas": "x" })),
        [
            "status.replicas: Invalid value: \"string\": replicas in body must be of type integer: \"string\"",
            ".status.replicas: Invalid value: 0: .status.replicas accessor error: x is of the type string, expected int64",
        ]
    );
    assert_eq!(
        with(json!({ "replicas": -3 })),
        [".status.replicas: Invalid value: -3: should be a non-negative integer",]
    );
    assert_eq!(
        with(json!({ "list": [1] })),
        ["status.list[0]: Invalid value: \"integer\": list[0] in body must be of type string: \"integer\"",]
    );
}

#[test]
fn finalizers_without_a_domain_are_remarked() {
    let with = |finalizers: Value| json!({ "metadata": { "finalizers": finalizers } });
    let dotted = with(json!(["foo.bar", "ex.io/ok", "orphan"]));
    assert_eq!(
        remarks(&with(json!(["foo"])), None),
        [
            "metadata.finalizers: \"foo\": prefer a domain-qualified finalizer name to avoid accidental conflicts with \
         other finalizer writers",
        ]
    );
    assert_eq!(
        remarks(&dotted, None),
        [
            "metadata.finalizers: \"foo.bar\": prefer a domain-qualified finalizer name including a path (/) to avoid \
         accidental conflicts with other finalizer writers",
        ]
    );
    assert_eq!(remarks(&dotted, Some(&dotted)), Vec::<String>::new());
}

#[test]
fn rules_are_evaluated_when_the_rest_is_well() {
    let mut ruled =
        version("v1", true, json!({ "replicas": { "type": "integer" }, "fixed": { "type": "string" } }));
    let spec = &mut ruled["schema"]["openAPIV3Schema"]["properties"]["spec"];
    spec["x-kubernetes-validations"] = json!([
        { "rule": "self.replicas != 7", "message": "seven is forbidden", "reason": "FieldValueForbidden",
          "fieldPath": ".replicas" },
        { "rule": "!has(oldSelf.fixed) || self.fixed == oldSelf.fixed", "message": "is fixed" },
    ]);
    let version = versions(json!([ruled])).remove(0);
    let judge = |new: Value, old: Option<Value>| {
        let old = old.map(|old| object("v1", old));
        texts(&version.validate(&object("v1", new), old.as_ref(), &Interrupt::never()).errors)
    };
    let seven = ["spec.replicas: Forbidden: seven is forbidden"];
    assert_eq!(judge(json!({ "replicas": 7 }), None), seven);
    assert_eq!(judge(json!({ "replicas": 6, "fixed": "a" }), None), Vec::<String>::new());
    let changed = judge(json!({ "replicas": 6, "fixed": "b" }), Some(json!({ "replicas": 6, "fixed": "a" })));
    assert_eq!(changed, ["spec: Invalid value: is fixed"]);
    let blocked = judge(json!({ "replicas": "x" }), None);
    assert_eq!(
        blocked[1],
        "<nil>: Invalid value: null: some validation rules were not checked because the object \
                            was invalid; correct the existing errors to complete validation"
    );
}
