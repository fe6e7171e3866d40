//! The clusters of a federated object, with their replicas.
//!
//! Every cluster that takes part has the object, also one that is tainted or cannot be reached: what is there is never
//! deleted because contact is lost. Replicas go to the clusters that are ready.

use std::collections::BTreeMap;

use portolan_api::annotations::federation as annotations;
use portolan_api::cluster::Cluster;
use portolan_api::conditions::cluster::READY;
use portolan_api::federation::FederationSpec;
use portolan_api::meta::{Toleration, condition};
use portolan_api::policy::{
    ConflictResolution, Placement, PropagationSpec, ReplicaScheduling, ReplicaSchedulingType,
};
use portolan_api::work::TargetCluster;
use portolan_object::Object;

use super::cluster_selector::{SelectorError, selector};
use super::replicas::{Candidate, Preferences, divide};

/// What the clusters of an object are decided from.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The object in the hub.
    pub template: &'a Object,
    /// The federation that it belongs to.
    pub federation: &'a FederationSpec,
    /// Its replicas; `None` for kinds that have none.
    pub replicas: Option<i64>,
    /// All clusters of the hub.
    pub clusters: &'a [&'a Cluster],
    /// Its clusters until now.
    pub present: &'a [TargetCluster],
}

/// An annotation that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetsError {
    /// The selector of clusters. The object stays where it is.
    #[error(
        "{key}: {0}; the object stays in the clusters where it is",
        key = annotations::CLUSTER_SELECTOR
    )]
    Selector(#[from] SelectorError),
    /// The preferences for replicas. The object stays as it is.
    #[error("{annotation} is not JSON of the form {FORM}: {reason}; the replicas stay where they are")]
    Preferences {
        /// Key of the annotation.
        annotation: &'static str,
        /// What is wrong.
        reason: String,
    },
}

/// The form of the preferences, for messages.
const FORM: &str = r#"{"rebalance":true,"clusters":{"*":{"minReplicas":1,"maxReplicas":9,"weight":1}}}"#;

/// Decides the clusters, sorted by name.
///
/// # Errors
/// When an annotation of the object cannot be read.
pub fn targets(request: Request<'_>) -> Result<Vec<TargetCluster>, TargetsError> {
    let requirements = selector(request.template)?;
    let takes_part = |cluster: &&&Cluster| {
        let label = |key: &str| cluster.metadata.label(key);
        let selector = request.federation.cluster_selector.as_ref();
        !cluster.metadata.is_deleting()
            && selector.is_none_or(|selector| selector.matches(label))
            && requirements.iter().all(|requirement| requirement.matches(label(&requirement.key)))
    };
    let mut selected: Vec<&Cluster> = request.clusters.iter().filter(takes_part).copied().collect();
    selected.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    let shares = match request.replicas {
        None => BTreeMap::new(),
        Some(total) => shares(request, total, &selected)?,
    };
    let target = |cluster: &&Cluster| {
        let name = cluster.metadata.name.clone();
        let share = shares.get(&name).copied().unwrap_or_default();
        TargetCluster { name, replicas: i32::try_from(share).unwrap_or(i32::MAX), ..TargetCluster::default() }
    };
    Ok(selected.iter().map(target).collect())
}

/// The replicas of each cluster. One that is not ready keeps what it has, and others have its replicas meanwhile.
fn shares(
    request: Request<'_>,
    total: i64,
    selected: &[&Cluster],
) -> Result<BTreeMap<String, i64>, TargetsError> {
    let preferences = preferences(request.template)?;
    let present: BTreeMap<&str, i64> =
        request.present.iter().map(|target| (target.name.as_str(), i64::from(target.replicas))).collect();
    let current = |name: &str| present.get(name).copied().unwrap_or_default();
    let (ready, unready): (Vec<&Cluster>, Vec<&Cluster>) =
        selected.iter().partition(|cluster| is_ready(cluster));
    let candidates: Vec<Candidate<'_>> = ready
        .iter()
        .map(|cluster| cluster.metadata.name.as_str())
        .map(|name| Candidate { name, current: current(name), capacity: None })
        .collect();
    let key = request.template.key().to_string();
    let mut shares = divide(total, &preferences, &candidates, &key).replicas;
    shares.extend(unready.iter().map(|cluster| {
        let name = &cluster.metadata.name;
        (name.clone(), current(name))
    }));
    Ok(shares)
}

/// Whether the hub reaches a cluster and the cluster says that it works.
pub fn is_ready(cluster: &Cluster) -> bool {
    condition(&cluster.status.conditions, READY).is_some_and(|ready| ready.is_true())
}

fn preferences(template: &Object) -> Result<Preferences, TargetsError> {
    let annotation = match template.kind() {
        "Deployment" => annotations::DEPLOYMENT_PREFERENCES,
        "ReplicaSet" => annotations::REPLICA_SET_PREFERENCES,
        "Job" => annotations::JOB_PREFERENCES,
        _ => return Ok(Preferences::default()),
    };
    let Some(text) = template.annotation(annotation) else { return Ok(Preferences::default()) };
    serde_json::from_str(text)
        .map_err(|error| TargetsError::Preferences { annotation, reason: error.to_string() })
}

/// What a binding has from its federation, in the form of a policy. The placement is a record: nothing schedules the
/// binding.
pub fn propagation(replicas: Option<i64>) -> PropagationSpec {
    let every_taint = Toleration { operator: "Exists".to_owned(), ..Toleration::default() };
    let divided = ReplicaScheduling {
        replica_scheduling_type: ReplicaSchedulingType::Divided,
        ..ReplicaScheduling::default()
    };
    let placement = Placement {
        cluster_tolerations: vec![every_taint],
        replica_scheduling: replicas.map(|_| divided),
        ..Placement::default()
    };
    PropagationSpec {
        placement,
        // Federation v1 brings an object that a cluster has already in line.
        conflict_resolution: ConflictResolution::Overwrite,
        ..PropagationSpec::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn cluster(name: &str, ready: &str) -> Cluster {
        let object = json!({ "apiVersion": "cluster.karmada.io/v1alpha1", "kind": "Cluster",
            "metadata": { "name": name, "labels": { "name": name } },
            "status": { "conditions": [{ "type": "Ready", "status": ready, "reason": "R", "message": "",
                "lastTransitionTime": "2026-01-02T03:04:05Z" }] } });
        serde_json::from_value(object).unwrap()
    }

    fn decided(template: Value, federation: Value, clusters: &[Cluster], present: &[(&str, i32)]) -> String {
        let template = Object(template);
        let replicas = template.at(&["spec", "replicas"]).and_then(Value::as_i64);
        let federation: FederationSpec = serde_json::from_value(federation).unwrap();
        let clusters: Vec<&Cluster> = clusters.iter().collect();
        let present: Vec<TargetCluster> = present
            .iter()
            .map(|&(name, replicas)| TargetCluster {
                name: name.to_owned(),
                replicas,
                ..TargetCluster::default()
            })
            .collect();
        let request = Request {
            template: &template,
            federation: &federation,
            replicas,
            clusters: &clusters,
            present: &present,
        };
        let found = targets(request).unwrap();
        let texts: Vec<String> = found.iter().map(|one| format!("{}{}", one.name, one.replicas)).collect();
        texts.join(" ")
    }

    fn workload(name: &str, replicas: i64, preferences: Value) -> Value {
        let mut annotations = serde_json::Map::new();
        if !preferences.is_null() {
            annotations
                .insert(annotations::REPLICA_SET_PREFERENCES.to_owned(), json!(preferences.to_string()));
        }
        json!({ "apiVersion": "apps/v1", "kind": "ReplicaSet", "spec": { "replicas": replicas },
            "metadata": { "namespace": "default", "name": name, "annotations": annotations } })
    }

    #[test]
    fn a_plain_object_is_in_every_cluster_that_takes_part() {
        let service = |selector: &str| {
            json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "nginx", "namespace": "shop",
                "annotations": if selector.is_empty() { json!({}) } else {
                    json!({ "federation.alpha.kubernetes.io/cluster-selector": selector }) } } })
        };
        let mut clusters = ["c3", "c1", "c2"].map(|name| cluster(name, "True"));
        let all = |clusters: &[Cluster], selector: &str, federation: Value| {
            decided(service(selector), federation, clusters, &[])
        };
        assert_eq!(all(&clusters, "", json!({})), "c10 c20 c30");
        let only = r#"[{"key":"name","operator":"notin","values":["c2"]}]"#;
        assert_eq!(all(&clusters, only, json!({})), "c10 c30");
        let selector = json!({ "clusterSelector": { "matchLabels": { "name": "c2" } } });
        assert_eq!(all(&clusters, "", selector), "c20");
        clusters[0].metadata.deletion_timestamp = Some("2026-01-02T03:04:05Z".to_owned());
        assert_eq!(all(&clusters, "", json!({})), "c10 c20");
        clusters[1] = cluster("c1", "False");
        assert_eq!(
            all(&clusters, "", json!({})),
            "c10 c20",
            "nothing leaves a cluster that cannot be reached"
        );
    }

    #[test]
    fn replicas_follow_the_preferences_of_federation_v1() {
        let clusters = ["foo", "bar"].map(|name| cluster(name, "True"));
        let preferences = json!({ "rebalance": true, "clusters": {
            "foo": { "minReplicas": 10, "maxReplicas": 50, "weight": 100 },
            "bar": { "minReplicas": 10, "maxReplicas": 100, "weight": 200 } } });
        for (total, want) in [
            (20, "bar10 foo10"),
            (30, "bar17 foo13"),
            (100, "bar64 foo36"),
            (150, "bar100 foo50"),
            (200, "bar100 foo50"),
        ] {
            assert_eq!(
                decided(workload("myrs", total, preferences.clone()), json!({}), &clusters, &[]),
                want
            );
        }
        let three = ["a", "b", "c"].map(|name| cluster(name, "True"));
        assert_eq!(decided(workload("myrs", 9, Value::Null), json!({}), &three, &[]), "a3 b3 c3");
    }

    #[test]
    fn others_have_the_replicas_of_a_cluster_that_is_not_ready() {
        let mut clusters = ["a", "b", "c"].map(|name| cluster(name, "True"));
        clusters[2] = cluster("c", "False");
        let present = [("a", 3), ("b", 3), ("c", 3)];
        let found = decided(workload("w", 9, Value::Null), json!({}), &clusters, &present);
        assert!(found == "a5 b4 c3" || found == "a4 b5 c3", "{found}");
    }

    #[test]
    fn an_annotation_that_cannot_be_read_is_an_error_with_its_name() {
        for (annotation, text) in [
            (annotations::CLUSTER_SELECTOR, r#"[{"key":"a","operator":"near"}]"#),
            (annotations::REPLICA_SET_PREFERENCES, "{"),
        ] {
            let mut template = Object(workload("w", 9, Value::Null));
            template.set_annotation(annotation, text);
            let federation = FederationSpec::default();
            let request = Request {
                template: &template,
                federation: &federation,
                replicas: Some(9),
                clusters: &[],
                present: &[],
            };
            let error = targets(request).unwrap_err().to_string();
            assert!(error.starts_with(annotation), "{error}");
        }
    }
}
