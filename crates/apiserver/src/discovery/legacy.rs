//! The legacy form: one document for each group and for each group version.
//!
//! The fields stand in the order in which Kubernetes writes them; some scripts depend on it.

use serde::Serialize;

use super::storage_hash;
use crate::kinds::ServedSubresource;
use crate::resources::{Group, Resource, Snapshot};

/// `APIVersions`. Upstream sends no apiVersion here.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Versions {
    kind: &'static str,
    versions: [&'static str; 1],
    #[serde(rename = "serverAddressByClientCIDRs")]
    addresses: [ServerAddress; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ServerAddress {
    #[serde(rename = "clientCIDR")]
    client_cidr: &'static str,
    server_address: &'static str,
}

/// `APIGroupList`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Groups<'s> {
    kind: &'static str,
    api_version: &'static str,
    groups: Vec<ApiGroup<'s>>,
}

/// `APIGroup`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ApiGroup<'s> {
    /// Kind and version are absent in a list.
    #[serde(skip_serializing_if = "str::is_empty")]
    kind: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    api_version: &'static str,
    name: &'s str,
    versions: Vec<GroupVersion<'s>>,
    preferred_version: Option<GroupVersion<'s>>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupVersion<'s> {
    group_version: String,
    version: &'s str,
}

/// `APIResourceList`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Resources<'s> {
    kind: &'static str,
    /// As with `APIVersions`, upstream sends none for the core group.
    #[serde(skip_serializing_if = "str::is_empty")]
    api_version: &'static str,
    group_version: String,
    resources: Vec<ApiResource<'s>>,
}

/// `APIResource`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ApiResource<'s> {
    name: String,
    singular_name: &'s str,
    namespaced: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    group: &'s str,
    #[serde(skip_serializing_if = "str::is_empty")]
    version: &'s str,
    kind: &'s str,
    verbs: &'s [&'static str],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    short_names: &'s [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    categories: &'s [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    storage_version_hash: Option<String>,
}

/// `/api`.
pub(super) fn versions() -> Versions {
    let addresses = [ServerAddress { client_cidr: "0.0.0.0/0", server_address: "" }];
    Versions { kind: "APIVersions", versions: ["v1"], addresses }
}

/// `/apis`.
pub(super) fn groups(groups: &[Group]) -> Groups<'_> {
    let named = groups.iter().filter(|group| !group.name.is_empty()).map(entry).collect();
    Groups { kind: "APIGroupList", api_version: "v1", groups: named }
}

/// `/apis/{group}`.
pub(super) fn group(group: &Group) -> ApiGroup<'_> {
    ApiGroup { kind: "APIGroup", api_version: "v1", ..entry(group) }
}

fn entry(group: &Group) -> ApiGroup<'_> {
    let version = |name| GroupVersion { group_version: format!("{}/{name}", group.name), version: name };
    let versions: Vec<GroupVersion<'_>> =
        group.versions.iter().map(|entry| version(entry.name.as_str())).collect();
    let preferred_version = versions.first().cloned();
    ApiGroup { kind: "", api_version: "", name: &group.name, versions, preferred_version }
}

/// `/api/v1` and `/apis/{group}/{version}`.
pub(super) fn resources<'s>(snapshot: &'s Snapshot, group: &str, version: &str) -> Resources<'s> {
    let found =
        snapshot.group(group).and_then(|group| group.versions.iter().find(|entry| entry.name == version));
    let resources = found.map(|version| version.resources.as_slice()).unwrap_or_default();
    let entries = resources.iter().flat_map(|resource| {
        let subresources = resource.subresources.iter().map(|entry| subresource(resource, entry));
        std::iter::once(whole(resource)).chain(subresources)
    });
    Resources {
        kind: "APIResourceList",
        api_version: if group.is_empty() { "" } else { "v1" },
        group_version: if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") },
        resources: entries.collect(),
    }
}

fn whole(resource: &Resource) -> ApiResource<'_> {
    ApiResource {
        name: resource.plural.clone(),
        singular_name: &resource.singular,
        namespaced: resource.is_namespaced,
        group: "",
        version: "",
        kind: &resource.kind.kind,
        verbs: resource.verbs,
        short_names: &resource.short_names,
        categories: &resource.categories,
        storage_version_hash: storage_hash::of(resource),
    }
}

fn subresource<'s>(resource: &'s Resource, served: &'s ServedSubresource) -> ApiResource<'s> {
    let (group, version) = match served.is_foreign {
        true => (served.kind.group.as_str(), served.kind.version.as_str()),
        false => ("", ""),
    };
    ApiResource {
        name: format!("{}/{}", resource.plural, served.name),
        singular_name: "",
        namespaced: resource.is_namespaced,
        group,
        version,
        kind: &served.kind.kind,
        verbs: served.verbs,
        short_names: &[],
        categories: &[],
        storage_version_hash: None,
    }
}
