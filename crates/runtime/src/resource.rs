//! Kinds with their URL paths.
//!
//! Made from discovery, from a typed kind, or from the constants of `portolan_api::resources`. Pure.

use std::fmt;
use std::fmt::Write as _;

use portolan_api::Kind;
use portolan_api::kubefed::TypeName;
use portolan_api::resources::StaticResource;
use portolan_object::{GroupVersionKind, ObjectKey};

/// A kind with the plural and the scope by which an API server serves it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Resource {
    /// Group, version and kind.
    pub gvk: GroupVersionKind,
    /// The path segment, such as `deployments`.
    pub plural: String,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
}

impl Resource {
    /// The resource of a typed kind.
    pub fn of<T: Kind>() -> Self {
        Self { gvk: T::gvk(), plural: T::PLURAL.to_owned(), namespaced: T::NAMESPACED }
    }

    /// A resource with objects in namespaces.
    pub fn namespaced(group: &str, version: &str, kind: &str, plural: &str) -> Self {
        Self { gvk: GroupVersionKind::new(group, version, kind), plural: plural.to_owned(), namespaced: true }
    }

    /// A resource with objects of the cluster.
    pub fn cluster(group: &str, version: &str, kind: &str, plural: &str) -> Self {
        Self {
            gvk: GroupVersionKind::new(group, version, kind),
            plural: plural.to_owned(),
            namespaced: false,
        }
    }

    /// Path of the collection. An empty `namespace` means all namespaces; it is ignored for cluster scope.
    pub fn collection_path(&self, namespace: &str) -> String {
        let mut path = match self.gvk.group.as_str() {
            "" => format!("/api/{}", self.gvk.version),
            group => format!("/apis/{group}/{}", self.gvk.version),
        };
        if self.namespaced && !namespace.is_empty() {
            path.push_str("/namespaces/");
            push_segment(&mut path, namespace);
        }
        path.push('/');
        path.push_str(&self.plural);
        path
    }

    /// Path of one object, or of its `subresource` if that is not empty.
    pub fn object_path(&self, key: &ObjectKey, subresource: &str) -> String {
        let mut path = self.collection_path(&key.namespace);
        path.push('/');
        push_segment(&mut path, &key.name);
        if !subresource.is_empty() {
            path.push('/');
            path.push_str(subresource);
        }
        path
    }
}

impl From<StaticResource> for Resource {
    fn from(resource: StaticResource) -> Self {
        let StaticResource { plural, namespaced, .. } = resource;
        Self { gvk: resource.gvk(), plural: plural.to_owned(), namespaced }
    }
}

impl From<&TypeName> for Resource {
    fn from(name: &TypeName) -> Self {
        Self { gvk: name.gvk.clone(), plural: name.plural.clone(), namespaced: name.namespaced }
    }
}

impl From<&Resource> for TypeName {
    fn from(resource: &Resource) -> Self {
        Self { gvk: resource.gvk.clone(), plural: resource.plural.clone(), namespaced: resource.namespaced }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.gvk.group.as_str() {
            "" => write!(f, "{}.{}", self.plural, self.gvk.version),
            group => write!(f, "{}.{}.{group}", self.plural, self.gvk.version),
        }
    }
}

/// Appends a path segment. RBAC names may contain `:` and other characters, which are percent-encoded.
fn push_segment(path: &mut String, segment: &str) {
    for byte in segment.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' => {
                path.push(byte as char)
            }
            _ => encode(path, byte),
        }
    }
}

/// Appends `name=value` to the query of a path.
pub(crate) fn push_query(path: &mut String, name: &str, value: &str) {
    path.push(if path.contains('?') { '&' } else { '?' });
    path.push_str(name);
    path.push('=');
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => path.push(byte as char),
            _ => encode(path, byte),
        }
    }
}

fn encode(text: &mut String, byte: u8) {
    write!(text, "%{byte:02X}").expect("writing to a string cannot fail");
}

#[cfg(test)]
mod tests {
    use portolan_api::resources;

    use super::*;

    #[test]
    fn paths() {
        let deployments = Resource::from(resources::DEPLOYMENT);
        let namespaces = Resource::from(resources::NAMESPACE);
        let roles = Resource::from(resources::CLUSTER_ROLE);
        let shop = ObjectKey::namespaced("shop", "web");
        let cases = [
            ("all namespaces", deployments.collection_path(""), "/apis/apps/v1/deployments"),
            (
                "one namespace",
                deployments.collection_path("shop"),
                "/apis/apps/v1/namespaces/shop/deployments",
            ),
            (
                "status",
                deployments.object_path(&shop, "status"),
                "/apis/apps/v1/namespaces/shop/deployments/web/status",
            ),
            ("core", namespaces.object_path(&ObjectKey::cluster("shop"), ""), "/api/v1/namespaces/shop"),
            (
                "unusual name",
                roles.object_path(&ObjectKey::cluster("a:b/c d"), ""),
                "/apis/rbac.authorization.k8s.io/v1/clusterroles/a:b%2Fc%20d",
            ),
        ];
        for (name, got, want) in cases {
            assert_eq!(got, want, "{name}");
        }
    }

    #[test]
    fn queries() {
        let mut path = "/api/v1/pods".to_owned();
        push_query(&mut path, "labelSelector", "app=web,tier in (a,b)");
        push_query(&mut path, "limit", "500");
        assert_eq!(path, "/api/v1/pods?labelSelector=app%3Dweb%2Ctier%20in%20%28a%2Cb%29&limit=500");
    }
}
