//! Validation rules in CEL (`x-kubernetes-validations`).
//!
//! The API server compiles the rules of a schema once and evaluates them on every write, after `validate` found
//! nothing that [`super::validate::blocks_rules`]. A rule that the library cannot compile or evaluate refuses
//! nothing: it becomes a warning, so that a definition that a real cluster accepts works here, too. There is no
//! static cost estimate; size limits keep evaluation bounded.

mod compiling;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use kube_cel::KubeCelExt as _;
use kube_cel::cel::parser::{Expression, Parser};
use kube_cel::cel::{Context, ExecutionError, Value as CelValue};
use serde_json::Value;

use super::path::Path;
use super::{ListKind, NodeId, Schema};
use crate::status::{FieldError, FieldErrorKind};

pub use compiling::{Compilation, compile};

#[cfg(test)]
mod tests;

/// The functions of CEL and of Kubernetes, registered once.
static FUNCTIONS: LazyLock<Context<'static>> = LazyLock::new(|| {
    let mut context = Context::default().with_all();
    values::add_functions(&mut context);
    context
});

/// The compiled rules of one schema.
#[derive(Debug, Default)]
pub struct Rules {
    by_node: BTreeMap<NodeId, Vec<Rule>>,
    /// Nodes at or above a rule; others are not visited.
    reached: BTreeSet<NodeId>,
}

/// Errors and warnings of rules about an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evaluation {
    /// Rules that do not hold.
    pub errors: Vec<FieldError>,
    /// Rules that could not be evaluated, and rules broken by values that were so before.
    pub warnings: Vec<String>,
}

/// A parsed expression.
#[derive(Debug)]
struct Program(Expression);

impl Program {
    /// Parses without the syntax for optional fields (`a.?b`): the library reads it, but fails on missing fields,
    /// which would refuse objects that a real API server accepts.
    fn parse(source: &str) -> Result<Self, String> {
        Parser::default().parse(source).map(Self).map_err(|error| error.to_string())
    }

    fn execute(&self, context: &Context<'_>) -> Result<CelValue, ExecutionError> {
        CelValue::resolve(&self.0, context)
    }

    fn mentions(&self, variable: &str) -> bool {
        self.0.references().has_variable(variable)
    }
}

#[derive(Debug)]
struct Rule {
    program: Program,
    uses_old: bool,
    old_is_optional: bool,
    /// The reported text: the message, or the rule itself.
    message: String,
    /// The message or the rule, as errors of evaluation name it.
    name: String,
    message_expression: Option<Program>,
    reason: Reason,
    field_path: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
enum Reason {
    Invalid,
    Forbidden,
    Required,
    Duplicate,
}

impl Rules {
    /// Whether there is nothing to evaluate.
    pub fn is_empty(&self) -> bool {
        self.by_node.is_empty()
    }

    /// Evaluates all rules of the schema that they were compiled from.
    ///
    /// `old` is the object that is replaced, if any; rules on `oldSelf` are skipped where there is no old value.
    pub fn evaluate(&self, value: &Value, old: Option<&Value>, schema: Schema<'_>) -> Evaluation {
        let mut pass = Pass { rules: self, path: Path::default(), outcome: Evaluation::default() };
        pass.visit(value, old, schema);
        pass.outcome
    }
}

struct Pass<'r> {
    rules: &'r Rules,
    path: Path,
    outcome: Evaluation,
}

impl Pass<'_> {
    fn visit(&mut self, value: &Value, old: Option<&Value>, schema: Schema<'_>) {
        if value.is_null() || !self.rules.reached.contains(&schema.id()) {
            return;
        }
        if let Some(rules) = self.rules.by_node.get(&schema.id()) {
            self.apply(rules, value, old.filter(|old| !old.is_null()), schema);
        }
        match value {
            Value::Object(map) => {
                for (name, value) in map {
                    let Some(property) = schema.property(name) else { continue };
                    let mark =
                        if schema.is_map() { self.path.enter_key(name) } else { self.path.enter(name) };
                    self.visit(value, old.and_then(|old| old.get(name)), property);
                    self.path.leave(mark);
                }
            }
            Value::Array(list) => {
                let Some(items) = schema.items() else { return };
                for (index, element) in list.iter().enumerate() {
                    let mark = self.path.enter_index(index);
                    self.visit(element, correlated(element, old, &schema.node().list), items);
                    self.path.leave(mark);
                }
            }
            _ => {}
        }
    }

    fn apply(&mut self, rules: &[Rule], value: &Value, old: Option<&Value>, schema: Schema<'_>) {
        let current = values::convert(value, schema);
        let previous = old.map(|old| values::convert(old, schema));
        for rule in rules.iter().filter(|rule| !rule.uses_old || old.is_some() || rule.old_is_optional) {
            let mut context = FUNCTIONS.new_inner_scope();
            context.add_variable_from_value("self", current.clone());
            let previous = match rule.old_is_optional {
                true => values::optional(previous.clone()),
                false => previous.clone(),
            };
            if let Some(previous) = previous {
                context.add_variable_from_value("oldSelf", previous);
            }
            match rule.program.execute(&context) {
                Ok(CelValue::Bool(true)) => {}
                Ok(CelValue::Bool(false)) => self.report(rule, &context, value, old),
                Ok(_) => self.warn_unevaluated(rule, "the result is not a truth value"),
                Err(error) => self.fail(rule, &error, schema),
            }
        }
    }

    /// A rule does not hold. What was so before is only warned about, unless the rule compares.
    fn report(&mut self, rule: &Rule, context: &Context<'_>, value: &Value, old: Option<&Value>) {
        let computed = rule.message_expression.as_ref().and_then(|program| match program.execute(context) {
            Ok(CelValue::String(text)) => Some(text.trim().to_owned()),
            _ => None,
        });
        let is_usable = |text: &String| !text.is_empty() && !text.contains(['\n', '\r']);
        let detail = computed.filter(is_usable).unwrap_or_else(|| rule.message.clone());
        let printed = match value {
            Value::Object(_) | Value::Array(_) => String::new(),
            other => other.to_string(),
        };
        let error = match rule.reason {
            Reason::Invalid => FieldErrorKind::Invalid(printed, detail),
            Reason::Forbidden => FieldErrorKind::Forbidden(detail),
            Reason::Required => FieldErrorKind::Required(detail),
            Reason::Duplicate => FieldErrorKind::Duplicate(printed),
        };
        let mut field = self.field();
        if !rule.field_path.is_empty() {
            let relative = rule.field_path.join(".");
            field = if field == "<nil>" { relative } else { format!("{field}.{relative}") };
        }
        let error = FieldError::new(field, error);
        if !rule.uses_old && old == Some(value) {
            self.outcome.warnings.push(error.to_string());
        } else {
            self.outcome.errors.push(error);
        }
    }

    /// Evaluation failed: by the object's doing, which refuses it, or for want of something in the library.
    fn fail(&mut self, rule: &Rule, error: &ExecutionError, schema: Schema<'_>) {
        let cause = match error {
            ExecutionError::NoSuchKey(key) => format!("no such key: {key}"),
            ExecutionError::DivisionByZero(_) => "division by zero".to_owned(),
            ExecutionError::RemainderByZero(_) => "modulus by zero".to_owned(),
            ExecutionError::Overflow(..) => "integer overflow".to_owned(),
            ExecutionError::IndexOutOfBounds(CelValue::Int(index)) => format!("index out of bounds: {index}"),
            other => return self.warn_unevaluated(rule, &other.to_string()),
        };
        let detail = format!("{cause} evaluating rule: {}", rule.name);
        // Upstream prints the declared type in place of the value.
        let kind = super::validate::expected_type(&schema.node().shape).filter(|kind| !kind.contains(','));
        self.outcome.errors.push(FieldError::invalid(self.field(), &kind.unwrap_or_default().into(), detail));
    }

    fn warn_unevaluated(&mut self, rule: &Rule, cause: &str) {
        self.outcome.warnings.push(format!("{}: rule not enforced: {:?}: {cause}", self.field(), rule.name));
    }

    fn field(&self) -> String {
        match self.path.as_str() {
            "" => "<nil>".to_owned(),
            path => path.to_owned(),
        }
    }
}

/// The old counterpart of a list element; only elements with keys have one.
fn correlated<'v>(element: &Value, old: Option<&'v Value>, list: &ListKind) -> Option<&'v Value> {
    let ListKind::Map(keys) = list else { return None };
    let is_same = |other: &&Value| keys.iter().all(|key| other.get(&**key) == element.get(&**key));
    old?.as_array()?.iter().find(is_same)
}
