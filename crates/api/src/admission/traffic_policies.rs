//! Admission of TrafficPolicies.

use portolan_object::Status;
use serde_json::Value;

use super::placement::check_affinity;
use super::typed;
use crate::Kind;
use crate::traffic::TrafficPolicy;

/// Validates the selections of clusters, and warns of what cannot have an effect.
pub(super) fn admit(object: &Value) -> Result<Vec<String>, Status> {
    let Some(policy) = typed::<TrafficPolicy>(object) else { return Ok(Vec::new()) };
    let spec = &policy.spec;
    let mut errors = Vec::new();
    if let Some(visible_to) = &spec.visible_to {
        check_affinity(visible_to, "spec.visibleTo", &mut errors);
    }
    let tiers = spec.nearness.iter().flat_map(|nearness| nearness.tiers.iter().enumerate());
    let tiers = tiers.map(|(index, tier)| (format!("spec.nearness.tiers[{index}]"), tier));
    let boundary = spec.boundary.iter().map(|boundary| ("spec.boundary".to_owned(), boundary));
    for (path, area) in boundary.chain(tiers) {
        if let Some(affinity) = &area.cluster_affinity {
            check_affinity(affinity, &format!("{path}.clusterAffinity"), &mut errors);
        }
    }
    if !errors.is_empty() {
        let name = &policy.metadata.name;
        return Err(Status::invalid(TrafficPolicy::GROUP, TrafficPolicy::KIND, name, &errors));
    }
    let mut warnings = Vec::new();
    if !spec.weights.is_empty() && spec.weights.values().all(|weight| *weight == 0) {
        warnings.push(
            "spec.weights: clusters that are not listed have the weight 1, and get all the traffic"
                .to_owned(),
        );
    }
    Ok(warnings)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policy(spec: &Value) -> Value {
        json!({ "apiVersion": "portolan.dev/v1alpha1", "kind": "TrafficPolicy", "metadata": { "name": "p" }, "spec": spec })
    }

    #[test]
    fn clusters_are_selected_by_what_they_have() {
        let by = |key: &str| json!({ "fieldSelector": { "matchExpressions": [{ "key": key, "operator": "In", "values": ["eu"] }] } });
        let cases = [
            ("visibleTo", json!({ "visibleTo": by("country") }), Some("spec.visibleTo.fieldSelector")),
            (
                "a boundary",
                json!({ "boundary": { "clusterAffinity": by("country") } }),
                Some("spec.boundary.clusterAffinity.fieldSelector"),
            ),
            (
                "a tier",
                json!({ "nearness": { "tiers": [{ "within": "Zone" }, { "clusterAffinity": by("country") }] } }),
                Some("spec.nearness.tiers[1].clusterAffinity.fieldSelector"),
            ),
            ("a region", json!({ "boundary": { "clusterAffinity": by("region") } }), None),
        ];
        for (name, spec, want) in cases {
            let refused = admit(&policy(&spec)).err().map(|status| status.message);
            assert_eq!(refused.is_some(), want.is_some(), "{name}: {refused:?}");
            assert!(refused.unwrap_or_default().contains(want.unwrap_or_default()), "{name}");
        }
    }

    #[test]
    fn weights_of_nothing_are_warned_about() {
        let warned = |spec: Value| !admit(&policy(&spec)).expect("it is valid").is_empty();
        assert!(warned(json!({ "weights": { "east": 0 } })));
        assert!(!warned(json!({ "weights": { "east": 0, "west": 2 } })));
    }
}
