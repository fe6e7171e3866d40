//! A node of a member, with the fields that capacity depends on.

use std::collections::BTreeMap;
use std::sync::Arc;

use portolan_api::meta::Taint;
use serde::{Deserialize, Serialize};

use super::amounts::Amounts;

/// A node of a member. It is read from the whole Node, and written, to estimate its size, as what is kept of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Source")]
pub struct MemberNode {
    /// Name.
    pub name: Box<str>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Taints, without their times.
    pub taints: Vec<Taint>,
    /// Whether `spec.unschedulable` keeps new pods away.
    pub is_unschedulable: bool,
    /// Whether it is ready.
    pub is_ready: bool,
    /// What its pods may ask for together.
    pub allocatable: Amounts,
}

/// A node and what is left of it.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeRoom {
    /// The node.
    pub node: Arc<MemberNode>,
    /// What its pods leave, with the number of further pods as `pods`. Negative where they ask for more than there is.
    pub free: Amounts,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Source {
    metadata: SourceMetadata,
    spec: SourceSpec,
    status: SourceStatus,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct SourceMetadata {
    name: Box<str>,
    labels: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct SourceSpec {
    taints: Vec<Taint>,
    unschedulable: bool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct SourceStatus {
    allocatable: Amounts,
    conditions: Vec<SourceCondition>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct SourceCondition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
}

impl From<Source> for MemberNode {
    fn from(source: Source) -> Self {
        let Source { metadata, spec, status } = source;
        let is_ready = |condition: &SourceCondition| condition.kind == "Ready" && condition.status == "True";
        let untimed = |taint| Taint { time_added: None, ..taint };
        Self {
            name: metadata.name,
            labels: metadata.labels,
            taints: spec.taints.into_iter().map(untimed).collect(),
            is_unschedulable: spec.unschedulable,
            is_ready: status.conditions.iter().any(is_ready),
            allocatable: status.allocatable,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_heartbeat_changes_nothing_that_is_kept() {
        let at = |time: &str| -> MemberNode {
            serde_json::from_value(json!({
                "metadata": { "name": "n1", "labels": { "zone": "a" } },
                "spec": { "taints": [{ "key": "gpu", "effect": "NoSchedule", "timeAdded": time }] },
                "status": { "allocatable": { "cpu": "4" }, "conditions": [
                    { "type": "Ready", "status": "True", "lastHeartbeatTime": time }] }
            }))
            .expect("a node")
        };
        assert_eq!(at("t1"), at("t2"));
        assert!(at("t1").is_ready && !at("t1").is_unschedulable);
        assert_eq!(&*at("t1").name, "n1");
    }
}
