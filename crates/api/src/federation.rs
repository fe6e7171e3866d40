//! Group `portolan.dev`: federations. A plain object of the hub in a federated namespace is in every member.
//!
//! Federation v1 had an API server of its own, in which every object was federated. Here a Federation says which
//! namespaces and kinds of the hub are.

mod built_in;
mod credentials;
mod dns;
mod providers;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kind::kind;
use crate::meta::{Condition, LabelSelector};
use crate::schema::is_default;

pub use built_in::{BuiltInProvider, ClientRegion, ZoneNameServer, ZoneTransfers};
pub use credentials::{DEFAULT_ALGORITHM, SecretReference, TsigKey};
pub use dns::{ClusterPlace, FederationDns, FederationZone, PublishedZone};
pub use providers::{
    CloudDnsProvider, CoreDnsProvider, DEFAULT_PREFIX, DnsProvider, ExternalDnsProvider, Rfc2136Provider,
    Route53Provider,
};

/// Longest name of a federation, which is a label of DNS names and the value of a label (RFC 1123).
pub const MAX_NAME_LENGTH: usize = 63;
/// Condition: whether the federation takes effect as it is written.
pub const READY: &str = "Ready";
/// Condition: whether every zone has the records of every Service. Only on federations with zones.
pub const PUBLISHED: &str = "RecordsPublished";

kind! {
    /// A federation of Services and other objects: every member has them under the same name and namespace.
    Federation, "portolan.dev", "v1alpha1", "federations", Cluster {
        /// What is federated, and where its names are published.
        #[schemars(transform = crate::schema::optional)]
        spec: FederationSpec,
        /// Observed state.
        #[serde(skip_serializing_if = "is_default")]
        status: FederationStatus,
    }
}

/// What is federated.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FederationSpec {
    /// Namespaces of the hub with federated objects. All of them when absent, without those of the system.
    #[serde(skip_serializing_if = "is_default")]
    pub namespaces: Option<FederatedNamespaces>,
    /// Kinds of federated objects, namespaced ones only. Services when absent. Namespaces are in every member anyway.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 100))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["apiVersion", "kind"]))]
    pub kinds: Vec<FederatedKind>,
    /// Clusters that take part, by their labels. All of them when absent.
    #[serde(skip_serializing_if = "is_default")]
    pub cluster_selector: Option<LabelSelector>,
    /// Public DNS records of its Services. None when absent.
    #[serde(skip_serializing_if = "is_default")]
    pub dns: Option<FederationDns>,
}

/// Namespaces that are in the list or have the labels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FederatedNamespaces {
    /// Names of namespaces.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 1000))]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub names: Vec<String>,
    /// Labels of namespaces; an empty selector selects all.
    #[serde(skip_serializing_if = "is_default")]
    pub selector: Option<LabelSelector>,
}

/// One kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FederatedKind {
    /// Group and version. The group counts: objects are federated in every version of it.
    #[schemars(length(min = 1, max = 253))]
    pub api_version: String,
    /// Kind.
    #[schemars(length(min = 1, max = 63))]
    pub kind: String,
}

/// Observed state of a federation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FederationStatus {
    /// Generation of the spec that the status is about.
    #[serde(skip_serializing_if = "is_default")]
    pub observed_generation: i64,
    /// Federated objects.
    #[serde(skip_serializing_if = "is_default")]
    pub objects: i64,
    /// Zones that have records of the federation, or may have them since a publication was interrupted.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub zones: Vec<PublishedZone>,
    /// Places of the clusters, as last seen; names of a cluster stay while its nodes cannot be read.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub clusters: Vec<ClusterPlace>,
    /// `Ready`, and with zones `RecordsPublished`.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

impl FederatedNamespaces {
    /// Whether a namespace is federated; `label` finds the value of one of its labels.
    pub fn has<'a>(&self, name: &str, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.names.iter().any(|listed| listed == name)
            || self.selector.as_ref().is_some_and(|selector| selector.matches(label))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn namespaces_are_federated_by_name_or_label() {
        let labels = BTreeMap::from([("team".to_owned(), "web".to_owned())]);
        let by_name = FederatedNamespaces { names: vec!["shop".to_owned()], selector: None };
        let selector = |value: &str| {
            let match_labels = BTreeMap::from([("team".to_owned(), value.to_owned())]);
            Some(LabelSelector { match_labels, ..LabelSelector::default() })
        };
        let by_label = FederatedNamespaces { names: Vec::new(), selector: selector("web") };
        let either = FederatedNamespaces { names: vec!["shop".to_owned()], selector: selector("db") };
        for (namespaces, name, want) in [
            (&by_name, "shop", true),
            (&by_name, "other", false),
            (&by_label, "shop", true),
            (&either, "shop", true),
            (&either, "other", false),
            (&FederatedNamespaces::default(), "shop", false),
        ] {
            let found = namespaces.has(name, |key| labels.get(key).map(String::as_str));
            assert_eq!(found, want, "{namespaces:?} {name}");
        }
    }
}
