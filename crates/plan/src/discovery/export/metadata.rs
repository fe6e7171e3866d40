//! Labels and annotations that an export may put on the imports.
//!
//! The CRD checks neither keys nor values; an illegal one would make the write of the import fail in every cluster,
//! so it is refused here, at the export (mcs 1.2).

use portolan_api::multicluster::ServiceExportSpec;
use portolan_object::dns_label::{is_label, is_subdomain};
use portolan_object::selector::{label_key_errors, label_value_errors};

/// Kubernetes refuses more in all annotations of an object together; room is left for those that are ours.
const MOST_ANNOTATIONS: usize = 200 * 1024;
/// Keys by which the federation and other controllers know what they own.
const RESERVED: &[&str] =
    &["portolan.dev", "karmada.io", "multicluster.kubernetes.io", "multicluster.x-k8s.io"];

/// Something that an import cannot carry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("spec.{field}[{key:?}]: {problem}; nothing is exported until it is corrected")]
pub struct IllegalMetadata {
    field: &'static str,
    key: String,
    problem: &'static str,
}

/// Whether imports can carry what an export asks for.
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
        Some((key, _)) if size > MOST_ANNOTATIONS => {
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

/// What is wrong with the key of a label or annotation (Kubernetes, IsQualifiedName).
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

/// Whether a port of a Service can be called so; a single one need not have a name.
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
            ("ours", "portolan.dev/clusterset", "x", "reserved"),
            ("a subdomain of ours", "work.karmada.io/name", "x", "reserved"),
            ("no subdomain of ours", "notkarmada.io/name", "x", ""),
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
