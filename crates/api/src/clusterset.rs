//! Group `portolan.dev`: cluster sets. A service exported from one member can be used in all of them.
//!
//! No standard kind says so for clusters that a control plane manages: KEP-1645 leaves it to the implementation how
//! membership is tracked. In each member it shows as the properties of KEP-2149.

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::kind::kind;
use crate::schema::is_default;

/// The property that names the cluster in its set.
pub const ID_PROPERTY: &str = "cluster.clusterset.k8s.io";
/// The property that names the set.
pub const SET_PROPERTY: &str = "clusterset.k8s.io";
/// Maximum length of an id, which is the value of a label and a label of DNS names (RFC 1123).
pub const MAX_ID_LENGTH: usize = 63;

kind! {
    /// A set of clusters in which namespaces of one name are the same, and every member can use exported services.
    ClusterSet, "portolan.dev", "v1alpha1", "clustersets", Cluster {
        /// Member clusters.
        spec: ClusterSetSpec,
        /// Observed state.
        #[serde(skip_serializing_if = "is_default")]
        status: ClusterSetStatus,
    }
}

/// Member clusters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterSetSpec {
    /// The members, by the names under which they joined the federation.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 500))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["cluster"]))]
    pub members: Vec<ClusterSetMember>,
}

/// One member.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(transform = keep_id)]
pub struct ClusterSetMember {
    /// Name of the Cluster object.
    #[schemars(length(min = 1, max = 63))]
    pub cluster: String,
    /// What the cluster is called in the set: in DNS names, labels and statuses. The cluster's name when absent;
    /// unique in the set, and fixed while the cluster is a member.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(
        length(max = 63),
        regex(pattern = r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)?)?$")
    )]
    pub id: String,
}

/// KEP-2149: an id must not change during membership.
fn keep_id(schema: &mut Schema) {
    schema.insert(
        "x-kubernetes-validations".to_owned(),
        json!([{
            "rule": "(has(self.id) ? self.id : '') == (has(oldSelf.id) ? oldSelf.id : '')",
            "message": "the id of a member cannot change: remove the cluster from the set and add it again",
        }]),
    );
}

impl ClusterSetMember {
    /// Id of the cluster in the set.
    pub fn id(&self) -> &str {
        if self.id.is_empty() { &self.cluster } else { &self.id }
    }
}

/// Observed state of the members.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterSetStatus {
    /// One entry for each member, and for each cluster that is being removed.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["cluster"]))]
    pub members: Vec<MemberStatus>,
    /// Members with the phase Joined, and all members, such as `2/2`.
    #[serde(skip_serializing_if = "is_default")]
    pub joined: String,
}

/// Observed state of one member.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MemberStatus {
    /// Name of the Cluster object.
    pub cluster: String,
    /// Its id in the set.
    #[serde(skip_serializing_if = "is_default")]
    pub id: String,
    /// Identity of the cluster with the id: the uid of its namespace kube-system when it joined.
    #[serde(skip_serializing_if = "is_default")]
    pub uid: String,
    /// Phase.
    pub phase: MemberPhase,
    /// Cause of the phase, and how to proceed.
    #[serde(skip_serializing_if = "is_default")]
    pub message: String,
}

/// Phase of a cluster's membership.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum MemberPhase {
    /// The cluster has not been reached yet.
    #[default]
    Pending,
    /// The cluster is a member and has its properties.
    Joined,
    /// The cluster cannot be a member; the message has the reason.
    Refused,
    /// The objects of the set are being removed from the cluster.
    Leaving,
}

impl MemberPhase {
    /// The value in the status of a ClusterSet.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Joined => "Joined",
            Self::Refused => "Refused",
            Self::Leaving => "Leaving",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_the_name_unless_given() {
        let member = |id: &str| ClusterSetMember { cluster: "eu".to_owned(), id: id.to_owned() };
        assert_eq!(member("").id(), "eu");
        assert_eq!(member("eu.prod").id(), "eu.prod");
    }
}
