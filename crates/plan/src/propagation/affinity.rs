//! Matching clusters against a ClusterAffinity (karmada pkg/util/selector.go).

use portolan_api::cluster::Cluster;
use portolan_api::meta::SelectorRequirement;
use portolan_api::policy::ClusterAffinity;

/// Whether `cluster` matches: not excluded, and selected by labels, fields and names as far as these are given.
pub fn matches(affinity: &ClusterAffinity, cluster: &Cluster) -> bool {
    let name = &cluster.metadata.name;
    if affinity.exclude_clusters.contains(name) {
        return false;
    }
    let label = |key: &str| cluster.metadata.label(key);
    let by_label = affinity.label_selector.as_ref().is_none_or(|labels| labels.matches(label));
    let by_field = affinity.field_selector.as_ref().is_none_or(|fields| {
        fields.match_expressions.iter().all(|requirement| field_matches(requirement, cluster))
    });
    by_label && by_field && (affinity.cluster_names.is_empty() || affinity.cluster_names.contains(name))
}

/// A cluster has several zones, and at most one provider and one region.
fn field_matches(requirement: &SelectorRequirement, cluster: &Cluster) -> bool {
    if requirement.key == "zone" {
        let zones = &cluster.spec.zones;
        let named = zones.iter().any(|zone| requirement.values.contains(zone));
        return match requirement.operator.as_str() {
            "In" => named,
            "NotIn" => !named,
            "Exists" => !zones.is_empty(),
            "DoesNotExist" => zones.is_empty(),
            _ => false,
        };
    }
    let value = match requirement.key.as_str() {
        "provider" => cluster.spec.provider.as_str(),
        "region" => cluster.spec.region.as_str(),
        _ => "",
    };
    requirement.matches((!value.is_empty()).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    use portolan_api::meta::{LabelSelector, ObjectMeta};
    use portolan_api::policy::FieldSelector;

    fn cluster() -> Cluster {
        let mut cluster = Cluster { metadata: ObjectMeta::cluster("eu-1"), ..Cluster::default() };
        cluster.metadata.labels.insert("tier".to_owned(), "gold".to_owned());
        cluster.spec.region = "eu".to_owned();
        cluster.spec.zones = vec!["eu-a".to_owned(), "eu-b".to_owned()];
        cluster
    }

    #[test]
    fn matches_clusters() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let field = |key: &str, operator: &str, values: &[&str]| ClusterAffinity {
            field_selector: Some(FieldSelector {
                match_expressions: vec![SelectorRequirement {
                    key: key.to_owned(),
                    operator: operator.to_owned(),
                    values: names(values),
                }],
            }),
            ..ClusterAffinity::default()
        };
        let labels = |tier: &str| ClusterAffinity {
            label_selector: Some(LabelSelector {
                match_labels: BTreeMap::from([("tier".to_owned(), tier.to_owned())]),
                ..LabelSelector::default()
            }),
            ..ClusterAffinity::default()
        };
        let cases = [
            ("nothing asked", ClusterAffinity::default(), true),
            (
                "named",
                ClusterAffinity { cluster_names: names(&["us-1", "eu-1"]), ..Default::default() },
                true,
            ),
            ("not named", ClusterAffinity { cluster_names: names(&["us-1"]), ..Default::default() }, false),
            (
                "excluded wins over named",
                ClusterAffinity {
                    cluster_names: names(&["eu-1"]),
                    exclude_clusters: names(&["eu-1"]),
                    ..Default::default()
                },
                false,
            ),
            ("label", labels("gold"), true),
            ("other label", labels("silver"), false),
            ("region in", field("region", "In", &["eu"]), true),
            ("region not in", field("region", "NotIn", &["eu"]), false),
            ("provider missing, in", field("provider", "In", &["aws"]), false),
            ("provider missing, not in", field("provider", "NotIn", &["aws"]), true),
            ("one zone in", field("zone", "In", &["eu-b", "eu-c"]), true),
            ("no zone in", field("zone", "In", &["eu-c"]), false),
            ("a zone, not in", field("zone", "NotIn", &["eu-b"]), false),
            ("zones exist", field("zone", "Exists", &[]), true),
        ];
        for (name, affinity, want) in cases {
            assert_eq!(matches(&affinity, &cluster()), want, "{name}");
        }
    }
}
