//! The form in which expressions are evaluated: operators and macros instead of names, constants as values.

use super::Value;

/// The accumulator of macros; no identifier of the language.
pub(super) const ACCUMULATOR: &str = "@result";

/// One expression.
#[derive(Debug)]
pub(super) enum Node {
    Constant(Value),
    Variable(Box<str>),
    Select {
        operand: Box<Node>,
        field: Box<str>,
        access: Access,
    },
    /// `a[i]`, or `a[?i]` when optional.
    Index {
        operand: Box<Node>,
        index: Box<Node>,
        is_optional: bool,
    },
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Not(Box<Node>),
    Negate(Box<Node>),
    /// True unless the operand is false; of macros only.
    NotStrictlyFalse(Box<Node>),
    /// Condition, value if true, value if false.
    Conditional(Box<[Node; 3]>),
    Binary(Operator, Box<Node>, Box<Node>),
    /// A function; the name of a namespaced one has its namespace: `sets.contains`.
    Call {
        function: Box<str>,
        target: Option<Box<Node>>,
        arguments: Vec<Node>,
    },
    List(Vec<Element>),
    Map(Vec<Entry>),
    Fold(Box<Fold>),
    /// Adds to the accumulator of a macro that makes a map.
    Insert(Insertion),
    /// `cel.bind(variable, value, body)`.
    Bind {
        variable: Box<str>,
        value: Box<Node>,
        body: Box<Node>,
    },
    /// `operand.optMap(variable, body)`; with `is_flat`, `optFlatMap`.
    OptionalMap {
        operand: Box<Node>,
        variable: Box<str>,
        body: Box<Node>,
        is_flat: bool,
    },
    /// `operand.sortBy(variable, key)`.
    SortBy {
        operand: Box<Node>,
        variable: Box<str>,
        key: Box<Node>,
    },
}

/// What is added to a map.
#[derive(Debug)]
pub(super) enum Insertion {
    Entry { key: Box<Node>, value: Box<Node> },
    Map(Box<Node>),
}

/// How a field is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// `a.b`
    Required,
    /// `has(a.b)`
    Test,
    /// `a.?b`
    Optional,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
}

/// An element of a list; an optional one is left out when absent.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) value: Node,
    pub(super) is_optional: bool,
}

/// An entry of a map; an optional one is left out when absent.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: Node,
    pub(super) value: Node,
    pub(super) is_optional: bool,
}

/// A macro such as `all` or `map`: a loop over a list or over the keys of a map.
#[derive(Debug)]
pub(super) struct Fold {
    pub(super) range: Node,
    pub(super) variable: Box<str>,
    /// With two variables: index and element, or key and value.
    pub(super) second: Option<Box<str>>,
    pub(super) accumulator: Box<str>,
    pub(super) initial: Node,
    pub(super) condition: Node,
    pub(super) step: Node,
    pub(super) result: Node,
}
