//! The capacity of a member at one moment: what each node has left, and the sums for the Cluster's status (karmada
//! pkg/controllers/status/cluster_status_controller.go).

use std::collections::HashMap;
use std::sync::Arc;

use portolan_api::cluster::{NodeSummary, ResourceModel, ResourceSummary};

use super::amounts::{Amounts, ResourceName};
use super::grades::count_by_grade;
use super::node::{MemberNode, NodeRoom};
use super::pod::MemberPod;

/// The capacity of a member.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// The nodes, ordered by name.
    pub nodes: Vec<NodeRoom>,
    /// Sum of what all nodes have.
    pub allocatable: Amounts,
    /// Requests of the pods on nodes that have not ended.
    pub allocated: Amounts,
    /// Requests of the pods without a node.
    pub allocating: Amounts,
}

impl Snapshot {
    /// The capacity that `nodes` have with `pods`.
    pub fn new<'a>(
        nodes: impl IntoIterator<Item = Arc<MemberNode>>,
        pods: impl IntoIterator<Item = &'a MemberPod>,
    ) -> Self {
        let mut snapshot = Self::default();
        let room = |node: Arc<MemberNode>| NodeRoom { free: node.allocatable.clone(), node };
        snapshot.nodes = nodes.into_iter().map(room).collect();
        snapshot.nodes.sort_by(|one, other| one.node.name.cmp(&other.node.name));
        for room in &snapshot.nodes {
            snapshot.allocatable.add(&room.node.allocatable, 1);
        }
        let index_of = |(index, room): (usize, &NodeRoom)| (room.node.name.clone(), index);
        let indexes: HashMap<Box<str>, usize> = snapshot.nodes.iter().enumerate().map(index_of).collect();
        for pod in pods {
            if pod.node.is_empty() {
                if !pod.is_finished {
                    snapshot.allocating.add(&pod.request, 1);
                }
            } else if !pod.is_finished {
                snapshot.allocated.add(&pod.request, 1);
                if let Some(&index) = indexes.get(&pod.node) {
                    snapshot.nodes[index].free.subtract(&pod.request, 1);
                }
            }
        }
        snapshot
    }

    /// The number of nodes and of ready nodes.
    pub fn node_summary(&self) -> NodeSummary {
        let count = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
        NodeSummary {
            total_num: count(self.nodes.len()),
            ready_num: count(self.nodes.iter().filter(|room| room.node.is_ready).count()),
        }
    }

    /// The sums, and the number of nodes in each grade of `models`.
    pub fn resource_summary(&self, models: &[ResourceModel]) -> ResourceSummary {
        ResourceSummary {
            allocatable: self.allocatable.to_list(),
            allocating: self.allocating.clone().without_zeros().to_list(),
            allocated: self.allocated.clone().without_zeros().to_list(),
            allocatable_modelings: count_by_grade(models, &self.nodes),
        }
    }

    /// What all nodes have together, without the pods on them and those that wait for a node.
    pub fn free(&self) -> Amounts {
        let mut free = self.allocatable.clone();
        free.subtract(&self.allocated, 1);
        free.subtract(&self.allocating, 1);
        free
    }

    /// Places for further pods.
    pub fn free_pods(&self) -> i64 {
        self.free().get(&ResourceName::Pods).unwrap_or_default().max(0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn node(name: &str, cpu: &str) -> Arc<MemberNode> {
        let status = json!({ "allocatable": { "cpu": cpu, "memory": "8Gi", "pods": "10" },
            "conditions": [{ "type": "Ready", "status": if name == "down" { "False" } else { "True" } }] });
        let node = json!({ "metadata": { "name": name }, "status": status });
        Arc::new(serde_json::from_value(node).expect("a node"))
    }

    fn pod(node: &str, phase: &str, cpu: &str) -> MemberPod {
        let container = json!({ "resources": { "requests": { "cpu": cpu } } });
        let pod =
            json!({ "spec": { "nodeName": node, "containers": [container] }, "status": { "phase": phase } });
        serde_json::from_value(pod).expect("a pod")
    }

    fn json_of(value: impl serde::Serialize) -> Value {
        serde_json::to_value(value).expect("JSON")
    }

    #[test]
    fn pods_take_from_their_node_until_they_end() {
        let pods = [
            pod("n1", "Running", "1"),
            pod("n1", "Pending", "500m"),
            pod("n1", "Succeeded", "2"),
            pod("", "Pending", "250m"),
            pod("gone", "Running", "1"),
        ];
        let snapshot = Snapshot::new([node("n2", "2"), node("n1", "4"), node("down", "1")], &pods);
        let names: Vec<&str> = snapshot.nodes.iter().map(|room| &*room.node.name).collect();
        assert_eq!(names, ["down", "n1", "n2"]);
        assert_eq!(
            json_of(snapshot.nodes[1].free.to_list()),
            json!({ "cpu": "2500m", "memory": "8Gi", "pods": "8" })
        );
        assert_eq!(
            json_of(snapshot.resource_summary(&[])),
            json!({
                "allocatable": { "cpu": "7", "memory": "24Gi", "pods": "30" },
                "allocated": { "cpu": "2500m", "pods": "3" },
                "allocating": { "cpu": "250m", "pods": "1" },
            })
        );
        assert_eq!(snapshot.node_summary(), NodeSummary { total_num: 3, ready_num: 2 });
        assert_eq!(snapshot.free_pods(), 26);
    }

    #[test]
    fn a_cluster_without_nodes_has_nothing() {
        let snapshot = Snapshot::new([], []);
        assert_eq!(json_of(snapshot.resource_summary(&[])), json!({}));
        assert_eq!(snapshot.free_pods(), 0);
    }
}
