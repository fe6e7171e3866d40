//! The functions of optionals.

use super::evaluate::Evaluation;
use super::failure::Outcome;
use super::optionals::{absent, content, from_option, present};
use super::{ExecutionError, Value};

impl Evaluation<'_> {
    /// Functions of optionals; `None` for others.
    pub(super) fn optional_call(
        &mut self,
        function: &str,
        target: Option<&Value>,
        arguments: &[Value],
    ) -> Option<Outcome> {
        let found = match (function, target, arguments) {
            ("optional.none", None, []) => Ok(absent()),
            ("optional.of", None, [value]) => Ok(present(value.clone())),
            ("optional.ofNonZeroValue", None, [value]) => {
                Ok(from_option(Some(value.clone()).filter(|value| !value.is_zero())))
            }
            ("hasValue", Some(target), []) => content(target).map(|value| Value::Bool(value.is_some())),
            ("value", Some(target), []) => content(target).and_then(|value| {
                let missing = || ExecutionError::function_error("value", "optional.none() dereference");
                value.cloned().ok_or_else(missing)
            }),
            ("orValue", Some(target), [other]) => content(target).map(|value| value.unwrap_or(other).clone()),
            ("or", Some(target), [other]) => match (content(target), content(other)) {
                (Ok(Some(_)), Ok(_)) => Ok(target.clone()),
                (Ok(None), Ok(_)) => Ok(other.clone()),
                (Err(error), _) | (_, Err(error)) => Err(error),
            },
            _ => return None,
        };
        Some(self.meter.spend(1).and(found.map_err(Into::into)))
    }
}
