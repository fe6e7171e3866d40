//! The estimate by nodes: what each node has left, after the pods that are assumed to come.

use std::sync::Arc;

use super::pod_group::{Assumed, PodGroup, PodSet};
use crate::capacity::{Amounts, MemberNode, ResourceName, Snapshot};

/// Most sets of components that are counted. A binding needs one set in each cluster; the rest orders clusters.
const MAX_SETS: i64 = 1000;

/// What the nodes of a member have left.
#[derive(Debug, Clone, PartialEq)]
pub struct Room {
    nodes: Vec<(Arc<MemberNode>, Amounts)>,
    /// What is left of all nodes together; pods without a node count here.
    total: Amounts,
}

impl Room {
    /// The room of a member, less the pods that are assumed to come. These take the first nodes that they fit on; of pods
    /// that fit on none nothing is subtracted from nodes.
    pub fn new(snapshot: &Snapshot, assumed: &[Assumed]) -> Self {
        let nodes = snapshot.nodes.iter().map(|room| (room.node.clone(), room.free.clone())).collect();
        let mut room = Self { nodes, total: snapshot.free() };
        for one in assumed {
            for group in &one.pods.groups {
                let pods = group.replicas.saturating_mul(one.sets);
                room.place(group, pods);
                room.total.subtract(&group.request, pods);
            }
        }
        room
    }

    /// For how many of these sets there is room.
    pub fn holds(&self, pods: &PodSet) -> i64 {
        let together = self.total.holds(&pods.request());
        match pods.groups.as_slice() {
            [single] if single.replicas == 1 => together.min(self.holds_pods(single)),
            _ => together.min(self.holds_sets(pods, together.min(MAX_SETS))),
        }
        .max(0)
    }

    /// Pods that fit on all nodes together.
    fn holds_pods(&self, group: &PodGroup) -> i64 {
        let fitting = self.nodes.iter().filter(|(node, _)| group.fits(node));
        fitting.fold(0_i64, |sum, (_, free)| sum.saturating_add(places(free, group)))
    }

    /// Complete sets that fit, up to `most`: one after the other, each group on the first nodes with room.
    fn holds_sets(&self, pods: &PodSet, most: i64) -> i64 {
        let mut left = self.clone();
        let is_placed = |left: &mut Self| {
            pods.groups.iter().all(|group| left.place(group, group.replicas) == group.replicas)
        };
        let mut sets = 0;
        while sets < most && is_placed(&mut left) {
            sets += 1;
        }
        sets
    }

    /// Takes room for up to `pods` pods; returns for how many there was.
    fn place(&mut self, group: &PodGroup, pods: i64) -> i64 {
        let mut waiting = pods;
        for (node, free) in &mut self.nodes {
            if waiting <= 0 {
                break;
            }
            if !group.fits(node) {
                continue;
            }
            let taken = places(free, group).min(waiting);
            free.subtract(&group.request, taken);
            waiting -= taken;
        }
        pods - waiting
    }
}

/// Pods for which a node has room.
fn places(free: &Amounts, group: &PodGroup) -> i64 {
    let pods = free.get(&ResourceName::Pods).unwrap_or_default().max(0);
    free.holds(&group.request).min(pods)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn snapshot(nodes: &[(&str, i64)]) -> Snapshot {
        let node = |(index, (cpu, pods)): (usize, &(&str, i64))| {
            let node = json!({ "metadata": { "name": format!("n{index}"), "labels": { "name": format!("n{index}") } },
                "status": { "allocatable": { "cpu": cpu, "memory": "64Gi", "pods": pods } } });
            Arc::new(serde_json::from_value(node).expect("a node"))
        };
        Snapshot::new(nodes.iter().enumerate().map(node), [])
    }

    fn group(replicas: i64, request: Value) -> PodGroup {
        let request: Amounts = serde_json::from_value(request).expect("amounts");
        PodGroup { replicas, request: request.with(ResourceName::Pods, 1), ..PodGroup::default() }
    }

    fn pods(groups: Vec<PodGroup>) -> PodSet {
        PodSet { namespace: "shop".to_owned(), groups }
    }

    #[test]
    fn replicas_fit_by_node_and_not_by_the_sum() {
        let two = snapshot(&[("3", 10), ("3", 10)]);
        for (request, want) in [
            (json!({ "cpu": "2" }), 2),
            (json!({ "cpu": "1" }), 6),
            (json!({ "cpu": "4" }), 0),
            (json!({}), 20),
            (json!({ "example.com/gpu": 1 }), 0),
        ] {
            let room = Room::new(&two, &[]);
            assert_eq!(room.holds(&pods(vec![group(1, request.clone())])), want, "{request}");
        }
        assert_eq!(Room::new(&snapshot(&[]), &[]).holds(&pods(vec![group(1, json!({}))])), 0);
    }

    #[test]
    fn pods_without_a_node_take_room_too() {
        let mut waiting = snapshot(&[("3", 10), ("3", 10)]);
        waiting.allocating = serde_json::from_value(json!({ "cpu": "4", "pods": 2 })).expect("amounts");
        let room = Room::new(&waiting, &[]);
        assert_eq!(room.holds(&pods(vec![group(1, json!({ "cpu": "1" }))])), 2);
    }

    #[test]
    fn selected_nodes_only() {
        let mut selective = group(1, json!({ "cpu": "1" }));
        selective.claim =
            serde_json::from_value(json!({ "nodeSelector": { "name": "n1" } })).expect("a claim");
        assert_eq!(Room::new(&snapshot(&[("3", 10), ("2", 10)]), &[]).holds(&pods(vec![selective])), 2);
    }

    #[test]
    fn sets_are_complete() {
        // As the FlinkDeployment of karmada's tests: 50m and 100m in one set.
        let set = pods(vec![group(1, json!({ "cpu": "50m" })), group(1, json!({ "cpu": "100m" }))]);
        assert_eq!(Room::new(&snapshot(&[("1", 100)]), &[]).holds(&set), 6);
        assert_eq!(Room::new(&snapshot(&[("1", 3)]), &[]).holds(&set), 1);
        let wide = pods(vec![group(2, json!({ "cpu": "600m" }))]);
        assert_eq!(Room::new(&snapshot(&[("1", 9), ("1", 9)]), &[]).holds(&wide), 1);
    }

    #[test]
    fn assumed_pods_take_room() {
        let set = pods(vec![group(1, json!({ "cpu": "500m" }))]);
        let assumed = |sets| [Assumed { pods: set.clone(), sets }];
        for (sets, want) in [(0, 4), (1, 3), (4, 0), (9, 0)] {
            let room = Room::new(&snapshot(&[("1", 9), ("1", 9)]), &assumed(sets));
            assert_eq!(room.holds(&set), want, "{sets} assumed");
        }
    }
}
