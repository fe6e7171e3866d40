//! Which clusters get a federated object (kubefed pkg/controller/util/placement.go).

use std::collections::{BTreeMap, BTreeSet};

use portolan_api::kubefed::Placement;
use portolan_object::selector::LabelSelector;
use serde_json::json;

/// Namespaces for which a FederatedNamespace does not count.
const SYSTEM_NAMESPACES: [&str; 3] = ["kube-system", "kube-public", "default"];

/// The selector of a placement is malformed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("spec.placement.clusterSelector cannot be used: {0}")]
pub struct PlacementError(String);

/// The registered clusters with their labels.
pub type Clusters<'a> = BTreeMap<&'a str, &'a BTreeMap<String, String>>;

/// The clusters that a placement selects, and the names in it that are no clusters. Whether a cluster is ready does not
/// count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selected {
    /// Registered clusters.
    pub clusters: BTreeSet<String>,
    /// Listed names without a cluster.
    pub unknown: BTreeSet<String>,
}

/// Evaluates a placement. A list of clusters, also an empty one, is stronger than a selector; without both, nothing is
/// selected.
///
/// # Errors
/// When the selector is malformed.
pub fn select(placement: Option<&Placement>, clusters: &Clusters<'_>) -> Result<Selected, PlacementError> {
    let Some(placement) = placement else { return Ok(Selected::default()) };
    if let Some(listed) = &placement.clusters {
        let names = listed.iter().map(|cluster| cluster.name.clone());
        let (known, unknown) = names.partition(|name| clusters.contains_key(name.as_str()));
        return Ok(Selected { clusters: known, unknown });
    }
    let Some(selector) = &placement.cluster_selector else { return Ok(Selected::default()) };
    let compiled =
        LabelSelector::from_value(&json!(selector)).map_err(|error| PlacementError(error.to_string()))?;
    let fits = clusters.iter().filter(|(_, labels)| compiled.matches(labels));
    Ok(Selected { clusters: fits.map(|(name, _)| (*name).to_owned()).collect(), unknown: BTreeSet::new() })
}

/// Whether every cluster has a namespace by itself.
pub fn is_system_namespace(namespace: &str) -> bool {
    SYSTEM_NAMESPACES.contains(&namespace)
}

/// Whether the FederatedNamespace of a namespace counts.
pub fn is_gated(namespace: &str, system_namespace: &str) -> bool {
    !namespace.is_empty() && namespace != system_namespace && !is_system_namespace(namespace)
}

/// What the namespace of a federated object says about its clusters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamespaceGate {
    /// The object has no namespace, or its namespace is in every cluster.
    Open,
    /// The clusters of the FederatedNamespace.
    Clusters(BTreeSet<String>),
    /// There is no FederatedNamespace, and the control plane asks for one.
    NotFederated,
}

impl NamespaceGate {
    /// The clusters of a placement that the namespace allows.
    pub fn allow(&self, mut selected: BTreeSet<String>) -> BTreeSet<String> {
        match self {
            Self::Open => selected,
            Self::Clusters(allowed) => {
                selected.retain(|name| allowed.contains(name));
                selected
            }
            Self::NotFederated => BTreeSet::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn evaluate(placement: Value) -> Result<Selected, PlacementError> {
        let label = |value: &str| BTreeMap::from([("env".to_owned(), value.to_owned())]);
        let (prod, dev) = (label("prod"), label("dev"));
        let clusters = Clusters::from([("c1", &prod), ("c2", &dev)]);
        let placement: Option<Placement> = serde_json::from_value(placement).expect("a placement");
        select(placement.as_ref(), &clusters)
    }

    #[test]
    fn a_list_is_stronger_than_a_selector_and_absence_is_not_emptiness() {
        let cases = [
            (Value::Null, names(&[])),
            (json!({}), names(&[])),
            (json!({ "clusters": null }), names(&[])),
            (json!({ "clusterSelector": {} }), names(&["c1", "c2"])),
            (json!({ "clusters": null, "clusterSelector": {} }), names(&["c1", "c2"])),
            (json!({ "clusterSelector": { "matchLabels": { "env": "prod" } } }), names(&["c1"])),
            (
                json!({ "clusterSelector": { "matchExpressions": [
                    { "key": "env", "operator": "NotIn", "values": ["prod"] }] } }),
                names(&["c2"]),
            ),
            (json!({ "clusters": [], "clusterSelector": {} }), names(&[])),
            (json!({ "clusters": [{ "name": "c2" }, { "name": "zz" }] }), names(&["c2"])),
            (json!({ "clusters": [{ "name": "c2" }], "clusterSelector": {} }), names(&["c2"])),
        ];
        for (placement, want) in cases {
            assert_eq!(evaluate(placement.clone()).map(|found| found.clusters), Ok(want), "{placement}");
        }
        let listed = evaluate(json!({ "clusters": [{ "name": "zz" }] })).expect("a list");
        assert_eq!(listed.unknown, names(&["zz"]));
    }

    #[test]
    fn a_malformed_selector_is_an_error() {
        let placement = json!({ "clusterSelector": { "matchExpressions": [
            { "key": "env", "operator": "Near", "values": ["prod"] }] } });
        let error = evaluate(placement).expect_err("no operator").to_string();
        assert!(error.starts_with("spec.placement.clusterSelector cannot be used"), "{error}");
    }

    #[test]
    fn a_namespace_allows_its_clusters_only() {
        let prod = || names(&["c1"]);
        assert_eq!(NamespaceGate::Clusters(names(&["c2"])).allow(prod()), names(&[]));
        assert_eq!(NamespaceGate::Clusters(names(&["c1", "c2"])).allow(prod()), prod());
        assert_eq!(NamespaceGate::Open.allow(prod()), prod());
        assert_eq!(NamespaceGate::NotFederated.allow(prod()), names(&[]));
        for (namespace, gated) in [
            ("shop", true),
            ("default", false),
            ("kube-system", false),
            ("kube-public", false),
            ("fed", false),
            ("", false),
        ] {
            assert_eq!(is_gated(namespace, "fed"), gated, "{namespace}");
        }
    }
}
