//! Group `search.karmada.io/v1alpha1`: which collections of the clusters are cached for look-ups over all of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cluster::LocalSecretReference;
use crate::kind::kind;
use crate::meta::Condition;
use crate::policy::ClusterAffinity;
use crate::schema::is_default;

/// Group of the kind and of the paths of look-ups.
pub const GROUP: &str = "search.karmada.io";
/// Version of the paths of look-ups.
pub const VERSION: &str = "v1alpha1";
/// Annotation of an object in a look-up: the name of its cluster.
pub const CACHE_SOURCE: &str = "resource.karmada.io/cached-from-cluster";

kind! {
    /// Kinds of objects that are cached from clusters, and can be looked up in the control plane.
    ResourceRegistry, "search.karmada.io", "v1alpha1", "resourceregistries", Cluster {
        /// Clusters and kinds.
        spec: ResourceRegistrySpec,
        /// What is cached.
        #[serde(skip_serializing_if = "is_default")]
        status: ResourceRegistryStatus,
    }
}

/// Clusters and kinds of a registry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceRegistrySpec {
    /// The clusters; an empty affinity is all.
    pub target_cluster: ClusterAffinity,
    /// The kinds.
    pub resource_selectors: Vec<CachedResource>,
    /// Where the objects are stored besides. It is not used: objects are kept in memory only.
    #[serde(skip_serializing_if = "is_default")]
    pub backend_store: Option<BackendStore>,
}

/// A store for the objects.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BackendStore {
    /// An OpenSearch server.
    #[serde(skip_serializing_if = "is_default")]
    pub open_search: Option<OpenSearch>,
}

/// An OpenSearch server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct OpenSearch {
    /// URLs of its nodes.
    pub addresses: Vec<String>,
    /// Secret with `userName` and `password`.
    pub secret_ref: LocalSecretReference,
}

/// A kind of objects.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CachedResource {
    /// Group and version.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Only objects in this namespace; empty is all.
    #[serde(skip_serializing_if = "is_default")]
    pub namespace: String,
}

/// What is cached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceRegistryStatus {
    /// The condition `Cached`.
    #[serde(skip_serializing_if = "is_default")]
    pub conditions: Vec<Condition>,
}
