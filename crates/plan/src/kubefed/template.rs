//! The object that a federated object asks for, before the changes for single clusters (kubefed
//! pkg/controller/sync/resource.go).

use portolan_api::kubefed::{FederatedSpec, FederatedType};
use portolan_api::names;
use portolan_api::work::ObjectReference;
use portolan_object::{GroupVersion, Object};
use serde_json::{Map, Value, json};

use super::placement::is_system_namespace;

/// The template of a federated object cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The spec is malformed.
    #[error("spec cannot be read: {0}")]
    Spec(String),
    /// The template is of another API group than the type.
    #[error(
        "spec.template.apiVersion is {found}, and {kind} is of the group {group:?}: remove it, or name a version of that group"
    )]
    Group {
        /// The version in the template.
        found: String,
        /// The kind.
        kind: String,
        /// Its group.
        group: String,
    },
    /// The metadata of the template are not an object.
    #[error("spec.template.metadata is not an object")]
    Metadata,
    /// The type of the federated object is not known.
    #[error("{0} is not federated: create a FederatedTypeConfig for it")]
    UnknownType(String),
    /// The propagation of the type is switched off.
    #[error(
        "the propagation of {0} is switched off, by its FederatedTypeConfig or the KubeFedConfig, or because it has no \
         FederatedTypeConfig (`portolan federate enable` makes one); members keep what they have"
    )]
    Disabled(String),
    /// A FederatedNamespace is not named after its namespace.
    #[error(
        "a FederatedNamespace has the name of the namespace that it is in: this one is named {name:?} and in {namespace:?}"
    )]
    NamespaceName {
        /// Its name.
        name: String,
        /// The namespace.
        namespace: String,
    },
    /// Every cluster has the namespace by itself.
    #[error("the namespace {0} is the clusters' own and is not propagated")]
    SystemNamespace(String),
    /// The namespace belongs to the control plane.
    #[error("nothing is propagated into the namespace {0}, which belongs to the control plane")]
    ReservedNamespace(String),
}

/// The spec of a federated object.
///
/// # Errors
/// When a field has the wrong type.
pub fn spec(federated: &Object) -> Result<FederatedSpec, TemplateError> {
    let spec = federated.at(&["spec"]).cloned().unwrap_or_else(|| json!({}));
    serde_json::from_value(spec).map_err(|error| TemplateError::Spec(error.to_string()))
}

/// The object that members get.
///
/// Name and namespace are those of the federated object. It has the uid and the generation of the federated object too, by
/// which members know where it comes from. A template without content is an object with nothing but a name.
///
/// # Errors
/// When the template is of another API group, or malformed, or the namespace cannot be propagated.
pub fn template(
    federated: &Object,
    spec: &FederatedSpec,
    of: &FederatedType,
) -> Result<Object, TemplateError> {
    check_namespace(federated, of)?;
    let mut object = Object(spec.template.clone().unwrap_or_else(|| json!({})));
    let metadata = object.0.as_object_mut().map(|root| root.entry("metadata").or_insert_with(|| json!({})));
    let metadata = metadata.and_then(Value::as_object_mut).ok_or(TemplateError::Metadata)?;
    identify(metadata, federated, of);
    let target = &of.target.gvk;
    let found = object.api_version().to_owned();
    if found.is_empty() {
        object.0["apiVersion"] = json!(target.api_version());
    } else if !found.parse::<GroupVersion>().is_ok_and(|version| version.group == target.group) {
        let (kind, group) = (target.kind.clone(), target.group.clone());
        return Err(TemplateError::Group { found, kind, group });
    }
    object.0["kind"] = json!(target.kind);
    Ok(object)
}

fn check_namespace(federated: &Object, of: &FederatedType) -> Result<(), TemplateError> {
    let (name, namespace) = (federated.name().to_owned(), federated.namespace().to_owned());
    if names::is_reserved_namespace(&namespace) {
        return Err(TemplateError::ReservedNamespace(namespace));
    }
    if !of.is_namespace() {
        return Ok(());
    }
    if name != namespace {
        return Err(TemplateError::NamespaceName { name, namespace });
    }
    if is_system_namespace(&name) {
        return Err(TemplateError::SystemNamespace(name));
    }
    Ok(())
}

/// The object that members get, of the federated object that a binding refers to.
pub fn target(federated: &ObjectReference, of: &FederatedType) -> ObjectReference {
    let target = &of.target.gvk;
    ObjectReference {
        api_version: target.api_version(),
        kind: target.kind.clone(),
        namespace: if of.target.namespaced { federated.namespace.clone() } else { String::new() },
        ..federated.clone()
    }
}

fn identify(metadata: &mut Map<String, Value>, federated: &Object, of: &FederatedType) {
    for field in ["generateName", "namespace", "finalizers", "ownerReferences", "resourceVersion"] {
        metadata.remove(field);
    }
    // A namespace with a FederatedNamespace is the one that the FederatedNamespace is in.
    metadata.insert("name".to_owned(), json!(federated.name()));
    if of.target.namespaced {
        metadata.insert("namespace".to_owned(), json!(federated.namespace()));
    }
    metadata.insert("uid".to_owned(), json!(federated.uid()));
    metadata.insert("generation".to_owned(), json!(federated.generation()));
}

#[cfg(test)]
mod tests {
    use portolan_api::kubefed::TypeName;
    use portolan_api::resources;

    use super::*;

    fn federated(template: Value) -> Object {
        Object(
            json!({ "apiVersion": "types.kubefed.io/v1beta1", "kind": "FederatedX", "spec": { "template": template },
            "metadata": { "name": "web", "namespace": "shop", "uid": "u1", "generation": 4 } }),
        )
    }

    fn made(template: Value, target: resources::StaticResource) -> Result<Value, TemplateError> {
        let federated = federated(template);
        let of = FederatedType::of(TypeName::from(target));
        let spec = spec(&federated)?;
        super::template(&federated, &spec, &of).map(|object| object.0)
    }

    #[test]
    fn the_object_has_the_name_of_the_federated_object_and_the_kind_of_the_type() {
        let cases = [
            (
                json!({ "kind": "Other", "metadata": { "name": "x", "namespace": "y", "labels": { "a": "b" },
                    "finalizers": ["a/b"], "generateName": "z" }, "spec": { "replicas": 1 } }),
                resources::DEPLOYMENT,
                json!({ "apiVersion": "apps/v1", "kind": "Deployment", "spec": { "replicas": 1 },
                    "metadata": { "name": "web", "namespace": "shop", "labels": { "a": "b" }, "uid": "u1", "generation": 4 } }),
            ),
            (
                json!({ "apiVersion": "apps/v1beta2" }),
                resources::DEPLOYMENT,
                json!({ "apiVersion": "apps/v1beta2", "kind": "Deployment",
                    "metadata": { "name": "web", "namespace": "shop", "uid": "u1", "generation": 4 } }),
            ),
            (
                Value::Null,
                resources::CLUSTER_ROLE,
                json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
                    "metadata": { "name": "web", "uid": "u1", "generation": 4 } }),
            ),
        ];
        for (template, target, want) in cases {
            assert_eq!(made(template.clone(), target), Ok(want), "{template}");
        }
    }

    #[test]
    fn a_template_of_another_group_is_refused() {
        let error = made(json!({ "apiVersion": "v1" }), resources::DEPLOYMENT).expect_err("another group");
        assert!(error.to_string().contains("spec.template.apiVersion is v1"), "{error}");
        assert_eq!(made(json!({ "metadata": 1 }), resources::DEPLOYMENT), Err(TemplateError::Metadata));
    }

    #[test]
    fn a_federated_namespace_is_named_after_its_namespace_and_no_system_namespace() {
        let made = |key: &str| {
            let (namespace, name) = key.split_once('/').expect("a namespace");
            let object =
                Object(json!({ "apiVersion": "types.kubefed.io/v1beta1", "kind": "FederatedNamespace",
                "metadata": { "name": name, "namespace": namespace, "uid": "u1", "generation": 1 } }));
            let of = FederatedType::of(TypeName::from(resources::NAMESPACE));
            template(&object, &FederatedSpec::default(), &of).map(|made| made.key().to_string())
        };
        assert_eq!(made("shop/shop"), Ok("shop".to_owned()));
        assert!(matches!(made("shop/other"), Err(TemplateError::NamespaceName { .. })));
        for system in ["default/default", "kube-system/kube-system", "kube-public/kube-public"] {
            assert!(matches!(made(system), Err(TemplateError::SystemNamespace(_))), "{system}");
        }
        assert!(matches!(made("karmada-es-eu/karmada-es-eu"), Err(TemplateError::ReservedNamespace(_))));
    }
}
