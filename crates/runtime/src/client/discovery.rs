//! Discovery of the resources that a server serves.
//!
//! Takes two requests if the server has aggregated discovery (Kubernetes 1.27 and later), otherwise one per group
//! version. A group version that cannot be listed is reported and does not hide the others.

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, header};
use portolan_object::GroupVersion;
use serde::Deserialize;

use crate::client::error::ClientError;
use crate::client::transport::Answer;
use crate::client::{Client, decode_answer};
use crate::limits::Excess;
use crate::resource::Resource;

const AGGREGATED: &str =
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";

/// Largest discovery document, in bytes. That of a cluster with 1,000 CustomResourceDefinitions has about 1 MiB.
const MAX_DOCUMENT_BYTES: usize = 16 << 20;
/// Most resources of one server.
const MAX_RESOURCES: usize = 20_000;
/// Time for all discovery documents of one server. Without the aggregated form there is one per group version.
const DISCOVERY_TIMEOUT: Duration = Duration::from_secs(120);

/// One resource that a server serves. Subresources are not listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovered {
    /// Kind and path.
    pub resource: Resource,
    /// Verbs, such as `list`.
    pub verbs: Vec<String>,
    /// Whether this version of the resource is the one to use: that of the group's preferred version, or the first one if
    /// the preferred version does not have the resource.
    pub preferred: bool,
    /// Singular name and short names.
    pub aliases: Vec<String>,
    /// Groups of resources under one name, such as `all`.
    pub categories: Vec<String>,
}

impl Discovered {
    /// Whether the resource has all of `verbs`.
    pub fn allows(&self, verbs: &[&str]) -> bool {
        verbs.iter().all(|verb| self.verbs.iter().any(|have| have == verb))
    }
}

/// All resources that a server serves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Discovery {
    /// In the server's order: the core group first, preferred versions first.
    pub resources: Vec<Discovered>,
    /// Group versions that are announced but cannot be listed now.
    pub failed: Vec<GroupVersion>,
}

#[derive(Deserialize)]
struct Aggregated {
    items: Vec<AggregatedGroup>,
}

#[derive(Deserialize)]
struct AggregatedGroup {
    #[serde(default)]
    metadata: GroupName,
    #[serde(default)]
    versions: Vec<AggregatedVersion>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct GroupName {
    name: String,
}

#[derive(Deserialize)]
struct AggregatedVersion {
    version: String,
    #[serde(default)]
    resources: Vec<AggregatedResource>,
    #[serde(default)]
    freshness: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AggregatedResource {
    resource: String,
    #[serde(default)]
    response_kind: Option<ResponseKind>,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    verbs: Vec<String>,
    #[serde(default)]
    singular_resource: String,
    #[serde(default)]
    short_names: Vec<String>,
    #[serde(default)]
    categories: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ResponseKind {
    group: String,
    version: String,
    kind: String,
}

#[derive(Deserialize)]
struct CoreVersions {
    #[serde(default)]
    versions: Vec<String>,
}

#[derive(Deserialize)]
struct Groups {
    #[serde(default)]
    groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    name: String,
    versions: Vec<GroupVersionName>,
    #[serde(default)]
    preferred_version: Option<GroupVersionName>,
}

#[derive(Deserialize)]
struct GroupVersionName {
    version: String,
}

#[derive(Deserialize)]
struct ResourceList {
    #[serde(default)]
    resources: Vec<LegacyResource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LegacyResource {
    name: String,
    #[serde(default)]
    namespaced: bool,
    kind: String,
    #[serde(default)]
    verbs: Vec<String>,
    #[serde(default)]
    singular_name: String,
    #[serde(default)]
    short_names: Vec<String>,
    #[serde(default)]
    categories: Vec<String>,
}

fn aliases(singular: String, short_names: Vec<String>) -> Vec<String> {
    [singular].into_iter().filter(|name| !name.is_empty()).chain(short_names).collect()
}

impl Client {
    /// Discovers the resources of the server.
    ///
    /// # Errors
    /// If the root documents cannot be read. A group version that fails is in [`Discovery::failed`].
    pub async fn discover(&self) -> Result<Discovery, ClientError> {
        match tokio::time::timeout(DISCOVERY_TIMEOUT, self.discover_roots()).await {
            Ok(discovery) => discovery,
            Err(_) => {
                let text = format!("discovery was not complete within {DISCOVERY_TIMEOUT:?}");
                Err(self.transport.unreachable(text.into()))
            }
        }
    }

    async fn discover_roots(&self) -> Result<Discovery, ClientError> {
        let mut discovery = Discovery::default();
        for root in ["/api", "/apis"] {
            let (is_aggregated, body) = self.discovery_root(root).await?;
            if is_aggregated {
                let document: Aggregated = decode_answer(&Method::GET, root, &body)?;
                document.items.into_iter().for_each(|group| discovery.add_group(group));
                self.check_size(&discovery)?;
            } else {
                self.discover_legacy(root, &body, &mut discovery).await?;
            }
        }
        discovery.prefer_one_version_of_each();
        Ok(discovery)
    }

    /// The root document, and whether the server answered with the aggregated form.
    async fn discovery_root(&self, path: &str) -> Result<(bool, Answer), ClientError> {
        let mut request = self.request(Method::GET, path, None, Bytes::new())?;
        request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static(AGGREGATED));
        let response = self.open(request).await?;
        let content_type = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_aggregated = content_type.is_some_and(|text| text.contains("apidiscovery.k8s.io"));
        Ok((is_aggregated, self.collect(response.into_body(), MAX_DOCUMENT_BYTES).await?))
    }

    async fn discover_legacy(
        &self,
        root: &str,
        body: &[u8],
        discovery: &mut Discovery,
    ) -> Result<(), ClientError> {
        let mut versions = Vec::new();
        if root == "/api" {
            let core: CoreVersions = decode_answer(&Method::GET, root, body)?;
            versions.extend(core.versions.into_iter().map(|version| (GroupVersion::new("", version), true)));
        } else {
            let groups: Groups = decode_answer(&Method::GET, root, body)?;
            for group in groups.groups {
                let preferred = group.preferred_version.map(|preferred| preferred.version);
                versions.extend(group.versions.into_iter().map(|GroupVersionName { version }| {
                    let is_preferred = preferred.as_ref() == Some(&version);
                    (GroupVersion::new(group.name.clone(), version), is_preferred)
                }));
            }
        }
        for (version, preferred) in versions {
            match self.json::<ResourceList>(&format!("{root}/{version}")).await {
                Ok(list) => {
                    discovery.add_list(&version, preferred, list);
                    self.check_size(discovery)?;
                }
                Err(error @ (ClientError::Unreachable { .. } | ClientError::Excessive { .. })) => {
                    return Err(error);
                }
                Err(_) => discovery.failed.push(version),
            }
        }
        Ok(())
    }

    fn check_size(&self, discovery: &Discovery) -> Result<(), ClientError> {
        if discovery.resources.len() > MAX_RESOURCES {
            let excess = Excess::Resources { count: MAX_RESOURCES };
            if let Some(budget) = &self.budget {
                budget.end(&excess, "/apis");
            }
            return Err(self.transport.excessive(excess));
        }
        Ok(())
    }
}

impl Discovery {
    fn add_group(&mut self, group: AggregatedGroup) {
        let name = group.metadata.name;
        for (index, version) in group.versions.into_iter().enumerate() {
            let here = GroupVersion::new(name.clone(), version.version);
            if version.freshness == "Stale" {
                self.failed.push(here.clone());
            }
            for resource in version.resources {
                let Some(response) = resource.response_kind else { continue };
                let other_version = !response.version.is_empty() && response.version != here.version;
                // Subresources such as `scale` have the kind of another group; the resource itself never has.
                if response.group != here.group && !response.group.is_empty() || other_version {
                    continue;
                }
                let namespaced = resource.scope == "Namespaced";
                let resource_name = resource.resource;
                let resource_here =
                    Resource { gvk: here.kind(response.kind), plural: resource_name, namespaced };
                let preferred = index == 0;
                let aliases = aliases(resource.singular_resource, resource.short_names);
                self.resources.push(Discovered {
                    resource: resource_here,
                    verbs: resource.verbs,
                    preferred,
                    aliases,
                    categories: resource.categories,
                });
            }
        }
    }

    fn add_list(&mut self, version: &GroupVersion, preferred: bool, list: ResourceList) {
        for resource in list.resources.into_iter().filter(|resource| !resource.name.contains('/')) {
            let gvk = version.kind(resource.kind);
            let here = Resource { gvk, plural: resource.name, namespaced: resource.namespaced };
            let aliases = aliases(resource.singular_name, resource.short_names);
            self.resources.push(Discovered {
                resource: here,
                verbs: resource.verbs,
                preferred,
                aliases,
                categories: resource.categories,
            });
        }
    }

    /// Prefers the first version of each resource that the preferred version of its group does not have, as client-go does
    /// (kubernetes client-go/discovery/discovery_client.go, `ServerPreferredResources`).
    fn prefer_one_version_of_each(&mut self) {
        let name = |found: &Discovered| (found.resource.gvk.group.clone(), found.resource.plural.clone());
        let mut chosen: HashSet<_> =
            self.resources.iter().filter(|found| found.preferred).map(name).collect();
        for found in &mut self.resources {
            if !found.preferred {
                found.preferred = chosen.insert(name(found));
            }
        }
    }

    /// A kind in its preferred version.
    pub fn find(&self, group: &str, kind: &str) -> Option<&Discovered> {
        let is_of_kind = |found: &&Discovered| {
            found.preferred && found.resource.gvk.group == group && found.resource.gvk.kind == kind
        };
        self.resources.iter().find(is_of_kind)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Plural and version of each preferred resource.
    fn preferred(discovery: &Discovery) -> Vec<(&str, &str)> {
        let preferred = discovery.resources.iter().filter(|found| found.preferred);
        preferred.map(|found| (&*found.resource.plural, &*found.resource.gvk.version)).collect()
    }

    #[test]
    fn a_resource_that_the_preferred_version_lacks_is_preferred_in_another_one() {
        let resource = |kind: &str, plural: &str, version: &str| {
            json!({ "resource": plural, "scope": "Namespaced", "verbs": ["list"],
                "responseKind": { "group": "networking.istio.io", "version": version, "kind": kind } })
        };
        let group = json!({ "metadata": { "name": "networking.istio.io" }, "versions": [
            { "version": "v1", "resources": [resource("Gateway", "gateways", "v1")] },
            { "version": "v1beta1", "resources": [
                resource("Gateway", "gateways", "v1beta1"), resource("ProxyConfig", "proxyconfigs", "v1beta1")] },
            { "version": "v1alpha3", "resources": [
                resource("ProxyConfig", "proxyconfigs", "v1alpha3"), resource("EnvoyFilter", "envoyfilters", "v1alpha3")] },
        ] });
        let mut discovery = Discovery::default();
        discovery.add_group(serde_json::from_value(group).expect("a group"));
        discovery.prefer_one_version_of_each();
        let want = [("gateways", "v1"), ("proxyconfigs", "v1beta1"), ("envoyfilters", "v1alpha3")];
        assert_eq!(preferred(&discovery), want);
        let found = discovery.find("networking.istio.io", "EnvoyFilter").expect("it is served");
        assert_eq!(found.resource.gvk.version, "v1alpha3");
    }

    #[test]
    fn without_the_aggregated_form_the_preferred_version_wins_whatever_the_order() {
        let list = |resources: &[(&str, &str)]| {
            let resources: Vec<_> = resources
                .iter()
                .map(|(kind, plural)| json!({ "name": plural, "kind": kind, "namespaced": true, "verbs": ["list"] }))
                .collect();
            serde_json::from_value::<ResourceList>(json!({ "resources": resources })).expect("a list")
        };
        let version = |version: &str| GroupVersion::new("work.karmada.io", version);
        let (work, binding) = (("Work", "works"), ("ResourceBinding", "resourcebindings"));
        let mut discovery = Discovery::default();
        discovery.add_list(&version("v1alpha1"), false, list(&[work, binding]));
        discovery.add_list(&version("v1alpha2"), true, list(&[binding]));
        discovery.prefer_one_version_of_each();
        assert_eq!(preferred(&discovery), [("works", "v1alpha1"), ("resourcebindings", "v1alpha2")]);
    }
}
