//! The legacy form: one document for each group and for each group version.

use serde_json::{Map, Value, json};

use crate::kinds::ServedSubresource;
use crate::resources::{Group, Resource, Snapshot};

/// `/api`. Upstream sends no apiVersion here.
pub(super) fn versions() -> Value {
    json!({
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{ "clientCIDR": "0.0.0.0/0", "serverAddress": "" }],
    })
}

/// `/apis`.
pub(super) fn groups(groups: &[Group]) -> Value {
    let named: Vec<Value> = groups.iter().filter(|group| !group.name.is_empty()).map(entry).collect();
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": named })
}

/// `/apis/{group}`.
pub(super) fn group(group: &Group) -> Value {
    let mut document = entry(group);
    document["kind"] = json!("APIGroup");
    document["apiVersion"] = json!("v1");
    document
}

fn entry(group: &Group) -> Value {
    let version = |name: &str| json!({ "groupVersion": format!("{}/{name}", group.name), "version": name });
    let versions: Vec<Value> = group.versions.iter().map(|entry| version(&entry.name)).collect();
    json!({ "name": group.name, "preferredVersion": versions.first(), "versions": versions })
}

/// `/api/v1` and `/apis/{group}/{version}`.
pub(super) fn resources(snapshot: &Snapshot, group: &str, version: &str) -> Value {
    let found =
        snapshot.group(group).and_then(|group| group.versions.iter().find(|entry| entry.name == version));
    let resources = found.map(|version| version.resources.as_slice()).unwrap_or_default();
    let entries = resources.iter().flat_map(|resource| {
        std::iter::once(whole(resource))
            .chain(resource.subresources.iter().map(|entry| subresource(resource, entry)))
    });
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    let mut document = json!({
        "kind": "APIResourceList", "groupVersion": group_version, "resources": entries.collect::<Vec<_>>(),
    });
    // As with `/api`, upstream sends no apiVersion for the core group.
    if !group.is_empty() {
        document["apiVersion"] = json!("v1");
    }
    document
}

fn whole(resource: &Resource) -> Value {
    let mut entry = Map::new();
    entry.insert("name".to_owned(), json!(resource.plural));
    entry.insert("singularName".to_owned(), json!(resource.singular));
    entry.insert("namespaced".to_owned(), json!(resource.is_namespaced));
    entry.insert("kind".to_owned(), json!(resource.kind.kind));
    entry.insert("verbs".to_owned(), json!(resource.verbs));
    for (name, list) in [("shortNames", &resource.short_names), ("categories", &resource.categories)] {
        if !list.is_empty() {
            entry.insert(name.to_owned(), json!(list));
        }
    }
    Value::Object(entry)
}

fn subresource(resource: &Resource, served: &ServedSubresource) -> Value {
    let mut entry = json!({
        "name": format!("{}/{}", resource.plural, served.name),
        "singularName": "",
        "namespaced": resource.is_namespaced,
        "kind": served.kind.kind,
        "verbs": served.verbs,
    });
    if served.is_foreign {
        entry["group"] = json!(served.kind.group);
        entry["version"] = json!(served.kind.version);
    }
    entry
}
