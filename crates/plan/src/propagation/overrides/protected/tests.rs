//! No override changes which object a manifest is, whatever its form.

use portolan_api::cluster::Cluster;
use portolan_api::policy::OverrideSpec;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::propagation::overrides::{Policy, apply};

fn config_map() -> Object {
    Object(json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "kind: Secret\nname: b\n"},
        "metadata": {"name": "x", "namespace": "red", "labels": {"app": "x"}, "annotations": {"note": "n"}}}))
}

fn role_binding() -> Object {
    Object(json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "x", "namespace": "red"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "view"},
        "subjects": [{"kind": "User", "name": "tom"}]}))
}

/// The manifest after one policy with `overriders`, or the text of its failure.
fn overridden(template: &Object, namespace: &str, overriders: Value) -> Result<Object, String> {
    let spec: OverrideSpec =
        serde_json::from_value(json!({"overrideRules": [{"overriders": overriders}]})).expect("a policy");
    let metadata = ObjectMeta::namespaced(namespace, "p");
    let mut manifest = template.clone();
    let policies = [Policy { metadata: &metadata, spec: &spec }];
    match apply(&policies, &mut manifest, &Cluster::default()) {
        Ok(_) => Ok(manifest),
        Err(error) => Err(error.fault.to_string()),
    }
}

fn plaintext(operator: &str, path: &str, value: Value) -> Value {
    json!({"plaintext": [{"operator": operator, "path": path, "value": value}]})
}

#[test]
fn identity_is_not_overridden_in_any_way() {
    let other_metadata = json!({"name": "y", "namespace": "red"});
    let other_object =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x", "namespace": "red"}});
    let cases = [
        ("the kind", plaintext("replace", "/kind", json!("ClusterRoleBinding")), "/kind"),
        (
            "the group",
            plaintext("replace", "/apiVersion", json!("rbac.authorization.k8s.io/v1")),
            "/apiVersion",
        ),
        ("no namespace", plaintext("remove", "/metadata/namespace", Value::Null), "/metadata/namespace"),
        ("another namespace", plaintext("add", "/metadata/namespace", json!("blue")), "/metadata/namespace"),
        ("another name", plaintext("replace", "/metadata/name", json!("y")), "/metadata/name"),
        ("all metadata", plaintext("add", "/metadata", other_metadata), "/metadata/name"),
        ("no metadata", plaintext("remove", "/metadata", Value::Null), "/metadata"),
        ("the whole object", plaintext("replace", "", other_object), "/kind"),
        ("no object", plaintext("replace", "", json!([1])), "/"),
        (
            "an owner",
            plaintext("add", "/metadata/ownerReferences", json!([{"uid": "u"}])),
            "/metadata/ownerReferences",
        ),
        ("a finalizer", plaintext("add", "/metadata/finalizers", json!(["a/b"])), "/metadata/finalizers"),
        ("a uid", plaintext("add", "/metadata/uid", json!("u")), "/metadata/uid"),
        ("labels that are no map", plaintext("add", "/metadata/labels", json!("x")), "/metadata/labels"),
        (
            "a label of Portolan",
            plaintext("add", "/metadata/labels/karmada.io~1managed", json!("false")),
            "/metadata/labels/karmada.io/managed",
        ),
        (
            "all labels",
            plaintext("add", "/metadata/labels", json!({"portolan.dev/clusterset": "s"})),
            "/metadata/labels/portolan.dev/clusterset",
        ),
        (
            "a label by its own overrider",
            json!({"labelsOverrider": [{"operator": "add", "value": {"work.karmada.io/permanent-id": "1"}}]}),
            "/metadata/labels/work.karmada.io/permanent-id",
        ),
        (
            "an annotation by its own overrider",
            json!({"annotationsOverrider": [{"operator": "add",
                "value": {"work.karmada.io/conflict-resolution": "overwrite"}}]}),
            "/metadata/annotations/work.karmada.io/conflict-resolution",
        ),
        (
            "an image that is the name",
            json!({"imageOverrider": [{"component": "Repository", "operator": "replace", "value": "y",
                "predicate": {"path": "/metadata/name"}}]}),
            "/metadata/name",
        ),
        (
            "text that is the kind",
            json!({"fieldOverrider": [{"fieldPath": "/kind",
                "yaml": [{"subPath": "", "operator": "replace", "value": "Secret"}]}]}),
            "/kind",
        ),
    ];
    for (name, overriders, field) in cases {
        let refused = overridden(&config_map(), "red", overriders).expect_err(name);
        assert!(refused.starts_with(&format!("{field} cannot be overridden: ")), "{name}: {refused}");
    }
}

#[test]
fn content_is_overridden() {
    let cases = [
        plaintext("replace", "/data/a", json!("b")),
        plaintext("add", "/metadata/labels", json!({"team": "t"})),
        plaintext("add", "/metadata/annotations", json!({})),
        plaintext("remove", "/metadata/labels", Value::Null),
        plaintext("add", "/metadata/name", json!("x")),
        json!({"labelsOverrider": [{"operator": "add",
            "value": {"resourcetemplate.karmada.io/retain-replicas": "true"}}]}),
    ];
    for overriders in cases {
        let text = overriders.to_string();
        assert!(overridden(&config_map(), "red", overriders).is_ok(), "{text}");
    }
}

#[test]
fn only_cluster_wide_policies_change_rights() {
    let cases = [
        plaintext("replace", "/roleRef/name", json!("admin")),
        plaintext("add", "/subjects/-", json!({"kind": "User", "name": "eve"})),
        plaintext("add", "/rules", json!([])),
    ];
    for overriders in cases {
        let text = overriders.to_string();
        let refused = overridden(&role_binding(), "red", overriders.clone()).expect_err(&text);
        assert!(refused.contains("use a ClusterOverridePolicy"), "{text}: {refused}");
        assert!(overridden(&role_binding(), "", overriders).is_ok(), "{text}");
    }
}

fn pointer() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        4 => prop::sample::select(vec![
            "apiVersion", "kind", "metadata", "name", "namespace", "labels", "annotations", "uid", "ownerReferences",
            "finalizers", "generateName", "data", "spec", "a", "0", "-", "-1", "", "~0", "~1", "karmada.io~1managed",
            "work.karmada.io~1namespace", "app", "roleRef", "subjects", "rules",
        ]).prop_map(str::to_owned),
        1 => "[a-z~/]{0,5}",
    ];
    prop::collection::vec(token, 0..4)
        .prop_map(|tokens| tokens.iter().map(|token| format!("/{token}")).collect())
}

fn value() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        Value::Null,
        json!("ClusterRoleBinding"),
        json!("rbac.authorization.k8s.io/v1"),
        json!("blue"),
        json!({}),
        json!([]),
        json!({"name": "y", "namespace": "blue", "labels": {"karmada.io/managed": "true"}}),
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "blue"}}),
        json!({"kind": "User", "name": "eve"}),
    ])
}

fn overriders() -> impl Strategy<Value = Value> {
    let operator = || prop::sample::select(vec!["add", "replace", "remove"]);
    let plain = (pointer(), operator(), value())
        .prop_map(|(path, operator, value)| json!({"path": path, "operator": operator, "value": value}));
    let key = prop::sample::select(vec![
        "karmada.io/managed",
        "portolan.dev/control-plane",
        "work.karmada.io/name",
        "app",
        "name",
        "namespace",
    ]);
    let map = (operator(), key, "[a-z]{0,3}")
        .prop_map(|(operator, key, value)| json!({"operator": operator, "value": {key: value}}));
    let image = (pointer(), operator(), prop::sample::select(vec!["Registry", "Repository", "Tag"]), "[a-z]{1,3}")
        .prop_map(|(path, operator, component, value)| {
            json!({"predicate": {"path": path}, "operator": operator, "component": component, "value": value})
        });
    let field = (pointer(), pointer(), operator(), value()).prop_map(|(path, sub_path, operator, value)| {
        json!({"fieldPath": path, "yaml": [{"subPath": sub_path, "operator": operator, "value": value}]})
    });
    let list = |item: BoxedStrategy<Value>| prop::collection::vec(item, 0..3);
    (
        list(plain.boxed()),
        list(map.clone().boxed()),
        list(map.boxed()),
        list(image.boxed()),
        list(field.boxed()),
    )
        .prop_map(|(plaintext, labels, annotations, images, fields)| {
            json!({"plaintext": plaintext, "labelsOverrider": labels, "annotationsOverrider": annotations,
                "imageOverrider": images, "fieldOverrider": fields})
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    /// Whatever a policy of the namespace contains: it fails, or the object is still the one of its template.
    #[test]
    fn a_policy_fails_or_keeps_the_identity(
        policies in prop::collection::vec(overriders(), 1..4),
        is_binding in any::<bool>(),
    ) {
        let template = if is_binding { role_binding() } else { config_map() };
        let mut manifest = template.clone();
        for overriders in policies {
            let Ok(result) = overridden(&manifest, "red", overriders) else { continue };
            manifest = result;
        }
        prop_assert_eq!(manifest.group_version_kind(), template.group_version_kind());
        prop_assert_eq!(manifest.key(), template.key());
        for field in RIGHTS.iter().filter(|_| is_binding) {
            prop_assert_eq!(manifest.0.get(*field), template.0.get(*field));
        }
        for field in ["uid", "ownerReferences", "finalizers", "generateName"] {
            prop_assert_eq!(manifest.at(&["metadata", field]), None);
        }
        prop_assert!(!manifest.labels().keys().any(|key| is_reserved_label(key)));
        prop_assert!(!manifest.annotations().keys().any(|key| is_reserved_annotation(key)));
    }
}
