//! Admission of MultiClusterServices (karmada pkg/webhook/multiclusterservice).

use std::collections::BTreeSet;

use portolan_object::dns_label::is_label;
use portolan_object::{FieldError, Status};
use serde_json::{Value, json};

use super::{deny_for, identify, typed};
use crate::labels;
use crate::networking::{ExposureType, MultiClusterService, MultiClusterServiceSpec};

const WEBHOOK: &str = "multiclusterservice.karmada.io";

/// Identifies and validates a MultiClusterService. The texts returned are warnings.
pub(super) fn admit(
    object: &mut Value,
    old: Option<&Value>,
    new_id: impl FnOnce() -> String,
) -> Result<Vec<String>, Status> {
    identify(object, labels::multi_cluster_service::PERMANENT_ID, new_id);
    let Some(service) = typed::<MultiClusterService>(object) else { return Ok(Vec::new()) };
    let mut errors = Vec::new();
    if let Some(old) = old.filter(|old| old["spec"]["types"] != object["spec"]["types"]) {
        let detail = "MultiClusterService types are immutable";
        errors.push(FieldError::invalid("spec.types", &old["spec"]["types"], detail));
    }
    check(&service.spec, &mut errors);
    deny_for(WEBHOOK, &errors)?;
    Ok(warnings(&service.spec))
}

fn check(spec: &MultiClusterServiceSpec, errors: &mut Vec<FieldError>) {
    let mut names = BTreeSet::new();
    for (index, port) in spec.ports.iter().enumerate() {
        let field = |name: &str| format!("spec.ports[{index}].{name}");
        if !port.name.is_empty() && !is_label(&port.name) {
            errors.push(FieldError::invalid(field("name"), &json!(port.name), "must be a DNS label"));
        }
        if !port.name.is_empty() && !names.insert(&port.name) {
            errors.push(FieldError::invalid(
                field("name"),
                &json!(port.name),
                "is the name of an earlier port",
            ));
        }
        if !(1..=65535).contains(&port.port) {
            let detail = "must be between 1 and 65535, inclusive";
            errors.push(FieldError::invalid(field("port"), &json!(port.port), detail));
        }
    }
    if spec.types.iter().any(|kind| Some(kind) != spec.types.first()) {
        let detail = "MultiClusterService types should not contain more than one type";
        errors.push(FieldError::invalid("spec.types", &json!(spec.types), detail));
    }
    for (field, clusters) in
        [("providerClusters", &spec.provider_clusters), ("consumerClusters", &spec.consumer_clusters)]
    {
        for (index, cluster) in clusters.iter().enumerate().filter(|(_, cluster)| !is_label(&cluster.name)) {
            let field = format!("spec.range.{field}[{index}]");
            errors.push(FieldError::invalid(field, &json!(cluster.name), "must be the name of a cluster"));
        }
    }
}

/// What is accepted, as in Karmada, and has no effect.
fn warnings(spec: &MultiClusterServiceSpec) -> Vec<String> {
    let mut warnings = Vec::new();
    if spec.types.is_empty() {
        warnings.push(
            "spec.types: a MultiClusterService without a type has no effect; set CrossCluster".to_owned(),
        );
    }
    if spec.types.contains(&ExposureType::LoadBalancer) {
        let text = "spec.types: LoadBalancer has no effect, no load balancer is made; use CrossCluster, or Services of type \
                    LoadBalancer with a federation";
        warnings.push(text.to_owned());
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(spec: Value, old: Option<Value>) -> Result<Vec<String>, String> {
        let object = |spec: Value| {
            json!({ "apiVersion": "networking.karmada.io/v1alpha1", "kind": "MultiClusterService",
            "metadata": { "namespace": "shop", "name": "web" }, "spec": spec })
        };
        let mut new = object(spec);
        let answer = admit(&mut new, old.map(object).as_ref(), || "id-1".to_owned());
        assert_eq!(new["metadata"]["labels"]["multiclusterservice.karmada.io/permanent-id"], "id-1");
        answer.map_err(|status| status.to_string())
    }

    #[test]
    fn specs_are_checked_as_the_webhook_does() {
        let cross = json!({ "types": ["CrossCluster"] });
        let cases = [
            ("plain", cross.clone(), None, Ok(0)),
            (
                "two types",
                json!({ "types": ["CrossCluster", "LoadBalancer"] }),
                None,
                Err("more than one type"),
            ),
            (
                "another type",
                json!({ "types": ["LoadBalancer"] }),
                Some(cross.clone()),
                Err("types are immutable"),
            ),
            ("no effect", json!({ "types": ["LoadBalancer"] }), None, Ok(1)),
            ("no type", json!({ "types": [] }), None, Ok(1)),
            (
                "port 0",
                json!({ "types": ["CrossCluster"], "ports": [{ "name": "http", "port": 0 }] }),
                None,
                Err("spec.ports[0].port"),
            ),
            (
                "one name twice",
                json!({ "types": ["CrossCluster"], "ports": [{ "name": "a", "port": 1 }, { "name": "a", "port": 2 }] }),
                None,
                Err("spec.ports[1].name"),
            ),
            (
                "no cluster name",
                json!({ "types": ["CrossCluster"], "consumerClusters": [{ "name": "a/b" }] }),
                None,
                Err("spec.range.consumerClusters[0]"),
            ),
        ];
        for (name, spec, old, want) in cases {
            match (admitted(spec, old), want) {
                (Ok(warnings), Ok(count)) => assert_eq!(warnings.len(), count, "{name}: {warnings:?}"),
                (Err(text), Err(part)) => assert!(text.contains(part), "{name}: {text}"),
                (answer, _) => panic!("{name}: {answer:?}"),
            }
        }
    }
}
