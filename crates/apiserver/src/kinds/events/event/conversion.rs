//! Events of `events.k8s.io/v1` and of the core group: the same facts under other names.

use serde_json::{Value, json};

/// Names of the core group, and those of `events.k8s.io`.
const NAMES: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

pub(crate) fn from_core(event: &mut Value) {
    for (core, new) in NAMES {
        rename(event, core, new);
    }
    event["apiVersion"] = json!("events.k8s.io/v1");
}

pub(crate) fn to_core(event: &mut Value) {
    for (core, new) in NAMES {
        rename(event, new, core);
    }
    event["apiVersion"] = json!("v1");
}

/// Gives a field another name.
fn rename(object: &mut Value, from: &str, to: &str) {
    if let Some(map) = object.as_object_mut()
        && let Some(value) = map.remove(from)
    {
        map.insert(to.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let event = json!({
            "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": { "name": "e" },
            "regarding": { "kind": "Pod" }, "note": "n", "reason": "r", "deprecatedCount": 2,
            "reportingController": "c", "eventTime": "2026-01-01T00:00:00.000000Z",
        });
        let mut stored = event.clone();
        to_core(&mut stored);
        assert_eq!(stored["involvedObject"]["kind"], "Pod");
        assert_eq!((&stored["message"], &stored["count"]), (&json!("n"), &json!(2)));
        assert_eq!((&stored["apiVersion"], &stored["reportingComponent"]), (&json!("v1"), &json!("c")));
        from_core(&mut stored);
        assert_eq!(stored, event);
    }
}
