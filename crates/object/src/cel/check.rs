//! The static type check: which rules kube-apiserver refuses before any object meets them (google/cel-go checker/checker.go).
//!
//! A field that the schema does not declare, a function that does not exist, or operands of types that do not go together are
//! errors of the definition. Messages are those of cel-go, without positions.

mod declarations;
mod literals;
mod signature;
mod types;

use std::sync::Arc;

use super::declaration::Declaration;
use super::tree::{Access, Element, Entry, Fold, Insertion, Node, Operator};
use super::{Program, Value};
use types::Type;

/// What an expression has to result in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    Bool,
    String,
}

/// Why an expression is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// It has no type.
    Untyped(String),
    /// It has another type than the expected one.
    OtherResult,
}

/// Checks an expression on values with a declaration.
///
/// # Errors
/// [`Mistake`]: the first one.
pub(crate) fn check(
    program: &Program,
    declaration: Option<&Arc<Declaration>>,
    old_is_optional: bool,
    expected: Expected,
) -> Result<(), Mistake> {
    let value = declaration.map_or(Type::Dyn, Type::declared);
    let old = if old_is_optional { Type::optional(value.clone()) } else { value.clone() };
    let mut checker = Checker { scope: vec![("self", value), ("oldSelf", old)] };
    let result = checker.node(&program.root).map_err(Mistake::Untyped)?;
    match (expected, result) {
        (Expected::Bool, Type::Bool) | (Expected::String, Type::String) => Ok(()),
        _ => Err(Mistake::OtherResult),
    }
}

/// The type of a part, or the message about it.
type Checked = Result<Type, String>;

struct Checker<'a> {
    /// Variables, the innermost last.
    scope: Vec<(&'a str, Type)>,
}

impl<'a> Checker<'a> {
    fn node(&mut self, node: &'a Node) -> Checked {
        match node {
            Node::Constant(value) => Ok(constant(value)),
            Node::Variable(name) => self.variable(name),
            Node::Select { operand, field, access } => self.select(operand, field, *access),
            Node::Index { operand, index, is_optional } => {
                self.operator(if *is_optional { "_[?_]" } else { "_[_]" }, &[operand, index])
            }
            Node::And(left, right) | Node::Or(left, right) => {
                for operand in [left, right] {
                    unite(&Type::Bool, &self.node(operand)?)?;
                }
                Ok(Type::Bool)
            }
            Node::Not(operand) => self.operator("!_", &[operand]),
            Node::Negate(operand) => self.operator("-_", &[operand]),
            Node::NotStrictlyFalse(operand) => self.node(operand).map(|_| Type::Bool),
            Node::Conditional(parts) => {
                let [condition, yes, no] = &**parts;
                self.operator("_?_:_", &[condition, yes, no])
            }
            Node::Binary(operator, left, right) => self.binary(*operator, left, right),
            Node::Call { function, target, arguments } => self.call(function, target.as_deref(), arguments),
            Node::List(elements) => self.list(elements),
            Node::Map(entries) => self.map(entries),
            Node::Fold(fold) => self.fold(fold),
            Node::Insert(Insertion::Entry { key, value }) => {
                Ok(Type::map(self.node(key)?, self.node(value)?))
            }
            Node::Insert(Insertion::Map(map)) => self.node(map),
            Node::Bind { variable, value, body } => {
                let value = self.node(value)?;
                self.within(variable, value, body)
            }
            Node::OptionalMap { operand, variable, body, is_flat } => {
                let content = match self.node(operand)? {
                    Type::Optional(content) => *content,
                    open if open.is_open() => Type::Dyn,
                    other => return Err(signature::no_match("hasValue", Some(&other), &[])),
                };
                let body = self.within(variable, content, body)?;
                match (is_flat, &body) {
                    (false, _) | (true, Type::Optional(_) | Type::Dyn | Type::Open) => {
                        Ok(Type::optional(body))
                    }
                    (true, _) => {
                        let parts = [Type::Bool, body, Type::optional(Type::Open)];
                        Err(signature::no_match("_?_:_", None, &parts))
                    }
                }
            }
            Node::SortBy { operand, variable, key } => {
                let list = self.node(operand)?;
                let element = self.range(&list)?.1;
                let keys = self.within(variable, element, key)?;
                if !signature::is_ordered(&keys) {
                    return Err(signature::no_match(
                        "@sortByAssociatedKeys",
                        Some(&list),
                        &[Type::list(keys)],
                    ));
                }
                Ok(list)
            }
        }
    }

    fn within(&mut self, variable: &'a str, value: Type, body: &'a Node) -> Checked {
        self.scope.push((variable, value));
        let checked = self.node(body);
        self.scope.pop();
        checked
    }

    fn variable(&self, name: &str) -> Checked {
        if let Some((_, known)) = self.scope.iter().rev().find(|(known, _)| *known == name) {
            return Ok(known.clone());
        }
        let is_type = matches!(name, "list" | "map" | "optional_type")
            || Type::named(name).is_some_and(|named| !matches!(named, Type::Dyn | Type::Opaque(_)));
        match is_type {
            true => Ok(Type::Name),
            false => Err(format!("undeclared reference to '{name}' (in container '')")),
        }
    }

    fn select(&mut self, operand: &'a Node, field: &str, access: Access) -> Checked {
        if is_type_name(operand, field) {
            return Ok(Type::Name);
        }
        let operand = self.node(operand)?;
        let (content, was_optional) = match &operand {
            Type::Optional(content) => (&**content, true),
            other => (other, false),
        };
        let selected = match content {
            Type::Object(declared) => {
                let found = declared.fields.get(field).map(Type::declared);
                found.ok_or_else(|| format!("undefined field '{field}'"))?
            }
            Type::Map(_, values) => (**values).clone(),
            open if open.is_open() => Type::Dyn,
            other => return Err(format!("type '{other}' does not support field selection")),
        };
        Ok(match access {
            Access::Test => Type::Bool,
            Access::Optional => Type::optional(selected),
            Access::Required if was_optional => Type::optional(selected),
            Access::Required => selected,
        })
    }

    fn operator(&mut self, name: &str, operands: &[&'a Node]) -> Checked {
        let operands = operands.iter().map(|operand| self.node(operand)).collect::<Result<Vec<_>, _>>()?;
        signature::call(name, None, &operands)
    }

    fn binary(&mut self, operator: Operator, left: &'a Node, right: &'a Node) -> Checked {
        let name = match operator {
            Operator::Add => "_+_",
            Operator::Subtract => "_-_",
            Operator::Multiply => "_*_",
            Operator::Divide => "_/_",
            Operator::Modulo => "_%_",
            Operator::Equal => "_==_",
            Operator::NotEqual => "_!=_",
            Operator::In => "@in",
            Operator::Less => return self.ordered("_<_", left, right),
            Operator::LessEqual => return self.ordered("_<=_", left, right),
            Operator::Greater => return self.ordered("_>_", left, right),
            Operator::GreaterEqual => return self.ordered("_>=_", left, right),
        };
        self.operator(name, &[left, right])
    }

    /// The operators that compare have the same signatures.
    fn ordered(&mut self, name: &str, left: &'a Node, right: &'a Node) -> Checked {
        let operands = [self.node(left)?, self.node(right)?];
        signature::call("ordered", None, &operands).map_err(|_| signature::no_match(name, None, &operands))
    }

    fn call(&mut self, function: &str, target: Option<&'a Node>, arguments: &'a [Node]) -> Checked {
        let of_target = target.map(|target| self.node(target)).transpose()?;
        let types = match (function, arguments) {
            // The values of a format may be of different types.
            ("format", [Node::List(elements)]) => {
                elements.iter().try_for_each(|element| self.node(&element.value).map(drop))?;
                vec![Type::list(Type::Dyn)]
            }
            _ => arguments.iter().map(|argument| self.node(argument)).collect::<Result<Vec<_>, _>>()?,
        };
        let result = signature::call(function, of_target.as_ref(), &types)?;
        literals::check(function, target, arguments)?;
        Ok(result)
    }

    fn list(&mut self, elements: &'a [Element]) -> Checked {
        let mut all = Type::Open;
        for element in elements {
            let found = self.element(&element.value, element.is_optional)?;
            all = unite(&all, &found)?;
        }
        Ok(Type::list(all))
    }

    fn map(&mut self, entries: &'a [Entry]) -> Checked {
        let (mut keys, mut values) = (Type::Open, Type::Open);
        for entry in entries {
            let (key, value) = (self.node(&entry.key)?, self.element(&entry.value, entry.is_optional)?);
            keys = unite(&keys, &key)?;
            values = unite(&values, &value)?;
        }
        Ok(Type::map(keys, values))
    }

    /// The type of an element, which is the content of an optional one.
    fn element(&mut self, value: &'a Node, is_optional: bool) -> Checked {
        match (is_optional, self.node(value)?) {
            (true, Type::Optional(content)) => Ok(*content),
            (true, open) if open.is_open() => Ok(Type::Dyn),
            (true, other) => Err(format!("expected type 'optional_type({other})' but found '{other}'")),
            (false, found) => Ok(found),
        }
    }

    /// Index and element of a list, or key and value of a map.
    fn range(&self, range: &Type) -> Result<(Type, Type), String> {
        match range {
            Type::List(elements) => Ok((Type::Int, (**elements).clone())),
            Type::Map(keys, values) => Ok(((**keys).clone(), (**values).clone())),
            open if open.is_open() => Ok((Type::Dyn, Type::Dyn)),
            other => Err(format!(
                "expression of type '{other}' cannot be range of a comprehension (must be list, map, or dynamic)"
            )),
        }
    }

    fn fold(&mut self, fold: &'a Fold) -> Checked {
        let range = self.node(&fold.range)?;
        let (first, second) = self.range(&range)?;
        let initial = self.node(&fold.initial)?;
        let outside = self.scope.len();
        self.scope.push((&fold.accumulator, initial.clone()));
        match &fold.second {
            Some(name) => self.scope.extend([(&*fold.variable, first), (&**name, second)]),
            None if matches!(range, Type::Map(..)) => self.scope.push((&fold.variable, first)),
            None => self.scope.push((&fold.variable, second)),
        }
        let parts = self.node(&fold.condition).and_then(|condition| Ok((condition, self.node(&fold.step)?)));
        self.scope.truncate(outside);
        let (condition, step) = parts?;
        unite(&Type::Bool, &condition)?;
        let total = unite(&initial, &step)?;
        self.within(&fold.accumulator, total, &fold.result)
    }
}

/// Elements of one list have one type.
fn unite(known: &Type, found: &Type) -> Checked {
    known.join(found).ok_or_else(|| format!("expected type '{known}' but found '{found}'"))
}

/// Whether a selection is a name such as `google.protobuf.Timestamp`.
fn is_type_name(operand: &Node, field: &str) -> bool {
    let Node::Select { operand, field: middle, .. } = operand else { return false };
    let Node::Variable(first) = &**operand else { return false };
    &**first == "google" && &**middle == "protobuf" && matches!(field, "Timestamp" | "Duration")
}

fn constant(value: &Value) -> Type {
    match value {
        Value::Null => Type::Null,
        Value::Bool(_) => Type::Bool,
        Value::Int(_) => Type::Int,
        Value::UInt(_) => Type::Uint,
        Value::Float(_) => Type::Double,
        Value::String(_) => Type::String,
        Value::Bytes(_) => Type::Bytes,
        _ => Type::Dyn,
    }
}
