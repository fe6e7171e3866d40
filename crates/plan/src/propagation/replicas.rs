//! Replicas: how many a template wants, and writing a cluster's share into its manifest.

use portolan_api::work::{Component, ReplicaRequirements};
use portolan_object::Object;
use portolan_object::quantity::Quantity;
use serde_json::Value;

use super::division::{ReplicaShare, TieBreak, divide};
use super::interpreter::{Replicas, Requirements, interpreter};
use super::requirements::of_pod_spec;

/// What a template wants from the scheduler.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Demand {
    /// Replicas; `None` for kinds that are not divided (their copies are plain objects).
    pub replicas: Option<i64>,
    /// Requirements of one replica; `None` if it has none.
    pub requirements: Option<ReplicaRequirements>,
    /// Components of a template with several pod templates, which has no replicas; empty for all other kinds.
    pub components: Vec<Component>,
}

impl Demand {
    /// The same with every quantity as an API server writes it: templates and scripts may have numbers such as `0.5`.
    #[must_use]
    pub fn canonical(mut self) -> Self {
        let of_replica = self.requirements.iter_mut().map(|one| &mut one.resource_request);
        let of_components = self.components.iter_mut().filter_map(|one| one.replica_requirements.as_mut());
        for list in of_replica.chain(of_components.map(|one| &mut one.resource_request)) {
            for quantity in list.values_mut() {
                let text = match &quantity.0 {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                if let Ok(canonical) = Quantity::canonical(&text) {
                    quantity.0 = Value::String(canonical);
                }
            }
        }
        self
    }
}

/// What a template wants, by the built-in rules.
pub fn demand(template: &Object) -> Demand {
    let components = components(template);
    let Some(hook) = hook(template).filter(|_| components.is_empty()) else {
        return Demand { components, ..Demand::default() }.canonical();
    };
    let mut requirements = match hook.requirements {
        Requirements::OfPodSpec(path) => template.at(path).and_then(of_pod_spec),
        Requirements::Computed(compute) => compute(template),
    };
    if let Some(requirements) = &mut requirements {
        template.namespace().clone_into(&mut requirements.namespace);
    }
    Demand { replicas: Some((hook.count)(template)), requirements, components }.canonical()
}

/// Components of a template with several pod templates; none for other kinds.
pub fn components(template: &Object) -> Vec<Component> {
    let hook = interpreter(&template.group_version_kind()).and_then(|found| found.components.custom());
    hook.map(|components| components(template)).unwrap_or_default()
}

fn hook(object: &Object) -> Option<Replicas> {
    interpreter(&object.group_version_kind())?.replicas.custom()
}

/// Replicas that a template wants; `None` for kinds that are not divided (their copies are plain objects).
pub fn replicas(template: &Object) -> Option<i64> {
    hook(template).map(|replicas| (replicas.count)(template))
}

/// Writes a cluster's share of the replicas into its manifest; kinds without replicas stay as they are.
pub fn revise(manifest: &mut Object, share: i64) {
    if let Some(replicas) = hook(manifest) {
        (replicas.set)(manifest, share);
    }
}

/// Divides a Job's completions over clusters in proportion to their replicas.
///
/// `shares` names each cluster with its replicas; the result has the same order and sums to `completions`.
pub fn divide_completions(completions: i64, shares: &[(String, i64)], uid: &str) -> Vec<i64> {
    let shares: Vec<ReplicaShare<'_>> =
        shares.iter().map(|(cluster, replicas)| ReplicaShare { cluster, weight: *replicas }).collect();
    divide(completions, &shares, TieBreak::for_uid(uid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn counts_replicas() {
        let cases = [
            (
                "deployment",
                json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 3}}),
                Some(3),
            ),
            (
                "deployment default",
                json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {}}),
                Some(1),
            ),
            (
                "stateful set",
                json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "spec": {"replicas": 0}}),
                Some(0),
            ),
            (
                "job",
                json!({"apiVersion": "batch/v1", "kind": "Job", "spec": {"parallelism": 5, "completions": 2}}),
                Some(2),
            ),
            ("pod", json!({"apiVersion": "v1", "kind": "Pod", "spec": {}}), Some(1)),
            ("daemon set", json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "spec": {}}), None),
            ("config map", json!({"apiVersion": "v1", "kind": "ConfigMap"}), None),
        ];
        for (name, object, want) in cases {
            assert_eq!(replicas(&Object(object)), want, "{name}");
        }
    }

    #[test]
    fn writes_the_share_back() {
        let mut job = Object(json!({"apiVersion": "batch/v1", "kind": "Job", "spec": {"parallelism": 5}}));
        revise(&mut job, 2);
        assert_eq!(job.0["spec"]["parallelism"], 2);
        let mut map = Object(json!({"apiVersion": "v1", "kind": "ConfigMap", "spec": {}}));
        revise(&mut map, 2);
        assert_eq!(map.0["spec"], json!({}));
    }

    #[test]
    fn divides_completions_by_parallelism() {
        let shares = |replicas: &[i64]| -> Vec<(String, i64)> {
            replicas.iter().enumerate().map(|(index, &count)| (format!("c{index}"), count)).collect()
        };
        assert_eq!(divide_completions(10, &shares(&[2, 3, 5]), ""), [2, 3, 5]);
        assert_eq!(divide_completions(10, &shares(&[2, 3]), ""), [4, 6]);
        assert_eq!(divide_completions(7, &shares(&[1, 1, 1]), ""), [3, 2, 2]);
    }
}
