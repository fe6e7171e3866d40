//! The tree below a template: binding, Works, the objects in members, and what these own there.

use portolan_api::conditions::binding::{FULLY_APPLIED, SCHEDULED};
use portolan_api::conditions::work::{APPLIED, DISPATCHING};
use portolan_api::kubernetes::{ContainerStatus, Pod, View, read_value};
use portolan_api::meta::{Condition, condition};
use portolan_api::resources;
use portolan_api::work::{ResourceHealth, Work};
use portolan_object::Object;
use serde::Serialize;
use serde_json::Value;

use super::facts::{Facts, MemberFacts};
use super::pods::stuck_container;
use crate::propagation::health::health;

/// One object of the tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// Kind, namespace and name.
    pub object: String,
    /// The member; absent for objects of the hub.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Ready parts, such as `2/3`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub ready: String,
    /// State in a word, or the reason why it is not as it should be.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub status: String,
    /// Time of creation, RFC 3339.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub since: String,
    /// The objects below.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Node>,
}

/// The tree; `None` if the template does not exist or was not read.
pub fn tree(facts: &Facts) -> Option<Node> {
    let template = facts.template.as_ref().ok()?.as_ref()?;
    let mut root = node(template, None);
    let works = works(facts);
    match &facts.binding {
        Ok(Some(binding)) => {
            let metadata = &binding.metadata;
            let kind =
                if metadata.namespace.is_empty() { "ClusterResourceBinding" } else { "ResourceBinding" };
            let conditions = &binding.status.conditions;
            let scheduled = state(condition(conditions, SCHEDULED), "Scheduled", "NotScheduled");
            let applied = state(condition(conditions, FULLY_APPLIED), "FullyApplied", "NotFullyApplied");
            let done = binding.status.aggregated_status.iter().filter(|item| item.applied).count();
            root.children.push(Node {
                object: format!("{kind} {}", metadata.key()),
                cluster: None,
                ready: format!("{done}/{}", works.len()),
                status: if applied.is_empty() { scheduled } else { format!("{scheduled},{applied}") },
                since: metadata.creation_timestamp.clone().unwrap_or_default(),
                children: works,
            });
        }
        Ok(None) => root.children = works,
        Err(error) => root.children.push(unread("binding", None, error)),
    }
    Some(root)
}

fn state(condition: Option<&Condition>, good: &str, bad: &str) -> String {
    match condition {
        Some(one) if one.is_true() => good.to_owned(),
        Some(one) => format!("{bad}: {}", one.reason),
        None => String::new(),
    }
}

fn unread(what: &str, cluster: Option<&str>, error: impl std::fmt::Display) -> Node {
    Node {
        object: what.to_owned(),
        cluster: cluster.map(str::to_owned),
        ready: String::new(),
        status: format!("not looked at: {error}"),
        since: String::new(),
        children: Vec::new(),
    }
}

fn works(facts: &Facts) -> Vec<Node> {
    let works = match &facts.works {
        Ok(works) => works,
        Err(error) => return vec![unread("Works", None, error)],
    };
    let asked = works.iter().filter(|(cluster, _)| facts.asks_about(cluster));
    asked.map(|(cluster, work)| of_work(facts, cluster, work)).collect()
}

fn of_work(facts: &Facts, cluster: &str, work: &Work) -> Node {
    let conditions = &work.status.conditions;
    let is_suspended = condition(conditions, DISPATCHING).is_some_and(|one| !one.is_true());
    let status = if work.metadata.is_deleting() {
        "Deleting".to_owned()
    } else if is_suspended {
        "Suspended".to_owned()
    } else {
        state(condition(conditions, APPLIED), "Applied", "NotApplied")
    };
    let children = match facts.members.get(cluster) {
        Some(MemberFacts { object: Ok(Some(object)), below, .. }) => vec![in_member(cluster, object, below)],
        Some(MemberFacts { object: Ok(None), .. }) | None => Vec::new(),
        Some(MemberFacts { object: Err(error), .. }) => {
            vec![unread(&format!("{} {}", facts.kind.kind, facts.key), Some(cluster), error)]
        }
    };
    Node {
        object: format!("Work {}", work.metadata.key()),
        cluster: Some(cluster.to_owned()),
        ready: String::new(),
        status,
        since: work.metadata.creation_timestamp.clone().unwrap_or_default(),
        children,
    }
}

fn in_member(cluster: &str, object: &Object, below: &super::facts::Read<Vec<Object>>) -> Node {
    let mut root = node(object, Some(cluster));
    root.children = match below {
        Ok(below) => owned(cluster, object.uid(), below),
        Err(error) => vec![unread("children", Some(cluster), error)],
    };
    root
}

/// The objects that the object with `uid` owns. Each object has one controller, so the recursion ends.
fn owned(cluster: &str, uid: &str, below: &[Object]) -> Vec<Node> {
    let is_child = |object: &&Object| !uid.is_empty() && object.uid() != uid && owner(object) == Some(uid);
    below
        .iter()
        .filter(is_child)
        .map(|object| Node { children: owned(cluster, object.uid(), below), ..node(object, Some(cluster)) })
        .collect()
}

/// The uid of the owner under which an object is shown: its controller, or its first owner.
fn owner(object: &Object) -> Option<&str> {
    let owners = object.at(&["metadata", "ownerReferences"])?.as_array()?;
    let owner = owners.iter().find(|owner| owner["controller"] == true).or_else(|| owners.first())?;
    owner["uid"].as_str()
}

fn node(object: &Object, cluster: Option<&str>) -> Node {
    let status = match () {
        () if object.is_deleting() => "Deleting".to_owned(),
        () if resources::POD.is_kind_of(object) => pod_status(object),
        () => health_text(object),
    };
    Node {
        object: format!("{} {}", object.kind(), object.key()),
        cluster: cluster.map(str::to_owned),
        ready: ready(object),
        status,
        since: object.creation_timestamp().to_owned(),
        children: Vec::new(),
    }
}

fn health_text(object: &Object) -> String {
    let has_status =
        object.0.get("status").and_then(Value::as_object).is_some_and(|status| !status.is_empty());
    match health(object) {
        _ if !has_status => String::new(),
        ResourceHealth::Healthy => "Healthy".to_owned(),
        ResourceHealth::Unhealthy => "Unhealthy".to_owned(),
        ResourceHealth::Unknown => "Unknown".to_owned(),
    }
}

fn pod_status(object: &Object) -> String {
    match Pod::read(object) {
        Ok(pod) => stuck_container(object).unwrap_or_else(|| pod.status.phase.to_owned()),
        Err(error) => error.to_string(),
    }
}

fn ready(object: &Object) -> String {
    let number = |path: &[&str]| object.at(path).and_then(Value::as_i64);
    let count = |ready: &str, wanted: Option<i64>| match wanted {
        Some(wanted) => format!("{}/{wanted}", number(&["status", ready]).unwrap_or_default()),
        None => String::new(),
    };
    match object.kind() {
        "Pod" => {
            let statuses = object.at(&["status", "containerStatuses"]);
            let statuses: Vec<ContainerStatus<'_>> =
                statuses.and_then(|statuses| read_value(statuses).ok()).unwrap_or_default();
            let wanted = object.at(&["spec", "containers"]).and_then(Value::as_array).map_or(0, Vec::len);
            format!("{}/{wanted}", statuses.iter().filter(|one| one.ready).count())
        }
        "DaemonSet" => count("numberReady", number(&["status", "desiredNumberScheduled"])),
        "Job" => count("succeeded", number(&["spec", "completions"])),
        _ => count("readyReplicas", number(&["spec", "replicas"])),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::federation::{World, object, settle};
    use super::*;
    use serde_json::json;

    fn lines(node: &Node, depth: usize, lines: &mut Vec<String>) {
        let cluster = node.cluster.as_deref().unwrap_or("-");
        lines.push(format!("{}{} {cluster} {} {}", " ".repeat(depth), node.object, node.ready, node.status));
        node.children.iter().for_each(|child| self::lines(child, depth + 1, lines));
    }

    #[test]
    fn every_object_stands_below_its_owner() {
        let mut facts = settle(World::default());
        let uid = object(&mut facts, "eu").uid().to_owned();
        let owned = |kind: &str, name: &str, uid: &str, owner: &str, status: Value| {
            Object(json!({ "apiVersion": if kind == "Pod" { "v1" } else { "apps/v1" }, "kind": kind,
                "metadata": { "namespace": "shop", "name": name, "uid": uid,
                    "ownerReferences": [{ "uid": owner, "controller": true }] },
                "spec": { "replicas": 2, "containers": [{ "name": "web" }] }, "status": status }))
        };
        let status = json!({ "phase": "Pending", "containerStatuses": [{ "name": "web", "ready": false,
            "state": { "waiting": { "reason": "ImagePullBackOff" } } }] });
        let below = vec![
            owned("ReplicaSet", "web-1", "rs1", &uid, json!({ "readyReplicas": 1, "replicas": 2 })),
            owned("Pod", "web-1-a", "p1", "rs1", status),
            owned(
                "Pod",
                "web-1-b",
                "p2",
                "rs1",
                json!({ "phase": "Running", "containerStatuses": [{ "name": "web", "ready": true }] }),
            ),
            owned("Pod", "other", "p3", "rs9", json!({})),
        ];
        facts.members.get_mut("eu").expect("a member").below = Ok(below);
        facts.members.get_mut("us").expect("a member").object =
            Err(crate::discovery::ReadError("no answer".to_owned()));
        let mut found = Vec::new();
        lines(&tree(&facts).expect("a tree"), 0, &mut found);
        let work = portolan_api::names::work("Deployment", "web", "shop");
        assert_eq!(
            found,
            [
                "Deployment shop/web - 0/2 ".to_owned(),
                " ResourceBinding shop/web-deployment - 0/2 Scheduled".to_owned(),
                format!("  Work karmada-es-eu/{work} eu  Applied"),
                "   Deployment shop/web eu 2/2 Healthy".to_owned(),
                "    ReplicaSet shop/web-1 eu 1/2 Unhealthy".to_owned(),
                "     Pod shop/web-1-a eu 0/1 container web: ImagePullBackOff".to_owned(),
                "     Pod shop/web-1-b eu 1/1 Running".to_owned(),
                format!("  Work karmada-es-us/{work} us  Applied"),
                "   Deployment shop/web us  not looked at: no answer".to_owned(),
            ]
        );
    }
}
