//! The aggregated form: `APIGroupDiscoveryList` of `apidiscovery.k8s.io/v2`.

use serde::Serialize;
use serde_json::Value;

use crate::kinds::ServedSubresource;
use crate::resources::{Group, Resource, Source, Version};
use crate::tree;

/// `APIGroupDiscoveryList`, with the fields in Kubernetes' order.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroupList<'s> {
    kind: &'static str,
    api_version: &'static str,
    metadata: Metadata<'s>,
    items: Vec<GroupDiscovery<'s>>,
}

#[derive(Debug, Default, Serialize)]
struct Metadata<'s> {
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'s str,
}

#[derive(Debug, Serialize)]
struct GroupDiscovery<'s> {
    metadata: Metadata<'s>,
    versions: Vec<VersionDiscovery<'s>>,
}

#[derive(Debug, Serialize)]
struct VersionDiscovery<'s> {
    version: &'s str,
    resources: Resources<'s>,
    freshness: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Resources<'s> {
    Own(Vec<ResourceDiscovery<'s>>),
    /// Of another server, in this form already.
    Remote(&'s [Value]),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceDiscovery<'s> {
    resource: &'s str,
    response_kind: Kind<'s>,
    scope: &'static str,
    singular_resource: &'s str,
    verbs: &'s [&'static str],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    short_names: &'s [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    categories: &'s [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    subresources: Vec<SubresourceDiscovery<'s>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SubresourceDiscovery<'s> {
    subresource: &'s str,
    response_kind: Kind<'s>,
    verbs: &'s [&'static str],
}

#[derive(Debug, Serialize)]
struct Kind<'s> {
    group: &'s str,
    version: &'s str,
    kind: &'s str,
}

/// The list of groups, in the given order.
pub(super) fn list<'s>(groups: &[&'s Group]) -> GroupList<'s> {
    GroupList {
        kind: "APIGroupDiscoveryList",
        api_version: "apidiscovery.k8s.io/v2",
        metadata: Metadata::default(),
        items: groups.iter().map(|entry| group(entry)).collect(),
    }
}

fn group(group: &Group) -> GroupDiscovery<'_> {
    let versions = group.versions.iter().map(version).collect();
    GroupDiscovery { metadata: Metadata { name: &group.name }, versions }
}

fn version(version: &Version) -> VersionDiscovery<'_> {
    let Some(remote) = &version.remote else {
        let resources = Resources::Own(version.resources.iter().map(|entry| resource(entry)).collect());
        return VersionDiscovery { version: &version.name, resources, freshness: "Current" };
    };
    let known = remote.resources.as_ref().map_or(&[][..], |known| tree::list(known, "/resources"));
    let freshness = if remote.is_current { "Current" } else { "Stale" };
    VersionDiscovery { version: &version.name, resources: Resources::Remote(known), freshness }
}

fn resource(resource: &Resource) -> ResourceDiscovery<'_> {
    let is_custom = matches!(resource.source, Source::Custom(_));
    let (group, version) = match is_custom {
        true => (resource.kind.group.as_str(), resource.kind.version.as_str()),
        false => ("", ""),
    };
    ResourceDiscovery {
        resource: &resource.plural,
        response_kind: Kind { group, version, kind: &resource.kind.kind },
        scope: if resource.is_namespaced { "Namespaced" } else { "Cluster" },
        singular_resource: &resource.singular,
        verbs: resource.verbs,
        short_names: &resource.short_names,
        categories: &resource.categories,
        subresources: resource.subresources.iter().map(|entry| subresource(entry, is_custom)).collect(),
    }
}

fn subresource(entry: &ServedSubresource, is_custom: bool) -> SubresourceDiscovery<'_> {
    let (group, version) = match is_custom || entry.is_foreign {
        true => (entry.kind.group.as_str(), entry.kind.version.as_str()),
        false => ("", ""),
    };
    SubresourceDiscovery {
        subresource: entry.name,
        response_kind: Kind { group, version, kind: &entry.kind.kind },
        verbs: entry.verbs,
    }
}
