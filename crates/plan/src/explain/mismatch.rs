//! Why a resource selector does not select an object: the first part that differs.

use std::fmt;

use portolan_api::policy::ResourceSelector;
use portolan_object::Object;

use crate::propagation::matching::rank;

/// The part of a selector that differs. Later variants agree in more parts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mismatch {
    /// The kind.
    Kind {
        /// The kind of the selector.
        wanted: String,
        /// The kind of the object.
        actual: String,
    },
    /// The API group.
    Group {
        /// The `apiVersion` of the selector.
        wanted: String,
        /// The `apiVersion` of the object.
        actual: String,
    },
    /// The kind is spelled differently.
    Spelling {
        /// The kind of the selector.
        wanted: String,
        /// The kind of the object.
        actual: String,
    },
    /// The namespace.
    Namespace(String),
    /// The name.
    Name(String),
    /// The labels: the requirement that does not hold.
    Labels(String),
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind { wanted, .. } => write!(f, "selects kind {wanted}"),
            Self::Group { wanted, actual } => {
                write!(f, "selects apiVersion {wanted:?}, and the object has {actual:?}")
            }
            Self::Spelling { wanted, actual } => {
                write!(f, "selects kind {wanted:?}, which must be written {actual:?}")
            }
            Self::Namespace(wanted) => write!(f, "selects objects in namespace {wanted}"),
            Self::Name(wanted) => write!(f, "selects the name {wanted}"),
            Self::Labels(requirement) => write!(f, "selects by labels, and {requirement}"),
        }
    }
}

/// The mismatch of the selector that comes closest; `None` if one selects the object.
pub(super) fn closest(selectors: &[ResourceSelector], object: &Object) -> Option<Mismatch> {
    if selectors.iter().any(|selector| rank(selector, object).is_some()) {
        return None;
    }
    selectors.iter().filter_map(|selector| mismatch(selector, object)).max()
}

/// The first part of a selector that differs; `None` if it selects the object.
pub(super) fn mismatch(selector: &ResourceSelector, object: &Object) -> Option<Mismatch> {
    if rank(selector, object).is_some() {
        return None;
    }
    let (wanted, actual) = (selector.kind.clone(), object.kind().to_owned());
    if wanted != actual && is_plural_or_case(&wanted, &actual) {
        return Some(Mismatch::Spelling { wanted, actual });
    }
    if wanted != actual {
        return Some(Mismatch::Kind { wanted, actual });
    }
    if group(&selector.api_version) != group(object.api_version()) {
        let (wanted, actual) = (selector.api_version.clone(), object.api_version().to_owned());
        return Some(Mismatch::Group { wanted, actual });
    }
    if !selector.namespace.is_empty() && selector.namespace != object.namespace() {
        return Some(Mismatch::Namespace(selector.namespace.clone()));
    }
    if !selector.name.is_empty() {
        return Some(Mismatch::Name(selector.name.clone()));
    }
    Some(Mismatch::Labels(unmet(selector, object)))
}

fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

fn is_plural_or_case(wanted: &str, actual: &str) -> bool {
    let (wanted, actual) = (wanted.to_lowercase(), actual.to_lowercase());
    wanted == actual
        || wanted.strip_suffix('s') == Some(&actual)
        || wanted.strip_suffix("es") == Some(&actual)
}

/// The first requirement on labels that does not hold.
fn unmet(selector: &ResourceSelector, object: &Object) -> String {
    let Some(labels) = &selector.label_selector else { return "they differ".to_owned() };
    for (key, wanted) in &labels.match_labels {
        match object.label(key) {
            Some(value) if value == wanted => {}
            Some(value) => return format!("label {key} is {value:?}, not {wanted:?}"),
            None => return format!("the object has no label {key}={wanted}"),
        }
    }
    for requirement in &labels.match_expressions {
        if !requirement.matches(object.label(&requirement.key)) {
            let values = match requirement.values.is_empty() {
                true => String::new(),
                false => format!(" ({})", requirement.values.join(", ")),
            };
            return format!("{} {}{values} does not hold", requirement.key, requirement.operator);
        }
    }
    "they differ".to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_part_that_differs_is_named() {
        let object = Object(json!({ "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "namespace": "shop", "name": "web", "labels": { "app": "web" } } }));
        let cases = [
            (json!({ "apiVersion": "apps/v1", "kind": "Deployment" }), None),
            (json!({ "apiVersion": "apps/v1beta1", "kind": "Deployment" }), None),
            (json!({ "apiVersion": "apps/v1", "kind": "StatefulSet" }), Some("selects kind StatefulSet")),
            (
                json!({ "apiVersion": "apps/v1", "kind": "deployment" }),
                Some("selects kind \"deployment\", which must be written \"Deployment\""),
            ),
            (
                json!({ "apiVersion": "apps/v1", "kind": "deployments" }),
                Some("selects kind \"deployments\", which must be written \"Deployment\""),
            ),
            (
                json!({ "apiVersion": "v1", "kind": "Deployment" }),
                Some("selects apiVersion \"v1\", and the object has \"apps/v1\""),
            ),
            (
                json!({ "apiVersion": "apps/v1", "kind": "Deployment", "namespace": "other" }),
                Some("selects objects in namespace other"),
            ),
            (
                json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "api" }),
                Some("selects the name api"),
            ),
            (
                json!({ "apiVersion": "apps/v1", "kind": "Deployment", "labelSelector": { "matchLabels": { "app": "api" } } }),
                Some("selects by labels, and label app is \"web\", not \"api\""),
            ),
            (
                json!({ "apiVersion": "apps/v1", "kind": "Deployment", "labelSelector": { "matchLabels": { "tier": "a" } } }),
                Some("selects by labels, and the object has no label tier=a"),
            ),
            (
                json!({ "apiVersion": "apps/v1", "kind": "Deployment", "labelSelector": { "matchExpressions":
                    [{ "key": "app", "operator": "NotIn", "values": ["web"] }] } }),
                Some("selects by labels, and app NotIn (web) does not hold"),
            ),
        ];
        for (selector, want) in cases {
            let selector: ResourceSelector = serde_json::from_value(selector).expect("a selector");
            let found = mismatch(&selector, &object);
            assert_eq!(found.as_ref().map(ToString::to_string).as_deref(), want, "{selector:?}");
            assert_eq!(found.is_none(), rank(&selector, &object).is_some(), "agrees with rank: {selector:?}");
        }
    }
}
