//! Which element of the old list an element of the new list replaces.

use std::collections::HashMap;

use serde_json::Value;

use super::ListKind;

/// The elements of an old list by their keys; only lists of type `map` have keys.
pub(super) struct OldElements<'v> {
    keys: &'v [Box<str>],
    list: &'v [Value],
    positions: HashMap<String, usize>,
}

impl<'v> OldElements<'v> {
    pub(super) fn new(old: Option<&'v Value>, kind: &'v ListKind) -> Self {
        let (ListKind::Map(keys), Some(Value::Array(list))) = (kind, old) else {
            return Self { keys: &[], list: &[], positions: HashMap::new() };
        };
        let mut positions = HashMap::with_capacity(list.len());
        for (position, element) in list.iter().enumerate() {
            // Of several with the same keys, the first counts.
            positions.entry(key(element, keys)).or_insert(position);
        }
        Self { keys, list, positions }
    }

    /// The position of the old counterpart.
    pub(super) fn position(&self, element: &Value) -> Option<usize> {
        if self.list.is_empty() {
            return None;
        }
        self.positions.get(&key(element, self.keys)).copied()
    }

    /// The old counterpart.
    pub(super) fn counterpart(&self, element: &Value) -> Option<&'v Value> {
        self.list.get(self.position(element)?)
    }
}

/// The values of the keys as one text; a missing key has no value.
fn key(element: &Value, keys: &[Box<str>]) -> String {
    let mut text = String::new();
    for name in keys {
        if let Some(value) = element.get(&**name) {
            text.push_str(&value.to_string());
        }
        // JSON texts have no such character, so that the parts stay apart.
        text.push('\0');
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn elements_are_found_by_all_of_their_keys() {
        let kind = ListKind::Map(vec!["port".into(), "protocol".into()]);
        let old = json!([{"port": 1, "protocol": "TCP"}, {"port": 1, "protocol": "UDP"}, {"port": 1}]);
        let elements = OldElements::new(Some(&old), &kind);
        for (element, want) in [
            (json!({"port": 1, "protocol": "UDP", "more": true}), Some(1)),
            (json!({"port": 1}), Some(2)),
            (json!({"port": "1", "protocol": "UDP"}), None),
        ] {
            assert_eq!(elements.position(&element), want, "{element}");
            assert_eq!(elements.counterpart(&element), want.map(|at| &old[at]));
        }
        assert_eq!(OldElements::new(Some(&old), &ListKind::Atomic).position(&old[0]), None);
        assert_eq!(OldElements::new(None, &kind).position(&old[0]), None);
    }
}
