//! Matching selectors to objects: whether a selector fits, and how closely.
//!
//! The order of preference is part of the API that users rely on (karmada: pkg/util/selector.go,
//! pkg/detector/compare.go); propagation and override policies share it.

use std::fmt;

use portolan_api::policy::ResourceSelector;
use portolan_object::Object;

/// How closely a selector names an object; a closer one wins among policies of one priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// By kind alone.
    Kind,
    /// By labels.
    Labels,
    /// By name.
    Name,
}

/// The first part of a selector that an object does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mismatch {
    /// Another API group or kind.
    Kind,
    /// Another namespace.
    Namespace,
    /// Another name.
    Name,
    /// The labels are not selected.
    Labels,
}

/// How closely `selector` fits.
///
/// # Errors
/// The part of the selector that the object does not fit.
pub fn fit(selector: &ResourceSelector, object: &Object) -> Result<Rank, Mismatch> {
    // An object is served in every version of its group, so the version does not decide.
    let is_of_kind = !selector.api_version.is_empty()
        && group(&selector.api_version) == group(object.api_version())
        && selector.kind == object.kind();
    if !is_of_kind {
        return Err(Mismatch::Kind);
    }
    if !selector.namespace.is_empty() && selector.namespace != object.namespace() {
        return Err(Mismatch::Namespace);
    }
    if !selector.name.is_empty() {
        return if selector.name == object.name() { Ok(Rank::Name) } else { Err(Mismatch::Name) };
    }
    match &selector.label_selector {
        Some(labels) if labels.matches(|key| object.label(key)) => Ok(Rank::Labels),
        Some(_) => Err(Mismatch::Labels),
        None => Ok(Rank::Kind),
    }
}

/// How closely `selector` fits; `None` when it does not.
pub fn rank(selector: &ResourceSelector, object: &Object) -> Option<Rank> {
    fit(selector, object).ok()
}

impl fmt::Display for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kind => "kind",
            Self::Labels => "labels",
            Self::Name => "name",
        })
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kind => "kind",
            Self::Namespace => "namespace",
            Self::Name => "name",
            Self::Labels => "labels",
        })
    }
}

fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// The closest fit among `selectors`.
pub fn best_rank(selectors: &[ResourceSelector], object: &Object) -> Option<Rank> {
    selectors.iter().filter_map(|selector| rank(selector, object)).max()
}

#[cfg(test)]
mod tests {
    use portolan_api::meta::LabelSelector;
    use serde_json::json;

    use super::*;

    fn selector(kind: &str, name: &str, labels: &[(&str, &str)]) -> ResourceSelector {
        let match_labels =
            labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        ResourceSelector {
            api_version: "apps/v1".to_owned(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            label_selector: (!labels.is_empty())
                .then(|| LabelSelector { match_labels, ..LabelSelector::default() }),
            ..ResourceSelector::default()
        }
    }

    fn deployment() -> Object {
        Object(json!({"apiVersion": "apps/v1", "kind": "Deployment",
                      "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}}}))
    }

    #[test]
    fn ranks() {
        let elsewhere =
            ResourceSelector { namespace: "other".to_owned(), ..selector("Deployment", "web", &[]) };
        let other_version =
            ResourceSelector { api_version: "apps/v1beta1".to_owned(), ..selector("Deployment", "", &[]) };
        let other_group =
            ResourceSelector { api_version: "extensions/v1".to_owned(), ..selector("Deployment", "", &[]) };
        let no_group = ResourceSelector { api_version: String::new(), ..selector("Deployment", "", &[]) };
        let cases = [
            ("by name", selector("Deployment", "web", &[]), Ok(Rank::Name)),
            (
                "a name makes labels irrelevant",
                selector("Deployment", "web", &[("app", "x")]),
                Ok(Rank::Name),
            ),
            ("another name", selector("Deployment", "db", &[]), Err(Mismatch::Name)),
            ("by label", selector("Deployment", "", &[("app", "web")]), Ok(Rank::Labels)),
            ("another label", selector("Deployment", "", &[("app", "db")]), Err(Mismatch::Labels)),
            ("by kind", selector("Deployment", "", &[]), Ok(Rank::Kind)),
            ("another kind", selector("StatefulSet", "", &[]), Err(Mismatch::Kind)),
            ("another namespace", elsewhere, Err(Mismatch::Namespace)),
            ("another version of the same object", other_version, Ok(Rank::Kind)),
            ("another group", other_group, Err(Mismatch::Kind)),
            ("no group", no_group, Err(Mismatch::Kind)),
        ];
        for (name, selector, want) in cases {
            assert_eq!(fit(&selector, &deployment()), want, "{name}");
        }
    }
}
