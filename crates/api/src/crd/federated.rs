//! The CustomResourceDefinition of a federated kind.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::structural::schema_of;
use crate::kubefed::{BUILT_IN, FederatedSpec, FederatedStatus, FederatedType};
use crate::resources;
use crate::schema::{is_default, optional};

/// The built-in kinds with `spec.replicas`.
const WITH_REPLICAS: [resources::StaticResource; 3] =
    [resources::DEPLOYMENT, resources::REPLICA_SET, resources::STATEFUL_SET];

/// The schema that all federated kinds share.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct FederatedObject {
    /// Group and version of this object.
    #[schemars(transform = optional)]
    api_version: String,
    /// Kind of this object.
    #[schemars(transform = optional)]
    kind: String,
    /// Standard metadata.
    #[schemars(transform = optional)]
    metadata: crate::meta::ObjectMeta,
    /// Template, placement and overrides.
    spec: FederatedSpec,
    /// Observed state.
    #[serde(skip_serializing_if = "is_default")]
    status: FederatedStatus,
}

/// The definitions of the federated forms of built-in kinds (kubefed charts/kubefed).
pub(super) fn built_in() -> impl Iterator<Item = Value> {
    BUILT_IN.iter().map(|one| {
        let of = FederatedType::of(one.target.into());
        federated_definition(&of, one.short_names, WITH_REPLICAS.contains(&one.target))
    })
}

/// The definition of the federated kind of a type.
///
/// `has_replicas` is whether objects of the target kind have `spec.replicas`; only then the federated kind has
/// `spec.retainReplicas`.
pub fn federated_definition(of: &FederatedType, short_names: &[impl Serialize], has_replicas: bool) -> Value {
    let (target, federated) = (&of.target.gvk, &of.federated.gvk);
    let mut schema = schema_of::<FederatedObject>();
    // An API server knows metadata itself and takes no word about it.
    schema["properties"]["metadata"] = json!({ "type": "object" });
    schema["description"] =
        json!(format!("A {} for several clusters: template, placement and overrides.", target.kind));
    if !has_replicas && let Some(spec) = schema["properties"]["spec"]["properties"].as_object_mut() {
        spec.remove("retainReplicas");
    }
    let mut names = json!({
        "kind": federated.kind, "listKind": format!("{}List", federated.kind),
        "plural": of.federated.plural, "singular": federated.kind.to_lowercase(),
    });
    if !short_names.is_empty() {
        names["shortNames"] = json!(short_names);
    }
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("{}.{}", of.federated.plural, federated.group) },
        "spec": {
            "group": federated.group, "names": names,
            "scope": if of.federated.namespaced { "Namespaced" } else { "Cluster" },
            "versions": [{
                "name": federated.version, "served": true, "storage": true,
                "subresources": { "status": {} },
                "additionalPrinterColumns": [
                    { "name": "propagation", "type": "string",
                      "jsonPath": r#".status.conditions[?(@.type=="Propagation")].status"# },
                    { "name": "reason", "type": "string",
                      "jsonPath": r#".status.conditions[?(@.type=="Propagation")].reason"# },
                    { "name": "age", "type": "date", "jsonPath": ".metadata.creationTimestamp" },
                ],
                "schema": { "openAPIV3Schema": schema },
            }],
        },
    })
}
