//! The loops of macros, and the macros that bind a variable without a loop.

use std::sync::Arc;

use super::evaluate::{Evaluation, truth};
use super::failure::{Failure, Kept, Outcome};
use super::tree::{ACCUMULATOR, Fold, Insertion, Node};
use super::{ExecutionError, Key, Value, access, operators, optionals};

impl<'a> Evaluation<'a> {
    pub(super) fn fold(&mut self, fold: &'a Fold) -> Outcome {
        let range = self.node(&fold.range)?;
        let initial = self.node(&fold.initial)?;
        let outside = self.scope.len();
        self.scope.push((&fold.accumulator, Ok(initial)));
        let outcome = self.rounds(fold, range).and_then(|()| {
            self.scope.truncate(outside + 1);
            self.node(&fold.result)
        });
        self.scope.truncate(outside);
        outcome
    }

    fn rounds(&mut self, fold: &'a Fold, range: Value) -> Result<(), Failure> {
        match range {
            Value::List(list) => {
                for (index, element) in list.iter().enumerate() {
                    let index = Value::Int(i64::try_from(index).unwrap_or(i64::MAX));
                    if !self.round(fold, index, element.clone(), true)? {
                        break;
                    }
                }
                Ok(())
            }
            Value::Map(map) => {
                // In the order of the keys, so that the same object has the same outcome every time.
                self.meter.spend_elements(map.map.len())?;
                let mut entries: Vec<_> = map.map.iter().collect();
                entries.sort_by_key(|(key, _)| *key);
                for (key, value) in entries {
                    if !self.round(fold, Value::from(key), value.clone(), false)? {
                        break;
                    }
                }
                Ok(())
            }
            _ => Err(ExecutionError::NoSuchOverload.into()),
        }
    }

    /// One element; answers false when the loop is decided.
    fn round(
        &mut self,
        fold: &'a Fold,
        index: Value,
        element: Value,
        is_list: bool,
    ) -> Result<bool, Failure> {
        let accumulator = self.scope.len() - 1;
        self.meter.spend(1)?;
        if !truth(self.node(&fold.condition)?)? {
            return Ok(false);
        }
        match &fold.second {
            Some(second) => {
                self.scope.push((&fold.variable, Ok(index)));
                self.scope.push((second, Ok(element)));
            }
            None => self.scope.push((&fold.variable, Ok(if is_list { element } else { index }))),
        }
        let step = self.kept(&fold.step);
        self.scope.truncate(accumulator + 1);
        self.scope[accumulator].1 = step?;
        Ok(true)
    }

    /// Takes the accumulator out of the innermost loop, so that a list grows in place.
    pub(super) fn take_accumulator(&mut self, node: &Node) -> Option<Kept> {
        match node {
            Node::Variable(name) if &**name == ACCUMULATOR => self.take_innermost(),
            _ => None,
        }
    }

    fn take_innermost(&mut self) -> Option<Kept> {
        let (_, slot) = self.scope.iter_mut().rev().find(|(known, _)| *known == ACCUMULATOR)?;
        Some(std::mem::replace(slot, Ok(Value::Null)))
    }

    /// Adds entries to the map that a macro makes. A key that it has already is an error.
    pub(super) fn insert(&mut self, insertion: &'a Insertion) -> Outcome {
        // These parts first: they may be errors, and the accumulator is gone once it is taken.
        let added: Vec<(Key, Value)> = match insertion {
            Insertion::Entry { key, value } => vec![(access::key(self.node(key)?)?, self.node(value)?)],
            Insertion::Map(map) => {
                let Value::Map(map) = self.node(map)? else {
                    return Err(ExecutionError::NoSuchOverload.into());
                };
                map.map.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
            }
        };
        self.meter.spend(1)?;
        self.meter.spend_elements(added.len())?;
        let total = self.take_innermost().ok_or(ExecutionError::NoSuchOverload)?.map_err(Failure::Error)?;
        let Value::Map(mut total) = total else { return Err(ExecutionError::NoSuchOverload.into()) };
        let entries = Arc::make_mut(&mut total.map);
        for (key, value) in added {
            if entries.contains_key(&key) {
                let problem = format!("insert failed: key {key:?} already exists");
                return Err(ExecutionError::function_error("transformMap", problem).into());
            }
            entries.insert(key, value);
        }
        Ok(Value::Map(total))
    }

    pub(super) fn optional_map(
        &mut self,
        operand: &'a Node,
        variable: &'a str,
        body: &'a Node,
        is_flat: bool,
    ) -> Outcome {
        let operand = self.node(operand)?;
        self.meter.spend(1)?;
        let Some(content) = optionals::content(&operand)?.cloned() else { return Ok(optionals::absent()) };
        let outcome = self.bound(variable, content, body)?;
        Ok(if is_flat { outcome } else { optionals::present(outcome) })
    }

    fn bound(&mut self, variable: &'a str, value: Value, body: &'a Node) -> Outcome {
        self.scope.push((variable, Ok(value)));
        let outcome = self.node(body);
        self.scope.pop();
        outcome
    }

    pub(super) fn sort_by(&mut self, operand: &'a Node, variable: &'a str, key: &'a Node) -> Outcome {
        let Value::List(list) = self.node(operand)? else {
            return Err(ExecutionError::NoSuchOverload.into());
        };
        let mut keyed = Vec::with_capacity(list.len());
        for element in list.iter() {
            self.meter.spend_elements(2)?;
            keyed.push((self.bound(variable, element.clone(), key)?, element));
        }
        let comparisons = u64::from(list.len().max(1).ilog2()) + 1;
        for (key, _) in &keyed {
            for _ in 0..comparisons {
                self.meter.spend_traversal(key)?;
            }
        }
        if keyed.windows(2).any(|pair| operators::order(&pair[0].0, &pair[1].0).is_none()) {
            return Err(ExecutionError::NoSuchOverload.into());
        }
        keyed.sort_by(|left, right| operators::order(&left.0, &right.0).unwrap_or(std::cmp::Ordering::Equal));
        Ok(Value::List(Arc::new(keyed.into_iter().map(|(_, element)| element.clone()).collect())))
    }
}
