//! The path of a value inside its object, grown and shrunk while a schema is walked.

use std::fmt::Write as _;

/// A path such as `spec.ports[0].port`.
#[derive(Debug, Clone, Default)]
pub(super) struct Path {
    text: String,
}

/// Length of a path, to truncate it to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark(usize);

impl Path {
    /// Enters a property, or an entry of a map where entries are written like properties.
    pub(super) fn enter(&mut self, name: &str) -> Mark {
        let mark = Mark(self.text.len());
        if !self.text.is_empty() {
            self.text.push('.');
        }
        self.text.push_str(name);
        mark
    }

    /// Enters an element of a list.
    pub(super) fn enter_index(&mut self, index: usize) -> Mark {
        let mark = Mark(self.text.len());
        // Writing to a string cannot fail.
        let _ = write!(self.text, "[{index}]");
        mark
    }

    /// Enters an entry of a map, written `[key]` as validation errors do.
    pub(super) fn enter_key(&mut self, key: &str) -> Mark {
        let mark = Mark(self.text.len());
        let _ = write!(self.text, "[{key}]");
        mark
    }

    /// Returns to where the matching `enter` was called.
    pub(super) fn leave(&mut self, mark: Mark) {
        self.text.truncate(mark.0);
    }

    /// The path of a property of the present value.
    pub(super) fn child(&self, name: &str) -> String {
        if self.text.is_empty() { name.to_owned() } else { format!("{}.{name}", self.text) }
    }

    /// The path as text; empty for the object itself.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }
}
