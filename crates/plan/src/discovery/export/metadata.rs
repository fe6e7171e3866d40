//! Validation of the labels and annotations that an export adds to its imports.
//!
//! The CRD of ServiceExport does not validate keys and values. An invalid one would make the write of the import fail in
//! every cluster, so the export is not valid in that case (KEP-1645, reason `InvalidExportedMetadata`).

use portolan_api::multicluster::ServiceExportSpec;
use portolan_object::dns_label::{is_label, is_subdomain};
use portolan_object::selector::{label_key_errors, label_value_errors};

/// Maximum size of all exported annotations in bytes. The API limit for an object is 256 KiB; the rest is for annotations
/// of controllers.
const MAX_ANNOTATIONS: usize = 200 * 1024;
/// Prefixes of keys that multi-cluster controllers use for their own marks.
const RESERVED: &[&str] =
    &["portolan.dev", "karmada.io", "multicluster.kubernetes.io", "multicluster.x-k8s.io"];

/// A label or annotation that is not valid on an import.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("spec.{field}[{key:?}]: {problem}; nothing is exported until it is corrected")]
pub struct IllegalMetadata {
    field: &'static str,
    key: String,
    problem: &'static str,
}

/// Validates the labels and annotations of an export.
pub(super) fn check(spec: &ServiceExportSpec) -> Result<(), IllegalMetadata> {
    for (key, value) in &spec.exported_labels {
        let problem = key_problem(key).or_else(|| value_problem(value));
        refuse("exportedLabels", key, problem)?;
    }
    for key in spec.exported_annotations.keys() {
        refuse("exportedAnnotations", key, key_problem(key))?;
    }
    let size: usize = spec.exported_annotations.iter().map(|(key, value)| key.len() + value.len()).sum();
    let largest = spec.exported_annotations.iter().max_by_key(|(_, value)| value.len());
    match largest {
        Some((key, _)) if size > MAX_ANNOTATIONS => {
            refuse("exportedAnnotations", key, Some("all annotations together are larger than 200 KiB"))
        }
        _ => Ok(()),
    }
}

fn refuse(field: &'static str, key: &str, problem: Option<&'static str>) -> Result<(), IllegalMetadata> {
    match problem {
        Some(problem) => Err(IllegalMetadata { field, key: key.to_owned(), problem }),
        None => Ok(()),
    }
}

/// The problem of a label or annotation key (kubernetes apimachinery, `validation.IsQualifiedName`).
fn key_problem(key: &str) -> Option<&'static str> {
    let prefix = key.split_once('/').map(|(prefix, _)| prefix);
    if prefix.is_some_and(|prefix| !is_subdomain(prefix)) {
        return Some("the part before the slash is not a DNS subdomain");
    }
    let is_reserved = |prefix: &str| {
        RESERVED.iter().any(|owner| {
            prefix.strip_suffix(owner).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    };
    if prefix.is_some_and(is_reserved) {
        return Some("keys of this prefix are reserved for multi-cluster controllers");
    }
    (!label_key_errors(key).is_empty()).then_some(
        "not a key: use letters, digits, '-', '_' and '.', at most 63, a letter or digit at both ends",
    )
}

fn value_problem(value: &str) -> Option<&'static str> {
    (!label_value_errors(value).is_empty()).then_some(
        "not a label value: use letters, digits, '-', '_' and '.', at most 63, a letter or digit at both ends",
    )
}

/// Whether a Service port can have this name; the name of a single port may be empty.
pub(super) fn is_port_name(text: &str) -> bool {
    text.is_empty() || is_label(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_annotations() {
        let long = "a".repeat(64);
        let cases = [
            ("plain", "dummy-label", "true", ""),
            ("prefixed, empty value", "example.com/team", "", ""),
            ("a space in the key", "my label", "x", "not a key"),
            ("an empty name", "example.com/", "x", "not a key"),
            ("an upper-case prefix", "Example.com/a", "x", "not a DNS subdomain"),
            ("a long value", "a", &long, "not a label value"),
            ("a value with a slash", "a", "b/c", "not a label value"),
            ("reserved", "portolan.dev/clusterset", "x", "reserved"),
            ("a subdomain of a reserved prefix", "work.karmada.io/name", "x", "reserved"),
            ("only ends like a reserved prefix", "notkarmada.io/name", "x", ""),
        ];
        for (name, key, value, want) in cases {
            let spec = ServiceExportSpec {
                exported_labels: [(key.to_owned(), value.to_owned())].into(),
                ..ServiceExportSpec::default()
            };
            match check(&spec) {
                Ok(()) => assert_eq!(want, "", "{name}"),
                Err(error) => {
                    let text = error.to_string();
                    assert!(!want.is_empty() && text.contains(want), "{name}: {text}");
                    assert!(text.starts_with("spec.exportedLabels["), "{name}: {text}");
                }
            }
        }
    }

    #[test]
    fn annotations_have_any_value_but_not_any_size() {
        let annotated = |value: String| ServiceExportSpec {
            exported_annotations: [("a".to_owned(), value)].into(),
            ..ServiceExportSpec::default()
        };
        assert_eq!(check(&annotated("b/c d".to_owned())), Ok(()));
        let error = check(&annotated("x".repeat(300 * 1024))).unwrap_err().to_string();
        assert!(error.contains("larger than 200 KiB"), "{error}");
    }
}
