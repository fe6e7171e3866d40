//! Matching policies to objects: which policy an object gets, and how closely a selector fits.
//!
//! The order of preference is part of the API that users rely on (karmada: pkg/util/selector.go,
//! pkg/detector/compare.go); propagation and override policies share it.

use std::cmp::Reverse;

use portolan_api::meta::ObjectMeta;
use portolan_api::policy::{PropagationSpec, ResourceSelector};
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

/// How closely `selector` fits; `None` when it does not.
pub fn rank(selector: &ResourceSelector, object: &Object) -> Option<Rank> {
    // An object is served in every version of its group, so the version does not decide.
    let same_kind =
        group(&selector.api_version) == group(object.api_version()) && selector.kind == object.kind();
    let same_namespace = selector.namespace.is_empty() || selector.namespace == object.namespace();
    if !same_kind || !same_namespace {
        return None;
    }
    if !selector.name.is_empty() {
        return (selector.name == object.name()).then_some(Rank::Name);
    }
    match &selector.label_selector {
        Some(labels) => labels.matches(|key| object.label(key)).then_some(Rank::Labels),
        None => Some(Rank::Kind),
    }
}

fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// The closest fit among `selectors`.
pub fn best_rank(selectors: &[ResourceSelector], object: &Object) -> Option<Rank> {
    selectors.iter().filter_map(|selector| rank(selector, object)).max()
}

/// Picks the policy for `object`: higher priority, then closer fit, then smaller name.
///
/// Policies being deleted take nothing new. `policies` are of one type: those of the object's namespace, or the
/// cluster-wide ones; a namespaced policy beats every cluster-wide one, so the caller asks for those first.
pub fn choose<'a>(
    policies: impl IntoIterator<Item = (&'a ObjectMeta, &'a PropagationSpec)>,
    object: &Object,
) -> Option<&'a ObjectMeta> {
    let candidates = policies.into_iter().filter(|(metadata, _)| !metadata.is_deleting());
    let ranked = candidates.filter_map(|(metadata, spec)| {
        let rank = best_rank(&spec.resource_selectors, object)?;
        Some((spec.priority(), rank, Reverse(&metadata.name), metadata))
    });
    ranked
        .max_by(|one, other| (one.0, one.1, &one.2).cmp(&(other.0, other.1, &other.2)))
        .map(|(.., policy)| policy)
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
        let cases = [
            ("by name", selector("Deployment", "web", &[]), Some(Rank::Name)),
            (
                "a name makes labels irrelevant",
                selector("Deployment", "web", &[("app", "x")]),
                Some(Rank::Name),
            ),
            ("another name", selector("Deployment", "db", &[]), None),
            ("by label", selector("Deployment", "", &[("app", "web")]), Some(Rank::Labels)),
            ("another label", selector("Deployment", "", &[("app", "db")]), None),
            ("by kind", selector("Deployment", "", &[]), Some(Rank::Kind)),
            ("another kind", selector("StatefulSet", "", &[]), None),
            ("another namespace", elsewhere, None),
            ("another version of the same object", other_version, Some(Rank::Kind)),
            ("another group", other_group, None),
        ];
        for (name, selector, want) in cases {
            assert_eq!(rank(&selector, &deployment()), want, "{name}");
        }
    }

    #[test]
    fn chooses() {
        let policy = |name: &str, priority: i32, selector: ResourceSelector| {
            let spec = PropagationSpec {
                resource_selectors: vec![selector],
                priority: Some(priority),
                ..PropagationSpec::default()
            };
            (ObjectMeta::namespaced("shop", name), spec)
        };
        let by_name = || selector("Deployment", "web", &[]);
        let by_kind = || selector("Deployment", "", &[]);
        let mut leaving = policy("a", 9, by_name());
        leaving.0.deletion_timestamp = Some("2026-01-01T00:00:00Z".to_owned());
        let cases = [
            ("priority first", vec![policy("a", 0, by_name()), policy("b", 1, by_kind())], Some("b")),
            ("then the closer fit", vec![policy("a", 0, by_kind()), policy("b", 0, by_name())], Some("b")),
            ("then the smaller name", vec![policy("b", 0, by_kind()), policy("a", 0, by_kind())], Some("a")),
            ("not one that is leaving", vec![leaving, policy("b", 0, by_kind())], Some("b")),
            ("none fits", vec![policy("a", 0, selector("StatefulSet", "", &[]))], None),
        ];
        for (name, policies, want) in cases {
            let chosen = choose(policies.iter().map(|(metadata, spec)| (metadata, spec)), &deployment());
            assert_eq!(chosen.map(|metadata| metadata.name.as_str()), want, "{name}");
        }
    }
}
