//! Labels with a bounded number of values.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::RwLock;

/// The value that stands for all values beyond the bound.
pub const OTHER: &str = "other";

/// Values of a label that users choose, such as the names of their resources: the first ones stand for themselves, all
/// later ones become [`OTHER`]. Clones share the values.
#[derive(Debug, Clone)]
pub struct BoundedLabel {
    values: Arc<RwLock<HashSet<Arc<str>>>>,
    limit: usize,
}

impl BoundedLabel {
    /// A label with at most `limit` values besides [`OTHER`].
    pub fn new(limit: usize) -> Self {
        Self { values: Arc::default(), limit }
    }

    /// The label for `value`.
    pub fn label(&self, value: &str) -> Arc<str> {
        if let Some(known) = self.values.read().get(value) {
            return Arc::clone(known);
        }
        let mut values = self.values.write();
        if values.len() >= self.limit && !values.contains(value) {
            return Arc::from(OTHER);
        }
        let label: Arc<str> = Arc::from(value);
        values.insert(Arc::clone(&label));
        label
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_beyond_the_limit_are_other() {
        let label = BoundedLabel::new(2);
        let labels: Vec<_> = ["a", "b", "c", "a", "d"].map(|value| label.label(value).to_string()).into();
        assert_eq!(labels, ["a", "b", "other", "a", "other"]);
    }
}
