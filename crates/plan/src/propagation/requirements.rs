//! Requirements of one replica, from the pod spec of its template (karmada pkg/util/helper/binding.go).

use portolan_api::kubernetes::read_value;
use portolan_api::meta::{NodeSelector, Toleration};
use portolan_api::work::{NodeClaim, ReplicaRequirements};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

use crate::capacity::PodResources;

/// The fields of a pod spec that say where the pod can run.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PodPlacement {
    node_selector: BTreeMap<String, String>,
    tolerations: Vec<Toleration>,
    affinity: Affinity,
    priority_class_name: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Affinity {
    node_affinity: NodeAffinity,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct NodeAffinity {
    required_during_scheduling_ignored_during_execution: Option<NodeSelector>,
}

/// The requirements of a pod with this spec; `None` if it has none on nodes and asks for no resources, or if the spec
/// cannot be read.
///
/// The namespace is left empty: a pod spec does not know it.
pub fn of_pod_spec(spec: &Value) -> Option<ReplicaRequirements> {
    let resources: PodResources = read_value(spec).ok()?;
    let placement: PodPlacement = read_value(spec).ok()?;
    let claim = NodeClaim {
        hard_node_affinity: placement
            .affinity
            .node_affinity
            .required_during_scheduling_ignored_during_execution,
        node_selector: placement.node_selector,
        tolerations: placement.tolerations,
    };
    let requirements = ReplicaRequirements {
        node_claim: (claim != NodeClaim::default()).then_some(claim),
        resource_request: resources.request().to_list(),
        priority_class_name: String::new(),
        namespace: String::new(),
    };
    let is_demanding = requirements != ReplicaRequirements::default();
    let priority_class_name = placement.priority_class_name;
    is_demanding.then_some(ReplicaRequirements { priority_class_name, ..requirements })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn requirements_of_a_pod_spec() {
        let spec = json!({
            "nodeSelector": { "disk": "ssd" }, "priorityClassName": "high", "schedulerName": "x",
            "affinity": { "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{ "matchExpressions": [{ "key": "zone", "operator": "In", "values": ["a"] }] }] } } },
            "tolerations": [{ "key": "gpu", "operator": "Exists" }],
            "containers": [{ "name": "c", "resources": { "limits": { "cpu": "10m" } } }]
        });
        let want = json!({
            "nodeClaim": {
                "hardNodeAffinity": { "nodeSelectorTerms": [
                    { "matchExpressions": [{ "key": "zone", "operator": "In", "values": ["a"] }] }] },
                "nodeSelector": { "disk": "ssd" },
                "tolerations": [{ "key": "gpu", "operator": "Exists" }],
            },
            "resourceRequest": { "cpu": "10m" },
            "priorityClassName": "high",
        });
        assert_eq!(json!(of_pod_spec(&spec)), want);
    }

    #[test]
    fn a_pod_that_asks_for_nothing_has_no_requirements() {
        for spec in [
            json!({ "containers": [{ "name": "c", "resources": {} }] }),
            json!({ "containers": [{ "name": "c" }], "priorityClassName": "high", "nodeSelector": {} }),
            json!({ "containers": "none" }),
        ] {
            assert_eq!(of_pod_spec(&spec), None, "{spec}");
        }
    }
}
