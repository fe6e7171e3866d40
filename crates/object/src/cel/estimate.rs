//! The most that an expression may cost, from the sizes that its schema allows (google/cel-go checker/cost.go).
//!
//! There is no static type check: where a type is unknown, the costliest function of the name counts.

use std::sync::Arc;

use super::cost::{Cost, Size, TEXT_FACTOR};
use super::declaration::{Declaration, Kind};
use super::evaluate::{LIST_COST, MAP_COST};
use super::tree::{Access, Element, Entry, Fold, Insertion, Node, Operator};
use super::{Program, Value};

/// The cost of a rule on values with a declaration.
pub(crate) fn estimate(
    program: &Program,
    declaration: Option<&Arc<Declaration>>,
    old_is_optional: bool,
) -> Size {
    let value = declaration.map_or_else(Shape::any, Shape::declared);
    let old = if old_is_optional { Shape::optional(value.clone()) } else { value.clone() };
    Estimator { scope: vec![("self", value), ("oldSelf", old)] }.node(&program.root).cost
}

/// What is known of a value.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    pub(super) kind: Kind,
    /// Where the schema declares the value.
    pub(super) declaration: Option<Arc<Declaration>>,
    pub(super) size: Option<Size>,
    /// Elements of a list or values of a map that the expression makes.
    pub(super) elements: Option<Box<Shape>>,
}

impl Shape {
    pub(super) fn of(kind: Kind, size: Option<Size>) -> Self {
        Self { kind, declaration: None, size, elements: None }
    }

    fn declared(declaration: &Arc<Declaration>) -> Self {
        let size = Some(Size::up_to(declaration.max_elements));
        Self { kind: declaration.kind, declaration: Some(declaration.clone()), size, elements: None }
    }

    pub(super) fn any() -> Self {
        Self::of(Kind::Any, None)
    }

    pub(super) fn list_of(elements: Self, size: Option<Size>) -> Self {
        Self { elements: Some(Box::new(elements)), ..Self::of(Kind::List, size) }
    }

    /// A value that may be absent.
    pub(super) fn optional(content: Self) -> Self {
        Self { elements: Some(Box::new(content)), ..Self::of(Kind::Optional, None) }
    }

    /// The content of an optional; the shape itself if it is not an optional.
    pub(super) fn content(&self) -> Self {
        match (self.kind, &self.elements) {
            (Kind::Optional, Some(content)) => (**content).clone(),
            _ => self.clone(),
        }
    }

    /// What a part of this shape is: optional where this is.
    fn part(&self, part: impl Fn(&Self) -> Self, is_optional: bool) -> Self {
        let found = part(&self.content());
        if is_optional || self.kind == Kind::Optional { Self::optional(found) } else { found }
    }

    /// The size, or any.
    pub(super) fn size(&self) -> Size {
        match (self.size, self.kind) {
            (Some(size), _) => size,
            (None, Kind::Optional) => self.elements.as_ref().map_or(Size::UNKNOWN, |content| content.size()),
            (None, Kind::Bool | Kind::Number | Kind::Time) => Size::fixed(1),
            (None, _) => Size::UNKNOWN,
        }
    }

    /// An element of a list, or a value of a map.
    pub(super) fn element(&self) -> Self {
        if let Some(elements) = self.declaration.as_ref().and_then(|declared| declared.elements.as_ref()) {
            return Self::declared(elements);
        }
        self.elements.as_deref().cloned().unwrap_or_else(Self::any)
    }

    fn field(&self, name: &str) -> Self {
        match &self.declaration {
            // A part of the name of a type, such as `google.protobuf.Timestamp`.
            None if self.kind == Kind::Scalar => self.clone(),
            Some(declared) if declared.kind == Kind::Object => {
                declared.fields.get(name).map_or_else(Self::any, Self::declared)
            }
            _ => match self.element() {
                // An entry of a map that is selected like a field has its type, but not its declaration.
                entry if matches!(entry.kind, Kind::Bool | Kind::Number | Kind::Time) => {
                    Self::of(entry.kind, None)
                }
                entry => entry,
            },
        }
    }

    /// What may be one or the other.
    pub(super) fn either(self, other: Self) -> Self {
        let size = Some(self.size().or(other.size()));
        let kind = if self.kind == other.kind { self.kind } else { Kind::Any };
        let elements = match (self.elements, other.elements) {
            (Some(left), Some(right)) => Some(Box::new(left.either(*right))),
            (only, None) | (None, only) => only,
        };
        Self { kind, declaration: None, size, elements }
    }
}

/// Cost and shape of a part.
#[derive(Debug, Clone)]
pub(super) struct Estimate {
    pub(super) cost: Cost,
    pub(super) shape: Shape,
}

impl Estimate {
    pub(super) fn new(cost: Cost, shape: Shape) -> Self {
        Self { cost, shape }
    }
}

pub(super) struct Estimator<'a> {
    scope: Vec<(&'a str, Shape)>,
}

impl<'a> Estimator<'a> {
    pub(super) fn node(&mut self, node: &'a Node) -> Estimate {
        match node {
            Node::Constant(value) => Estimate::new(Cost::fixed(0), constant(value)),
            Node::Variable(name) => {
                let known = self.scope.iter().rev().find(|(known, _)| *known == &**name);
                // Another name is that of a type, such as `int`.
                let of_type = || Shape::of(Kind::Scalar, Some(Size::fixed(1)));
                Estimate::new(Cost::fixed(1), known.map_or_else(of_type, |(_, shape)| shape.clone()))
            }
            Node::Select { operand, field, access } => self.select(operand, field, *access),
            Node::Index { operand, index, is_optional } => {
                let (operand, index) = (self.node(operand), self.node(index));
                let cost = operand.cost.plus(index.cost).plus(Cost::fixed(1));
                Estimate::new(cost, operand.shape.part(Shape::element, *is_optional))
            }
            Node::And(left, right) | Node::Or(left, right) => {
                let (left, right) = (self.node(left).cost, self.node(right).cost);
                let cost = Cost { min: left.min, max: left.plus(right).max };
                Estimate::new(cost, Shape::of(Kind::Bool, None))
            }
            Node::Not(operand) | Node::NotStrictlyFalse(operand) => {
                let cost = self.node(operand).cost.plus(Cost::fixed(1));
                Estimate::new(cost, Shape::of(Kind::Bool, None))
            }
            Node::Negate(operand) => {
                let operand = self.node(operand);
                Estimate::new(operand.cost.plus(Cost::fixed(1)), operand.shape)
            }
            Node::Conditional(parts) => {
                let [condition, yes, no] = &**parts;
                let (condition, yes, no) = (self.node(condition), self.node(yes), self.node(no));
                Estimate::new(condition.cost.plus(yes.cost.or(no.cost)), yes.shape.either(no.shape))
            }
            Node::Binary(operator, left, right) => {
                let (left, right) = (self.node(left), self.node(right));
                binary(*operator, &left, &right)
            }
            Node::Call { function, target, arguments } => self.call(function, target.as_deref(), arguments),
            Node::List(elements) => self.list(elements),
            Node::Map(entries) => self.map(entries),
            Node::Fold(fold) => self.fold(fold),
            Node::Insert(Insertion::Entry { key, value }) => {
                let (key, value) = (self.node(key), self.node(value));
                let cost = key.cost.plus(value.cost).plus(Cost::fixed(1));
                let elements = Some(Box::new(value.shape));
                Estimate::new(cost, Shape { elements, ..Shape::of(Kind::Map, None) })
            }
            Node::Insert(Insertion::Map(map)) => {
                let map = self.node(map);
                Estimate::new(map.cost.plus(Cost::fixed(1)), map.shape)
            }
            Node::Bind { variable, value, body } => {
                let value = self.node(value);
                let body = self.within(variable, value.shape, body);
                // The macro is a loop over an empty list.
                let cost = value.cost.plus(body.cost).plus(Cost::fixed(LIST_COST));
                Estimate::new(cost, body.shape)
            }
            Node::OptionalMap { operand, variable, body, .. } => {
                let operand = self.node(operand);
                let body = self.within(variable, operand.shape.content(), body);
                let cost = operand.cost.plus(body.cost).plus(Cost::fixed(LIST_COST));
                Estimate::new(cost, Shape::optional(body.shape.content()))
            }
            Node::SortBy { operand, variable, key } => {
                let operand = self.node(operand);
                let key = self.within(variable, operand.shape.element(), key);
                let each = key.cost.plus(comparison(&key.shape));
                let size = operand.shape.size();
                let cost = operand.cost.plus(size.times(each)).plus(size.times(logarithm(size)));
                Estimate::new(cost.plus(Cost::fixed(LIST_COST)), operand.shape)
            }
        }
    }

    fn within(&mut self, variable: &'a str, shape: Shape, body: &'a Node) -> Estimate {
        self.scope.push((variable, shape));
        let estimate = self.node(body);
        self.scope.pop();
        estimate
    }

    fn select(&mut self, operand: &'a Node, field: &str, access: Access) -> Estimate {
        let operand = self.node(operand);
        if access == Access::Test {
            return Estimate::new(operand.cost, Shape::of(Kind::Bool, None));
        }
        Estimate::new(
            operand.cost.plus(Cost::fixed(1)),
            operand.shape.part(|shape| shape.field(field), access == Access::Optional),
        )
    }

    fn list(&mut self, elements: &'a [Element]) -> Estimate {
        let mut cost = Cost::fixed(LIST_COST);
        let mut shape: Option<Shape> = None;
        for element in elements {
            let element = self.node(&element.value);
            cost = cost.plus(element.cost);
            shape = Some(match shape {
                Some(shape) => shape.either(element.shape),
                None => element.shape,
            });
        }
        let size = Some(Size::fixed(elements.len() as u64));
        let elements = shape.map(Box::new);
        Estimate::new(cost, Shape { elements, ..Shape::of(Kind::List, size) })
    }

    fn map(&mut self, entries: &'a [Entry]) -> Estimate {
        let mut cost = Cost::fixed(MAP_COST);
        let mut shape: Option<Shape> = None;
        for entry in entries {
            let (key, value) = (self.node(&entry.key), self.node(&entry.value));
            cost = cost.plus(key.cost).plus(value.cost);
            shape = Some(match shape {
                Some(shape) => shape.either(value.shape),
                None => value.shape,
            });
        }
        let size = Some(Size::fixed(entries.len() as u64));
        let elements = shape.map(Box::new);
        Estimate::new(cost, Shape { elements, ..Shape::of(Kind::Map, size) })
    }

    fn fold(&mut self, fold: &'a Fold) -> Estimate {
        let (range, initial) = (self.node(&fold.range), self.node(&fold.initial));
        let outside = self.scope.len();
        self.scope.push((&fold.accumulator, initial.shape.clone()));
        let element = range.shape.element();
        let key = Shape::declared(&Declaration::key());
        match &fold.second {
            Some(second) => {
                let is_list = range.shape.kind == Kind::List;
                self.scope.push((&fold.variable, if is_list { Shape::of(Kind::Number, None) } else { key }));
                self.scope.push((second, element));
            }
            // Without a type, the element is taken to be one of a list, which costs more.
            None => {
                self.scope.push((&fold.variable, if range.shape.kind == Kind::Map { key } else { element }))
            }
        }
        let (condition, step) = (self.node(&fold.condition), self.node(&fold.step));
        self.scope.truncate(outside + 1);
        let count = range.shape.size();
        let shape = match initial.shape.kind {
            // What `map` and `filter` make has at most as many elements as they visit.
            Kind::List | Kind::Map => Shape { size: Some(count), declaration: None, ..step.shape.clone() },
            _ => initial.shape,
        };
        self.scope[outside].1 = shape.clone();
        let result = self.node(&fold.result);
        self.scope.truncate(outside);
        let loops = count.times(condition.cost.plus(step.cost));
        let cost = range.cost.plus(initial.cost).plus(loops).plus(result.cost);
        let shape = if matches!(shape.kind, Kind::List | Kind::Map) { shape } else { result.shape };
        Estimate::new(cost, shape)
    }
}

fn constant(value: &Value) -> Shape {
    match value {
        Value::String(text) => Shape::of(Kind::String, Some(Size::fixed(text.chars().count() as u64))),
        Value::Bytes(bytes) => Shape::of(Kind::Bytes, Some(Size::fixed(bytes.len() as u64))),
        Value::Bool(_) => Shape::of(Kind::Bool, Some(Size::fixed(1))),
        Value::Int(_) | Value::UInt(_) | Value::Float(_) => Shape::of(Kind::Number, Some(Size::fixed(1))),
        _ => Shape::of(Kind::Scalar, Some(Size::fixed(1))),
    }
}

/// How often a sorted list is halved.
pub(super) fn logarithm(size: Size) -> Size {
    Size::up_to(u64::from(size.max.max(1).ilog2()) + 1)
}

/// Cost of comparing two values of a shape.
pub(super) fn comparison(shape: &Shape) -> Cost {
    match shape.kind {
        Kind::String | Kind::Bytes => shape.size().scaled(TEXT_FACTOR).plus(Cost::fixed(1)),
        _ => Cost::fixed(1),
    }
}

fn binary(operator: Operator, left: &Estimate, right: &Estimate) -> Estimate {
    let operands = left.cost.plus(right.cost);
    let (left, right) = (&left.shape, &right.shape);
    let may_be = |kinds: &[Kind]| {
        [left, right].iter().all(|side| kinds.contains(&side.kind) || side.kind == Kind::Any)
    };
    let smaller = left.size().max.min(right.size().max);
    let equality = Cost { min: u64::from(smaller > 0), max: smaller }.scaled(TEXT_FACTOR);
    let (cost, shape) = match operator {
        Operator::Equal | Operator::NotEqual => {
            // Addresses, quantities and the like have a constant size.
            let cost = if left.kind == Kind::Scalar { Cost::fixed(1) } else { equality };
            (cost, Shape::of(Kind::Bool, None))
        }
        Operator::Less | Operator::LessEqual | Operator::Greater | Operator::GreaterEqual => {
            let cost = if may_be(&[Kind::String, Kind::Bytes]) {
                equality.or(Cost::fixed(1))
            } else {
                Cost::fixed(1)
            };
            (cost, Shape::of(Kind::Bool, None))
        }
        Operator::In => {
            let cost = if right.kind == Kind::Map { Cost::fixed(1) } else { right.size() };
            (cost, Shape::of(Kind::Bool, None))
        }
        Operator::Add => {
            let total = left.size().plus(right.size());
            if [left, right].iter().any(|side| side.kind == Kind::List) {
                let elements = match (&left.elements, &right.elements) {
                    (Some(_), Some(_)) => left.element().either(right.element()),
                    (Some(_), None) if right.declaration.is_none() => left.element(),
                    (None, Some(_)) if left.declaration.is_none() => right.element(),
                    _ => left.element().either(right.element()),
                };
                (Cost::fixed(1), Shape::list_of(elements, Some(total)))
            } else if may_be(&[Kind::String, Kind::Bytes]) {
                let kind = if left.kind == Kind::Any { right.kind } else { left.kind };
                (total.scaled(TEXT_FACTOR).or(Cost::fixed(1)), Shape::of(kind, Some(total)))
            } else {
                (Cost::fixed(1), Shape::of(left.kind, None))
            }
        }
        Operator::Subtract | Operator::Multiply | Operator::Divide | Operator::Modulo => {
            (Cost::fixed(1), Shape::of(left.kind, None))
        }
    };
    Estimate::new(operands.plus(cost), shape)
}
