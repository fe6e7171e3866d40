//! Labels and annotations that users set on objects of any kind, with values that mean nothing.

use serde_json::Value;

use crate::annotations::work::CONFLICT_RESOLUTION;
use crate::labels::namespace::SKIP_AUTO_PROPAGATION;
use crate::labels::template::{ALWAYS, DELETION_PROTECTED, RETAIN_REPLICAS};

/// A part of the metadata, a key in it, and the values that are recognised.
type Recognised = (&'static str, &'static str, &'static [&'static str]);

const RECOGNISED: [Recognised; 4] = [
    ("annotations", CONFLICT_RESOLUTION, &["overwrite", "abort"]),
    ("labels", SKIP_AUTO_PROPAGATION, &["true", "false"]),
    ("labels", RETAIN_REPLICAS, &["true", "false"]),
    ("labels", DELETION_PROTECTED, &[ALWAYS]),
];

/// Warnings about new values that are not recognised; Karmada ignores them. `old` is the object before an update.
pub fn unrecognised_values(object: &Value, old: Option<&Value>) -> Vec<String> {
    let found = RECOGNISED.iter().filter_map(|(part, key, values)| {
        let value = object["metadata"][part][key].as_str()?;
        let before = old.and_then(|old| old["metadata"][part][key].as_str());
        if values.contains(&value) || before == Some(value) {
            return None;
        }
        let known = values.join(" and ");
        Some(format!("metadata.{part}[{key}]: the value {value:?} has no effect; recognised: {known}"))
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_that_mean_nothing_are_told_once() {
        let with = |part: &str, key: &str, value: &str| json!({ "metadata": { part: { key: value } } });
        let cases = [
            (with("annotations", "work.karmada.io/conflict-resolution", "overwrite"), None),
            (
                with("annotations", "work.karmada.io/conflict-resolution", "Overwrite"),
                Some(
                    "metadata.annotations[work.karmada.io/conflict-resolution]: the value \"Overwrite\" has no effect",
                ),
            ),
            (
                with("labels", "namespace.karmada.io/skip-auto-propagation", "True"),
                Some(
                    "metadata.labels[namespace.karmada.io/skip-auto-propagation]: the value \"True\" has no effect",
                ),
            ),
            (with("labels", "resourcetemplate.karmada.io/deletion-protected", "Always"), None),
            (
                with("labels", "resourcetemplate.karmada.io/deletion-protected", "always"),
                Some(
                    "metadata.labels[resourcetemplate.karmada.io/deletion-protected]: the value \"always\" has",
                ),
            ),
            (with("labels", "app", "web"), None),
            (json!({}), None),
        ];
        for (object, want) in cases {
            let told = unrecognised_values(&object, None);
            assert_eq!(told.len(), usize::from(want.is_some()), "{object}: {told:?}");
            assert!(want.is_none_or(|want| told[0].starts_with(want)), "{told:?}");
            assert!(unrecognised_values(&object, Some(&object)).is_empty(), "it was told before");
        }
    }
}
