//! The schema of a version in the form in which objects are held to it.

use portolan_object::Interrupt;
use portolan_object::schema::rules::{self, Evaluation, Rules};
use portolan_object::schema::structural::{self, Structural};
use portolan_object::schema::{Node, Schema, SchemaSet};
use serde_json::Value;

/// A compiled schema with its validation rules.
#[derive(Debug)]
pub(super) struct Compiled {
    structural: Structural,
    rules: Rules,
}

/// Allows everything.
impl Default for Compiled {
    fn default() -> Self {
        let mut set = SchemaSet::default();
        let root = set.push(Node { preserve_unknown: true, ..Node::default() });
        Self { structural: Structural { set, root, warnings: Vec::new() }, rules: Rules::default() }
    }
}

impl Compiled {
    /// Compiles `openAPIV3Schema`. One that the validation of definitions would have refused prunes and checks
    /// nothing, so that objects stored under it are not lost.
    pub(super) fn new(source: &Value) -> Self {
        match structural::compile(source, "") {
            Ok(structural) => Self { rules: rules::compile(&structural, "").rules, structural },
            Err(_) => Self::default(),
        }
    }

    /// The schema of the whole object.
    pub(super) fn schema(&self) -> Schema<'_> {
        self.structural.schema()
    }

    /// Evaluates the validation rules on an object.
    pub(super) fn evaluate(&self, object: &Value, old: Option<&Value>, interrupt: &Interrupt) -> Evaluation {
        match self.rules.is_empty() {
            true => Evaluation::default(),
            false => self.rules.evaluate(object, old, self.schema(), interrupt),
        }
    }
}
