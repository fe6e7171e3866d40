//! Changes of a template that matter.

use portolan_object::Object;
use serde_json::Value;

/// Whether a change of a template can change its binding or its Works: more than status and bookkeeping differs.
pub fn is_relevant(old: &Object, new: &Object) -> bool {
    differs(&old.0, &new.0, &["status", "metadata"])
        || differs(
            field(&old.0, "metadata"),
            field(&new.0, "metadata"),
            &["managedFields", "resourceVersion"],
        )
}

fn field<'a>(value: &'a Value, name: &str) -> &'a Value {
    value.get(name).unwrap_or(&Value::Null)
}

/// Whether two objects differ in any field but the `ignored` ones. Copies nothing.
fn differs(old: &Value, new: &Value, ignored: &[&str]) -> bool {
    let (Value::Object(old), Value::Object(new)) = (old, new) else { return old != new };
    let counts = |name: &String| !ignored.contains(&name.as_str());
    new.keys().any(|name| counts(name) && !old.contains_key(name))
        || old.iter().any(|(name, value)| counts(name) && new.get(name) != Some(value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn status_and_bookkeeping_do_not_matter() {
        let object = |version: &str, replicas: i64, data: &str| {
            Object(json!({ "metadata": { "resourceVersion": version, "managedFields": [version] },
                "status": { "replicas": replicas }, "data": data }))
        };
        assert!(!is_relevant(&object("1", 1, "a"), &object("2", 2, "a")));
        assert!(is_relevant(&object("1", 1, "a"), &object("2", 1, "b")));
    }
}
