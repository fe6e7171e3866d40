//! Whether an object says everything that is wanted of it, whatever its API server filled in beside it.

use serde_json::Value;

/// Whether `actual` has everything that `wanted` sets. Lists have to be equally long.
pub(crate) fn covers(actual: &Value, wanted: &Value) -> bool {
    match (actual, wanted) {
        (Value::Object(actual), Value::Object(wanted)) => {
            wanted.iter().all(|(key, value)| actual.get(key).is_some_and(|actual| covers(actual, value)))
        }
        (Value::Array(actual), Value::Array(wanted)) => {
            actual.len() == wanted.len()
                && actual.iter().zip(wanted).all(|(actual, wanted)| covers(actual, wanted))
        }
        (actual, wanted) => actual == wanted,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn covering() {
        let cases = [
            ("defaults do not count", json!({ "a": 1, "b": 2 }), json!({ "a": 1 }), true),
            ("nor do they inside lists", json!([{ "a": 1, "b": 2 }]), json!([{ "a": 1 }]), true),
            ("another value", json!({ "a": 1 }), json!({ "a": 2 }), false),
            ("a missing value", json!({}), json!({ "a": "" }), false),
            ("a longer list", json!([1, 2]), json!([1]), false),
        ];
        for (name, actual, wanted, want) in cases {
            assert_eq!(covers(&actual, &wanted), want, "{name}");
        }
    }
}
