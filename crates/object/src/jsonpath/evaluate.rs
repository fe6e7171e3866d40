//! Walking a value along the steps of a path.

use std::cmp::Ordering;

use serde_json::Value;

use super::{Comparison, Filter, JsonPathError, MATCH_LIMIT, MissingKeys, Slice, SliceEnd, Step};
use crate::patch::{go_text, go_type};

type Matches<'a> = Result<Vec<&'a Value>, JsonPathError>;

/// Takes every value through all steps.
pub(super) fn evaluate<'a>(values: Vec<&'a Value>, steps: &'a [Step], missing: MissingKeys) -> Matches<'a> {
    steps.iter().try_fold(values, |values, step| advance(&values, step, missing))
}

fn advance<'a>(values: &[&'a Value], step: &'a Step, missing: MissingKeys) -> Matches<'a> {
    let mut found = Vec::new();
    match step {
        Step::Field(name) => {
            found.extend(values.iter().filter_map(|value| value.as_object()?.get(name)));
            if found.is_empty() && !values.is_empty() && missing == MissingKeys::Fail {
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
                descend(value, &mut found)?;
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
                found.extend(evaluate(values.to_vec(), path, missing)?);
                check_count(&found)?;
            }
        }
        Step::Filter(filter) => {
            for value in values {
                select(value, filter, missing, &mut found)?;
                check_count(&found)?;
            }
        }
        Step::Literal(text @ Value::String(_)) => found.push(text),
        Step::Literal(constant) => found.extend(values.iter().map(|_| constant)),
    }
    Ok(found)
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

/// A container that is not empty, and all such below it.
fn descend<'a>(value: &'a Value, found: &mut Vec<&'a Value>) -> Result<(), JsonPathError> {
    let mut children = children(value).peekable();
    if children.peek().is_none() {
        return Ok(());
    }
    found.push(value);
    check_count(found)?;
    children.try_for_each(|child| descend(child, found))
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

fn select<'a>(
    value: &'a Value,
    filter: &Filter,
    missing: MissingKeys,
    found: &mut Vec<&'a Value>,
) -> Result<(), JsonPathError> {
    for element in value.as_array().ok_or_else(|| JsonPathError::NotFilterable(go_text(value)))? {
        if holds(element, filter, missing)? {
            found.push(element);
        }
    }
    Ok(())
}

fn holds(element: &Value, filter: &Filter, missing: MissingKeys) -> Result<bool, JsonPathError> {
    let left = evaluate(vec![element], &filter.left, missing);
    let Some((comparison, right)) = &filter.right else {
        return Ok(left.is_ok_and(|left| !left.is_empty()));
    };
    let right = |left| Ok::<_, JsonPathError>((left, one(evaluate(vec![element], right, missing)?)?));
    match one(left?)?.map(right).transpose()? {
        Some((left, Some(right))) => Ok(compare(left, right, *comparison)),
        _ => Ok(false),
    }
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
