//! The loops of the macros with two variables (cel-go `ext.TwoVarComprehensions`).

use super::Value;
use super::tree::{ACCUMULATOR, Element, Fold, Insertion, Node, Operator};

/// The loop of `all`, `exists`, `existsOne`, `transformList`, `transformMap` or `transformMapEntry`.
pub(super) fn two_variables(
    name: &str,
    variables: [&str; 2],
    range: Node,
    filter: Option<Node>,
    body: Node,
) -> Fold {
    let (initial, condition, step, result) = match name {
        "all" => {
            let step = Node::And(Box::new(total()), Box::new(body));
            (truth(true), Node::NotStrictlyFalse(Box::new(total())), step, total())
        }
        "exists" => {
            let condition = Node::NotStrictlyFalse(Box::new(Node::Not(Box::new(total()))));
            (truth(false), condition, Node::Or(Box::new(total()), Box::new(body)), total())
        }
        "transformList" => {
            let element = Node::List(vec![Element { value: body, is_optional: false }]);
            let step = Node::Binary(Operator::Add, Box::new(total()), Box::new(element));
            (Node::List(Vec::new()), truth(true), filtered(filter, step), total())
        }
        "transformMap" => {
            let key = Box::new(Node::Variable(variables[0].into()));
            let step = Node::Insert(Insertion::Entry { key, value: Box::new(body) });
            (Node::Map(Vec::new()), truth(true), filtered(filter, step), total())
        }
        "transformMapEntry" => {
            let step = Node::Insert(Insertion::Map(Box::new(body)));
            (Node::Map(Vec::new()), truth(true), filtered(filter, step), total())
        }
        _ => {
            let more = Node::Binary(Operator::Add, Box::new(total()), Box::new(number(1)));
            let result = Node::Binary(Operator::Equal, Box::new(total()), Box::new(number(1)));
            (number(0), truth(true), filtered(Some(body), more), result)
        }
    };
    let [variable, second] = variables.map(Into::into);
    Fold {
        range,
        variable,
        second: Some(second),
        accumulator: ACCUMULATOR.into(),
        initial,
        condition,
        step,
        result,
    }
}

/// The step for elements that the filter lets through.
fn filtered(filter: Option<Node>, step: Node) -> Node {
    match filter {
        Some(filter) => Node::Conditional(Box::new([filter, step, total()])),
        None => step,
    }
}

fn total() -> Node {
    Node::Variable(ACCUMULATOR.into())
}

fn truth(value: bool) -> Node {
    Node::Constant(Value::Bool(value))
}

fn number(value: i64) -> Node {
    Node::Constant(Value::Int(value))
}
