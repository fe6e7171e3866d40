//! The status of a Federation: whether it takes effect as it is written.

use std::sync::Arc;

use portolan_api::federation::{Federation, FederationStatus, PUBLISHED, READY};
use portolan_api::meta::{Condition, set_condition};
use portolan_object::{GroupKind, Object};

use super::selection::{kinds, overlap};

/// What the hub serves of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Served {
    /// Objects in namespaces.
    Namespaced,
    /// Objects without a namespace.
    ClusterScoped,
    /// Nothing, or its objects are never propagated.
    Nothing,
}

/// What a status is computed from.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// All Federations.
    pub federations: &'a [Arc<Federation>],
    /// All namespaces.
    pub namespaces: &'a [Arc<Object>],
    /// Number of federated objects.
    pub objects: usize,
    /// What the hub serves.
    pub served: &'a dyn Fn(&GroupKind) -> Served,
}

/// Computes the status of `federation`; `now` is the time in the form of Kubernetes.
pub fn status(federation: &Federation, facts: Facts<'_>, now: &str) -> FederationStatus {
    let mut status = federation.status.clone();
    status.observed_generation = federation.metadata.generation;
    status.objects = i64::try_from(facts.objects).unwrap_or(i64::MAX);
    let (is_ready, reason, message) = match problem(federation, facts) {
        None => (true, "Federated", "every cluster that takes part has the objects".to_owned()),
        Some((reason, message)) => (false, reason, message),
    };
    let mut ready = Condition::new(READY, is_ready, reason, message, now);
    ready.observed_generation = Some(federation.metadata.generation);
    set_condition(&mut status.conditions, ready);
    status
}

/// Sets the condition about the zones in the status. Returns whether every zone has what it shall have.
pub fn published(federation: &Federation, status: &mut FederationStatus, now: &str) -> bool {
    let troubles = status.zones.iter().filter(|zone| !zone.message.is_empty());
    let troubles: Vec<String> =
        troubles.map(|zone| format!("zone {}: {}", zone.zone, zone.message)).collect();
    let (is_published, reason, message) = match troubles.as_slice() {
        [] => (true, "Published", "every zone has the records of every Service".to_owned()),
        troubles => (false, "NotPublished", troubles.join("; ")),
    };
    let mut condition = Condition::new(PUBLISHED, is_published, reason, message, now);
    condition.observed_generation = Some(federation.metadata.generation);
    set_condition(&mut status.conditions, condition);
    is_published
}

/// The first thing that keeps a part of the spec from taking effect.
fn problem(federation: &Federation, facts: Facts<'_>) -> Option<(&'static str, String)> {
    for kind in kinds(&federation.spec) {
        match (facts.served)(&kind) {
            Served::Namespaced => {}
            Served::ClusterScoped => {
                return Some((
                    "KindNotNamespaced",
                    format!(
                        "{kind} has no namespace: remove it from spec.kinds, and use a ClusterPropagationPolicy"
                    ),
                ));
            }
            Served::Nothing => {
                return Some((
                    "KindNotServed",
                    format!(
                        "the hub does not serve {kind}, or never propagates it: create its CustomResourceDefinition, or remove it from spec.kinds"
                    ),
                ));
            }
        }
    }
    let name = &federation.metadata.name;
    let earlier =
        facts.federations.iter().filter(|other| other.metadata.name < *name && !other.metadata.is_deleting());
    for other in earlier {
        if let Some((namespace, kind)) = overlap(&federation.spec, &other.spec, facts.namespaces) {
            let other = &other.metadata.name;
            return Some((
                "Overlaps",
                format!(
                    "Federation {other} selects {kind} in namespace {namespace} too, and has these objects because of its \
                     name: select other namespaces or kinds in one of the two"
                ),
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn federation(name: &str, spec: Value) -> Arc<Federation> {
        let object = json!({ "apiVersion": "portolan.dev/v1alpha1", "kind": "Federation",
            "metadata": { "name": name, "generation": 3 }, "spec": spec });
        Arc::new(serde_json::from_value(object).unwrap())
    }

    fn served(kind: &GroupKind) -> Served {
        match kind.kind.as_str() {
            "Service" | "Deployment" => Served::Namespaced,
            "ClusterRole" => Served::ClusterScoped,
            _ => Served::Nothing,
        }
    }

    #[test]
    fn what_takes_no_effect_is_said_with_its_cure() {
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "shop" } });
        let namespaces = [Arc::new(Object(namespace))];
        let kind =
            |api_version: &str, kind: &str| json!({ "kinds": [{ "apiVersion": api_version, "kind": kind }] });
        for (spec, others, want) in [
            (json!({}), vec![], "Federated"),
            (kind("apps/v1", "Deployment"), vec![federation("a", json!({}))], "Federated"),
            (kind("example.com/v1", "Widget"), vec![], "KindNotServed"),
            (kind("rbac.authorization.k8s.io/v1", "ClusterRole"), vec![], "KindNotNamespaced"),
            (json!({}), vec![federation("a", json!({}))], "Overlaps"),
            (json!({}), vec![federation("z", json!({}))], "Federated"),
        ] {
            let facts = Facts { federations: &others, namespaces: &namespaces, objects: 2, served: &served };
            let found = status(&federation("m", spec.clone()), facts, "2026-01-02T03:04:05Z");
            assert_eq!(found.conditions[0].reason, want, "{spec}");
            assert_eq!((found.objects, found.observed_generation), (2, 3));
        }
    }
}
