//! What the control plane's own objects say about the service and its members.

use std::collections::BTreeSet;

use portolan_api::cluster::Cluster;
use portolan_object::ObjectKey;

/// What the control plane's own objects say about a member.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Known {
    /// Condition `Ready` of the Cluster object; `None` if it has none yet.
    pub ready: Option<Ready>,
    /// The entry of a ClusterSet that lists it.
    pub listed: Option<Listed>,
    /// The Cluster object.
    pub cluster: Option<Cluster>,
}

/// Condition `Ready` of a Cluster object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ready {
    /// Whether its status is `True`.
    pub is_ready: bool,
    /// Its reason.
    pub reason: String,
    /// Its message.
    pub message: String,
    /// Time of its last transition, RFC 3339.
    pub since: String,
}

/// Entry of a member in a ClusterSet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// Name of the ClusterSet.
    pub set: String,
    /// Id of the member in the set.
    pub id: String,
    /// Cause of its phase, if it has not joined the set; otherwise empty.
    pub message: String,
}

/// A kind of the control plane that was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The kind.
    pub kind: HubKind,
    /// Message of the error.
    pub message: String,
}

/// Kinds of the control plane that explain what a service does, and that a user may lack the right to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HubKind {
    /// TrafficPolicies: they hide services and keep endpoints back.
    TrafficPolicy,
    /// ClusterSets: they say why a cluster is not a member.
    ClusterSet,
    /// MultiClusterServices: they give clusters a Service under its own name.
    MultiClusterService,
    /// ClusterProfiles: they have the properties by which TrafficPolicies select clusters.
    ClusterProfile,
    /// ResourceBindings: they say whether a Federation has the service.
    ResourceBinding,
}

impl HubKind {
    /// Name of the resource in rules of RBAC.
    pub fn resource(self) -> &'static str {
        match self {
            Self::TrafficPolicy => "trafficpolicies.portolan.dev",
            Self::ClusterSet => "clustersets.portolan.dev",
            Self::MultiClusterService => "multiclusterservices.networking.karmada.io",
            Self::ClusterProfile => "clusterprofiles.multicluster.x-k8s.io",
            Self::ResourceBinding => "resourcebindings.work.karmada.io",
        }
    }
}

/// A MultiClusterService: clients reach the Service of other clusters under its own name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Native {
    /// Clusters with endpoints.
    pub providers: BTreeSet<String>,
    /// Whether it names them. Otherwise they are all clusters, and those that have endpoints serve.
    pub names_providers: bool,
    /// Clusters with clients.
    pub consumers: BTreeSet<String>,
    /// Message of the conditions that are false; empty if none is.
    pub problem: String,
}

/// `MultiClusterService namespace/name`.
pub(super) fn title_of_native(service: &ObjectKey) -> String {
    format!("MultiClusterService {service}")
}
