//! `testdata/create.json` holds what a kube-apiserver 1.36 answered to `base.json` with each patch applied; errors of
//! metadata as such, which are found elsewhere, are left out.

use portolan_object::patch::merge_patch;
use serde_json::{Value, json};

use super::*;
use crate::crd::{apply_defaults, prepare_for_create, prepare_for_update};

fn base() -> Value {
    serde_json::from_str(include_str!("testdata/base.json")).unwrap()
}

/// A new definition as the write path hands it over.
fn definition(patch: &Value) -> Value {
    let mut definition = base();
    merge_patch(&mut definition, patch).unwrap();
    apply_defaults(definition.as_object_mut().unwrap());
    prepare_for_create(&mut definition);
    definition
}

fn texts(errors: &[FieldError]) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn new_definitions_are_judged_as_upstream_judges_them() {
    let rows: Vec<Value> = serde_json::from_str(include_str!("testdata/create.json")).unwrap();
    for row in rows {
        let definition = definition(&row["patch"]);
        let want: Vec<&str> = tree::strings_at(&row, "/faults").collect();
        assert_eq!(texts(&create(&definition)), want, "{}", row["case"]);
        if want.is_empty() && definition["spec"]["conversion"]["strategy"] == "None" {
            let want: Vec<&str> = tree::strings_at(&row, "/warnings").collect();
            assert_eq!(warnings(&definition, None), want, "{}", row["case"]);
        }
    }
}

#[test]
fn status_as_a_part_limits_the_root_of_the_schema() {
    let with = |keyword: &str, value: Value| {
        let mut definition = definition(&json!({}));
        let version = &mut definition["spec"]["versions"][0];
        version["subresources"] = json!({ "status": {} });
        version["schema"]["openAPIV3Schema"][keyword] = value;
        texts(&create(&definition))
    };
    for (keyword, value) in
        [("anyOf", json!([{ "required": ["spec"] }])), ("x-kubernetes-map-type", json!("atomic"))]
    {
        let errors = with(keyword, value);
        assert_eq!(errors.len(), 1, "{keyword}: {errors:?}");
        assert!(
            errors[0].starts_with("spec.validation.openAPIV3Schema: Invalid value: {"),
            "{keyword}: {}",
            errors[0]
        );
        assert!(
            errors[0].contains("only [Description Type Format Title Maximum"),
            "{keyword}: {}",
            errors[0]
        );
    }
    assert_eq!(with("required", json!(["spec"])), Vec::<String>::new());
}

/// The base definition with two versions, of which the second is stored and both have been.
fn migrated() -> Value {
    let mut definition = definition(&json!({}));
    let mut second = definition["spec"]["versions"][0].clone();
    second["name"] = json!("v2");
    definition["spec"]["versions"][0]["storage"] = json!(false);
    definition["spec"]["versions"].as_array_mut().unwrap().push(second);
    prepare_for_update(&mut definition);
    definition
}

#[test]
fn storing_another_version_is_remembered() {
    assert_eq!(migrated()["status"]["storedVersions"], json!(["v1", "v2"]));
}

/// Rows of name, definition, patch and errors; the definitions are established.
fn check_changes<const N: usize>(cases: [(&str, Value, Value, Vec<&str>); N]) {
    for (name, mut old, patch, want) in cases {
        old["status"]["conditions"] = json!([{ "type": "Established", "status": "True" }]);
        let mut new = old.clone();
        merge_patch(&mut new, &patch).unwrap();
        assert_eq!(texts(&update(&new, &old)), want, "{name}");
    }
}

#[test]
fn approval_may_stay_as_it_is() {
    let protected = json!({
        "metadata": { "name": "widgets.ex.k8s.io", "annotations": { "api-approved.kubernetes.io": "unapproved" } },
        "spec": { "group": "ex.k8s.io" },
    });
    let approval = "metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have \
                    approval annotation \"api-approved.kubernetes.io\", see \
                    https://github.com/kubernetes/enhancements/pull/1111";
    check_changes([
        (
            "approval goes",
            definition(&protected),
            json!({ "metadata": { "annotations": null } }),
            vec![approval],
        ),
        (
            "approval stays missing",
            definition(&json!({ "spec": { "group": "ex.k8s.io" } })),
            json!({ "spec": { "names": { "singular": "wid" } } }),
            vec![],
        ),
        (
            "approval is given",
            definition(&protected),
            json!({ "metadata": { "annotations": { "api-approved.kubernetes.io": "https://x/y" } } }),
            vec![],
        ),
    ]);
}

#[test]
fn changes_are_judged_as_upstream_judges_them() {
    let missing = "status.storedVersions[0]: Invalid value: \"v1\": missing from spec.versions; v1 was previously a \
                   storage version, and must remain in spec.versions until a storage migration ensures no data remains \
                   persisted in v1 and removes v1 from status.storedVersions";
    let only_second = json!({ "spec": { "versions": [migrated()["spec"]["versions"][1]] } });
    let plain = definition(&json!({}));
    let cases = [
        ("nothing", plain.clone(), json!({}), vec![]),
        (
            "scope",
            plain.clone(),
            json!({ "spec": { "scope": "Cluster" } }),
            vec!["spec.scope: Invalid value: \"Cluster\": field is immutable"],
        ),
        (
            "kind",
            plain.clone(),
            json!({ "spec": { "names": { "kind": "Gadget" } } }),
            vec!["spec.names.kind: Invalid value: \"Gadget\": field is immutable"],
        ),
        (
            "plural",
            plain.clone(),
            json!({ "spec": { "names": { "plural": "gadgets" } } }),
            vec!["spec.names.plural: Invalid value: \"gadgets\": field is immutable"],
        ),
        (
            "group",
            plain.clone(),
            json!({ "spec": { "group": "other.io" } }),
            vec!["spec.group: Invalid value: \"other.io\": field is immutable"],
        ),
        (
            "other names",
            plain.clone(),
            json!({ "spec": { "names": { "shortNames": ["w"], "singular": "wid" } } }),
            vec![],
        ),
        ("stored version goes", migrated(), only_second, vec![missing]),
        (
            "version is forgotten in the status",
            migrated(),
            json!({ "status": { "storedVersions": ["v2"] } }),
            vec![],
        ),
        (
            "accepted names of the wrong form",
            plain.clone(),
            json!({ "status": { "acceptedNames": { "plural": "A" } } }),
            vec![
                "status.acceptedNames.plural: Invalid value: \"A\": a DNS-1035 label must consist of lower case \
                  alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric \
                  character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
            ],
        ),
        (
            "preservation",
            plain,
            json!({ "spec": { "preserveUnknownFields": true } }),
            vec![
                "spec.preserveUnknownFields: Invalid value: true: cannot set to true, set \
                  x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead",
            ],
        ),
    ];
    check_changes(cases);
}

#[test]
fn kind_and_scope_may_change_before_objects_can_exist() {
    let old = definition(&json!({}));
    let mut new = old.clone();
    merge_patch(&mut new, &json!({ "spec": { "scope": "Cluster", "names": { "kind": "Gadget" } } })).unwrap();
    assert_eq!(texts(&update(&new, &old)), Vec::<String>::new());
}

#[test]
fn what_was_accepted_once_does_not_hinder_other_changes() {
    let mut old = definition(&json!({}));
    old["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["type"] = Value::Null;
    let mut new = old.clone();
    new["spec"]["names"]["shortNames"] = json!(["w"]);
    assert_eq!(texts(&update(&new, &old)), Vec::<String>::new());
    new["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]["type"] = Value::Null;
    assert_eq!(update(&new, &old).len(), 2, "the whole schema is looked at when any of it changes");
}

#[test]
fn only_new_remarks_are_made() {
    let with = |format: &str| {
        let mut definition = definition(&json!({}));
        let properties = &mut definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
        properties["spec"]["properties"]["color"]["format"] = json!(format);
        definition
    };
    assert_eq!(warnings(&with("foo"), None), ["unrecognized format \"foo\""]);
    assert_eq!(warnings(&with("bar"), Some(&with("foo"))), ["unrecognized format \"bar\""]);
    assert_eq!(warnings(&with("foo"), Some(&with("foo"))), Vec::<String>::new());
}

#[test]
fn conversion_by_webhook_is_remarked() {
    let webhook = json!({ "clientConfig": { "url": "https://x/y" }, "conversionReviewVersions": ["v1"] });
    let definition =
        definition(&json!({ "spec": { "conversion": { "strategy": "Webhook", "webhook": webhook } } }));
    assert_eq!(texts(&create(&definition)), Vec::<String>::new());
    assert_eq!(warnings(&definition, None).len(), 1);
}
