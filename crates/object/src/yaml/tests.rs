use serde_json::json;

use super::*;

#[test]
fn scalars_are_read_as_kubectl_reads_them() {
    let cases = [
        ("1", json!(1)),
        ("0777", json!(511)),
        ("0o17", json!(15)),
        ("0x10", json!(16)),
        ("1.0", json!(1)),
        ("1e3", json!(1000)),
        ("0.5", json!(0.5)),
        ("-7", json!(-7)),
        ("9007199254740993", json!(9_007_199_254_740_993_i64)),
        ("18446744073709551615", json!(u64::MAX)),
        ("yes", json!(true)),
        ("off", json!(false)),
        ("~", json!(null)),
        ("\"yes\"", json!("yes")),
        ("2001-01-01", json!("2001-01-01")),
        ("1.2.3", json!("1.2.3")),
        ("100m", json!("100m")),
        ("|\n  x\n  y\n", json!("x\ny\n")),
        ("[1, a, {b: c}]", json!([1, "a", {"b": "c"}])),
    ];
    for (text, want) in cases {
        assert_eq!(parse_documents(&format!("v: {text}")), Ok(vec![json!({ "v": want })]), "{text}");
    }
}

#[test]
fn documents() {
    let cases = [
        ("", json!([])),
        ("---\n---\n# nothing\n", json!([])),
        ("a: 1\n---\nb: 2\n---\n", json!([{"a": 1}, {"b": 2}])),
        ("{\"a\": [1, null]}", json!([{"a": [1, null]}])),
        ("1: a\n", json!([{"1": "a"}])),
        (
            "a: &x {b: 1}\nc: *x\nd: {<<: *x, b: 2}\ne: {b: 3, <<: *x}\n",
            json!([{"a": {"b": 1}, "c": {"b": 1}, "d": {"b": 2}, "e": {"b": 3}}]),
        ),
    ];
    for (text, want) in cases {
        assert_eq!(parse_documents(text).map(Value::Array), Ok(want), "{text:?}");
    }
    assert_eq!(read_document("a: 1").unwrap().value, json!({"a": 1}));
    assert_eq!(read_document(""), Err(YamlError::NotOne(0)));
    assert_eq!(read_document("a: 1\n---\nb: 1"), Err(YamlError::NotOne(2)));
}

#[test]
fn repeated_keys_are_reported() {
    let text = "metadata:\n  name: a\n  labels: {x: 1, x: 2}\n  name: b\n";
    let document = read_document(text).unwrap();
    assert_eq!(document.value, json!({"metadata": {"name": "b", "labels": {"x": 2}}}));
    let found: Vec<_> = document.duplicates.iter().map(ToString::to_string).collect();
    assert_eq!(found, ["line 3: key \"x\" already set in map", "line 4: key \"name\" already set in map"]);
    assert_eq!(
        parse_documents("a: 1\na: 2\n").unwrap_err().to_string(),
        "yaml: unmarshal errors:\n  line 2: key \"a\" already set in map"
    );
}

#[test]
fn hostile_text_is_refused() {
    let deep = "[".repeat(1000);
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
                d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n\
                f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n";
    for text in [deep.as_str(), bomb, "a: [", "a: .nan", "a:\n\tb: 1", "a: b: c", "a: *unknown"] {
        let found = parse_documents(text);
        assert!(matches!(found, Err(YamlError::Invalid(_))), "{text}: {found:?}");
    }
    let long = "x".repeat(DOCUMENT_LIMIT + 1);
    assert!(matches!(read_document(&long), Err(YamlError::TooLong { .. })));
}

#[test]
fn what_is_written_can_be_read() {
    let value = json!({
        "apiVersion": "v1",
        "data": {"yes": "yes", "n": "0777", "t": "1.0", "m": "a\nb\n", "e": "", "l": "word ".repeat(60), "~": "null"},
        "list": [1, {"a": [], "b": {}}, [true, null, 1.5]],
    });
    let text = to_string(&value);
    assert_eq!(parse_documents(&text), Ok(vec![value]), "{text}");
    assert_eq!(to_string(&json!({"a": {"b": [{"c": 1, "d": "x"}]}})), "a:\n  b:\n  - c: 1\n    d: x\n");
}
