//! Regular expressions of rules, compiled once for each object.

use std::collections::HashMap;

use super::ExecutionError;
use crate::schema::structural::pattern;

/// Expressions that are kept compiled. Objects can bring their own, so there is an end to it.
const MAX_KEPT: usize = 64;
/// Expressions that one object may have compiled.
const MAX_COMPILED: usize = 100;

/// Compiled regular expressions.
#[derive(Debug, Default)]
pub(crate) struct Regexes {
    kept: HashMap<String, regex::Regex>,
    compiled: usize,
}

impl Regexes {
    /// An expression with Go's meaning.
    ///
    /// # Errors
    /// The expression cannot be parsed, or is too large.
    pub(super) fn get(&mut self, source: &str, function: &str) -> Result<&regex::Regex, ExecutionError> {
        if !self.kept.contains_key(source) {
            self.compiled += 1;
            if self.compiled > MAX_COMPILED {
                let detail = format!("more than {MAX_COMPILED} different regular expressions");
                return Err(ExecutionError::function_error(function, detail));
            }
            if self.kept.len() >= MAX_KEPT {
                self.kept.clear();
            }
            let compiled = pattern::compile(source).map_err(|error| {
                ExecutionError::function_error(function, format!("invalid regular expression: {error}"))
            })?;
            self.kept.insert(source.to_owned(), compiled);
        }
        self.kept.get(source).ok_or(ExecutionError::NoSuchOverload)
    }
}
