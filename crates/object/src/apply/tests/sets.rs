//! Field sets on their own.

use serde_json::{Value, json};

use super::FieldSet;

fn set(value: Value) -> FieldSet {
    FieldSet::parse(&value).unwrap()
}

#[test]
fn canonical_form() {
    let cases = [
        (json!({}), json!({})),
        (json!({"f:a": {".": {}}}), json!({"f:a": {}})),
        (json!({"f:a": {".": {}, "f:b": {}}}), json!({"f:a": {".": {}, "f:b": {}}})),
        (json!({"k:{ \"b\": 1, \"a\" : \"\\u003c\" }": {}}), json!({"k:{\"a\":\"<\",\"b\":1}": {}})),
        (json!({"v: \"x\"": {}, "i:07": {}}), json!({"v:\"x\"": {}, "i:7": {}})),
    ];
    for (value, want) in cases {
        assert_eq!(set(value).into_value(), want);
    }
    for value in [
        json!([]),
        json!({"a": {}}),
        json!({"f:a": 1}),
        json!({"k:{}": {}}),
        json!({"v:": {}}),
        json!({"i:x": {}}),
    ] {
        assert!(FieldSet::parse(&value).is_err(), "{value}");
    }
}

#[test]
fn operations() {
    let a = set(json!({"f:x": {}, "f:y": {".": {}, "f:z": {}}, "f:w": {"f:v": {}}}));
    let b = set(json!({"f:x": {"f:q": {}}, "f:y": {"f:z": {}}, "f:u": {}}));

    let mut union = a.clone();
    union.union(&b);
    assert_eq!(
        union.clone().into_value(),
        json!({"f:x": {".": {}, "f:q": {}}, "f:y": {".": {}, "f:z": {}}, "f:w": {"f:v": {}}, "f:u": {}})
    );
    let mut difference = a.clone();
    difference.subtract(&b);
    assert_eq!(difference.into_value(), json!({"f:x": {}, "f:y": {}, "f:w": {"f:v": {}}}));
    assert_eq!(a.intersection(&b).into_value(), json!({"f:y": {"f:z": {}}}));

    let mut parent = a.clone();
    parent.subtract(&set(json!({"f:y": {}})));
    assert!(parent.contains(&["f:y", "f:z"]) && !parent.contains(&["f:y"]));

    let mut built = FieldSet::default();
    for path in [["f:y", "f:z"].as_slice(), &["f:x"], &["f:y"], &["f:w", "f:v"], &[]] {
        built.insert(path);
    }
    assert_eq!(built, a);
    assert_eq!(a.paths(), [vec!["f:x"], vec!["f:y"], vec!["f:w", "f:v"], vec!["f:y", "f:z"]]);
}

#[test]
fn paths_read_as_in_messages() {
    let set = set(
        json!({"f:a": {"k:{\"n\":\"x\",\"p\":80}": {"f:b": {}}, "v:\"q\"": {}, "v:true": {}, "i:3": {}}}),
    );
    let lines: Vec<String> = set.to_string().lines().map(str::to_owned).collect();
    assert_eq!(lines, [".a[3]", ".a[=\"q\"]", ".a[=true]", ".a[n=\"x\",p=80].b"]);
}
