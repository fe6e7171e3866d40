//! The estimate from the status of the Cluster, for clusters without known nodes (karmada
//! pkg/estimator/client/general.go).

use portolan_api::cluster::Cluster;
use portolan_api::policy::ResourceList;

use super::pod_group::{Assumed, PodSet};
use crate::capacity::{Amounts, ResourceName};

/// Pods that a node of a grade can run. The grades do not say how many pods run there already.
const PODS_PER_NODE: i64 = 110;

/// For how many of these sets the cluster has room: 0 without a resource summary.
///
/// The cluster is one large node. If its nodes are counted by grade, each of them is taken to have the minimum of its
/// grade, and pods must fit on one; resources that the grades do not name are limited by the cluster as a whole.
pub fn general(pods: &PodSet, cluster: &Cluster, assumed: &[Assumed]) -> i64 {
    let Some(summary) = &cluster.status.resource_summary else { return 0 };
    let mut free = Amounts::of_list(&summary.allocatable);
    free.subtract(&Amounts::of_list(&summary.allocated), 1);
    free.subtract(&Amounts::of_list(&summary.allocating), 1);
    let mut taken = Amounts::default();
    for one in assumed {
        taken.add(&one.pods.request(), one.sets);
    }
    free.subtract(&taken, 1);
    let places = free.get(&ResourceName::Pods).unwrap_or_default();
    let together = free.holds(&pods.request()).min(places).max(0);
    match by_grades(pods, cluster, &taken) {
        Some(sets) => together.min(sets),
        None => together,
    }
}

/// The same by grades of nodes; `None` if the nodes are not counted by grade.
fn by_grades(pods: &PodSet, cluster: &Cluster, taken: &Amounts) -> Option<i64> {
    let counts = &cluster.status.resource_summary.as_ref()?.allocatable_modelings;
    if counts.is_empty() || cluster.spec.resource_models.is_empty() {
        return None;
    }
    let mut sets = i64::MAX;
    for group in &pods.groups {
        let mut fitting = 0_i64;
        for model in &cluster.spec.resource_models {
            let of_grade = counts.iter().filter(|count| count.grade == model.grade);
            let nodes: i64 = of_grade.map(|count| i64::from(count.count.max(0))).sum();
            let minimum: ResourceList =
                model.ranges.iter().map(|range| (range.name.clone(), range.min.clone())).collect();
            let minimum = Amounts::of_list(&minimum).with(ResourceName::Pods, PODS_PER_NODE);
            let named = group.request.iter().filter(|(name, _)| minimum.get(name).is_some());
            let named = named.fold(Amounts::default(), |sum, (name, number)| sum.with(name.clone(), number));
            fitting = fitting.saturating_add(minimum.holds(&named).saturating_mul(nodes));
        }
        // Assumed pods take as many places of this size as their resources are worth.
        let worth = group.request.iter().filter(|(_, wanted)| *wanted > 0);
        let worth = worth.map(|(name, wanted)| {
            let taken = taken.get(name).unwrap_or_default();
            taken / wanted + i64::from(taken % wanted != 0)
        });
        let left = fitting.saturating_sub(worth.max().unwrap_or_default()).max(0);
        sets = sets.min(left / group.replicas.max(1));
    }
    Some(sets)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::PodGroup;
    use super::*;

    fn cluster(summary: Value, models: Value) -> Cluster {
        let cluster = json!({ "metadata": { "name": "m1" }, "spec": { "resourceModels": models },
            "status": { "resourceSummary": summary } });
        serde_json::from_value(cluster).expect("a cluster")
    }

    fn pods(request: Value) -> PodSet {
        let request: Amounts = serde_json::from_value(request).expect("amounts");
        let request = request.with(ResourceName::Pods, 1);
        PodSet {
            namespace: "shop".to_owned(),
            groups: vec![PodGroup { replicas: 1, request, ..PodGroup::default() }],
        }
    }

    #[test]
    fn the_cluster_as_a_whole() {
        let cluster = cluster(
            json!({
                "allocatable": { "cpu": "10", "memory": "40Gi", "pods": "20" },
                "allocated": { "cpu": "1", "memory": "8Gi", "pods": "5" },
                "allocating": { "cpu": "500m", "pods": "1" }
            }),
            json!([]),
        );
        for (request, want) in [
            (json!({}), 14),
            (json!({ "cpu": "1" }), 8),
            (json!({ "cpu": "850m" }), 10),
            (json!({ "memory": "8Gi", "cpu": "1" }), 4),
            (json!({ "nvidia.com/gpu": 1 }), 0),
            (json!({ "cpu": "0" }), 14),
        ] {
            assert_eq!(general(&pods(request.clone()), &cluster, &[]), want, "{request}");
        }
        let one = pods(json!({ "cpu": "1" }));
        assert_eq!(general(&one, &cluster, &[Assumed { pods: one.clone(), sets: 3 }]), 5);
        assert_eq!(general(&one, &Cluster::default(), &[]), 0, "no summary");
    }

    #[test]
    fn nodes_by_grade_have_their_minimum() {
        let models = json!([
            { "grade": 0, "ranges": [{ "name": "cpu", "min": "0", "max": "1" }, { "name": "memory", "min": "0", "max": "4Gi" }] },
            { "grade": 1, "ranges": [{ "name": "cpu", "min": "1", "max": "2" }, { "name": "memory", "min": "4Gi", "max": "16Gi" }] },
            { "grade": 2, "ranges": [{ "name": "cpu", "min": "2", "max": "4" }, { "name": "memory", "min": "16Gi", "max": "32Gi" }] }
        ]);
        let summary = json!({
            "allocatable": { "cpu": "100", "memory": "400Gi", "pods": "330", "ephemeral-storage": "10Gi" },
            "allocatableModelings": [{ "grade": 0, "count": 5 }, { "grade": 1, "count": 2 }, { "grade": 2, "count": 3 }]
        });
        let cluster = cluster(summary, models);
        for (request, want) in [
            (json!({ "cpu": "1" }), 2 + 6),
            (json!({ "cpu": "2" }), 3),
            (json!({ "cpu": "1", "memory": "8Gi" }), 6),
            (json!({ "cpu": "3" }), 0),
            (json!({ "ephemeral-storage": "5Gi" }), 2),
        ] {
            assert_eq!(general(&pods(request.clone()), &cluster, &[]), want, "{request}");
        }
    }
}
