use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::object::Object;

fn labels(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split(',').filter(|pair| !pair.is_empty());
    pairs.filter_map(|pair| pair.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

#[test]
fn label_selectors_match() {
    // selector, labels that match, labels that do not
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("", &["", "a=b"], &[]),
        ("a", &["a=", "a=b"], &["", "b=a"]),
        ("!a", &["", "b=a"], &["a=b"]),
        ("a=b", &["a=b,c=d"], &["a=c", ""]),
        ("a==b", &["a=b"], &["a=c"]),
        ("a!=b", &["a=c", ""], &["a=b"]),
        ("a=", &["a="], &["a=b", ""]),
        ("a in (b,c)", &["a=b", "a=c"], &["a=d", ""]),
        ("a notin (b,c)", &["a=d", ""], &["a=b", "a=c"]),
        ("a in (,b)", &["a=", "a=b"], &["a=c"]),
        ("a in ()", &["a="], &["a=b", ""]),
        ("a>1", &["a=2"], &["a=1", "a=x", ""]),
        ("a<10", &["a=9", "a=0"], &["a=10", ""]),
        ("in in (in)", &["in=in"], &["in=notin"]),
        ("a = b , x.io/c in ( d , e ) , !f", &["a=b,x.io/c=e"], &["a=b,x.io/c=e,f=g", "a=b"]),
    ];
    for (text, matching, others) in cases {
        let selector = LabelSelector::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        for set in *matching {
            assert!(selector.matches(&labels(set)), "{text:?} should match {set:?}");
        }
        for set in *others {
            assert!(!selector.matches(&labels(set)), "{text:?} should not match {set:?}");
        }
    }
}

#[test]
fn label_selectors_print_in_one_form() {
    let cases = [
        ("b=1,a==2", "a=2,b=1"),
        ("x notin (b,a,b),!y,z", "x notin (a,b),!y,z"),
        ("a>1,b<2,c!=d", "a>1,b<2,c!=d"),
    ];
    for (text, want) in cases {
        assert_eq!(LabelSelector::parse(text).unwrap().to_string(), want);
    }
}

#[test]
fn errors_of_label_selectors() {
    let cases = [
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("a in (b c)", "unable to parse requirement: found 'c', expected: ',' or ')'"),
        ("a in (", "unable to parse requirement: found '', expected: ',', ')' or identifier"),
        ("a in (b,", "unable to parse requirement: found '', expected: ',', or identifier"),
        ("a=b=c", "found '=', expected: ',' or 'end of string'"),
        ("a,", "found '', expected: identifier after ','"),
        ("=a", "found '=', expected: !, identifier, or 'end of string'"),
        ("!", "unable to parse requirement: found '', expected: identifier"),
        ("a=!", "unable to parse requirement: found '!', expected: identifier"),
        (
            "a>b",
            "unable to parse requirement: values[0]: Invalid value: \"b\": for 'Gt', 'Lt' operators, the value must \
             be an integer",
        ),
        (
            "-a=b",
            "unable to parse requirement: <nil>: Invalid value: \"-a\": name part must consist of alphanumeric \
             characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or \
             'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
        ),
        (
            "a=b-",
            "unable to parse requirement: values[0][a]: Invalid value: \"b-\": a valid label must be an empty \
             string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
             alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is \
             '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
        ),
    ];
    for (text, want) in cases {
        assert_eq!(LabelSelector::parse(text).unwrap_err().to_string(), want, "{text:?}");
    }
}

#[test]
fn label_selectors_of_the_api() {
    let cases: [(Value, &[&str], &[&str]); 5] = [
        (json!(null), &[], &["", "a=b"]),
        (json!({}), &["", "a=b"], &[]),
        (json!({"matchLabels": {"a": "b"}}), &["a=b"], &["a=c"]),
        (
            json!({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["b"]}]}),
            &["", "a=c"],
            &["a=b"],
        ),
        (
            json!({"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "c", "operator": "DoesNotExist"}]}),
            &["a=b"],
            &["a=b,c=d"],
        ),
    ];
    for (value, matching, others) in cases {
        let selector = LabelSelector::from_value(&value).unwrap();
        assert!(matching.iter().all(|set| selector.matches(&labels(set))), "{value}");
        assert!(!others.iter().any(|set| selector.matches(&labels(set))), "{value}");
    }
    let errors = [
        (json!([]), "a label selector must be a map"),
        (json!({"matchLabels": {"a": 1}}), "matchLabels must hold strings"),
        (
            json!({"matchExpressions": [{"key": "a", "operator": "Near"}]}),
            "\"Near\" is not a valid label selector operator",
        ),
        (
            json!({"matchExpressions": [{"key": "a", "operator": "In"}]}),
            "values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty",
        ),
    ];
    for (value, want) in errors {
        assert_eq!(LabelSelector::from_value(&value).unwrap_err().to_string(), want);
    }
}

#[test]
fn label_selectors_match_objects() {
    let object = Object(json!({"metadata": {"labels": {"a": "b"}}}));
    assert!(LabelSelector::parse("a=b").unwrap().matches_object(&object));
    assert!(!LabelSelector::parse("!a").unwrap().matches_object(&object));
    assert!(LabelSelector::from_labels(&labels("a=b")).matches_object(&object));
    assert!(!LabelSelector::nothing().matches_object(&object));
}

#[test]
fn field_selectors_parse() {
    let cases = [
        ("", ""),
        ("metadata.name=a", "metadata.name=a"),
        ("b!=x,a==y,", "a=y,b!=x"),
        (r"a=x\,y\=z\\", r"a=x\,y\=z\\"),
        ("a=", "a="),
        ("==,!=", ""),
    ];
    for (text, want) in cases {
        assert_eq!(FieldSelector::parse(text).unwrap().to_string(), want, "{text:?}");
    }
    let errors = [
        ("metadata.name", "invalid selector: 'metadata.name'; can't understand 'metadata.name'"),
        ("a=b,c", "invalid selector: 'a=b,c'; can't understand 'c'"),
        (r"a=\x", r"invalid field selector: invalid escape sequence: \x"),
        (r"a=\", r"invalid field selector: invalid escape sequence: \"),
        ("a=b=c", "invalid field selector: unescaped character in value: 61"),
    ];
    for (text, want) in errors {
        assert_eq!(FieldSelector::parse(text).unwrap_err().to_string(), want, "{text:?}");
    }
}

#[test]
fn field_selectors_match() {
    let lookup = |field: &str| (field == "status.phase").then(|| "Running".to_owned());
    let cases = [
        ("", true),
        ("status.phase=Running", true),
        ("status.phase!=Running", false),
        ("spec.nodeName=", true),
        ("spec.nodeName!=,status.phase=Running", false),
    ];
    for (text, want) in cases {
        assert_eq!(FieldSelector::parse(text).unwrap().matches(lookup), want, "{text:?}");
    }
    assert_eq!(FieldSelector::parse("metadata.name=a,b!=c").unwrap().exact("metadata.name"), Some("a"));
    assert_eq!(FieldSelector::parse("metadata.name!=a").unwrap().exact("metadata.name"), None);
}
