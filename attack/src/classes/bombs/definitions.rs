//! Bombs in CustomResourceDefinitions and in their objects.

use http::Method;
use rand::RngExt as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::{Bomb, Step, about};

/// A definition of a kind, unique by its number, with the schema of `spec` and the printer columns.
fn definition(number: u64, spec: &Value, columns: &Value) -> Step {
    let plural = format!("bombs{number}");
    let object = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.attack.example")},
        "spec": {
            "group": "attack.example", "scope": "Namespaced",
            "names": {"plural": plural, "singular": format!("bomb{number}"), "kind": format!("Bomb{number}"),
                "listKind": format!("Bomb{number}List")},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "additionalPrinterColumns": columns,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}},
            }],
        },
    });
    Step::create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", object.to_string())
}

fn path(number: u64) -> String {
    format!("/apis/attack.example/v1/namespaces/default/bombs{number}")
}

fn object(number: u64, spec: &Value) -> Step {
    let object = json!({
        "apiVersion": "attack.example/v1", "kind": format!("Bomb{number}"),
        "metadata": {"generateName": "bomb-"}, "spec": spec,
    });
    Step::create(path(number), object.to_string())
}

fn rule(text: &str) -> Value {
    json!([{"rule": text}])
}

fn integers(number: usize) -> Value {
    (0..number).collect()
}

/// Compares each element with each.
pub(super) fn unique_elements(random: &mut StdRng, number: u64) -> Bomb {
    let rules = [
        "self.a.all(x, self.a.exists_one(y, x == y))",
        "self.a.all(x, self.a.filter(y, y == x).size() == 1)",
        "self.a.map(x, self.a.map(y, x * y)).size() >= 0",
        "self.a.all(x, self.a.all(y, self.a.all(z, x + y + z >= 0)))",
    ];
    let mut array = json!({"type": "array", "items": {"type": "integer"}});
    if random.random_bool(0.3) {
        array["maxItems"] = 100_000.into();
    }
    let text = rules[random.random_range(0..rules.len())];
    let schema =
        json!({"type": "object", "properties": {"a": array}, "x-kubernetes-validations": rule(text)});
    Bomb {
        name: "rule that compares all elements",
        before: vec![definition(number, &schema, &json!([]))],
        request: object(number, &json!({"a": integers(about(random, 60_000))})),
    }
}

/// Builds texts that are much larger than the object.
pub(super) fn growing_strings(random: &mut StdRng, number: u64) -> Bomb {
    let rules = [
        "self.a.map(x, self.s + self.s + self.s).size() >= 0",
        "self.a.map(x, self.s.replace('x', 'xxxxxxxxxxxxxxxx')).size() >= 0",
        "self.a.map(x, [self.s, self.s, self.s].join(self.s)).size() >= 0",
        "self.a.map(x, self.a).size() >= 0",
        "self.s.split('').map(x, self.s).size() >= 0",
    ];
    let schema = json!({
        "type": "object", "x-kubernetes-validations": rule(rules[random.random_range(0..rules.len())]),
        "properties": {"a": {"type": "array", "items": {"type": "integer"}}, "s": {"type": "string"}},
    });
    let spec = json!({"a": integers(about(random, 10_000)), "s": "x".repeat(about(random, 20_000))});
    Bomb {
        name: "rule that builds large texts",
        before: vec![definition(number, &schema, &json!([]))],
        request: object(number, &spec),
    }
}

/// A rule at each element of nested lists.
pub(super) fn nested_rules(random: &mut StdRng, number: u64) -> Bomb {
    let mut schema =
        json!({"type": "string", "x-kubernetes-validations": rule("self.matches('^(x+x+)+y$') || true")});
    for _ in 0..3 {
        schema = json!({"type": "array", "items": schema,
            "x-kubernetes-validations": rule("self.all(e, size(e) >= 0)")});
    }
    let schema = json!({"type": "object", "properties": {"a": schema}});
    let inner: Vec<String> = vec!["x".repeat(200); about(random, 20)];
    let spec = json!({"a": vec![vec![inner; 20]; 20]});
    Bomb {
        name: "rules in nested lists",
        before: vec![definition(number, &schema, &json!([]))],
        request: object(number, &spec),
    }
}

/// Limits that let the definition pass, and an object at all of them.
pub(super) fn bounded_rule_at_run_time(random: &mut StdRng, number: u64) -> Bomb {
    let (items, length) = (about(random, 100), about(random, 100));
    let schema = json!({
        "type": "object",
        "x-kubernetes-validations": rule("self.a.all(x, self.a.exists_one(y, x == y))"),
        "properties": {"a": {"type": "array", "maxItems": items, "items": {"type": "string", "maxLength": length}}},
    });
    let texts: Vec<String> = (0..items).map(|item| format!("{item:0length$}")).collect();
    Bomb {
        name: "rule within its limits",
        before: vec![definition(number, &schema, &json!([]))],
        request: object(number, &json!({"a": texts})),
    }
}

/// Nested alternatives, of which only the last fits.
pub(super) fn alternatives(random: &mut StdRng, number: u64) -> Bomb {
    let mut inner = json!({"required": ["z"]});
    for _ in 0..random.random_range(8..24) {
        inner = json!({"anyOf": [inner.clone(), {"allOf": [inner, {"not": {"required": ["z"]}}]}]});
        if inner.to_string().len() > 500_000 {
            break;
        }
    }
    let schema = json!({"type": "object", "properties": {"a": {"type": "array", "items": {
        "type": "object", "properties": {"z": {"type": "string"}}, "anyOf": [inner]}}}});
    Bomb {
        name: "nested alternatives",
        before: vec![definition(number, &schema, &json!([]))],
        request: object(number, &json!({"a": vec![json!({}); about(random, 2_000)]})),
    }
}

/// Defaults in defaults: each level multiplies.
pub(super) fn multiplying_defaults(random: &mut StdRng, number: u64) -> Bomb {
    let width = random.random_range(10..30);
    let mut schema = json!({"type": "string", "default": "x".repeat(100)});
    for _ in 0..4 {
        let elements = vec![json!({}); width];
        schema = json!({"type": "array", "default": elements, "items": {
            "type": "object", "properties": {"n": schema}}});
    }
    let schema = json!({"type": "object", "properties": {"n": schema}});
    Bomb {
        name: "defaults in defaults",
        before: vec![definition(number, &schema, &json!([]))],
        request: object(number, &json!({})),
    }
}

/// Columns that search the whole object, again and again.
pub(super) fn columns(random: &mut StdRng, number: u64) -> Bomb {
    let paths =
        [".spec..x", ".spec[*][*][*][*]", ".spec.a[?(@.x==\"1\")].a[?(@.x==\"1\")]", ".spec..a..a..x"];
    let path_of = |index: usize| paths[index % paths.len()];
    let columns: Vec<Value> = (0..40)
        .map(|index| json!({"name": format!("c{index}"), "type": "string", "jsonPath": path_of(index)}))
        .collect();
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let mut spec = json!({"x": "1"});
    for _ in 0..random.random_range(3..6) {
        spec = json!({"x": "1", "a": vec![spec; 6]});
    }
    let table = Step::new(Method::GET, path(number), "", String::new());
    Bomb {
        name: "columns that search",
        before: vec![definition(number, &schema, &json!(columns)), object(number, &spec)],
        request: table,
    }
}

/// Patterns that take long where they are tried with backtracking, or are large when compiled.
pub(super) fn patterns(random: &mut StdRng, number: u64) -> Bomb {
    let patterns =
        ["^(x+)+$", "(x|x)*y", "^((x{1,100}){1,100}){1,100}$", "(.*)(.*)(.*)(.*)(.*)y", "^(\\w+\\s?)*$"];
    let pattern = patterns[random.random_range(0..patterns.len())];
    let schema = json!({"type": "object", "properties": {"s": {"type": "string", "pattern": pattern}}});
    Bomb {
        name: "patterns",
        before: vec![definition(number, &schema, &json!([]))],
        request: object(number, &json!({"s": "x".repeat(about(random, 200_000)) + "!"})),
    }
}
