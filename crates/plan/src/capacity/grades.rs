//! Grades of nodes by what they have left (karmada pkg/modeling).

use portolan_api::cluster::{AllocatableModeling, ResourceModel};
use portolan_api::policy::ResourceList;

use super::amounts::{Amounts, ResourceName};
use super::node::NodeRoom;

/// The number of nodes in each grade. A node is in the lowest grade among its resources. Nodes without a place for a pod,
/// and nodes with less than the minimum of the lowest grade, are in none.
pub(super) fn count_by_grade(models: &[ResourceModel], nodes: &[NodeRoom]) -> Vec<AllocatableModeling> {
    let minima: Vec<Amounts> = models.iter().map(minimum).collect();
    let mut counts = vec![0; models.len()];
    for room in nodes {
        if room.free.get(&ResourceName::Pods).is_none_or(|pods| pods <= 0) {
            continue;
        }
        if let Some(grade) = grade(&minima, &room.free) {
            counts[grade] += 1;
        }
    }
    let counted = models.iter().zip(counts);
    counted.map(|(model, count)| AllocatableModeling { grade: model.grade, count }).collect()
}

/// What a node of a grade has at least.
fn minimum(model: &ResourceModel) -> Amounts {
    let list: ResourceList =
        model.ranges.iter().map(|range| (range.name.clone(), range.min.clone())).collect();
    Amounts::of_list(&list)
}

/// Index of the highest grade of which `free` has the minimum of every resource.
fn grade(minima: &[Amounts], free: &Amounts) -> Option<usize> {
    minima.iter().rposition(|minimum| {
        minimum.iter().all(|(name, number)| free.get(name).unwrap_or_default() >= number)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use portolan_api::cluster::default_resource_models;
    use serde_json::json;

    use super::*;

    fn room(cpu: &str, memory: &str, pods: i64) -> NodeRoom {
        let free = serde_json::from_value(json!({ "cpu": cpu, "memory": memory, "pods": pods }));
        NodeRoom { node: Arc::default(), free: free.expect("amounts") }
    }

    #[test]
    fn the_scarcest_resource_decides_the_grade() {
        let models = default_resource_models();
        for (cpu, memory, want) in [
            ("0", "0", Some(0)),
            ("999m", "100Gi", Some(0)),
            ("1", "4Gi", Some(1)),
            ("200", "4Gi", Some(1)),
            ("16", "128Gi", Some(5)),
            ("128", "1Ti", Some(8)),
            ("500", "9Ti", Some(8)),
        ] {
            let counts = count_by_grade(&models, &[room(cpu, memory, 1)]);
            let found = counts.iter().position(|grade| grade.count == 1);
            assert_eq!(found, want, "{cpu} {memory}");
        }
    }

    #[test]
    fn a_full_node_does_not_hide_the_others() {
        let nodes = [room("4", "32Gi", 0), room("4", "32Gi", 5), room("2", "16Gi", 5)];
        let counts: Vec<i32> =
            count_by_grade(&default_resource_models(), &nodes).iter().map(|grade| grade.count).collect();
        assert_eq!(counts, [0, 0, 1, 1, 0, 0, 0, 0, 0]);
        assert_eq!(count_by_grade(&[], &nodes), []);
    }
}
