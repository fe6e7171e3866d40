//! Expressions in CEL, with a bound on the work of each.
//!
//! The parser, the values and most functions come from the crates `cel` and `kube-cel`. Their evaluator has no budget
//! and cannot be stopped, so expressions are lowered to a [`tree`] of our own and evaluated here, in the cost units of
//! Kubernetes (k8s.io/apiserver/pkg/cel/library/cost.go). The same tree yields the estimate by which a definition is
//! refused before any object meets it.
//!
//! ```text
//! source ─► parse (crate cel) ─► lower ─► tree ─► evaluate (objects)
//!                                              └► check, estimate (definitions)
//! ```

mod access;
mod check;
mod cost;
mod declaration;
mod equality;
mod estimate;
mod estimate_calls;
mod evaluate;
mod failure;
mod fold;
mod functions;
mod json;
mod library;
mod lists;
mod lower;
mod macros;
mod messages;
mod meter;
mod operators;
mod optional_functions;
mod optionals;
mod quantities;
mod regexes;
mod strings;
mod tree;

use kube_cel::cel::parser::Parser;

pub(crate) use check::{Expected, Mistake, check};
pub(crate) use declaration::{Declaration, Declarations};
pub(crate) use estimate::estimate;
pub(crate) use evaluate::Variables;
pub(crate) use failure::Failure;
pub(crate) use json::to_json;
pub(crate) use kube_cel::cel::ExecutionError;
pub(crate) use kube_cel::cel::objects::{Key, Map, Value};
pub(crate) use library::call as call_library;
pub(crate) use optionals::{absent, present};
pub(crate) use regexes::Regexes;

#[cfg(test)]
mod tests;

/// Longer expressions are not compiled: parser and evaluator recurse, and expressions come from users.
const MAX_LENGTH: usize = 10_240;
/// Expressions with more operators and brackets than this are not compiled, for the same reason.
const MAX_OPERATORS: usize = 600;

/// Why an expression is not compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unparsed {
    /// It is no expression: the first complaint of the parser.
    #[error("{0}")]
    Syntax(String),
    /// It cannot be evaluated here.
    #[error("{0}")]
    Unsupported(String),
}

/// Which types an expression may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Messages {
    /// None.
    None,
    /// Parts of an object (`Object.spec{…}`) and operations of a JSON patch (`JSONPatch{…}`).
    Patches,
}

/// A parsed expression.
#[derive(Debug)]
pub(crate) struct Program {
    root: tree::Node,
    /// Variables that are not bound inside the expression.
    free: Vec<String>,
}

impl Program {
    /// Parses an expression.
    ///
    /// # Errors
    /// [`Unparsed`].
    pub(crate) fn parse(source: &str) -> Result<Self, Unparsed> {
        Self::parse_with(source, Messages::None)
    }

    /// Parses an expression that may make these types.
    ///
    /// # Errors
    /// [`Unparsed`].
    pub(crate) fn parse_with(source: &str, messages: Messages) -> Result<Self, Unparsed> {
        let operators = source.bytes().filter(|byte| b"!-+*/%?.,:<>=&|([{".contains(byte)).count();
        if source.len() > MAX_LENGTH || operators > MAX_OPERATORS {
            return Err(Unparsed::Unsupported("too long".to_owned()));
        }
        let parser = Parser::default().enable_optional_syntax(true);
        let expression = parser.parse(source).map_err(|error| {
            let first = error.to_string().lines().next().map(str::to_owned);
            Unparsed::Syntax(first.unwrap_or_else(|| "the expression cannot be parsed".to_owned()))
        })?;
        let (root, free) = lower::lower(&expression, messages).map_err(Unparsed::Unsupported)?;
        Ok(Self { root, free })
    }

    /// Variables that the expression does not bind itself.
    pub(crate) fn free(&self) -> &[String] {
        &self.free
    }

    /// Whether the expression reads a variable.
    pub(crate) fn mentions(&self, variable: &str) -> bool {
        self.free.iter().any(|name| name == variable)
    }
}
