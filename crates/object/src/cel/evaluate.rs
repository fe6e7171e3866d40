//! Evaluates an expression.
//!
//! As in cel-go, an error on one side of `&&` and `||` counts only when the other side does not decide. Running out of
//! budget always counts.

use std::sync::Arc;

use kube_cel::cel::objects::KeyRef;

use super::access::{index as index_of, key};
use super::failure::{Failure, Kept, Outcome};
use super::meter::Meter;
use super::tree::{Access, Element, Entry, Node};
use super::{ExecutionError, Map, Program, Regexes, Value, optionals};
use crate::budget::Budget;

/// Cost of a list and of a map in an expression (google/cel-go common/cost.go).
pub(super) const LIST_COST: u64 = 10;
pub(super) const MAP_COST: u64 = 30;

/// Types to compare the result of `type()` with; a type is its name.
const TYPES: [&str; 9] = ["bool", "bytes", "double", "int", "list", "map", "null_type", "string", "uint"];

/// The variables of an expression.
pub(crate) type Variables<'a> = &'a [(&'a str, Value)];

impl Program {
    /// Evaluates the expression. What it costs is taken from the budget.
    ///
    /// # Errors
    /// Errors of the expression, and too much cost.
    pub(crate) fn evaluate(
        &self,
        variables: Variables<'_>,
        budget: &Budget,
        regexes: &mut Regexes,
    ) -> Outcome {
        let scope = variables.iter().map(|(name, value)| (*name, Ok(value.clone()))).collect();
        Evaluation { scope, meter: Meter::new(budget), regexes }.node(&self.root)
    }
}

/// One evaluation.
pub(super) struct Evaluation<'a> {
    /// Variables, the innermost last. A variable of a macro may hold an error.
    pub(super) scope: Vec<(&'a str, Kept)>,
    pub(super) meter: Meter<'a>,
    pub(super) regexes: &'a mut Regexes,
}

impl<'a> Evaluation<'a> {
    pub(super) fn node(&mut self, node: &'a Node) -> Outcome {
        match node {
            Node::Constant(value) => Ok(value.clone()),
            Node::Variable(name) => self.variable(name),
            Node::Select { operand, field, access } => self.select(operand, field, *access),
            Node::Index { operand, index, is_optional } => self.index(operand, index, *is_optional),
            Node::And(left, right) => self.logical(left, right, false),
            Node::Or(left, right) => self.logical(left, right, true),
            Node::Not(operand) => self.not(operand),
            Node::Negate(operand) => self.negate(operand),
            Node::NotStrictlyFalse(operand) => self.not_strictly_false(operand),
            Node::Conditional(parts) => self.conditional(parts),
            Node::Binary(operator, left, right) => self.binary(*operator, left, right),
            Node::Call { function, target, arguments } => self.call(function, target.as_deref(), arguments),
            Node::List(elements) => self.list(elements),
            Node::Map(entries) => self.map(entries),
            Node::Fold(fold) => self.fold(fold),
            Node::Insert(insertion) => self.insert(insertion),
            Node::Bind { variable, value, body } => self.bind(variable, value, body),
            Node::OptionalMap { operand, variable, body, is_flat } => {
                self.optional_map(operand, variable, body, *is_flat)
            }
            Node::SortBy { operand, variable, key } => self.sort_by(operand, variable, key),
        }
    }

    /// A value or an error that a variable may hold. Running out of budget is no such error.
    pub(super) fn kept(&mut self, node: &'a Node) -> Result<Kept, Failure> {
        match self.node(node) {
            Ok(value) => Ok(Ok(value)),
            Err(Failure::Error(error)) => Ok(Err(error)),
            Err(failure) => Err(failure),
        }
    }

    fn variable(&mut self, name: &str) -> Outcome {
        self.meter.spend(1)?;
        if let Some((_, value)) = self.scope.iter().rev().find(|(known, _)| *known == name) {
            return value.clone().map_err(Failure::Error);
        }
        if TYPES.contains(&name) {
            return Ok(type_named(name));
        }
        Err(ExecutionError::undeclared_reference(name).into())
    }

    fn index(&mut self, operand: &'a Node, index: &'a Node, is_optional: bool) -> Outcome {
        let operand = self.node(operand)?;
        let index = self.node(index)?;
        self.meter.spend(1)?;
        if is_optional {
            return Ok(optionals::index(&operand, &index)?);
        }
        Ok(optionals::through(&operand, |operand| index_of(operand, &index))?)
    }

    fn not(&mut self, operand: &'a Node) -> Outcome {
        let operand = truth(self.node(operand)?)?;
        self.meter.spend(1)?;
        Ok(Value::Bool(!operand))
    }

    fn negate(&mut self, operand: &'a Node) -> Outcome {
        let operand = self.node(operand)?;
        self.meter.spend(1)?;
        negated(operand)
    }

    fn not_strictly_false(&mut self, operand: &'a Node) -> Outcome {
        self.meter.spend(1)?;
        match self.node(operand) {
            Ok(value) => Ok(Value::Bool(truth(value).unwrap_or(true))),
            Err(Failure::Error(_)) => Ok(Value::Bool(true)),
            Err(failure) => Err(failure),
        }
    }

    fn conditional(&mut self, parts: &'a [Node; 3]) -> Outcome {
        let [condition, yes, no] = parts;
        let is_true = truth(self.node(condition)?)?;
        self.node(if is_true { yes } else { no })
    }

    fn bind(&mut self, variable: &'a str, value: &'a Node, body: &'a Node) -> Outcome {
        let value = self.kept(value)?;
        self.scope.push((variable, value));
        let outcome = self.node(body);
        self.scope.pop();
        outcome
    }

    fn select(&mut self, operand: &'a Node, field: &str, access: Access) -> Outcome {
        let operand = self.node(operand)?;
        let operand = &operand;
        if access != Access::Test {
            self.meter.spend(1)?;
        }
        let read = |operand: &Value| match operand {
            Value::Map(map) => Ok(map.get(&KeyRef::String(field)).cloned()),
            _ => Err(ExecutionError::NoSuchOverload),
        };
        Ok(match access {
            Access::Test => Value::Bool(optionals::test(operand, read)?),
            Access::Optional => optionals::select(operand, read)?,
            Access::Required => optionals::through(operand, |operand| {
                read(operand)?.ok_or_else(|| ExecutionError::no_such_key(field))
            })?,
        })
    }

    fn logical(&mut self, left: &'a Node, right: &'a Node, deciding: bool) -> Outcome {
        let first = self.side(left)?;
        if matches!(first, Ok(first) if first == deciding) {
            return Ok(Value::Bool(deciding));
        }
        let second = self.side(right)?;
        if matches!(second, Ok(second) if second == deciding) {
            return Ok(Value::Bool(deciding));
        }
        let both = if first.is_ok() { second } else { first };
        both.map(Value::Bool).map_err(Failure::Error)
    }

    /// One side of `&&` or `||`: a truth value or an error.
    fn side(&mut self, node: &'a Node) -> Result<Result<bool, Box<ExecutionError>>, Failure> {
        Ok(self.kept(node)?.and_then(|value| truth(value).map_err(Box::new)))
    }

    fn list(&mut self, elements: &'a [Element]) -> Outcome {
        self.meter.spend(LIST_COST)?;
        self.meter.spend_elements(elements.len())?;
        let mut list = Vec::with_capacity(elements.len());
        for element in elements {
            let value = self.node(&element.value)?;
            if element.is_optional {
                list.extend(optionals::content(&value)?.cloned());
            } else {
                list.push(value);
            }
        }
        Ok(Value::List(Arc::new(list)))
    }

    fn map(&mut self, entries: &'a [Entry]) -> Outcome {
        self.meter.spend(MAP_COST)?;
        self.meter.spend_elements(entries.len())?;
        let mut map = std::collections::HashMap::with_capacity(entries.len());
        for entry in entries {
            let key = key(self.node(&entry.key)?)?;
            let value = self.node(&entry.value)?;
            if !entry.is_optional {
                map.insert(key, value);
            } else if let Some(value) = optionals::content(&value)? {
                map.insert(key, value.clone());
            }
        }
        Ok(Value::Map(Map { map: Arc::new(map) }))
    }
}

/// The truth value that operators on truth values need.
pub(super) fn truth(value: Value) -> Result<bool, ExecutionError> {
    match value {
        Value::Bool(value) => Ok(value),
        _ => Err(ExecutionError::NoSuchOverload),
    }
}

/// A type as a value: its name.
pub(super) fn type_named(name: &str) -> Value {
    Value::String(Arc::new(format!("type {name}")))
}

fn negated(operand: Value) -> Outcome {
    match operand {
        Value::Int(number) => match number.checked_neg() {
            Some(negated) => Ok(Value::Int(negated)),
            None => Err(ExecutionError::Overflow("minus", Value::Int(number), Value::Null).into()),
        },
        Value::Float(number) => Ok(Value::Float(-number)),
        Value::Duration(duration) => Ok(Value::Duration(-duration)),
        _ => Err(ExecutionError::NoSuchOverload.into()),
    }
}
