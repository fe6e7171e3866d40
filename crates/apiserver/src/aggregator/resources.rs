//! The resources of another server, from the form in which every server tells them to the aggregated form.

use serde_json::{Value, json};

use crate::tree;

/// Resources and subresources of a group version that are taken over.
const MAX_RESOURCES: usize = 1000;

/// `APIVersionDiscovery` without its freshness, from an `APIResourceList`.
///
/// # Errors
/// Why the document does not list the resources of this group version.
pub(super) fn read(document: &Value, group: &str, version: &str) -> Result<Value, String> {
    let group_version = format!("{group}/{version}");
    let kind = tree::str_at(document, "/kind");
    let told = tree::str_at(document, "/groupVersion");
    if kind != "APIResourceList" || told != group_version {
        return Err(format!("expected an APIResourceList of {group_version}, got {kind:?} of {told:?}"));
    }
    let list = tree::list(document, "/resources");
    if list.len() > MAX_RESOURCES {
        return Err(format!("the server has {} resources, more than {MAX_RESOURCES}", list.len()));
    }
    let named = list.iter().map(|entry| (tree::str_at(entry, "/name"), entry));
    let (parts, whole): (Vec<_>, Vec<_>) = named.partition(|(name, _)| name.contains('/'));
    let of = |entry: &Value| {
        let text = |pointer: &str, default: &str| match tree::str_at(entry, pointer) {
            "" => default.to_owned(),
            text => text.to_owned(),
        };
        json!({ "group": text("/group", group), "version": text("/version", version), "kind": text("/kind", "") })
    };
    let resources: Vec<Value> = whole
        .iter()
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, entry)| {
            let own = parts.iter().filter_map(|(path, part)| {
                let (resource, subresource) = path.split_once('/')?;
                (resource == *name).then(|| {
                    json!({ "subresource": subresource, "responseKind": of(part), "verbs": texts(part, "verbs") })
                })
            });
            let subresources: Vec<Value> = own.collect();
            let scope = if tree::is_true(entry, "/namespaced") { "Namespaced" } else { "Cluster" };
            let required = [
                ("resource", json!(name)),
                ("responseKind", of(entry)),
                ("scope", json!(scope)),
                ("singularResource", json!(tree::str_at(entry, "/singularName"))),
                ("verbs", texts(entry, "verbs")),
            ];
            let optional = [
                ("shortNames", texts(entry, "shortNames")),
                ("categories", texts(entry, "categories")),
                ("subresources", Value::from(subresources)),
            ];
            let present = optional.into_iter().filter(|(_, list)| *list != json!([]));
            required.into_iter().chain(present).collect::<Value>()
        })
        .collect();
    Ok(json!({ "version": version, "resources": resources }))
}

fn texts(entry: &Value, field: &str) -> Value {
    Value::from(tree::strings_at(entry, &format!("/{field}")).map(Value::from).collect::<Vec<_>>())
}
