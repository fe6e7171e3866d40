//! The aggregated form: `APIGroupDiscoveryList` of `apidiscovery.k8s.io/v2`.

use serde_json::{Map, Value, json};

use crate::kinds::ServedSubresource;
use crate::resources::{Group, Resource, Source, Version};

/// The list of groups, in the given order.
pub(super) fn list(groups: &[&Group]) -> Value {
    json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {},
        "items": groups.iter().map(|entry| group(entry)).collect::<Vec<_>>(),
    })
}

fn group(group: &Group) -> Value {
    let mut metadata = json!({});
    if !group.name.is_empty() {
        metadata["name"] = json!(group.name);
    }
    json!({ "metadata": metadata, "versions": group.versions.iter().map(version).collect::<Vec<_>>() })
}

fn version(version: &Version) -> Value {
    let resources: Vec<Value> = version.resources.iter().map(|entry| resource(entry)).collect();
    json!({ "version": version.name, "resources": resources, "freshness": "Current" })
}

fn resource(resource: &Resource) -> Value {
    let is_custom = matches!(resource.source, Source::Custom(_));
    let group_version = |always: bool| {
        if always { (resource.kind.group.as_str(), resource.kind.version.as_str()) } else { ("", "") }
    };
    let (group, version) = group_version(is_custom);
    let mut entry = Map::new();
    entry.insert("resource".to_owned(), json!(resource.plural));
    entry.insert("responseKind".to_owned(), kind(group, version, &resource.kind.kind));
    entry.insert("scope".to_owned(), json!(if resource.is_namespaced { "Namespaced" } else { "Cluster" }));
    entry.insert("singularResource".to_owned(), json!(resource.singular));
    entry.insert("verbs".to_owned(), json!(resource.verbs));
    for (name, list) in [("shortNames", &resource.short_names), ("categories", &resource.categories)] {
        if !list.is_empty() {
            entry.insert(name.to_owned(), json!(list));
        }
    }
    if !resource.subresources.is_empty() {
        let subresources = resource.subresources.iter().map(|entry| subresource(entry, is_custom)).collect();
        entry.insert("subresources".to_owned(), Value::Array(subresources));
    }
    Value::Object(entry)
}

fn subresource(entry: &ServedSubresource, is_custom: bool) -> Value {
    let (group, version) = match is_custom || entry.is_foreign {
        true => (entry.kind.group.as_str(), entry.kind.version.as_str()),
        false => ("", ""),
    };
    json!({
        "subresource": entry.name,
        "responseKind": kind(group, version, &entry.kind.kind),
        "verbs": entry.verbs,
    })
}

fn kind(group: &str, version: &str, kind: &str) -> Value {
    json!({ "group": group, "version": version, "kind": kind })
}
