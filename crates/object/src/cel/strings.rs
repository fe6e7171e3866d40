//! Functions that search in a text.

use std::sync::Arc;

use super::evaluate::Evaluation;
use super::failure::{Failure, Outcome};
use super::meter::tenths;
use super::{ExecutionError, Value};

impl Evaluation<'_> {
    /// A function of two texts; `None` when the further arguments are not of its types.
    pub(super) fn text_call(
        &mut self,
        function: &str,
        text: &str,
        argument: &str,
        rest: &[&Value],
    ) -> Option<Outcome> {
        Some(match (function, rest) {
            ("contains", []) => {
                let cost = tenths(text.len()).saturating_mul(tenths(argument.len()).max(1));
                self.meter.spend(1 + cost).map(|()| Value::Bool(text.contains(argument)))
            }
            ("startsWith", []) => {
                let cost = tenths(argument.len());
                self.meter.spend(1 + cost).map(|()| Value::Bool(text.starts_with(argument)))
            }
            ("endsWith", []) => {
                let cost = tenths(argument.len());
                self.meter.spend(1 + cost).map(|()| Value::Bool(text.ends_with(argument)))
            }
            ("matches", []) => self.matches(text, argument),
            ("find", []) => self.find(text, argument),
            ("findAll", []) => self.find_all(text, argument, usize::MAX),
            // A negative number means no limit.
            ("findAll", [Value::Int(limit)]) => {
                self.find_all(text, argument, usize::try_from(*limit).unwrap_or(usize::MAX))
            }
            ("indexOf", []) => self.index_of(text, argument, 0),
            ("indexOf", [Value::Int(start)]) => self.index_of(text, argument, *start),
            ("lastIndexOf", []) => self.last_index_of(text, argument, None),
            ("lastIndexOf", [Value::Int(last)]) => self.last_index_of(text, argument, Some(*last)),
            _ => return None,
        })
    }

    /// Cost of running an expression over a text; every four characters of it count as one state.
    fn spend_regex(&mut self, text: &str, pattern: &str) -> Result<(), Failure> {
        let states = (pattern.len() as u64).div_ceil(4);
        self.meter.spend(1 + tenths(text.len() + 1).saturating_mul(states))
    }

    fn matches(&mut self, text: &str, pattern: &str) -> Outcome {
        self.spend_regex(text, pattern)?;
        let is_match = self.regexes.get(pattern, "matches")?.is_match(text);
        Ok(Value::Bool(is_match))
    }

    fn find(&mut self, text: &str, pattern: &str) -> Outcome {
        self.spend_regex(text, pattern)?;
        let found = self.regexes.get(pattern, "find")?.find(text);
        let found = found.map_or("", |found| found.as_str());
        self.meter.spend_new_text(found.len())?;
        Ok(Value::String(Arc::new(found.to_owned())))
    }

    fn find_all(&mut self, text: &str, pattern: &str, limit: usize) -> Outcome {
        /// A search may read all that is left of the text, and then there is the next one.
        const BYTES_PER_UNIT: usize = 64;
        self.spend_regex(text, pattern)?;
        let regex = self.regexes.get(pattern, "findAll")?.clone();
        let mut all = Vec::new();
        for found in regex.find_iter(text).take(limit) {
            let left = text.len() - found.start();
            self.meter.spend((left / BYTES_PER_UNIT) as u64)?;
            self.meter.spend_elements(1)?;
            self.meter.spend_new_text(found.len())?;
            all.push(Value::String(Arc::new(found.as_str().to_owned())));
        }
        Ok(Value::List(Arc::new(all)))
    }

    /// Positions count characters.
    fn index_of(&mut self, text: &str, part: &str, start: i64) -> Outcome {
        self.meter.spend(1 + tenths(text.len()))?;
        let offset = usize::try_from(start).ok().and_then(|start| byte_at(text, start));
        let Some(offset) = offset else {
            return Err(
                ExecutionError::function_error("indexOf", format!("index out of range: {start}")).into()
            );
        };
        let found = text[offset..].find(part).map(|at| text[..offset + at].chars().count());
        Ok(position(found))
    }

    fn last_index_of(&mut self, text: &str, part: &str, last: Option<i64>) -> Outcome {
        self.meter.spend(1 + tenths(text.len()))?;
        let end = match last {
            None => text.len(),
            Some(last) => match usize::try_from(last).ok().and_then(|last| byte_at(text, last)) {
                // A match may start at the position, and ends after it.
                Some(offset) => {
                    let end = text.len().min(offset.saturating_add(part.len()));
                    (end..=text.len()).find(|end| text.is_char_boundary(*end)).unwrap_or(text.len())
                }
                None => {
                    let detail = format!("index out of range: {last}");
                    return Err(ExecutionError::function_error("lastIndexOf", detail).into());
                }
            },
        };
        let found = text[..end].rfind(part).map(|at| text[..at].chars().count());
        Ok(position(found))
    }
}

fn position(found: Option<usize>) -> Value {
    Value::Int(found.and_then(|found| i64::try_from(found).ok()).unwrap_or(-1))
}

/// Where a character starts; the end of the text counts as one.
fn byte_at(text: &str, position: usize) -> Option<usize> {
    text.char_indices().map(|(at, _)| at).chain([text.len()]).nth(position)
}
