//! Which Federation a template belongs to.

use std::sync::Arc;

use portolan_api::federation::{FederatedNamespaces, Federation, FederationSpec};
use portolan_api::resources;
use portolan_object::{GroupKind, GroupVersion, Object};

/// The Federation of a template; `namespace` is the Namespace that it is in.
///
/// Of several that select it, the one with the first name has it. One that is being deleted has none.
pub fn federation_of<'a>(
    template: &Object,
    namespace: &Object,
    federations: &'a [Arc<Federation>],
) -> Option<&'a Arc<Federation>> {
    let kind = template.group_version_kind().group_kind();
    let selects = |federation: &&Arc<Federation>| {
        !federation.metadata.is_deleting()
            && has_kind(&federation.spec, &kind)
            && has_namespace(&federation.spec, namespace)
    };
    federations.iter().filter(selects).min_by(|a, b| a.metadata.name.cmp(&b.metadata.name))
}

/// The kinds of a federation: those that it lists, or Services. An entry that cannot be read is left out; admission refuses
/// it.
pub fn kinds(spec: &FederationSpec) -> Vec<GroupKind> {
    if spec.kinds.is_empty() {
        return vec![resources::SERVICE.gvk().group_kind()];
    }
    let read = |kind: &portolan_api::federation::FederatedKind| {
        let version: GroupVersion = kind.api_version.parse().ok()?;
        Some(version.kind(&*kind.kind).group_kind())
    };
    spec.kinds.iter().filter_map(read).collect()
}

fn has_kind(spec: &FederationSpec, kind: &GroupKind) -> bool {
    kinds(spec).contains(kind)
}

/// Whether a federation selects an object, as far as that can be told without the labels of its namespace.
pub fn may_select(spec: &FederationSpec, object: &Object) -> bool {
    let may_have = |listed: &FederatedNamespaces| {
        listed.selector.is_some() || listed.names.iter().any(|name| name == object.namespace())
    };
    has_kind(spec, &object.group_version_kind().group_kind()) && spec.namespaces.as_ref().is_none_or(may_have)
}

/// Whether objects in a namespace are federated.
pub fn has_namespace(spec: &FederationSpec, namespace: &Object) -> bool {
    let all = spec.namespaces.as_ref();
    all.is_none_or(|listed| listed.has(namespace.name(), |key| namespace.label(key)))
}

/// The first namespace and kind that two federations both select.
pub fn overlap<'a>(
    one: &FederationSpec,
    other: &FederationSpec,
    namespaces: &'a [Arc<Object>],
) -> Option<(&'a str, GroupKind)> {
    let others = kinds(other);
    let kind = kinds(one).into_iter().find(|kind| others.contains(kind))?;
    let is_of_both =
        |namespace: &&Arc<Object>| has_namespace(one, namespace) && has_namespace(other, namespace);
    let mut shared: Vec<&str> = namespaces.iter().filter(is_of_both).map(|one| one.name()).collect();
    shared.sort_unstable();
    Some((shared.first()?, kind))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn federation(name: &str, spec: Value) -> Arc<Federation> {
        let object = json!({ "apiVersion": "portolan.dev/v1alpha1", "kind": "Federation",
            "metadata": { "name": name }, "spec": spec });
        Arc::new(serde_json::from_value(object).unwrap())
    }

    fn namespace(name: &str) -> Object {
        Object(json!({ "apiVersion": "v1", "kind": "Namespace",
            "metadata": { "name": name, "labels": { "kubernetes.io/metadata.name": name } } }))
    }

    fn object(api_version: &str, kind: &str) -> Object {
        Object(
            json!({ "apiVersion": api_version, "kind": kind, "metadata": { "name": "nginx", "namespace": "shop" } }),
        )
    }

    #[test]
    fn a_template_belongs_to_the_first_federation_with_its_kind_and_namespace() {
        let service = || object("v1", "Service");
        let all = federation("b", json!({}));
        let shop = federation("a", json!({ "namespaces": { "names": ["shop"] } }));
        let other = federation("a", json!({ "namespaces": { "names": ["other"] } }));
        let workloads =
            federation("c", json!({ "kinds": [{ "apiVersion": "apps/v1", "kind": "Deployment" }] }));
        let mut leaving = (*shop).clone();
        leaving.metadata.deletion_timestamp = Some("2026-01-02T03:04:05Z".to_owned());
        for (template, federations, want) in [
            (service(), vec![], None),
            (service(), vec![all.clone()], Some("b")),
            (service(), vec![all.clone(), shop.clone()], Some("a")),
            (service(), vec![all.clone(), other], Some("b")),
            (service(), vec![all.clone(), Arc::new(leaving)], Some("b")),
            (service(), vec![workloads.clone()], None),
            (object("apps/v1", "Deployment"), vec![all.clone(), workloads.clone()], Some("c")),
            (object("apps/v1beta1", "Deployment"), vec![workloads], Some("c")),
            (object("v1", "ConfigMap"), vec![all], None),
        ] {
            let found = federation_of(&template, &namespace("shop"), &federations);
            let found = found.map(|federation| federation.metadata.name.as_str());
            assert_eq!(found, want, "{template:?}");
        }
    }

    #[test]
    fn federations_overlap_in_a_namespace_with_a_common_kind() {
        let namespaces = vec![Arc::new(namespace("shop")), Arc::new(namespace("other"))];
        let names = |names: &[&str]| federation("x", json!({ "namespaces": { "names": names } }));
        let workloads =
            federation("x", json!({ "kinds": [{ "apiVersion": "apps/v1", "kind": "Deployment" }] }));
        for (one, two, want) in [
            (names(&["shop"]), names(&["other"]), None),
            (names(&["shop", "other"]), names(&["other"]), Some("other")),
            (federation("x", json!({})), federation("y", json!({})), Some("other")),
            (federation("x", json!({})), workloads, None),
        ] {
            let found = overlap(&one.spec, &two.spec, &namespaces).map(|(namespace, _)| namespace);
            assert_eq!(found, want, "{one:?} {two:?}");
        }
    }
}
