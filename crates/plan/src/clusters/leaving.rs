//! What happens to the objects of a control plane in a cluster that leaves.

use std::collections::BTreeSet;

use portolan_api::cluster::{Cluster, SyncMode};
use portolan_api::conditions::cluster::READY;
use portolan_api::meta::condition;
use portolan_api::work::Work;
use portolan_api::{labels, names};
use portolan_object::Object;

/// What is deleted besides the control plane's own objects when a cluster is cleaned without its control plane.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wish {
    /// Objects that policies placed there. Their templates are in the control plane, which is gone.
    pub propagated: bool,
    /// CustomResourceDefinitions, and with them all objects of their kinds, also those that users made.
    pub definitions: bool,
}

/// What happens to one object with the label of the control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is deleted.
    Delete,
    /// It stays.
    Keep,
    /// It is a part of the account of the control plane, which is removed at the end.
    Account,
}

/// The fate of an object with the label of the control plane.
pub fn fate(object: &Object, wish: Wish) -> Fate {
    let kind = object.group_version_kind().kind;
    let is_impersonation = object.name() == names::IMPERSONATOR
        && ["ClusterRole", "ClusterRoleBinding"].contains(&kind.as_str());
    let is_wanted = if is_impersonation {
        // A Work brought them.
        true
    } else if object.label(labels::SYSTEM) == Some(labels::TRUE) {
        return Fate::Account;
    } else if kind == "CustomResourceDefinition" {
        wish.definitions
    } else if object.label(labels::work::PERMANENT_ID).is_some() {
        wish.propagated
    } else {
        true
    };
    if is_wanted { Fate::Delete } else { Fate::Keep }
}

/// An object, as `KIND NAMESPACE/NAME`.
pub fn described(object: &Object) -> String {
    format!("{} {}", object.group_version_kind().kind, object.key())
}

/// An object that is being deleted and still exists, with the finalizers that hold it; `None` for others.
pub fn held(object: &Object) -> Option<String> {
    let finalizers: Vec<&str> = object.finalizers().collect();
    let is_held = object.is_deleting() && !finalizers.is_empty();
    is_held.then(|| format!("{} (finalizers {})", described(object), finalizers.join(", ")))
}

/// The objects that a Work places, described.
fn placed(work: &Work) -> impl Iterator<Item = String> {
    work.spec.workload.manifests.iter().map(|manifest| described(&Object(manifest.clone())))
}

/// The objects that stay in a cluster when it leaves, because the policies want that; described.
pub fn preserved<'a>(works: impl Iterator<Item = &'a Work>) -> BTreeSet<String> {
    let keeps = |work: &&Work| work.spec.preserve_resources_on_deletion == Some(true);
    works.filter(keeps).flat_map(placed).collect()
}

/// What stays in a cluster in which a command removes nothing, described. The agent of a cluster in pull mode takes away what
/// policies placed, if it runs.
pub fn left_by<'a>(cluster: &Cluster, works: impl Iterator<Item = &'a Work>) -> Vec<String> {
    let name = &cluster.metadata.name;
    let is_ready = condition(&cluster.status.conditions, READY).is_some_and(|ready| ready.is_true());
    let mut left = match (cluster.spec.sync_mode, is_ready) {
        (SyncMode::Pull, true) => remains(name, std::iter::empty()),
        (SyncMode::Pull | SyncMode::Push, _) => remains(name, works),
    };
    if cluster.spec.sync_mode == SyncMode::Pull {
        left.extend(
            ["ClusterRole", "ClusterRoleBinding"].map(|kind| format!("{kind} {}", names::AGENT_ROLE)),
        );
        left.push("the account, the role and the credential of the agent in its namespace".to_owned());
    }
    left
}

/// The objects of Works and the account, each as `KIND NAMESPACE/NAME`.
fn remains<'a>(cluster: &str, works: impl Iterator<Item = &'a Work>) -> Vec<String> {
    let mut remains: Vec<String> = works.flat_map(placed).collect();
    remains.sort();
    let (role, account) = (names::cluster_role(cluster), names::service_account(cluster));
    remains.push(format!("ServiceAccount {}/{account}", names::CLUSTER_NAMESPACE));
    remains.push(format!("ClusterRole {role}"));
    remains.push(format!("ClusterRoleBinding {role}"));
    remains
}

/// Objects that a message names before it counts the others.
const NAMED: usize = 5;

/// What a cluster that leaves waits for: the objects of its Works that are not gone, with what their Works say. `None`
/// without Works.
pub fn waits_for<'a>(works: impl Iterator<Item = &'a Work>) -> Option<String> {
    let works: Vec<&Work> = works.collect();
    let mut texts: Vec<String> = works.iter().take(NAMED).map(|work| describe_waiting(work)).collect();
    if works.len() > NAMED {
        texts.push(format!("and {} more works", works.len() - NAMED));
    }
    (!texts.is_empty()).then(|| texts.join("; "))
}

fn describe_waiting(work: &Work) -> String {
    let objects: Vec<String> = placed(work).collect();
    let trouble = work.status.conditions.iter().find(|condition| !condition.is_true());
    let cause = trouble.map(|condition| format!(": {}", condition.message)).unwrap_or_default();
    format!("{}{cause}", objects.join(", "))
}

#[cfg(test)]
mod tests {
    use portolan_api::meta::Condition;
    use serde_json::json;

    use super::*;

    #[test]
    fn users_objects_stay_unless_they_are_named() {
        let object = |kind: &str, label: &str| {
            Object(json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": "a",
                "labels": { labels::CONTROL_PLANE: "id", label: "true" } } }))
        };
        let mut impersonation = object("ClusterRoleBinding", labels::SYSTEM);
        impersonation.0["metadata"]["name"] = json!(names::IMPERSONATOR);
        let all = Wish { propagated: true, definitions: true };
        let cases = [
            ("derived Service", object("Service", "x"), Fate::Delete, Fate::Delete),
            ("propagated", object("Service", labels::work::PERMANENT_ID), Fate::Keep, Fate::Delete),
            ("definition", object("CustomResourceDefinition", "x"), Fate::Keep, Fate::Delete),
            ("account", object("ServiceAccount", labels::SYSTEM), Fate::Account, Fate::Account),
            ("impersonation", impersonation, Fate::Delete, Fate::Delete),
        ];
        for (name, object, by_default, wanted) in cases {
            assert_eq!(fate(&object, Wish::default()), by_default, "{name}");
            assert_eq!(fate(&object, all), wanted, "{name}");
        }
    }

    #[test]
    fn what_a_finalizer_holds_is_named() {
        let mut object = Object(json!({ "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "namespace": "shop", "name": "a", "finalizers": ["example.io/a", "example.io/b"] } }));
        assert_eq!(held(&object), None, "it is not being deleted");
        object.0["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        assert_eq!(
            held(&object).as_deref(),
            Some("ConfigMap shop/a (finalizers example.io/a, example.io/b)")
        );
        object.0["metadata"]["finalizers"] = json!([]);
        assert_eq!(held(&object), None, "it goes by itself");
    }

    #[test]
    fn what_a_leaving_cluster_waits_for_is_named() {
        let work = |name: &str| {
            let mut work = Work::default();
            work.spec.workload.manifests = vec![json!({ "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": { "namespace": "shop", "name": name } })];
            work
        };
        assert_eq!(waits_for([].iter()), None);
        assert_eq!(waits_for([work("a")].iter()).as_deref(), Some("ConfigMap shop/a"));
        let many: Vec<Work> = ["a", "b", "c", "d", "e", "f", "g"].map(work).to_vec();
        let text = waits_for(many.iter()).expect("works");
        assert!(text.ends_with("ConfigMap shop/e; and 2 more works"), "{text}");
    }

    #[test]
    fn what_stays_is_named() {
        let mut work = Work::default();
        work.spec.workload.manifests = vec![json!({ "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "namespace": "shop", "name": "web" } })];
        let want = [
            "Deployment shop/web",
            "ServiceAccount karmada-cluster/karmada-eu",
            "ClusterRole karmada-controller-manager:karmada-eu",
            "ClusterRoleBinding karmada-controller-manager:karmada-eu",
        ];
        assert_eq!(remains("eu", [work.clone()].iter()), want);
        let mut cluster = Cluster::default();
        cluster.metadata.name = "eu".to_owned();
        assert_eq!(left_by(&cluster, [work.clone()].iter()), want);
        cluster.spec.sync_mode = SyncMode::Pull;
        let silent = left_by(&cluster, [work.clone()].iter());
        assert_eq!(silent[..5], [&want[..], &["ClusterRole karmada-agent"]].concat());
        cluster.status.conditions = vec![Condition::new(READY, true, "ClusterReady", "", "")];
        let served = left_by(&cluster, [work.clone()].iter());
        assert_eq!(served[..], silent[1..], "its agent takes the Deployment away");
        assert_eq!(preserved([work.clone()].iter()), BTreeSet::new());
        work.spec.preserve_resources_on_deletion = Some(true);
        assert_eq!(preserved([work].iter()), BTreeSet::from(["Deployment shop/web".to_owned()]));
    }
}
