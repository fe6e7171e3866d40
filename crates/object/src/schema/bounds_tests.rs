//! The work of validation, defaulting and printer columns grows in proportion to the object, or ends at a limit.

use serde_json::{Value, json};

use super::structural::{self, Structural};
use super::{defaults, validate};
use crate::budget::{Budget, Exhausted, Interrupt};
use crate::jsonpath::{JsonPath, JsonPathError, MissingKeys};

fn compiled(spec: &Value) -> Structural {
    let schema = json!({"type": "object", "properties": {"spec": spec}});
    structural::compile(&schema, "schema").expect("structural")
}

/// Errors about an object, and the work that it took to find them.
fn validated(schema: &Structural, spec: &Value, old: Option<&Value>, limit: u64) -> (Vec<String>, u64) {
    let budget = Budget::new(limit, &Interrupt::never());
    let (new, old) = (json!({"spec": spec}), old.map(|old| json!({"spec": old})));
    let errors = validate::validate_with(&new, old.as_ref(), schema.schema(), &budget);
    (errors.iter().map(ToString::to_string).collect(), budget.spent())
}

fn elements(count: usize, element: impl Fn(usize) -> Value) -> Value {
    Value::Array((0..count).map(element).collect())
}

#[test]
fn validation_is_linear_in_the_object() {
    let name = json!({"type": "string", "pattern": "^[a-z0-9]*$", "maxLength": 10});
    let keyed = json!({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
        "items": {"type": "object", "required": ["name"], "properties": {"name": name, "n": {"type": "integer"}}}});
    let set = json!({"type": "array", "x-kubernetes-list-type": "set", "items": name});
    let any_of = json!({"type": "array", "items": {"type": "integer", "anyOf":
        (0..20).map(|at| json!({"minimum": at, "maximum": at, "anyOf": [{"minimum": 0}, {"maximum": 9}]})).collect::<Vec<_>>()}});
    let values: Vec<String> = (0..100).map(|at| format!("v{at}")).collect();
    let one_of = json!({"type": "array", "items": {"type": "string", "enum": values}});
    type Object = fn(usize) -> Value;
    let cases: [(&str, Value, Object); 4] = [
        ("list map", keyed, |count| elements(count, |at| json!({"name": format!("e{at}"), "n": at}))),
        ("set", set, |count| elements(count, |at| json!(format!("e{at}")))),
        ("anyOf", any_of, |count| elements(count, |at| json!(at % 20))),
        ("enum", one_of, |count| elements(count, |at| json!(format!("v{}", at % 100)))),
    ];
    for (name, schema, object) in cases {
        let schema = compiled(&schema);
        let work = |count: usize| {
            let new = object(count);
            let mut old = object(count);
            old.as_array_mut().expect("a list").reverse();
            let (errors, work) = validated(&schema, &new, Some(&old), validate::WORK_LIMIT);
            assert_eq!(errors, Vec::<String>::new(), "{name}");
            work
        };
        let (once, four_times) = (work(500), work(2_000));
        assert!(four_times < 5 * once, "{name}: {once}, {four_times}");
    }
}

#[test]
fn alternatives_times_elements_end_at_a_limit() {
    const LIMIT: u64 = 100_000;
    // Every alternative walks the whole list: 200 × 5 000 steps.
    let alternative = json!({"items": {"minimum": 1}});
    let schema = compiled(&json!({"type": "array", "items": {"type": "integer"},
        "anyOf": vec![alternative; 200]}));
    let (errors, work) = validated(&schema, &elements(5_000, |_| json!(1)), None, LIMIT);
    let want = format!(
        "<nil>: Invalid value: null: the object was not validated to its end: {}",
        Exhausted::Limit { limit: LIMIT }
    );
    assert_eq!(errors.last(), Some(&want));
    assert_eq!(work, LIMIT);
}

#[test]
fn errors_are_bounded_in_number_and_size() {
    let values: Vec<String> = (0..1_000).map(|at| format!("value-{at}")).collect();
    let schema = compiled(&json!({"type": "array", "items": {"type": "string", "enum": values}}));
    let (errors, _) = validated(&schema, &elements(20_000, |_| json!("other")), None, validate::WORK_LIMIT);
    let bytes: usize = errors.iter().map(String::len).sum();
    assert!(errors.len() < 1_002 && bytes < 2 << 20, "{} errors, {bytes} bytes", errors.len());
    assert!(errors.last().is_some_and(|last| last.contains("there are more errors")), "{:?}", errors.last());
}

#[test]
fn a_long_key_is_not_repeated_for_every_finding() {
    let key = "k".repeat(10_000);
    let element = json!({"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}});
    let set = json!({"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}});
    for (name, values, object) in [
        ("required", json!({"type": "array", "items": element}), elements(20_000, |_| json!({}))),
        ("duplicate", set, elements(20_000, |at| json!((at / 2).to_string()))),
        (
            "alternatives",
            json!({"type": "array", "items": {"type": "integer", "anyOf": [{"minimum": 1}]}}),
            elements(20_000, |_| json!(0)),
        ),
    ] {
        let schema = compiled(&json!({"type": "object", "additionalProperties": values}));
        let (errors, _) = validated(&schema, &json!({key.clone(): object}), None, validate::WORK_LIMIT);
        let bytes: usize = errors.iter().map(String::len).sum();
        assert!(!errors.is_empty() && bytes < 2 << 20, "{name}: {bytes}");
    }
    let schema =
        compiled(&json!({"type": "object", "additionalProperties": {"type": "array", "items": element}}));
    let mut unknown = json!({"spec": {key: elements(20_000, |_| json!({"b": 1}))}});
    let dropped = super::prune(&mut unknown, schema.schema());
    assert!(dropped.len() <= 100 && dropped.concat().len() < 1 << 20);
}

#[test]
fn an_interrupt_ends_validation() {
    let schema = compiled(&json!({"type": "array", "items": {"type": "integer"}}));
    let budget = Budget::new(validate::WORK_LIMIT, &Interrupt::new(|| true));
    let object = json!({"spec": elements(100_000, |_| json!(1))});
    let errors = validate::validate_with(&object, None, schema.schema(), &budget);
    assert!(
        errors.last().is_some_and(|last| last.to_string().contains("request has timed out")),
        "{:?}",
        errors.last()
    );
    assert!(budget.spent() < 10_000, "{}", budget.spent());
}

/// Lists in lists, each with a default of many elements.
fn multiplying(elements: usize, depth: usize) -> Value {
    let mut schema = json!({"type": "integer", "default": 7});
    for _ in 0..depth {
        schema = json!({"type": "array", "default": vec![json!({}); elements],
            "items": {"type": "object", "properties": {"n": schema}}});
    }
    schema
}

#[test]
fn defaults_that_multiply_are_refused() {
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object",
        "properties": {"list": multiplying(200, 4)}}}});
    let errors = structural::compile(&schema, "schema").expect_err("1.6 billion values");
    let want = "schema.properties[spec].properties[list].default: Forbidden: the defaults of the schema, filled into \
                each other, must not take more than 3145728 bytes";
    assert_eq!(errors[0].to_string(), want);
}

#[test]
fn defaults_of_many_elements_end_at_a_limit() {
    let schema = compiled(&json!({"type": "array", "items": {"type": "object",
        "properties": {"list": multiplying(20, 2)}}}));
    let mut object = json!({"spec": elements(100, |_| json!({}))});
    defaults::default(&mut object, schema.schema());
    assert!(!defaults::is_cut_short(&object, schema.schema()));
    let mut object = json!({"spec": elements(100_000, |_| json!({}))});
    defaults::default(&mut object, schema.schema());
    assert!(defaults::is_cut_short(&object, schema.schema()));
    assert!(object.to_string().len() < 4 * defaults::MAX_INSERTED);
}

#[test]
fn paths_end_at_a_limit() {
    let mut object = json!(vec![1; 10_000]);
    for _ in 0..20 {
        object = json!({"a": object, "b": [object_of(3)]});
    }
    for path in ["..a..a..a..a..a..a", ".b[?(@..a==1)]..a", "..*..*..*..*", "..[*]..[*]..[*]..[*]"] {
        let Ok(compiled) = JsonPath::parse(path) else { continue };
        let budget = Budget::new(50_000, &Interrupt::never());
        let _ = compiled.first(&object, &budget);
        assert!(budget.spent() <= 50_000, "{path}: {}", budget.spent());
    }
    let again = JsonPath::parse("..a..a..a..a..a..a..a..a").expect("a path");
    let outcome = again.evaluate(&object, MissingKeys::Skip);
    assert!(
        matches!(outcome, Err(JsonPathError::Exhausted(_) | JsonPathError::TooMany)),
        "{:?}",
        outcome.map(|found| found.len())
    );
}

fn object_of(entries: usize) -> Value {
    Value::Object((0..entries).map(|at| (format!("k{at}"), json!(at))).collect())
}
