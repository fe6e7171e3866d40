//! The references of a template, as its binding records them, and the index by which they are found.

use portolan_api::annotations::binding::DEPENDENCIES;
use portolan_api::config::DependentObjectReference;
use portolan_api::meta::ObjectMeta;
use portolan_api::work::ResourceBindingSpec;
use portolan_object::{GroupVersion, Object, ObjectKey};

/// Stands for the name in index values of references by labels. It is no name of an object.
const BY_LABELS: &str = "*";

/// A reference that leads out of the namespace of the template. It is not followed: its binding would have to be in
/// another namespace, where the author of the template may not write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "dependency {kind} {name:?} is not in the namespace {namespace:?} of the workload and is not propagated: propagate it \
     with a policy of its own"
)]
pub struct OutsideNamespace {
    kind: String,
    name: String,
    namespace: String,
}

/// References of a template, checked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recorded {
    /// References in the namespace of the template, in the order of the interpreter, each once.
    pub references: Vec<DependentObjectReference>,
    /// References that are not followed.
    pub outside: Vec<OutsideNamespace>,
}

/// Checks the references that an interpreter found in a template. A reference to the template itself is left out.
pub fn record(template: &Object, found: Vec<DependentObjectReference>) -> Recorded {
    let mut recorded = Recorded::default();
    for reference in found {
        if is_same_kind(&reference, template) && reference.name == template.name() {
            continue;
        }
        if reference.namespace != template.namespace() || template.namespace().is_empty() {
            let DependentObjectReference { kind, name, .. } = reference;
            let namespace = template.namespace().to_owned();
            recorded.outside.push(OutsideNamespace { kind, name, namespace });
        } else if !recorded.references.contains(&reference) {
            recorded.references.push(reference);
        }
    }
    recorded
}

/// The references that a binding has recorded. A malformed annotation has none; the next pass over the binding mends it.
pub fn recorded(binding: &ObjectMeta) -> Vec<DependentObjectReference> {
    let text = binding.annotation(DEPENDENCIES).unwrap_or_default();
    serde_json::from_str(text).unwrap_or_default()
}

/// Whether an object has the kind of a reference, in any version.
pub fn is_same_kind(reference: &DependentObjectReference, object: &Object) -> bool {
    let group = |api_version: &str| api_version.rsplit_once('/').map_or("", |(group, _)| group).to_owned();
    reference.kind == object.kind() && group(&reference.api_version) == group(object.api_version())
}

/// Whether a reference means an object. A name is preferred to labels.
pub fn refers_to(reference: &DependentObjectReference, object: &Object) -> bool {
    if !is_same_kind(reference, object) || reference.namespace != object.namespace() {
        return false;
    }
    match (reference.name.as_str(), &reference.label_selector) {
        ("", Some(selector)) => selector.matches(|key| object.label(key)),
        ("", None) => false,
        (name, _) => name == object.name(),
    }
}

/// Index values of a binding: what it refers to. A binding that does not propagate dependencies, or is being deleted, has
/// none.
pub fn index_values(binding: &ObjectMeta, spec: &ResourceBindingSpec) -> Vec<String> {
    if !spec.propagate_deps || binding.is_deleting() || binding.annotation(DEPENDENCIES).is_none() {
        return Vec::new();
    }
    let value = |reference: &DependentObjectReference| {
        let group = reference.api_version.parse::<GroupVersion>().ok()?.group;
        let name = if reference.name.is_empty() { BY_LABELS } else { &reference.name };
        Some(index_value(&group, &reference.kind, &reference.namespace, name))
    };
    recorded(binding).iter().filter_map(value).collect()
}

/// Index values of the bindings that can refer to an object.
pub fn object_index_values(group: &str, kind: &str, object: &ObjectKey) -> [String; 2] {
    let value = |name: &str| index_value(group, kind, &object.namespace, name);
    [value(&object.name), value(BY_LABELS)]
}

fn index_value(group: &str, kind: &str, namespace: &str, name: &str) -> String {
    format!("{group}/{kind}/{namespace}/{name}")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn reference(value: Value) -> DependentObjectReference {
        serde_json::from_value(value).expect("a reference")
    }

    fn config_map(namespace: &str, name: &str) -> DependentObjectReference {
        reference(json!({ "apiVersion": "v1", "kind": "ConfigMap", "namespace": namespace, "name": name }))
    }

    fn object(api_version: &str, kind: &str, name: &str) -> Object {
        Object(json!({ "apiVersion": api_version, "kind": kind,
            "metadata": { "namespace": "shop", "name": name, "labels": { "app": "web" } } }))
    }

    #[test]
    fn references_stay_in_the_namespace_of_the_template() {
        let template = object("apps/v1", "Deployment", "web");
        let own = reference(
            json!({ "apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "web" }),
        );
        let role = reference(json!({ "apiVersion": "v1", "kind": "PersistentVolume", "name": "data" }));
        let found =
            vec![config_map("shop", "a"), own, config_map("other", "b"), config_map("shop", "a"), role];
        let recorded = record(&template, found);
        assert_eq!(recorded.references, [config_map("shop", "a")]);
        let outside: Vec<String> = recorded.outside.iter().map(ToString::to_string).collect();
        assert_eq!(outside.len(), 2);
        assert!(
            outside[0].starts_with("dependency ConfigMap \"b\" is not in the namespace \"shop\""),
            "{outside:?}"
        );
    }

    #[test]
    fn references_mean_objects_by_name_or_labels() {
        let by_labels = |labels: Value| {
            reference(json!({ "apiVersion": "v1", "kind": "ConfigMap", "namespace": "shop",
                "labelSelector": { "matchLabels": labels } }))
        };
        let map = object("v1", "ConfigMap", "a");
        let cases = [
            ("name", config_map("shop", "a"), &map, true),
            ("other name", config_map("shop", "b"), &map, false),
            ("other namespace", config_map("other", "a"), &map, false),
            ("labels", by_labels(json!({ "app": "web" })), &map, true),
            ("other labels", by_labels(json!({ "app": "db" })), &map, false),
            (
                "neither",
                reference(json!({ "apiVersion": "v1", "kind": "ConfigMap", "namespace": "shop" })),
                &map,
                false,
            ),
            ("other kind", config_map("shop", "a"), &object("v1", "Secret", "a"), false),
            ("other group", config_map("shop", "a"), &object("x.org/v1", "ConfigMap", "a"), false),
            ("other version", config_map("shop", "a"), &object("v2", "ConfigMap", "a"), true),
        ];
        for (name, reference, object, want) in cases {
            assert_eq!(refers_to(&reference, object), want, "{name}");
        }
    }

    #[test]
    fn bindings_are_indexed_by_what_they_refer_to() {
        let mut binding = ObjectMeta::namespaced("shop", "web-deployment");
        let references = [
            config_map("shop", "a"),
            reference(
                json!({ "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "namespace": "shop",
                "labelSelector": {} }),
            ),
        ];
        binding.annotations.insert(DEPENDENCIES.to_owned(), json!(references).to_string());
        let mut spec = ResourceBindingSpec { propagate_deps: true, ..ResourceBindingSpec::default() };
        let values = ["/ConfigMap/shop/a", "discovery.k8s.io/EndpointSlice/shop/*"];
        assert_eq!(index_values(&binding, &spec), values);
        let of_map = object_index_values("", "ConfigMap", &ObjectKey::namespaced("shop", "a"));
        assert_eq!(of_map, ["/ConfigMap/shop/a", "/ConfigMap/shop/*"]);

        let mut broken = binding.clone();
        broken.annotations.insert(DEPENDENCIES.to_owned(), "[".to_owned());
        assert_eq!(index_values(&broken, &spec), Vec::<String>::new());
        spec.propagate_deps = false;
        assert_eq!(index_values(&binding, &spec), Vec::<String>::new());
    }
}
