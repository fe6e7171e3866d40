//! Admission of ResourceRegistries (karmada pkg/apis/search/validation).

use portolan_object::{FieldError, GroupVersion, Status};
use serde_json::{Value, json};

use super::placement::check_affinity;
use super::typed;
use crate::Kind;
use crate::search::ResourceRegistry;

/// Validates the registry, and warns of what has no effect. A selector without a kind and an `apiVersion` that cannot exist
/// are refused.
pub(super) fn admit(object: &Value) -> Result<Vec<String>, Status> {
    let Some(registry) = typed::<ResourceRegistry>(object) else { return Ok(Vec::new()) };
    let mut errors = Vec::new();
    check_affinity(&registry.spec.target_cluster, "spec.targetCluster", &mut errors);
    for (index, selector) in registry.spec.resource_selectors.iter().enumerate() {
        let path = format!("spec.resourceSelectors[{index}]");
        if let Err(error) = selector.api_version.parse::<GroupVersion>() {
            let value = json!(selector.api_version);
            errors.push(FieldError::invalid(format!("{path}.apiVersion"), &value, error.to_string()));
        }
        if selector.kind.is_empty() {
            errors.push(FieldError::required(format!("{path}.kind"), "the kind of the cached objects"));
        }
    }
    if !errors.is_empty() {
        let name = &registry.metadata.name;
        return Err(Status::invalid(ResourceRegistry::GROUP, ResourceRegistry::KIND, name, &errors));
    }
    let mut warnings = Vec::new();
    if registry.spec.backend_store.is_some() {
        let text = "spec.backendStore: objects are kept in the memory of the control plane only; nothing is sent to OpenSearch";
        warnings.push(text.to_owned());
    }
    if registry.spec.resource_selectors.is_empty() {
        warnings.push("spec.resourceSelectors: a registry without a kind caches nothing".to_owned());
    }
    Ok(warnings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry(selectors: &Value) -> Value {
        json!({ "apiVersion": "search.karmada.io/v1alpha1", "kind": "ResourceRegistry", "metadata": { "name": "r" },
            "spec": { "targetCluster": {}, "resourceSelectors": selectors } })
    }

    #[test]
    fn kinds_that_cannot_exist_are_refused() {
        let admitted = |selectors: &Value| admit(&registry(selectors)).map_err(|status| status.message);
        assert_eq!(admitted(&json!([{ "apiVersion": "apps/v1", "kind": "Deployment" }])), Ok(Vec::new()));
        let error = admitted(&json!([{ "apiVersion": "a/b/c", "kind": "X" }])).unwrap_err();
        assert!(error.contains("spec.resourceSelectors[0].apiVersion"), "{error}");
        let error = admitted(&json!([{ "apiVersion": "v1", "kind": "" }])).unwrap_err();
        assert!(error.contains("spec.resourceSelectors[0].kind: Required value"), "{error}");
    }

    #[test]
    fn what_has_no_effect_is_said() {
        let mut stored = registry(&json!([]));
        stored["spec"]["backendStore"] = json!({ "openSearch": { "addresses": ["https://localhost:9200"],
            "secretRef": { "namespace": "default", "name": "opensearch" } } });
        let warnings = admit(&stored).unwrap();
        assert!(warnings[0].starts_with("spec.backendStore: "), "{warnings:?}");
        assert!(warnings[1].starts_with("spec.resourceSelectors: "), "{warnings:?}");
    }
}
