//! Functions of lists.

use std::sync::Arc;

use super::evaluate::Evaluation;
use super::failure::Outcome;
use super::{ExecutionError, Value, optionals};

impl Evaluation<'_> {
    /// A function of lists; `None` when the values are not of its types.
    pub(super) fn list_call(&mut self, function: &str, values: &[&Value]) -> Option<Outcome> {
        Some(match (function, values) {
            ("first", [Value::List(list)]) => self.element(list.first()),
            ("last", [Value::List(list)]) => self.element(list.last()),
            ("sum", [Value::List(list)]) => self.sum(list),
            ("distinct", [Value::List(list)]) => self.distinct(list),
            ("slice", [Value::List(list), Value::Int(start), Value::Int(end)]) => {
                self.slice(list, *start, *end)
            }
            ("lists.range", [Value::Int(count)]) => self.range(*count),
            ("indexOf", [Value::List(list), value]) => self.position(list.iter().enumerate(), value),
            ("lastIndexOf", [Value::List(list), value]) => {
                self.position(list.iter().enumerate().rev(), value)
            }
            _ => return None,
        })
    }

    fn element(&mut self, element: Option<&Value>) -> Outcome {
        self.meter.spend(1)?;
        Ok(element.cloned().map_or_else(optionals::absent, optionals::present))
    }

    fn sum(&mut self, list: &[Value]) -> Outcome {
        self.meter.spend(1 + list.len() as u64)?;
        let mut elements = list.iter().cloned();
        let Some(mut total) = elements.next() else { return Ok(Value::Int(0)) };
        for element in elements {
            if !matches!(total, Value::Int(_) | Value::UInt(_) | Value::Float(_) | Value::Duration(_)) {
                return Err(
                    ExecutionError::function_error("sum", "only numbers and durations have a sum").into()
                );
            }
            total = (total + element)?;
        }
        Ok(total)
    }

    fn distinct(&mut self, list: &[Value]) -> Outcome {
        self.meter.spend_elements(list.len())?;
        let mut distinct: Vec<Value> = Vec::new();
        'elements: for element in list {
            for known in &distinct {
                if self.equal(known, element)? {
                    continue 'elements;
                }
            }
            distinct.push(element.clone());
        }
        Ok(Value::List(Arc::new(distinct)))
    }

    fn slice(&mut self, list: &[Value], start: i64, end: i64) -> Outcome {
        let part = usize::try_from(start).ok().zip(usize::try_from(end).ok());
        let Some(part) = part.and_then(|(start, end)| list.get(start..end)) else {
            let detail = format!("slice({start}, {end}) out of range for list of length {}", list.len());
            return Err(ExecutionError::function_error("slice", detail).into());
        };
        self.meter.spend_elements(1 + part.len())?;
        Ok(Value::List(Arc::new(part.to_vec())))
    }

    fn range(&mut self, count: i64) -> Outcome {
        let Ok(length) = usize::try_from(count) else {
            return Err(
                ExecutionError::function_error("lists.range", "the range must not be negative").into()
            );
        };
        self.meter.spend_elements(length)?;
        Ok(Value::List(Arc::new((0..count).map(Value::Int).collect())))
    }

    fn position<'v>(&mut self, elements: impl Iterator<Item = (usize, &'v Value)>, value: &Value) -> Outcome {
        for (index, element) in elements {
            if self.equal(element, value)? {
                return Ok(Value::Int(i64::try_from(index).unwrap_or(i64::MAX)));
            }
        }
        Ok(Value::Int(-1))
    }
}
