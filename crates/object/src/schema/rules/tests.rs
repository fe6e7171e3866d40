use serde_json::json;

use super::*;
use crate::schema::structural::{self, Structural};

struct Compiled {
    structural: Structural,
    compilation: Compilation,
}

fn compiled(spec: &Value) -> Compiled {
    let schema = json!({"type": "object", "properties": {"spec": spec}});
    let structural = structural::compile(&schema, "schema").expect("structural");
    let compilation = compile(&structural, "schema");
    Compiled { structural, compilation }
}

fn evaluated(spec: &Value, new: &Value, old: Option<&Value>) -> (Vec<String>, Vec<String>) {
    let Compiled { structural, compilation } = compiled(spec);
    let (new, old) = (json!({"spec": new}), old.map(|old| json!({"spec": old})));
    let outcome = compilation.rules.evaluate(&new, old.as_ref(), structural.schema(), &Interrupt::never());
    (outcome.errors.iter().map(ToString::to_string).collect(), outcome.warnings)
}

/// A `spec` with one rule and some fields.
fn spec(rule: Value) -> Value {
    json!({"type": "object", "x-kubernetes-validations": [rule], "properties": {
        "replicas": {"type": "integer"}, "max": {"type": "integer"}, "ratio": {"type": "number"},
        "name": {"type": "string"}, "a-b": {"type": "string"}, "namespace": {"type": "string"},
        "since": {"type": "string", "format": "date-time"}, "every": {"type": "string", "format": "duration"},
        "port": {"x-kubernetes-int-or-string": true}, "list": {"type": "array", "items": {"type": "string"}},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "memory": {"type": "string"}, "address": {"type": "string"},
    }})
}

#[test]
fn rules_hold_or_refuse() {
    let cases = [
        ("comparison", "self.replicas <= self.max", json!({"replicas": 1, "max": 2}), true),
        ("comparison that fails", "self.replicas <= self.max", json!({"replicas": 3, "max": 2}), false),
        ("absent field", "!has(self.name) || self.name.startsWith('a')", json!({}), true),
        ("double", "self.ratio > 0.5", json!({"ratio": 1}), true),
        (
            "escaped names",
            "self.a__dash__b == 'x' && self.__namespace__ == 'y'",
            json!({"a-b": "x", "namespace": "y"}),
            true,
        ),
        (
            "list macros",
            "self.list.all(x, x.size() < 3) && self.list.exists(x, x == 'b')",
            json!({"list": ["a", "b"]}),
            true,
        ),
        (
            "map",
            "self.labels.all(k, k.matches('^[a-z.]+$')) && 'a.b' in self.labels",
            json!({"labels": {"a.b": "x"}}),
            true,
        ),
        (
            "time",
            "self.since < timestamp('2030-01-01T00:00:00Z')",
            json!({"since": "2026-01-01T00:00:00Z"}),
            true,
        ),
        ("duration", "self.every >= duration('1m')", json!({"every": "1h"}), true),
        (
            "integer or string",
            "type(self.port) == int ? self.port > 0 : self.port != ''",
            json!({"port": 80}),
            true,
        ),
        ("type of a text", "type(self.port) == string", json!({"port": "http"}), true),
        (
            "code points",
            "self.name.size() == 2 && size(self.name) == 2",
            json!({"name": "\u{e4}\u{f6}"}),
            true,
        ),
        ("conversions", "dyn(self.replicas) > 0.5 && bool('true')", json!({"replicas": 1}), true),
        ("quantity", "quantity(self.memory).isGreaterThan(quantity('1Mi'))", json!({"memory": "1Gi"}), true),
        (
            "address",
            "isIP(self.address) && ip(self.address).family() == 4",
            json!({"address": "10.0.0.1"}),
            true,
        ),
        (
            "strings",
            "self.name.lowerAscii() == 'abc' && self.name.split('B').size() == 2",
            json!({"name": "aBc"}),
            true,
        ),
    ];
    for (name, rule, value, holds) in cases {
        let (errors, warnings) = evaluated(&spec(json!({"rule": rule})), &value, None);
        assert_eq!(warnings, Vec::<String>::new(), "{name}");
        assert_eq!(errors.is_empty(), holds, "{name}: {errors:?}");
    }
}

#[test]
fn errors_are_worded_as_upstream() {
    let value = json!({"replicas": 7});
    let rule = "self.replicas < 7";
    let cases = [
        ("rule alone", json!({"rule": rule}), "spec: Invalid value: failed rule: self.replicas < 7"),
        ("message", json!({"rule": rule, "message": " too many "}), "spec: Invalid value: too many"),
        (
            "message expression",
            json!({"rule": rule, "message": "m", "messageExpression": "'not ' + string(self.replicas)"}),
            "spec: Invalid value: not 7",
        ),
        (
            "reason and path",
            json!({"rule": rule, "message": "seven is forbidden", "reason": "FieldValueForbidden", "fieldPath": ".replicas"}),
            "spec.replicas: Forbidden: seven is forbidden",
        ),
        (
            "required",
            json!({"rule": rule, "message": "m", "reason": "FieldValueRequired"}),
            "spec: Required value: m",
        ),
        (
            "missing key",
            json!({"rule": "self.name == 'x'"}),
            "spec: Invalid value: \"object\": no such key: name evaluating rule: self.name == 'x'",
        ),
        (
            "division by zero",
            json!({"rule": "1 / 0 == 1"}),
            "spec: Invalid value: \"object\": division by zero evaluating rule: 1 / 0 == 1",
        ),
    ];
    for (name, rule, want) in cases {
        assert_eq!(evaluated(&spec(rule), &value, None).0, [want], "{name}");
    }
    let scalar = json!({"type": "object", "properties": {"n": {"type": "integer", "x-kubernetes-validations": [{"rule": "self > 1"}]}}});
    let want = ["spec.n: Invalid value: 1: failed rule: self > 1"];
    assert_eq!(evaluated(&scalar, &json!({"n": 1}), None).0, want);
}

#[test]
fn transition_rules_need_an_old_value() {
    let immutable = spec(json!({"rule": "self.name == oldSelf.name", "message": "name is immutable"}));
    let (a, b) = (json!({"name": "a"}), json!({"name": "b"}));
    assert_eq!(evaluated(&immutable, &b, None).0, Vec::<String>::new(), "create");
    assert_eq!(evaluated(&immutable, &a, Some(&a)).0, Vec::<String>::new(), "unchanged");
    assert_eq!(evaluated(&immutable, &b, Some(&a)).0, ["spec: Invalid value: name is immutable"], "changed");
    let optional = spec(json!({"rule": "oldSelf.hasValue() || self.name == 'a'", "optionalOldSelf": true}));
    assert_eq!(evaluated(&optional, &b, None).0.len(), 1, "optional, on create");
    assert_eq!(evaluated(&optional, &b, Some(&a)), (vec![], vec![]), "optional, on update");
}

#[test]
fn elements_of_list_maps_are_matched_by_key() {
    let list = json!({"type": "object", "properties": {"list": {"type": "array",
        "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"], "items": {"type": "object",
            "required": ["name"], "x-kubernetes-validations": [{"rule": "self.size >= oldSelf.size", "message": "shrinks"}],
            "properties": {"name": {"type": "string"}, "size": {"type": "integer"}}}}}});
    let old = json!({"list": [{"name": "a", "size": 5}, {"name": "b", "size": 5}]});
    let new = json!({"list": [{"name": "b", "size": 4}, {"name": "a", "size": 5}, {"name": "c", "size": 1}]});
    assert_eq!(evaluated(&list, &new, Some(&old)).0, ["spec.list[0]: Invalid value: shrinks"]);
}

#[test]
fn sets_are_equal_in_any_order() {
    let set = json!({"type": "object", "x-kubernetes-validations": [{"rule": "self.set == oldSelf.set"}], "properties": {
        "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}}}});
    let outcome = evaluated(&set, &json!({"set": ["a", "b"]}), Some(&json!({"set": ["b", "a"]})));
    assert_eq!(outcome, (vec![], vec![]));
}

#[test]
fn what_was_broken_before_is_warned_about() {
    let rule = spec(json!({"rule": "self.replicas < 7", "message": "too many"}));
    let value = json!({"replicas": 9});
    let (errors, warnings) = evaluated(&rule, &value, Some(&value));
    assert_eq!((errors, warnings), (vec![], vec!["spec: Invalid value: too many".to_owned()]));
}

#[test]
fn what_cannot_be_evaluated_here_is_a_warning() {
    let endless = compiled(&spec(json!({"rule": format!("{}true", "!".repeat(5000))})));
    assert!(endless.compilation.rules.is_empty() && endless.compilation.errors.is_empty());
    let warnings = endless.compilation.warnings;
    assert!(
        warnings[0].starts_with("schema.properties[spec].x-kubernetes-validations[0].rule: not enforced"),
        "{warnings:?}"
    );
}

#[test]
fn rules_that_cannot_work_refuse_the_definition() {
    let items = json!({"type": "object", "properties": {"list": {"type": "array", "maxItems": 9, "items": {
        "type": "string", "maxLength": 9, "x-kubernetes-validations": [{"rule": "self == oldSelf"}]}}}});
    let errors: Vec<String> = compiled(&items).compilation.errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        errors,
        ["schema.properties[spec].properties[list].items.x-kubernetes-validations[0].rule: Invalid value: \
          \"self == oldSelf\": oldSelf cannot be used on the uncorrelatable portion of the schema within \
          schema.properties[spec].properties[list]"]
    );
    let unused = compiled(&spec(json!({"rule": "true", "optionalOldSelf": true})));
    assert_eq!(
        unused.compilation.errors[0].to_string(),
        "schema.properties[spec].x-kubernetes-validations[0].optionalOldSelf: Invalid value: true: may not be set \
         if oldSelf is not used in rule"
    );
}

#[test]
fn the_root_sees_names() {
    let schema =
        json!({"type": "object", "x-kubernetes-validations": [{"rule": "self.metadata.name == 'x'"}]});
    let structural = structural::compile(&schema, "schema").expect("structural");
    let rules = compile(&structural, "schema").rules;
    let outcome =
        rules.evaluate(&json!({"metadata": {"name": "y"}}), None, structural.schema(), &Interrupt::never());
    assert_eq!(outcome.errors[0].to_string(), "<nil>: Invalid value: failed rule: self.metadata.name == 'x'");
}

#[test]
fn rules_may_be_shared_between_threads() {
    fn assert_shared<T: Send + Sync>() {}
    assert_shared::<Rules>();
}
