//! Walking a value along the steps of a path.

use std::cmp::Ordering;

use serde_json::Value;

use super::{Comparison, Filter, JsonPathError, MATCH_LIMIT, MissingKeys, Slice, SliceEnd, Step};
use crate::budget::Budget;
use crate::patch::{go_text, go_type};

type Matches<'a> = Result<Vec<&'a Value>, JsonPathError>;

/// One evaluation.
pub(super) struct Walk<'b> {
    pub(super) missing: MissingKeys,
    pub(super) budget: &'b Budget,
}

impl Walk<'_> {
    /// Takes every value through all steps.
    pub(super) fn evaluate<'a>(&self, values: Vec<&'a Value>, steps: &'a [Step]) -> Matches<'a> {
        steps.iter().try_fold(values, |values, step| self.advance(&values, step))
    }

    fn spend(&self, values: usize) -> Result<(), JsonPathError> {
        self.budget.spend(values as u64).map_err(JsonPathError::Exhausted)
    }

    fn advance<'a>(&self, values: &[&'a Value], step: &'a Step) -> Matches<'a> {
        self.spend(1 + values.len())?;
        let mut found = Vec::new();
        match step {
            Step::Field(name) => {
                found.extend(values.iter().filter_map(|value| value.as_object()?.get(name)));
                if found.is_empty() && !values.is_empty() && self.missing == MissingKeys::Fail {
                    return Err(JsonPathError::Missing(name.clone()));
                }
            }
            Step::Wildcard => {
                for value in values {
                    found.extend(children(value));
                    check_count(&found)?;
                }
            }
            Step::Recursive => {
                for value in values {
                    self.descend(value, &mut found)?;
                }
            }
            Step::Slice(slice) => {
                for value in values.iter().filter(|value| !value.is_null()) {
                    take(value, *slice, &mut found)?;
                    check_count(&found)?;
                }
            }
            Step::Union(paths) => {
                for path in paths {
                    found.extend(self.evaluate(values.to_vec(), path)?);
                    check_count(&found)?;
                }
            }
            Step::Filter(filter) => {
                for value in values {
                    self.select(value, filter, &mut found)?;
                    check_count(&found)?;
                }
            }
            Step::Literal(text @ Value::String(_)) => found.push(text),
            Step::Literal(constant) => found.extend(values.iter().map(|_| constant)),
        }
        self.spend(found.len())?;
        Ok(found)
    }

    /// A container that is not empty, and all such below it.
    fn descend<'a>(&self, value: &'a Value, found: &mut Vec<&'a Value>) -> Result<(), JsonPathError> {
        self.spend(1)?;
        let mut children = children(value).peekable();
        if children.peek().is_none() {
            return Ok(());
        }
        found.push(value);
        check_count(found)?;
        children.try_for_each(|child| self.descend(child, found))
    }

    fn select<'a>(
        &self,
        value: &'a Value,
        filter: &Filter,
        found: &mut Vec<&'a Value>,
    ) -> Result<(), JsonPathError> {
        for element in value.as_array().ok_or_else(|| JsonPathError::NotFilterable(go_text(value)))? {
            if self.holds(element, filter)? {
                found.push(element);
            }
        }
        Ok(())
    }

    fn holds(&self, element: &Value, filter: &Filter) -> Result<bool, JsonPathError> {
        self.spend(1)?;
        let left = self.evaluate(vec![element], &filter.left);
        let Some((comparison, right)) = &filter.right else {
            return match left {
                Err(exhausted @ JsonPathError::Exhausted(_)) => Err(exhausted),
                left => Ok(left.is_ok_and(|left| !left.is_empty())),
            };
        };
        let right = |left| Ok::<_, JsonPathError>((left, one(self.evaluate(vec![element], right)?)?));
        match one(left?)?.map(right).transpose()? {
            Some((left, Some(right))) => {
                let length = left.as_str().map_or(0, str::len).min(right.as_str().map_or(0, str::len));
                self.budget.spend_bytes(length).map_err(JsonPathError::Exhausted)?;
                Ok(compare(left, right, *comparison))
            }
            _ => Ok(false),
        }
    }
}

fn check_count(found: &[&Value]) -> Result<(), JsonPathError> {
    if found.len() > MATCH_LIMIT { Err(JsonPathError::TooMany) } else { Ok(()) }
}

fn children(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Object(values) => Box::new(values.values()),
        Value::Array(elements) => Box::new(elements.iter()),
        _ => Box::new(std::iter::empty()),
    }
}

fn take<'a>(value: &'a Value, slice: Slice, found: &mut Vec<&'a Value>) -> Result<(), JsonPathError> {
    let list = value.as_array().ok_or_else(|| JsonPathError::NotAList(go_type(value)))?;
    let length = i64::try_from(list.len()).unwrap_or(i64::MAX);
    let from_end = |index: i64| if index < 0 { index + length } else { index };
    let first = slice.start.unwrap_or(0);
    let start = from_end(first);
    let end = match slice.end {
        // The element after -1 is the end of the list, not its start.
        SliceEnd::One if first == -1 => length,
        SliceEnd::One => from_end(first + 1),
        SliceEnd::Before(end) => from_end(end),
        SliceEnd::Last => length,
    };
    if start == end {
        return Ok(());
    }
    let outside = |index: i64| JsonPathError::OutOfBounds { index, length: list.len() };
    let place = |index: i64| usize::try_from(index).ok().filter(|index| *index <= list.len());
    let first = place(start).filter(|start| *start < list.len()).ok_or_else(|| outside(start))?;
    let last = place(end).ok_or_else(|| outside(end - 1))?;
    if first > last {
        return Err(JsonPathError::Reversed { start, end });
    }
    let step =
        usize::try_from(slice.step.unwrap_or(1)).ok().filter(|step| *step > 0).ok_or(JsonPathError::Step)?;
    found.extend(list[first..last].iter().step_by(step));
    Ok(())
}

fn one(values: Vec<&Value>) -> Result<Option<&Value>, JsonPathError> {
    if values.len() > 1 { Err(JsonPathError::Several) } else { Ok(values.into_iter().next()) }
}

/// Values of different kinds are neither equal nor in any order; kubectl gives up on them.
fn compare(left: &Value, right: &Value, comparison: Comparison) -> bool {
    let order = match (left, right) {
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (Value::Number(left), Value::Number(right)) => match (left.as_i64(), right.as_i64()) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => left.as_f64().zip(right.as_f64()).and_then(|(left, right)| left.partial_cmp(&right)),
        },
        (Value::Bool(left), Value::Bool(right)) if left == right => Some(Ordering::Equal),
        _ => None,
    };
    match comparison {
        Comparison::Equal => order == Some(Ordering::Equal),
        Comparison::NotEqual => order != Some(Ordering::Equal),
        Comparison::Less => order == Some(Ordering::Less),
        Comparison::LessEqual => order.is_some_and(Ordering::is_le),
        Comparison::Greater => order == Some(Ordering::Greater),
        Comparison::GreaterEqual => order.is_some_and(Ordering::is_ge),
    }
}
