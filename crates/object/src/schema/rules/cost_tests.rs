//! Estimated and actual costs. Estimates are those of apiextensions-apiserver pkg/apiserver/schema/cel
//! compilation_test.go (`TestCostEstimation`), exactly.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;

use super::*;
use crate::cel::{Declarations, estimate};
use crate::schema::structural::{self, Structural};

/// Replaces limits that are `"max"` by a number, or removes them.
fn limited(schema: &Value, max: Option<u64>) -> Value {
    match schema {
        Value::Object(map) => {
            let entry = |(name, value): (&String, &Value)| match (value.as_str(), max) {
                (Some("max"), None) => None,
                (Some("max"), Some(max)) => Some((name.clone(), json!(max))),
                _ => Some((name.clone(), limited(value, max))),
            };
            Value::Object(map.iter().filter_map(entry).collect())
        }
        other => other.clone(),
    }
}

fn definition(schema: &Value) -> Structural {
    let whole = json!({"type": "object", "properties": {"value": schema}});
    structural::compile(&whole, "schema").expect("structural")
}

/// The estimated cost of the only rule.
fn estimated(schema: &Value, rule: &str) -> u64 {
    let structural = definition(schema);
    let value = structural.schema().property("value").expect("declared");
    let declaration = Declarations::default().of(value, values::escape);
    let program = Program::parse(rule).expect("a rule");
    estimate(&program, declaration.as_ref(), false).max
}

fn array(items: Value) -> Value {
    json!({"type": "array", "maxItems": "max", "items": items})
}

fn map(values: Value) -> Value {
    json!({"type": "object", "maxProperties": "max", "additionalProperties": values})
}

fn scalar(kind: &str) -> Value {
    match kind {
        "int-or-string" => json!({"x-kubernetes-int-or-string": true}),
        "duration" | "date" | "date-time" => json!({"type": "string", "format": kind}),
        kind => json!({"type": kind}),
    }
}

/// A schema, a rule, the cost without limits, the limit, and the cost with it.
type Case = (Value, &'static str, u64, u64, u64);

fn assert_estimates(cases: Vec<Case>) {
    for (schema, rule, unlimited, max, with_limit) in cases {
        let name = format!("{rule} on {schema}");
        assert_eq!(estimated(&limited(&schema, None), rule), unlimited, "{name}");
        assert_eq!(estimated(&limited(&schema, Some(max)), rule), with_limit, "{name} with {max}");
    }
}

#[test]
fn loops_are_estimated_as_upstream() {
    let object = json!({"type": "object", "required": ["required"],
        "properties": {"required": {"type": "string"}, "optional": {"type": "string"}}});
    let all = "self.all(x, true)";
    assert_estimates(vec![
        (array(scalar("number")), all, 4_718_591, 10, 32),
        (array(scalar("string")), all, 3_145_727, 20, 62),
        (array(scalar("boolean")), all, 1_887_437, 5, 17),
        (array(json!({"type": "array", "items": {"type": "number"}})), all, 3_145_727, 100, 302),
        (map(scalar("number")), all, 1_348_169, 10, 32),
        (map(scalar("string")), all, 1_179_647, 3, 11),
        (map(scalar("boolean")), all, 943_718, 100, 302),
        (array(scalar("int-or-string")), all, 4_718_591, 10, 32),
        (array(scalar("duration")), all, 2_359_295, 5, 17),
        (array(scalar("date")), all, 725_936, 15, 47),
        (array(scalar("date-time")), all, 428_963, 25, 77),
        (map(scalar("int-or-string")), all, 1_348_169, 15, 47),
        (map(object.clone()), all, 428_963, 20, 62),
        (map(scalar("duration")), all, 1_048_577, 5, 17),
        (map(scalar("date")), all, 524_288, 10, 32),
        (map(scalar("date-time")), all, 349_526, 25, 77),
        (array(scalar("number")), "self.all(x, x == 0.0)", 6_291_454, 3 * 1024 * 2048, 25_165_826),
        (
            map(json!({"type": "string", "maxLength": "max"})),
            "self.all(x, x.contains(self[x]))",
            2_752_507,
            10,
            72,
        ),
        (
            array(json!({"type": "object", "maxProperties": "max", "additionalProperties": object})),
            "self.all(x, x[\"y\"].required == \"z\")",
            7_340_027,
            10,
            72,
        ),
        (
            array(json!({"type": "object", "additionalProperties": {"type": "number"}})),
            "self.all(x, x.y == 25.2)",
            6_291_452,
            12,
            74,
        ),
    ]);
}

#[test]
fn accesses_are_estimated_as_upstream() {
    let nested = array(json!({"type": "array", "items": {"type": "number"}}));
    let maps = array(json!({"type": "object", "additionalProperties": {"type": "number"}}));
    assert_estimates(vec![
        (array(scalar("number")), "self[1] == 0.0", 2, 5000, 2),
        (array(scalar("string")), "self[1] == self[1]", 314_577, 8, 314_577),
        (array(scalar("number")), "self[3] == 0.0", 2, 0, 2),
        (map(scalar("number")), "self[\"x\"] == 0.0", 2, 0, 2),
        (array(scalar("int-or-string")), "self[0] == 5", 3, 10, 3),
        (array(scalar("boolean")), "self[0] == false", 2, 25, 2),
        (nested, "self[0][0] == -1.0", 3, 51, 3),
        (maps, "self[0].x > 2.0", 4, 3000, 4),
        (array(scalar("duration")), "self[0].getHours() == 2", 4, 525, 4),
        (array(scalar("date")), "self[2].getDayOfMonth() == 13", 4, 42, 4),
        (array(scalar("date-time")), "self[2].getMinutes() == 45", 4, 99, 4),
        (map(scalar("integer")), "oldSelf.size() == self.size()", 5, 10, 5),
        (map(scalar("date-time")), "self[\"a\"] == self[\"b\"]", 8, 7, 8),
        (map(scalar("duration")), "self[\"c\"] == self[\"d\"]", 8, 42, 8),
    ]);
}

#[test]
fn texts_are_estimated_as_upstream() {
    let text = json!({"type": "string", "maxLength": "max"});
    let bytes = json!({"type": "string", "format": "byte", "maxLength": "max"});
    let list = array(text.clone());
    let split = json!({"type": "object", "properties": {"str": text, "separator": text}});
    let replace = json!({"type": "object", "properties": {"str": text,
        "before": {"type": "string", "maxLength": 2}, "after": {"type": "string", "maxLength": 4}}});
    let one_of = json!({"type": "string", "maxLength": "max", "enum": ["A", "B", "C", "LongValue"]});
    let int_or_string = json!({"x-kubernetes-int-or-string": true, "maxLength": "max"});
    assert_estimates(vec![
        (text.clone(), "self.contains('test')", 314_574, 10, 5),
        (text.clone(), "self.startsWith('test')", 2, 15, 2),
        (text.clone(), "self.endsWith('test')", 2, 30, 2),
        (text.clone(), "size(self + \"hello\") > size(\"hello\")", 314_578, 4, 7),
        (text.clone(), "self.matches(\"x\")", 314_574, 50, 22),
        (text.clone(), "\"\".matches(\"(((((((((())))))))))[0-9]\")", 7, 10, 7),
        (text.clone(), "self.matches(\"\")", 1, 100, 1),
        (text.clone(), "self == \"x\"", 2, 0, 1),
        (bytes, "self == b\"x\"", 2, 0, 1),
        (text.clone(), "self.find('[0-9]+') == ''", 629_147, 10, 11),
        (list.clone(), "self.join(' ') == 'aa bb'", 329_853_068_905, 10, 43),
        (list, "self.isSorted() == true", 329_854_432_052, 10, 52),
        (replace, "self.str.replace(self.before, self.after) == 'does not matter'", 629_154, 4, 12),
        (split, "self.str.split(self.separator) == []", 629_160, 10, 22),
        (text, "self.lowerAscii() == 'lower!'", 314_575, 10, 6),
        (one_of, "self.contains('A')", 2, 1000, 401),
        (int_or_string, "isQuantity(self)", 314_574, 20, 9),
    ]);
}

#[test]
fn nested_loops_multiply() {
    let numbers = array(scalar("number"));
    for (rule, with_limit) in
        [("self.all(x, self.all(y, true))", 352), ("self.all(x, self.all(y, self.all(z, true)))", 3552)]
    {
        assert!(estimated(&limited(&numbers, None), rule) > 10_000_000, "{rule}");
        assert_eq!(estimated(&limited(&numbers, Some(10)), rule), with_limit, "{rule}");
    }
}

fn compiled(schema: &Value) -> (Structural, Compilation) {
    let structural = definition(schema);
    let compilation = compile(&structural, "schema");
    (structural, compilation)
}

fn errors(compilation: &Compilation) -> Vec<String> {
    compilation.errors.iter().map(ToString::to_string).collect()
}

const ADVICE: &str = "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, \
                      and strings are declared)";

#[test]
fn a_definition_with_a_costly_rule_is_refused() {
    let unique = json!([{"rule": "self.a.all(x, self.a.exists_one(y, x == y))"}]);
    let spec = |list: Value| json!({"type": "object", "properties": {"a": list}, "x-kubernetes-validations": unique});
    let (_, compilation) = compiled(&spec(json!({"type": "array", "items": {"type": "integer"}})));
    let rule = "schema.properties[value].x-kubernetes-validations[0].rule";
    assert_eq!(
        errors(&compilation),
        [
            format!(
                "{rule}: Forbidden: estimated rule cost exceeds budget by factor of more than 100x {ADVICE}"
            ),
            format!(
                "{rule}: Forbidden: contributed to estimated rule cost total exceeding cost limit for entire \
                 OpenAPIv3 schema"
            ),
            format!(
                "schema: Forbidden: x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema \
                 exceeds budget by factor of more than 100x {ADVICE}"
            ),
        ]
    );
    let bounded = spec(json!({"type": "array", "maxItems": 100, "items": {"type": "integer"}}));
    assert_eq!(errors(&compiled(&bounded).1), Vec::<String>::new());
    let message = json!({"type": "object", "properties": {"s": {"type": "string"}}, "x-kubernetes-validations": [
        {"rule": "true", "messageExpression": "self.s.matches(self.s + self.s) ? 'a' : 'b'"}]});
    let found = errors(&compiled(&message).1);
    assert!(
        found[0].contains("messageExpression: Forbidden: estimated messageExpression cost exceeds"),
        "{found:?}"
    );
}

#[test]
fn the_cost_of_a_rule_counts_for_each_place_where_it_applies() {
    let rules = |max_items: Option<u64>| {
        let item = json!({"type": "string", "maxLength": 50, "x-kubernetes-validations": [{"rule": "self.contains('abc')"}]});
        limited(&array(item), max_items)
    };
    assert_eq!(errors(&compiled(&rules(Some(10))).1), Vec::<String>::new());
    let unlimited = errors(&compiled(&rules(None)).1);
    assert!(unlimited[0].contains("estimated rule cost exceeds budget by factor of 2.2x"), "{unlimited:?}");
    let many = json!({"type": "array", "maxItems": 20_000, "items": {"type": "object", "properties":
        (0..30).map(|at| (format!("p{at}"), json!({"type": "string", "maxLength": 500,
            "x-kubernetes-validations": [{"rule": "self.contains('abc')"}]}))).collect::<serde_json::Map<_, _>>()}});
    let found = errors(&compiled(&many).1);
    assert_eq!(found.len(), 5, "four of the rules and the schema: {found:?}");
    assert!(
        found[4]
            .contains("estimated rule cost total for entire OpenAPIv3 schema exceeds budget by factor of")
    );
}

/// The outcome of rules that a definition would be refused for.
fn evaluated(schema: &Value, value: Value, interrupt: &Interrupt) -> Evaluation {
    let (structural, compilation) = compiled(schema);
    compilation.rules.evaluate(&json!({"value": value}), None, structural.schema(), interrupt)
}

fn spec_with(rule: &Value) -> Value {
    json!({"type": "object", "properties": {"a": {"type": "array", "items": {"type": "integer"}},
        "l": {"type": "array", "items": {"type": "string"}}, "s": {"type": "string"}},
        "x-kubernetes-validations": [rule]})
}

#[test]
fn no_rule_runs_longer_than_its_limit() {
    let integers: Vec<u64> = (0..20_000).collect();
    let text = "x".repeat(200_000);
    let value = json!({"a": integers, "s": text, "l": vec!["y".repeat(100); 2_000]});
    let rules = [
        "self.a.all(x, self.a.exists_one(y, x == y))",
        "self.a.map(x, self.s + self.s).size() > 0",
        "self.a.all(x, self.a.exists(y, self.a.exists(z, x + y + z < 0)))",
        "self.a.all(x, self.s.contains(self.s))",
        "self.a.all(x, !self.s.matches('x*y'))",
        "self.a.all(x, !self.s.matches(string(x) + '(x{100}){10}'))",
        "self.s.split('').map(c, self.s).join(self.s) == ''",
        "self.s.replace('', self.s) == ''",
        "self.a.map(x, self.a).map(l, l.map(y, [y, y])).size() == 0",
        "self.a.all(x, self.a.map(y, y) == self.a)",
        "self.a.all(x, self.a.indexOf(-1) == -1 && self.a.distinct().size() > 0)",
        "sets.contains(self.a, self.a) && sets.equivalent(self.a, self.a)",
        "lists.range(1000000000).size() > 0",
        "self.a.all(x, self.a.sort() != self.a.sortBy(y, -y))",
        "'%.99f%s'.format([1.0, self.a.map(x, self.s)]) == ''",
        "self.a.all(x, self.s.findAll('x').size() > 0)",
        "self.a.all(x, self.s.indexOf('y') == -1 && self.s.lastIndexOf('y') == -1)",
        "self.l.all(x, self.l.join(x) != x)",
        "self.a.all(i, x, !self.a.exists(j, y, i != j && x == y))",
        "self.a.transformList(i, x, self.l + self.l).size() == 0",
        "cel.bind(big, self.a.map(x, self.l), self.a.all(x, big == big))",
        "self.a.all(x, {'k': self.a} == {'k': self.a})",
        "self.a.all(x, x in self.a && !(-1 in self.a))",
    ];
    for rule in rules {
        let outcome = evaluated(&spec_with(&json!({"rule": rule})), value.clone(), &Interrupt::never());
        let found: Vec<String> = outcome.errors.iter().map(ToString::to_string).collect();
        let call = format!(
            "value: Invalid value: \"object\": 'operation cancelled: actual cost limit exceeded': no further \
             validation rules will be run due to call cost exceeds limit for rule: {rule}"
        );
        // A single step that would cost more than the whole object may.
        let object = "value: Invalid value: \"object\": validation failed due to running out of cost budget, no \
                      further validation rules will be run";
        assert!(found == [object] || (found == [call] && outcome.cost < 3_000_000), "{rule}: {found:?}");
    }
}

#[test]
fn all_rules_on_an_object_share_a_budget() {
    let schema = json!({"type": "array", "items": {"type": "object",
        "properties": {"a": {"type": "array", "items": {"type": "integer"}}},
        "x-kubernetes-validations": [{"rule": "self.a.all(x, self.a.all(y, x + y >= 0))"}]}});
    let element = json!({"a": (0..200).collect::<Vec<u64>>()});
    let outcome = evaluated(&schema, json!(vec![element; 100]), &Interrupt::never());
    let found: Vec<String> = outcome.errors.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].ends_with(
            "validation failed due to running out of cost budget, no further validation rules will be run"
        ),
        "{found:?}"
    );
    assert_eq!(outcome.cost, OBJECT_COST_LIMIT);
}

#[test]
fn a_message_counts_and_gives_way_when_it_costs_too_much() {
    let message = "self.a.map(x, self.s + self.s).join(',')";
    let rule = json!({"rule": "false", "message": "refused", "messageExpression": message});
    let value = json!({"a": vec![1; 5_000], "s": "x".repeat(50_000)});
    let outcome = evaluated(&spec_with(&rule), value, &Interrupt::never());
    assert_eq!(outcome.errors[0].to_string(), "value: Invalid value: refused");
    assert!(outcome.cost < 2_000_000, "{}", outcome.cost);
}

#[test]
fn an_interrupt_ends_the_evaluation() {
    let asked = Arc::new(AtomicU64::new(0));
    let counter = asked.clone();
    // Set at the third look.
    let interrupt = Interrupt::new(move || counter.fetch_add(1, Ordering::Relaxed) >= 2);
    let rule = json!({"rule": "self.a.all(x, self.a.all(y, x + y >= 0))"});
    let outcome = evaluated(&spec_with(&rule), json!({"a": vec![1; 1_000]}), &interrupt);
    let found: Vec<String> = outcome.errors.iter().map(ToString::to_string).collect();
    assert!(
        found.len() == 1 && found[0].contains("the work was ended because the request has timed out"),
        "{found:?}"
    );
    assert!(outcome.cost < 50_000, "{}", outcome.cost);
}

#[test]
fn linear_rules_cost_in_proportion_to_the_object() {
    let cost = |rule: &str, count: u64| {
        let value = json!({"a": (0..count).collect::<Vec<_>>(), "s": "x".repeat(count as usize),
            "l": (0..count).map(|at| at.to_string()).collect::<Vec<_>>()});
        evaluated(&spec_with(&json!({"rule": rule})), value, &Interrupt::never()).cost
    };
    for rule in [
        "self.a.all(x, x >= 0)",
        "self.a.map(x, x + 1).filter(x, x > 2).exists(x, x == -1) || true",
        "self.l.all(x, x.matches('^[0-9]+$'))",
        "self.s.contains('y') || self.s.split('').size() > 0",
        "self == self && self.l.isSorted() || true",
        "self.l.join(',').size() > 0 && self.s.replace('x', 'yy').size() > 0",
    ] {
        let (once, four_times) = (cost(rule, 1_000), cost(rule, 4_000));
        assert!(four_times < 5 * once, "{rule}: {once}, {four_times}");
    }
}

#[test]
fn values_are_converted_once_however_many_levels_have_rules() {
    let mut schema = json!({"type": "array", "items": {"type": "integer"}, "x-kubernetes-validations": [{"rule": "true"}]});
    let mut value = json!((0..5_000).collect::<Vec<u64>>());
    for _ in 0..60 {
        schema = json!({"type": "object", "properties": {"n": schema}, "x-kubernetes-validations": [{"rule": "has(self.n)"}]});
        value = json!({"n": value});
    }
    assert_eq!(evaluated(&schema, value, &Interrupt::never()).errors, []);
}
