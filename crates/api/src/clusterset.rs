//! Group `portolan.dev`: which clusters form a cluster set, inside of which a service exported from one is a service
//! of all.
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
/// An id is the value of a label and a label of DNS names, which may both be this long (mcs 1.4).
pub const LONGEST_ID: usize = 63;

kind! {
    /// Clusters inside of which a namespace of one name is one namespace, and an exported service is one service.
    ClusterSet, "portolan.dev", "v1alpha1", "clustersets", Cluster {
        /// Which clusters are members.
        spec: ClusterSetSpec,
        /// What became of that.
        #[serde(skip_serializing_if = "is_default")]
        status: ClusterSetStatus,
    }
}

/// Which clusters are members.
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
    /// What the cluster is called in the set.
    pub fn id(&self) -> &str {
        if self.id.is_empty() { &self.cluster } else { &self.id }
    }
}

/// What became of the members.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterSetStatus {
    /// One for each member, and for each cluster that is leaving.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["cluster"]))]
    pub members: Vec<MemberStatus>,
    /// Members whose phase is Joined, and members in all, such as `2/2`.
    #[serde(skip_serializing_if = "is_default")]
    pub joined: String,
}

/// What became of one member.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MemberStatus {
    /// Name of the Cluster object.
    pub cluster: String,
    /// Its id in the set.
    #[serde(skip_serializing_if = "is_default")]
    pub id: String,
    /// Which cluster has the id: the uid of its namespace kube-system when it joined.
    #[serde(skip_serializing_if = "is_default")]
    pub uid: String,
    /// How far it is.
    pub phase: MemberPhase,
    /// Why it is there, and what to do about it.
    #[serde(skip_serializing_if = "is_default")]
    pub message: String,
}

/// How far a cluster is on its way into a set or out of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum MemberPhase {
    /// It has not been reached yet.
    #[default]
    Pending,
    /// It is a member, and knows.
    Joined,
    /// It cannot be a member; the message says why.
    Refused,
    /// What the set put there is being removed.
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
