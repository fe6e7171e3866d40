//! Arithmetic, comparison and `in`.

use std::cmp::Ordering;
use std::sync::Arc;

use super::access::lookup;
use super::evaluate::Evaluation;
use super::failure::{Failure, Outcome};
use super::tree::{ACCUMULATOR, Node, Operator};
use super::{ExecutionError, Value};

impl<'a> Evaluation<'a> {
    pub(super) fn binary(&mut self, operator: Operator, left: &'a Node, right: &'a Node) -> Outcome {
        if operator == Operator::Add {
            // The right side first: it may be an error, and the accumulator is gone once it is taken.
            if matches!(left, Node::Variable(name) if &**name == ACCUMULATOR) {
                let right = self.node(right)?;
                self.meter.spend(1)?;
                let left = self.take_accumulator(left).ok_or(ExecutionError::NoSuchOverload)?;
                return self.add(left.map_err(Failure::Error)?, right);
            }
            let (left, right) = (self.node(left)?, self.node(right)?);
            self.spend_copy(&left)?;
            return self.add(left, right);
        }
        let (left, right) = (self.node(left)?, self.node(right)?);
        match operator {
            Operator::Equal => Ok(Value::Bool(self.equal(&left, &right)?)),
            Operator::NotEqual => Ok(Value::Bool(!self.equal(&left, &right)?)),
            Operator::In => self.contains(&left, &right),
            Operator::Less => self.compare(&left, &right, Ordering::is_lt),
            Operator::LessEqual => self.compare(&left, &right, Ordering::is_le),
            Operator::Greater => self.compare(&left, &right, Ordering::is_gt),
            Operator::GreaterEqual => self.compare(&left, &right, Ordering::is_ge),
            Operator::Add | Operator::Subtract | Operator::Multiply | Operator::Divide | Operator::Modulo => {
                self.meter.spend(1)?;
                Ok(arithmetic(operator, left, right)?)
            }
        }
    }

    /// The left side of a concatenation is copied unless it is an accumulator.
    fn spend_copy(&mut self, left: &Value) -> Result<(), Failure> {
        match left {
            Value::List(list) => self.meter.spend_elements(list.len()),
            _ => Ok(()),
        }
    }

    fn add(&mut self, left: Value, right: Value) -> Outcome {
        match (&left, &right) {
            (Value::String(left), Value::String(right)) => {
                self.meter.spend_new_text(left.len() + right.len())?;
            }
            (Value::List(_), Value::List(right)) => {
                self.meter.spend(1)?;
                self.meter.spend_elements(right.len())?;
            }
            (Value::Bytes(left), Value::Bytes(right)) => {
                self.meter.spend_new_text(left.len() + right.len())?;
                return Ok(Value::Bytes(Arc::new([left.as_slice(), right.as_slice()].concat())));
            }
            _ => self.meter.spend(1)?,
        }
        Ok(arithmetic(Operator::Add, left, right)?)
    }

    fn compare(&mut self, left: &Value, right: &Value, holds: fn(Ordering) -> bool) -> Outcome {
        match (left, right) {
            (Value::String(left), Value::String(right)) => {
                self.meter.spend_text(left.len().min(right.len()))?;
            }
            (Value::Bytes(left), Value::Bytes(right)) => {
                self.meter.spend_text(left.len().min(right.len()))?;
            }
            _ => {}
        }
        self.meter.spend(1)?;
        let is_number = |value: &Value| matches!(value, Value::Int(_) | Value::UInt(_) | Value::Float(_));
        match order(left, right) {
            Some(order) => Ok(Value::Bool(holds(order))),
            // Nothing is less or greater than what is not a number.
            None if is_number(left) && is_number(right) => Ok(Value::Bool(false)),
            None => Err(ExecutionError::NoSuchOverload.into()),
        }
    }

    /// `value in container`
    fn contains(&mut self, value: &Value, container: &Value) -> Outcome {
        self.meter.spend(1)?;
        match container {
            Value::List(list) => {
                for element in list.iter() {
                    if self.equal(value, element)? {
                        return Ok(Value::Bool(true));
                    }
                }
                Ok(Value::Bool(false))
            }
            Value::Map(map) => {
                if let Value::String(text) = value {
                    self.meter.spend_text(text.len())?;
                }
                Ok(Value::Bool(lookup(map, value)?.is_some()))
            }
            _ => Err(ExecutionError::NoSuchOverload.into()),
        }
    }
}

/// The order of two values, if they have one.
pub(super) fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Bytes(left), Value::Bytes(right)) => Some(left.cmp(right)),
        (Value::Null, _) | (_, Value::Null) => None,
        _ => left.partial_cmp(right),
    }
}

fn arithmetic(operator: Operator, left: Value, right: Value) -> Result<Value, ExecutionError> {
    match operator {
        Operator::Subtract => left - right,
        Operator::Multiply => left * right,
        Operator::Divide => left / right,
        Operator::Modulo => left % right,
        _ => left + right,
    }
}
