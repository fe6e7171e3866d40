//! Expressions in CEL over whole objects, as admission policies and conditions of webhooks use them.
//!
//! Objects are seen without their schema: times are texts, and a property with a name that is no identifier is read with
//! brackets. Every evaluation has the cost limit of Kubernetes, and takes its cost from the budget of the caller.

use std::sync::Arc;

use serde_json::Value;

use crate::budget::Budget;
use crate::cel::{Failure, Key, Map, Messages, Program, Regexes, Value as CelValue, to_json};
use crate::schema::rules;

/// Names that every expression may use: types.
const TYPES: [&str; 9] = ["bool", "bytes", "double", "int", "list", "map", "null_type", "string", "uint"];

/// A compiled expression.
#[derive(Debug)]
pub struct Expression {
    source: String,
    program: Program,
}

impl Expression {
    /// Compiles an expression that may use these variables.
    ///
    /// # Errors
    /// Why it cannot be evaluated, as a sentence without the expression.
    pub fn compile(source: &str, variables: &[&str]) -> Result<Self, String> {
        Self::compile_with(source, variables, Messages::None)
    }

    /// Compiles an expression that makes a patch: parts of an object (`Object.spec{…}`), or operations of a JSON patch
    /// (`JSONPatch{…}`).
    ///
    /// # Errors
    /// As [`Expression::compile`].
    pub fn compile_patch(source: &str, variables: &[&str]) -> Result<Self, String> {
        Self::compile_with(source, variables, Messages::Patches)
    }

    fn compile_with(source: &str, variables: &[&str], messages: Messages) -> Result<Self, String> {
        let program =
            Program::parse_with(source, messages).map_err(|error| format!("compilation failed: {error}"))?;
        let unknown = program
            .free()
            .iter()
            .find(|name| !variables.contains(&name.as_str()) && !TYPES.contains(&name.as_str()));
        match unknown {
            Some(name) => {
                Err(format!("compilation failed: undeclared reference to '{name}' (in container '')"))
            }
            None => Ok(Self { source: source.trim().to_owned(), program }),
        }
    }

    /// The text, without spaces around it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Evaluates the expression.
    ///
    /// # Errors
    /// The error of the evaluation, or that it costs too much.
    pub fn evaluate(&self, variables: &Variables, budget: &Budget) -> Result<Evaluated, EvaluationError> {
        let bound: Vec<(&str, CelValue)> =
            variables.0.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        let outcome = self.program.evaluate(&bound, budget, &mut Regexes::default());
        outcome.map(Evaluated).map_err(|failure| match failure {
            Failure::Error(error) => EvaluationError::Failed(error.to_string()),
            Failure::CallLimit | Failure::Exhausted(_) => EvaluationError::TooCostly,
        })
    }
}

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// An operation failed, such as the access to a field that is missing.
    #[error("{0}")]
    Failed(String),
    /// The limit of an expression or of the request is reached.
    #[error("operation cancelled: actual cost limit exceeded")]
    TooCostly,
}

/// The value of an expression.
#[derive(Debug, Clone)]
pub struct Evaluated(CelValue);

impl Evaluated {
    /// The value if it is a truth value.
    pub fn as_bool(&self) -> Option<bool> {
        match self.0 {
            CelValue::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The value if it is a text.
    pub fn as_text(&self) -> Option<&str> {
        match &self.0 {
            CelValue::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value as JSON.
    ///
    /// # Errors
    /// What has no form in JSON, and a value of more than 3 MiB.
    pub fn to_json(&self) -> Result<Value, String> {
        to_json(&self.0)
    }
}

/// The variables of expressions.
#[derive(Debug, Clone, Default)]
pub struct Variables(Vec<(String, CelValue)>);

impl Variables {
    /// Adds a variable.
    pub fn bind(&mut self, name: &str, value: &Value) {
        self.0.push((name.to_owned(), rules::plain(value)));
    }

    /// Adds an entry to the variable `name`, which holds a map.
    pub fn bind_entry(&mut self, name: &str, entry: &str, value: Evaluated) {
        let slot = self.0.iter_mut().find(|(known, _)| known == name);
        let key = Key::String(Arc::new(entry.to_owned()));
        match slot {
            Some((_, CelValue::Map(map))) => {
                Arc::make_mut(&mut map.map).insert(key, value.0);
            }
            Some(_) => {}
            None => {
                let map = Arc::new([(key, value.0)].into_iter().collect());
                self.0.push((name.to_owned(), CelValue::Map(Map { map })));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::budget::Interrupt;

    fn evaluate(source: &str, variables: &Variables) -> Result<Option<bool>, String> {
        let expression = Expression::compile(source, &["object", "oldObject", "variables"])?;
        let value = expression.evaluate(variables, &Budget::unlimited(&Interrupt::never()));
        value.map(|value| value.as_bool()).map_err(|error| error.to_string())
    }

    #[test]
    fn patches_are_made_of_parts_of_an_object_and_of_operations() {
        let mut variables = Variables::default();
        variables.bind("object", &json!({ "metadata": { "name": "web" } }));
        let made = |source: &str| {
            let expression = Expression::compile_patch(source, &["object"])?;
            let value = expression.evaluate(&variables, &Budget::unlimited(&Interrupt::never()));
            value.map_err(|error| error.to_string())?.to_json()
        };
        let cases = [
            ("Object{spec: Object.spec{replicas: 1 + 2}}", json!({ "spec": { "replicas": 3 } })),
            (
                "Object{spec: Object.spec{containers: [Object.spec.containers{name: object.metadata.name}]}}",
                json!({ "spec": { "containers": [{ "name": "web" }] } }),
            ),
            (
                "Object{metadata: Object.metadata{labels: {'a/b': 'c'}}}",
                json!({ "metadata": { "labels": { "a/b": "c" } } }),
            ),
            (
                "[JSONPatch{op: 'add', path: '/metadata/labels/' + jsonpatch.escapeKey('a/b~c'), value: Object.x{y: [1]}}]",
                json!([{ "op": "add", "path": "/metadata/labels/a~1b~0c", "value": { "y": [1] } }]),
            ),
            ("object.metadata.name == 'other' ? [JSONPatch{op: 'remove', path: '/a'}] : []", json!([])),
        ];
        for (source, want) in cases {
            assert_eq!(made(source), Ok(want), "{source}");
        }
        let refused = [
            (
                "Object{spec: Object.status{a: 1}}",
                "unexpected type name \"Object.status\", expected \"Object.spec\"",
            ),
            ("Other{a: 1}", "unknown type \"Other\""),
            ("[JSONPatch{operation: 'add'}]", "undefined field 'operation'"),
        ];
        for (source, want) in refused {
            let error = made(source).unwrap_err();
            assert!(error.contains(want), "{error}");
        }
        assert!(Expression::compile("Object{a: 1}", &["object"]).is_err(), "only patches make objects");
    }

    #[test]
    fn expressions_see_objects_and_the_variables_that_others_computed() {
        let mut variables = Variables::default();
        variables.bind("object", &json!({ "spec": { "replicas": 3 } }));
        variables.bind("oldObject", &Value::Null);
        let replicas = Expression::compile("object.spec.replicas", &["object"]).unwrap();
        let value = replicas.evaluate(&variables, &Budget::unlimited(&Interrupt::never())).unwrap();
        variables.bind_entry("variables", "replicas", value.clone());
        variables.bind_entry("variables", "again", value);
        for (source, expected) in [
            ("object.spec.replicas > 2", Ok(Some(true))),
            ("variables.replicas == variables.again", Ok(Some(true))),
            ("oldObject == null", Ok(Some(true))),
            ("has(object.spec.paused)", Ok(Some(false))),
            ("object.spec.replicas", Ok(None)),
        ] {
            assert_eq!(evaluate(source, &variables), expected, "{source}");
        }
        assert!(evaluate("object.spec.absent", &variables).is_err());
        assert!(evaluate("object.spec >", &variables).unwrap_err().starts_with("compilation failed"));
        assert_eq!(
            evaluate("authorizer.path('/')", &variables).unwrap_err(),
            "compilation failed: undeclared reference to 'authorizer' (in container '')"
        );
    }
}
