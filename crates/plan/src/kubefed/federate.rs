//! The federated form of an object of the hub (kubefed pkg/kubefedctl/federate/federate.go).

use portolan_api::kubefed::{FederatedType, TYPES_GROUP};
use portolan_api::resources;
use portolan_object::Object;
use serde_json::{Map, Value, json};

use crate::propagation::claim::LABELS;
use crate::propagation::prune::prune;

/// Annotation of `kubectl apply` with the whole object.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// An object in federated form, and what is lost.
#[derive(Debug, Clone, PartialEq)]
pub struct Federated {
    /// The federated object; it goes to every cluster.
    pub object: Object,
    /// Annotations that its template does not have.
    pub dropped_annotations: Vec<String>,
}

/// The federated form of an object. Its template has the labels of the object, and all fields that neither API servers nor
/// controllers write.
pub fn federated_form(object: &Object, of: &FederatedType) -> Federated {
    let (name, namespace) = match of.is_namespace() {
        true => (object.name(), object.name()),
        false => (object.name(), object.namespace()),
    };
    let is_of_user = |name: &String| *name != LAST_APPLIED && !name.contains("karmada.io/");
    let dropped_annotations: Vec<String> = object.annotations().into_keys().filter(is_of_user).collect();
    let mut labels = object.labels();
    labels.retain(|name, _| !LABELS.contains(&name.as_str()) && !is_written_by_server(name));
    let mut template = object.clone();
    prune(&mut template);
    if let Some(root) = template.0.as_object_mut() {
        for field in ["apiVersion", "kind", "metadata"] {
            root.remove(field);
        }
        match object.kind() {
            "Namespace" => drop(root.remove("spec")),
            "ServiceAccount" => drop(root.remove("secrets")),
            "Service" => remove_node_ports(root),
            _ => {}
        }
        if !labels.is_empty() {
            root.insert("metadata".to_owned(), json!({ "labels": labels }));
        }
    }
    let federated = &of.federated;
    let mut metadata = json!({ "name": name });
    if federated.namespaced {
        metadata["namespace"] = json!(namespace);
    }
    let object = Object(json!({
        "apiVersion": federated.gvk.api_version(), "kind": federated.gvk.kind, "metadata": metadata,
        "spec": { "template": template.0, "placement": { "clusterSelector": { "matchLabels": {} } } },
    }));
    Federated { object, dropped_annotations }
}

/// Every cluster allocates its own.
fn remove_node_ports(service: &mut Map<String, Value>) {
    let ports = service.get_mut("spec").and_then(|spec| spec.get_mut("ports")).and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten().filter_map(Value::as_object_mut) {
        port.remove("nodePort");
    }
}

/// Labels that an API server puts on namespaces.
fn is_written_by_server(label: &str) -> bool {
    label == "kubernetes.io/metadata.name"
}

/// Whether an object can have a federated form: it is not one itself.
pub fn can_be_federated(object: &Object) -> bool {
    object.group_version_kind().group != TYPES_GROUP
        && !resources::CUSTOM_RESOURCE_DEFINITION.is_kind_of(object)
}

/// The short names of a federated kind: those of the kind after an `f`.
pub fn short_names(singular: &str, aliases: &[String]) -> Vec<String> {
    aliases.iter().filter(|name| *name != singular).map(|name| format!("f{name}")).collect()
}

/// Whether objects of a custom kind have `spec.replicas`, from its definition.
pub fn has_replicas(definition: &Object, version: &str) -> bool {
    let versions = definition.at(&["spec", "versions"]).and_then(Value::as_array);
    let served = versions.into_iter().flatten().find(|one| one["name"] == version);
    let replicas = "/schema/openAPIV3Schema/properties/spec/properties/replicas/type";
    served.and_then(|one| one.pointer(replicas)).is_some_and(|kind| kind == "integer")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(object: Value, target: resources::StaticResource) -> Federated {
        federated_form(&Object(object), &FederatedType::of(target.into()))
    }

    #[test]
    fn the_template_has_what_the_user_wrote() {
        let service = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": { "name": "web", "namespace": "shop", "uid": "u", "resourceVersion": "7",
                "labels": { "app": "web", "propagationpolicy.karmada.io/permanent-id": "x" },
                "annotations": { "note": "mine", "kubectl.kubernetes.io/last-applied-configuration": "{}" } },
            "spec": { "clusterIP": "10.0.0.9", "clusterIPs": ["10.0.0.9"], "ports": [{ "port": 80, "nodePort": 30001 }] },
            "status": { "loadBalancer": {} },
        });
        let found = form(service, resources::SERVICE);
        assert_eq!(found.dropped_annotations, ["note"]);
        assert_eq!(found.object.0["metadata"], json!({ "name": "web", "namespace": "shop" }));
        assert_eq!(found.object.0["spec"]["placement"], json!({ "clusterSelector": { "matchLabels": {} } }));
        let template = &found.object.0["spec"]["template"];
        assert_eq!(template["metadata"], json!({ "labels": { "app": "web" } }));
        assert_eq!((template.get("kind"), template.get("status")), (None, None));
        assert_eq!(template["spec"], json!({ "ports": [{ "port": 80 }] }));
    }

    #[test]
    fn a_namespace_becomes_a_federated_namespace_in_itself() {
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "spec": { "finalizers": ["kubernetes"] },
            "metadata": { "name": "shop", "labels": { "team": "a", "kubernetes.io/metadata.name": "shop" } } });
        let found = form(namespace, resources::NAMESPACE);
        assert_eq!(found.object.key().to_string(), "shop/shop");
        assert_eq!(found.object.0["spec"]["template"], json!({ "metadata": { "labels": { "team": "a" } } }));
    }

    #[test]
    fn short_names_are_those_of_the_kind() {
        let aliases = ["boat".to_owned(), "bt".to_owned()];
        assert_eq!(short_names("boat", &aliases), ["fbt"]);
    }

    #[test]
    fn replicas_are_found_in_the_definition() {
        let definition = |kind: &str| {
            Object(
                json!({ "spec": { "versions": [{ "name": "v1", "schema": { "openAPIV3Schema": { "properties": {
                "spec": { "properties": { "replicas": { "type": kind } } } } } } }] } }),
            )
        };
        assert!(has_replicas(&definition("integer"), "v1"));
        assert!(!has_replicas(&definition("string"), "v1"));
        assert!(!has_replicas(&definition("integer"), "v2"));
    }
}
