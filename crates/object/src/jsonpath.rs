//! JSONPath as kubectl speaks it: paths, filters, and templates with ranges.
//!
//! The API server evaluates the printer columns of custom resources with a [`JsonPath`], compiled once and run for
//! each row; the command line renders a [`Template`]. The dialect is not RFC 9535: a key stands in `['..']` with
//! its dots still active, `[*]` is for lists only, and a filter applies to lists only. Evaluation is bounded,
//! because the paths of custom resources come from users.

mod evaluate;
mod parse;
mod render;

use serde_json::Value;

pub use render::render_values;

use crate::budget::{Budget, Exhausted, Interrupt};

/// Values at any stage of an evaluation.
const MATCH_LIMIT: usize = 100_000;
/// Values that an evaluation may look at. `..` after `..` looks at the same values again and again.
const WORK_LIMIT: u64 = 10_000_000;

/// A compiled path, such as `.spec.containers[*].image`.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonPath {
    steps: Vec<Step>,
}

/// A compiled template, such as `{range .items[*]}{.metadata.name}{"\n"}{end}`.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    parts: Vec<Part>,
}

/// Result of a path to a missing field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingKeys {
    /// No match, as in printer columns and, by default, in kubectl.
    Skip,
    /// An error.
    Fail,
}

/// Why a path cannot be compiled or evaluated; the texts are kubectl's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonPathError {
    /// Not a path of this dialect.
    #[error("{0}")]
    Syntax(String),
    /// No value has this field.
    #[error("{0} is not found")]
    Missing(String),
    /// An index or slice of a value that is not a list.
    #[error("{0} is not array or slice")]
    NotAList(&'static str),
    /// A filter on a value that is not a list.
    #[error("{0} is not array or slice and cannot be filtered")]
    NotFilterable(String),
    /// The list is shorter.
    #[error("array index out of bounds: index {index}, length {length}")]
    OutOfBounds {
        /// The requested index.
        index: i64,
        /// The length of the list.
        length: usize,
    },
    /// A slice that ends before it starts.
    #[error("starting index {start} is greater than ending index {end}")]
    Reversed {
        /// The first index.
        start: i64,
        /// The index after the last.
        end: i64,
    },
    /// A slice that would stand still or go backwards.
    #[error("step must be > 0")]
    Step,
    /// One side of a comparison has several values.
    #[error("can only compare one element at a time")]
    Several,
    /// More values than an evaluation may hold.
    #[error("more than {MATCH_LIMIT} matches")]
    TooMany,
    /// More work than an evaluation may take.
    #[error("the path looks at too many values: {0}")]
    Exhausted(Exhausted),
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Field(String),
    /// `.*`: all values of a map, all elements of a list.
    Wildcard,
    /// `..`: the value and all containers below it.
    Recursive,
    Slice(Slice),
    /// The matches of each path, one after the other.
    Union(Vec<Vec<Step>>),
    Filter(Filter),
    /// A constant in place of what came before.
    Literal(Value),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slice {
    start: Option<i64>,
    end: SliceEnd,
    step: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SliceEnd {
    /// A plain index: one element.
    One,
    Before(i64),
    Last,
}

#[derive(Debug, Clone, PartialEq)]
struct Filter {
    left: Vec<Step>,
    /// `None` asks whether `left` matches at all.
    right: Option<(Comparison, Vec<Step>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Path(Vec<Step>),
    Range(Vec<Step>, Vec<Part>),
}

impl JsonPath {
    /// Compiles a path with or without the braces and the leading dot: `.spec.x`, `{.spec.x}`, `spec.x`.
    ///
    /// # Errors
    /// [`JsonPathError::Syntax`].
    pub fn parse(text: &str) -> Result<Self, JsonPathError> {
        Ok(Self { steps: parse::path(text)? })
    }

    /// All matches in `value`; none when something on the way is missing or of the wrong type.
    pub fn find<'a>(&'a self, value: &'a Value) -> Vec<&'a Value> {
        self.evaluate(value, MissingKeys::Skip).unwrap_or_default()
    }

    /// The first match in `value`; none when the budget is used up.
    pub fn first<'a>(&'a self, value: &'a Value, budget: &Budget) -> Option<&'a Value> {
        let walk = evaluate::Walk { missing: MissingKeys::Skip, budget };
        walk.evaluate(vec![value], &self.steps).ok()?.into_iter().next()
    }

    /// All matches in `value`, or why there can be none.
    ///
    /// # Errors
    /// A missing field when those count, an index out of bounds, a filter or slice of a value that is not a list.
    pub fn evaluate<'a>(
        &'a self,
        value: &'a Value,
        missing: MissingKeys,
    ) -> Result<Vec<&'a Value>, JsonPathError> {
        let budget = Budget::new(WORK_LIMIT, &Interrupt::never());
        evaluate::Walk { missing, budget: &budget }.evaluate(vec![value], &self.steps)
    }
}

impl Template {
    /// Compiles a template; text outside of braces stands for itself.
    ///
    /// # Errors
    /// [`JsonPathError::Syntax`].
    pub fn parse(text: &str) -> Result<Self, JsonPathError> {
        Ok(Self { parts: parse::template(text)? })
    }

    /// Fills the template with what it finds in `value`.
    ///
    /// # Errors
    /// As [`JsonPath::evaluate`].
    pub fn render(&self, value: &Value, missing: MissingKeys) -> Result<String, JsonPathError> {
        let mut text = String::new();
        let budget = Budget::new(WORK_LIMIT, &Interrupt::never());
        let walk = evaluate::Walk { missing, budget: &budget };
        render::parts(&mut text, &self.parts, value, &walk)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests;
