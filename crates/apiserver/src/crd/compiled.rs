//! The schema of a version in the form in which objects are held to it.

use portolan_object::schema::structural::{self, Structural};
use portolan_object::schema::{Node, Schema, SchemaSet};
use serde_json::Value;

/// A compiled schema.
#[derive(Debug)]
pub(super) struct Compiled {
    structural: Structural,
}

/// Allows everything.
impl Default for Compiled {
    fn default() -> Self {
        let mut set = SchemaSet::default();
        let root = set.push(Node { preserve_unknown: true, ..Node::default() });
        Self { structural: Structural { set, root, warnings: Vec::new() } }
    }
}

impl Compiled {
    /// Compiles `openAPIV3Schema`. One that the validation of definitions would have refused prunes and checks
    /// nothing, so that objects stored under it are not lost.
    pub(super) fn new(source: &Value) -> Self {
        structural::compile(source, "").map_or_else(|_| Self::default(), |structural| Self { structural })
    }

    /// The schema of the whole object.
    pub(super) fn schema(&self) -> Schema<'_> {
        self.structural.schema()
    }
}
